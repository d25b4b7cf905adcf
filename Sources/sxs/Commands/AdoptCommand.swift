internal import Activation
internal import ArgumentParser
internal import Operations
internal import StoreLayout

struct AdoptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Take over the extensions that systemd-sysext merges on this host.",
        discussion: """
            Programs become packages of the store, whose commands the default profile shows. What has to be in /usr itself \
            (udev rules, kernel modules, firmware, libraries of the host …) stays merged as it is, and each generation says \
            whether. What is damaged, or would keep systemd from merging anything, is put into quarantine with the reason. \
            The running merge is not touched, and --undo gives everything back.

            Images that no link leads to are only listed; name one by its file name to have it.

            Examples:
              sxs adopt --dry-run               what would become of which extension, and why
              sxs adopt                         all of them, as one generation
              sxs adopt strace                  one of them
              sxs adopt --undo                  give them back, keep the packages
              sxs adopt --undo --packages       and remove the packages
            """)

    @Argument(help: ArgumentHelp("Extensions; all where none is named.", valueName: "name"))
    var names: [String] = []

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    @Flag(help: "Give back what was taken over, exactly where it was.")
    var undo = false

    @Flag(help: "With --undo: remove the packages, too.")
    var packages = false

    @OptionGroup var hostOptions: HostOptions

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard !packages || undo else { throw ValidationError("--packages goes with --undo") }
        guard names.isEmpty || !undo else {
            throw ValidationError("--undo gives everything back: name nothing")
        }
    }

    func run() throws {
        let host = try hostOptions.host()
        let session = try shared.session()
        guard !undo else {
            let report = try session.undoAdoption(host, removesPackages: packages, isDryRun: dryRun)
            if shared.json { return try Console.printJSON(report) }
            return try show(report)
        }
        let report = try session.adopt(host, names: names, isDryRun: dryRun)
        if shared.json { return try Console.printJSON(report) }
        try show(report)
    }

    private func show(_ report: AdoptionReport) throws {
        guard !report.extensions.isEmpty || !report.mended.isEmpty else {
            return Console.print("there are no extensions to take over")
        }
        for path in report.mended { Console.print("+ \(path)") }
        let rows = report.extensions.map { item in
            [item.fate.rawValue, item.name, item.version ?? "-", item.path]
        }
        let lines = Console.table(rows).split(separator: "\n", omittingEmptySubsequences: false)
        for (line, item) in zip(lines, report.extensions) {
            Console.print(String(line))
            for reason in item.reasons { Console.print("    " + reason) }
        }
        let touched = report.extensions.contains { $0.fate != .left && $0.fate != .available }
        if touched {
            for transfer in report.transfers {
                guard !Anchor.searchPath.contains(transfer.path) else {
                    Console.print(
                        "sysupdate finds no version in \(transfer.path) any more and fetches the newest by \(transfer.file): the next 'sxs adopt' takes it over"
                    )
                    continue
                }
                Console.print(
                    "sysupdate goes on by \(transfer.file): versions that it brings are taken over by the next 'sxs adopt'"
                )
            }
        }
        guard !report.isDryRun else { return Console.print("nothing was done: --dry-run") }
        try report.change?.show(json: false)
        if !report.mergedUntilNext.isEmpty {
            Console.print(
                "merged as before until the system starts, or 'systemd-sysext refresh': \(report.mergedUntilNext.joined(separator: ", "))"
            )
        }
        if touched { Console.print("'sxs adopt --undo' gives everything back") }
    }

    private func show(_ report: AdoptionUndoReport) throws {
        for path in report.restored { Console.print("+ \(path)") }
        for left in report.left { Console.print("= \(left.path) stays away: \(left.reason)") }
        guard !report.isDryRun else { return Console.print("nothing was done: --dry-run") }
        guard !report.restored.isEmpty || !report.left.isEmpty else {
            return Console.print("nothing to undo")
        }
        try report.change?.show(json: false)
        for path in report.refused {
            Console.note("\(path) was in quarantine: systemd may merge no extension while it is there")
        }
        if !report.packages.isEmpty {
            Console.print(
                "packages stay: \(report.packages.joined(separator: ", ")); 'sxs remove' takes them out of the profile"
            )
        }
    }
}

/// Whether extensions are merged anew where a generation changes which are.
struct RefreshOptions: ParsableArguments {
    @Flag(
        help:
            "Merge extensions anew if the generation changes which are merged; for a moment, their files are gone."
    )
    var refresh = false

    func around(_ session: Session, _ verb: () throws -> GenerationChange) throws -> GenerationChange {
        try Self.around(session, isWanted: refresh, verb)
    }

    /// Runs a verb that switches generations, and says what comes of extensions where they are not merged anew.
    static func around(
        _ session: Session, isWanted: Bool, _ verb: () throws -> GenerationChange
    ) throws -> GenerationChange {
        let change = try session.refreshing(Host("/"), isWanted: isWanted, verb)
        if !isWanted, !change.mergeChanges.isEmpty, session.root == StoreLayout.systemRoot {
            let words = change.mergeChanges.map { "\($0.name) \($0.words)" }.joined(separator: ", ")
            Console.note(
                "\(words) when extensions are merged next: when the system starts, or by 'systemd-sysext refresh'"
            )
        }
        return change
    }
}

extension InstalledPackage {
    /// Name and version, for people.
    var text: String { "\(name) \(version)\(isExtension ? " (merged)" : "")" }
}
