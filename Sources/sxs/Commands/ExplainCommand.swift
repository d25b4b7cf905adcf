internal import Activation
internal import ArgumentParser
internal import Operations
internal import StoreLayout

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Show what systemd-sysext would do with an image, rule by rule, and what it would hide.",
        discussion: """
            Nothing is merged, nothing is written, and no store is needed. The host is this one; --host (or --root, as in \
            systemd-sysext) names the root directory of another, --os-release its os-release file alone, and then no \
            files are compared. The rules are those of the host's version of systemd, or of the one that --systemd names.

            Exit status: 0 if the image would be merged, 1 if it would be refused, or cannot be read. Conflicts with the \
            host's files do not change it, but with --strict severe ones do.

            NAME or REMOTE/NAME is the newest image that a remote of the default root (or $SXS_ROOT) has of a name: what it \
            says of it, or else the image itself, which is fetched into the cache.

            Examples:
              sxs explain ./strace.raw
              sxs explain tools/strace
              sxs explain ./strace.raw --host /mnt/new-root
              sxs explain ./tree --os-release ./os-release --systemd 252 --json
            """)

    @Argument(help: "The image: a SquashFS .raw, a directory, a tar or OCI archive; or a name in a remote.")
    var image: String

    @Option(
        name: [.customLong("host"), .customLong("root")],
        help: ArgumentHelp("The root directory of the host.", valueName: "dir"))
    var host: String?

    @Option(
        help: ArgumentHelp("An os-release file, in place of the host's.", valueName: "file"))
    var osRelease: String?

    @Option(help: ArgumentHelp("The host's version of systemd; by default found out.", valueName: "number"))
    var systemd: Int?

    @Option(
        help: ArgumentHelp(
            "The host's architecture, such as arm64; by default this machine's.", valueName: "architecture"))
    var platform: String?

    @Option(
        help: ArgumentHelp("The file name it would have in /var/lib/extensions.", valueName: "name"))
    var name: String?

    @Flag(help: "Take severe conflicts as a refusal.")
    var strict = false

    @Flag(help: "Show every conflict, not only the first of each kind.")
    var all = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let explainer = try ExtensionExplainer(
            root: host ?? (osRelease == nil ? "/" : nil), osRelease: osRelease, systemd: systemd,
            architecture: platform.map { try Architecture(parsing: $0) }, progress: ProgressBar())
        let session = try Session(
            root: nil, profile: ProfileName(StoreLayout.defaultProfile), progress: ProgressBar(),
            command: "sxs explain", settings: Session.settings(), note: Console.note)
        let explanation =
            try session.explainOffer(image, on: explainer) ?? explainer.explain(image, name: name)
        if json { try Console.printJSON(explanation) } else { show(explanation) }
        let isSevere = explanation.conflicts?.contains { $0.severity == .severe } ?? false
        if explanation.match.outcome != .merged || strict && isSevere { throw ExitCode(1) }
    }

    private func show(_ explanation: Explanation) {
        let host = explanation.host
        let facts = [host.id, host.versionID].compactMap { $0 }.joined(separator: " ")
        Console.print(
            "\(explanation.image): \(explanation.kind)\nhost: \(facts.isEmpty ? "without ID" : facts), \(host.architecture), systemd \(host.systemd)"
        )
        Console.print(
            Console.table(
                explanation.match.rules.map {
                    ["  \($0.verdict.rawValue)", $0.rule, $0.image ?? "-", $0.host ?? "-", $0.reason]
                }))
        if let conflicts = explanation.conflicts { show(conflicts) }
        if !explanation.unmerged.isEmpty {
            let parts = explanation.unmerged.map {
                "\($0.name) (\($0.fileCount) \($0.fileCount == 1 ? "file" : "files"))"
            }
            Console.print("not merged, only usr and opt are: \(parts.joined(separator: ", "))")
        }
        for note in explanation.notes { Console.print("note: \(note)") }
        switch explanation.match.outcome {
        case .merged: Console.print("verdict: it would be merged")
        case .ignored: Console.print("verdict: it would be passed over; other extensions are merged")
        case .blocks: Console.print("verdict: refused, and no other extension would be merged either")
        }
        if let hint = explanation.match.refusal?.hint { Console.print("hint: \(hint)") }
    }

    private func show(_ conflicts: [ExtensionConflict]) {
        guard !conflicts.isEmpty else { return Console.print("conflicts with the host's files: none") }
        let counts = ExtensionConflict.Severity.allCases.reversed().compactMap { severity in
            let count = conflicts.count { $0.severity == severity }
            return count == 0 ? nil : "\(count) \(severity.rawValue)"
        }
        Console.print("conflicts with the host's files: \(counts.joined(separator: ", "))")
        for kind in ExtensionConflict.Kind.allCases {
            let some = conflicts.filter { $0.kind == kind }
            guard !some.isEmpty else { continue }
            Console.print("  \(kind.rawValue): \(some.count)")
            let shown = all ? some : Array(some.prefix(5))
            Console.print(
                Console.table(
                    shown.map { ["    \($0.severity.rawValue)", $0.path, "\($0.image)  (host: \($0.host))"] })
            )
            if shown.count < some.count { Console.print("    and \(some.count - shown.count) more (--all)") }
        }
    }
}
