internal import ArgumentParser
internal import Files
internal import Operations

struct CollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Remove what nothing needs any more.",
        discussion: """
            What stays: the store paths of all generations of all profiles, those that entries of gcroots/ name, those \
            that running programs use, and those that a command in progress needs. All generations stay unless \
            --keep-generations or --older-than let some go, or KeepGenerations= or KeepDays= of the configuration, and then \
            the active one and that it was made from stay all the same. Works on a full disk.

            Examples:
              sxs gc --dry-run                      what would go, and why the rest stays
              sxs gc --keep-generations 3           of each profile
              sxs gc --older-than 30d --max-freed 2G
              sxs gc --max-free 20G                 until so much is free
            """)

    @Flag(help: "Remove nothing; show what would go, and why the rest stays.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Delete generations, but for this many of the newest of each profile.", valueName: "number"))
    var keepGenerations: Int?

    @Option(
        help: ArgumentHelp(
            "Delete generations that are older than this (12h, 30d, 2w); with --keep-generations only those.",
            valueName: "time"))
    var olderThan: TimeSpan?

    @Option(help: ArgumentHelp("Stop when so much is freed (500M, 2GiB).", valueName: "size"))
    var maxFreed: ByteCount?

    @Option(
        help: ArgumentHelp(
            "Stop when so much is free on the store's file system; nothing goes where it is already.",
            valueName: "size"))
    var maxFree: ByteCount?

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard keepGenerations.map({ $0 >= 0 }) ?? true else {
            throw ValidationError("--keep-generations is 0 or more")
        }
    }

    func run() throws {
        let session = try shared.session()
        var options = try session.usualCollection()
        options.isDryRun = dryRun
        // Either of them takes the place of what the configuration says of generations.
        if keepGenerations != nil || olderThan != nil {
            options.kept = keepGenerations
            options.age = olderThan?.seconds
        }
        options.limit = maxFreed?.bytes
        if let maxFree { options.wantedFree = maxFree.bytes }
        let report = try session.collectGarbage(options)
        if shared.json { return Console.print(report.json()) }
        show(report)
    }

    private func show(_ report: CollectionReport) {
        var lines: [String] = []
        for generation in report.generations {
            lines.append("- generation \(generation.number) of profile \(generation.profile)")
        }
        for path in report.removed {
            let what =
                path.name == nil ? " (left by an interrupted command)" : "  \(Console.size(path.freed))"
            lines.append("- \(path.storePath)\(what)")
        }
        if report.isDryRun {
            for path in report.kept {
                let others =
                    path.others == 0
                    ? "" : ", and \(path.others) other \(path.others == 1 ? "root" : "roots")"
                lines.append("  \(path.storePath): \(path.root.text)\(others)")
            }
            lines += report.spared.map { "  \($0): enough is freed without it" }
        }
        for root in report.dangling { lines.append("gcroots/\(root.path): \(root.reason)") }
        let verb = report.isDryRun ? "would be freed" : "freed"
        let caches =
            report.caches == 0
            ? "" : ", \(report.caches) generated \(report.caches == 1 ? "cache" : "caches")"
        let fetched =
            report.fetched == 0
            ? "" : ", \(report.fetched) fetched \(report.fetched == 1 ? "image" : "images")"
        lines.append(
            "\(report.removed.count) store \(report.removed.count == 1 ? "path" : "paths")\(caches)\(fetched): \(Console.size(report.freed)) \(verb)"
        )
        Console.print(lines.joined(separator: "\n"))
        if report.waiting > 0 {
            Console.note(
                "\(report.waiting) store \(report.waiting == 1 ? "path stays" : "paths stay") until it is known that they do not run on "
                    + report.silentHosts.joined(separator: ", ")
                    + "\nhint: run 'sxs gc' there, then here again; of a host that is gone, remove the file in gcroots/hosts"
            )
        }
        for unseen in report.unseen { Console.note("could not be looked at: \(unseen)") }
    }
}

struct WhyAliveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why-alive", abstract: "Show what keeps a store path from garbage collection.",
        discussion: """
            Examples:
              sxs why-alive emacs
              sxs why-alive /usr/store/6lhg18n4gpk4s3vwpxrp05z9wrdwgrfh-empty-1 --json
            """)

    @Argument(help: "A package, or a path in the store.")
    var path: String

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let found = try shared.session().whyAlive(path)
        if shared.json { return try Console.printJSON(found) }
        for path in found {
            Console.print(path.storePath)
            for root in path.roots { Console.print("  \(root.text)") }
            if path.roots.isEmpty { Console.print("  nothing keeps it: 'sxs gc' removes it") }
        }
    }
}
