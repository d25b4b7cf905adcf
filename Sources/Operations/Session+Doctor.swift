public import Activation
internal import Files
private import Glibc
internal import Store
internal import StoreLayout

/// What `sxs doctor` has to say.
public struct DoctorReport: Encodable, Sendable {
    /// The host.
    public let facts: HostFacts
    /// What is wrong, the worst first.
    public let findings: [Finding]

    /// Whether something does not work.
    public var hasErrors: Bool { findings.contains { $0.severity == .error } }
}

extension Session {
    /// Looks for what keeps the store from working on a host; changes nothing.
    public func diagnose(_ host: Host) throws -> DoctorReport {
        let facts = try host.facts()
        var findings: [Finding] = []
        var record: SetupRecord?
        do {
            record = try HostSetup(host).record()
        } catch let error as SetupError {
            findings.append(
                Finding(
                    .error, "record-damaged", "the record of what 'sxs setup' made cannot be read",
                    why: "\(error)".firstLine, hint: "remove it, and run 'sxs setup' again"))
        }
        let examination = HostExamination(host: host, facts: facts, record: record)
        findings += try examination.storeFindings()
        findings += try examination.extensionFindings()
        if record?.method == .anchor {
            findings += try ExtensionExamination(host: host, facts: facts).findings()
        }
        findings += try AdoptionExamination(host: host, facts: facts).findings()
        findings += try examination.fileFindings()
        findings += try examination.serviceFindings()
        if host.isThisSystem {
            findings += examination.kernelFindings()
            findings += try examination.environmentFindings()
        }
        findings += try RootExamination(host: host).findings()
        if host.isThisSystem { findings += try LayerExamination(root: root).findings() }
        let order = Finding.Severity.allCases
        return DoctorReport(
            facts: facts,
            findings: order.flatMap { severity in findings.filter { $0.severity == severity } })
    }
}

extension String {
    var firstLine: String { split(separator: "\n").first.map(String.init) ?? "" }
}
