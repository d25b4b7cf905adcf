internal import Activation
internal import ArgumentParser
internal import Operations

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what keeps the store from working on this host.",
        discussion: """
            Each finding says what is found, why it matters and what to do. Nothing is changed. The exit status is 1 \
            where there is an error.

            With --fsck it is the store that is looked at instead: whether its files, its index and its profiles agree, \
            and whether others could change it. The exit status is 1 where there is more than a note.

            Examples:
              sxs doctor --json
              sxs doctor --fsck
              sxs doctor --fsck --contents      read all contents, too
            """)

    @Flag(help: "Examine the store instead of the host: whether files, index and profiles agree.")
    var fsck = false

    @Flag(help: "With --fsck: read all contents, too.")
    var contents = false

    @OptionGroup var hostOptions: HostOptions

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard fsck || !contents else { throw ValidationError("--contents goes with --fsck") }
    }

    func run() throws {
        if fsck { return try examineStore() }
        let report = try shared.session().diagnose(hostOptions.host())
        if shared.json {
            try Console.printJSON(report)
        } else {
            Console.print("host: " + report.facts.summary)
            for finding in report.findings {
                Console.print(
                    "\(finding.severity.rawValue): \(finding.what)\n  \(finding.why)\n  hint: \(finding.hint)"
                )
            }
            if report.findings.isEmpty { Console.print("no findings") }
        }
        if report.hasErrors { throw ExitCode.failure }
    }

    private func examineStore() throws {
        let report = try shared.session().examineStore(readsContents: contents)
        if shared.json {
            try Console.printJSON(report)
        } else {
            for finding in report.findings {
                let path = finding.path.map { $0 + ": " } ?? ""
                Console.print("\(finding.severity.rawValue): \(path)\(finding.what)\n  hint: \(finding.hint)")
            }
            if report.findings.isEmpty { Console.print("no findings") }
        }
        if report.hasErrors { throw ExitCode.failure }
    }
}
