internal import Activation
internal import ArgumentParser
internal import Operations

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what keeps the store from working on this host.",
        discussion: """
            Each finding says what is found, why it matters and what to do. Nothing is changed. The exit status is 1 \
            where there is an error.

            Example:
              sxs doctor --json
            """)

    @OptionGroup var hostOptions: HostOptions

    @OptionGroup var shared: SharedOptions

    func run() throws {
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
}
