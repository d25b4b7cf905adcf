internal import ArgumentParser
internal import Files
internal import Operations
internal import StoreLayout

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Show whether packages and extensions would go on working on another host: a gate for its upgrade.",
        discussion: """
            For the packages of all profiles: whether the host has the libraries, symbol versions and loaders that \
            packages without a C library of their own take from it. For extensions (in etc/extensions and \
            var/lib/extensions of the host, then of this machine, or in the directories named): whether systemd-sysext \
            would merge them, and hide or replace nothing that programs of the host need to start. Also shows on which \
            host each active generation was made, where that is not this one.

            Exit status: 0 if all would work, 1 for a problem.

            Examples:
              sxs check --host /mnt/new-root
              sxs check --host /mnt/new-root --extensions /srv/extensions --json
            """)

    @Option(help: ArgumentHelp("The root directory of the host, such as its next version.", valueName: "dir"))
    var host = "/"

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A directory of extensions, in place of the usual ones.", valueName: "dir"))
    var extensions: [String] = []

    @Option(help: ArgumentHelp("The host's version of systemd; by default found out.", valueName: "number"))
    var systemd: Int?

    @Option(
        help: ArgumentHelp("The state directory, as of every verb; not that of the host.", valueName: "dir"))
    var root: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let session = try Session(
            root: root, profile: ProfileName(StoreLayout.defaultProfile), progress: ProgressBar(),
            command: "sxs check", settings: Session.settings(), note: Console.note)
        let check = try session.check(
            host: host, extensions: extensions.isEmpty ? nil : extensions, systemd: systemd)
        if json { try Console.printJSON(check) } else { show(check) }
        if check.problemCount > 0 { throw ExitCode(1) }
    }

    private func show(_ check: HostCheck) {
        for change in check.changes { Console.print("note: \(change)") }
        for (kind, items) in [("package", check.packages), ("extension", check.extensions)] {
            for item in items {
                Console.print("\(kind) \(item.name): \(item.problems.isEmpty ? "works" : "fails")")
                for problem in item.problems { Console.print("  \(problem)") }
            }
        }
        let host = [check.host.id, check.host.versionID].compactMap { $0 }.joined(separator: " ")
        let count = check.problemCount
        Console.print(
            "packages: \(check.packages.count), extensions: \(check.extensions.count); on \(host), "
                + "\(check.host.architecture), systemd \(check.host.systemd): "
                + (count == 0 ? "no problem" : count == 1 ? "1 problem" : "\(count) problems"))
    }
}
