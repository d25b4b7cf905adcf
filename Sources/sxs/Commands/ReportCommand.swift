internal import Activation
internal import ArgumentParser
internal import Files
internal import Operations
internal import Relocation

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Show what relocation did to a package and what it left.",
        discussion: """
            The score is the part of all paths that lead into the store path now, each weighed by what leaving it \
            means: 'severe' (a program does not start, or starts with the host's libraries), 'matters' (it reads the \
            host's file or finds none), 'slight' (hardly ever seen). 100 is all.

            With --trace a command runs as it always does, and afterwards standard error, or the --output file, has the \
            paths that programs of the store asked the host for although their own image has them. The exit status is \
            the command's.

            Examples:
              sxs report emacs
              sxs report emacs --limit 30
              sxs report emacs --file usr/bin/emacs
              sxs report --trace -- emacs --batch --eval '(princ emacs-version)'
              sxs report --trace --json --output touched.json -- git status
            """)

    @Argument(help: ArgumentHelp("A package.", valueName: "package"))
    var package: String?

    @Flag(help: "Show every file, not only those with most left.")
    var all = false

    @Option(help: ArgumentHelp("How many files to show, the worst first.", valueName: "n"))
    var limit = 10

    @Option(help: ArgumentHelp("Show all of one file, named as in the image.", valueName: "path"))
    var file: String?

    @Flag(help: "Run a command, and show what it asks the host for although its image has it.")
    var trace = false

    @Option(
        help: ArgumentHelp("Where what a trace shows goes, instead of standard error.", valueName: "file"))
    var output: String?

    @OptionGroup var shared: SharedOptions

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp(
            "With --trace, a command of the profile or any other, after '--'.", valueName: "command"))
    var command: [String] = []

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit is a number of files, 0 or more") }
        if trace {
            guard !command.isEmpty else { throw ValidationError("name a command to trace after '--'") }
            guard package == nil, file == nil else {
                throw ValidationError("--trace goes with a command after '--', not with a package or --file")
            }
        } else {
            guard package != nil else { throw ValidationError("name a package, or a command with --trace") }
            guard command.isEmpty, output == nil else {
                throw ValidationError("a command and --output go with --trace only")
            }
        }
    }

    func run() throws {
        let session = try shared.session()
        if trace { return try runTrace(session) }
        guard let package else { return }
        if let file {
            let found = try session.report(package, file: file)
            if shared.json { return try Console.printJSON(found) }
            return show(found, shown: .max)
        }
        let report = try session.report(package)
        if shared.json { return try Console.printJSON(report) }
        Console.print("\(report.name) \(report.version)  \(report.storePath)")
        Console.print(
            "\(report.fileCount) files, \(report.elfCount) of them ELF; loader: \(report.loader ?? "the host's")"
                + (report.cachedLibraries > 0 ? ", \(report.cachedLibraries) library names in its cache" : "")
        )
        if !report.hostLibraries.isEmpty {
            Console.print("needs of the host: \(report.hostLibraries.joined(separator: ", "))")
        }
        Console.print("score \(report.score) of 100")
        Console.print(
            Console.table(
                report.classes.map {
                    let files = $0.files == 1 ? "in 1 file" : "in \($0.files) files"
                    return [$0.kind.rawValue, $0.name, "\($0.count)", files]
                        + ($0.severity.map { [$0.rawValue] } ?? [])
                }))
        for (reason, files) in report.dropped.sorted(by: { $0.key < $1.key }) {
            let shown = files.prefix(all ? .max : max(limit, 1))
            Console.print(
                "\(reason) dropped: \(shown.joined(separator: ", "))"
                    + (files.count > shown.count ? " and \(files.count - shown.count) more" : ""))
        }
        let files = all ? report.files : Array(report.files.filter { $0.weight > 0 }.prefix(limit))
        for file in files { show(file, shown: all ? .max : 5) }
    }

    private func show(_ file: PackageReport.File, shown: Int) {
        let moved = file.moved.sorted { $0.key.rawValue < $1.key.rawValue }.map {
            "\($0.value) \($0.key.rawValue)"
        }
        let severity = file.severity.map { " (\($0.rawValue))" } ?? ""
        Console.print(
            "\(file.path)\(severity): \(moved.isEmpty ? "nothing moved" : moved.joined(separator: ", "))")
        for left in file.left.prefix(shown) {
            let times = left.count > 1 ? ", \(left.count) times" : ""
            Console.print("  left \(left.path) (\(left.reason.rawValue)\(times); \(left.severity.rawValue))")
        }
        if file.left.count > shown {
            Console.print("  and \(file.left.count - shown) more; see --file \(file.path)")
        }
        for (finding, names) in file.missing.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            Console.print("  \(finding.rawValue): \(names.joined(separator: ", "))")
        }
    }

    private func runTrace(_ session: Session) throws {
        // Opened before the command runs: a file that cannot be written is no reason to lose what it showed.
        let file = try output.map { try Descriptor.create($0) }
        let (report, status) = try session.trace(Array(Launcher.arguments.suffix(command.count)))
        let text = shared.json ? try Console.json(report) : Self.text(report, all: all)
        if let file {
            try Array((text + "\n").utf8).withUnsafeBytes { try file.write($0) }
        } else {
            Console.say(text)
        }
        Tracer.endLike(status)
    }

    /// What a trace found, for people.
    private static func text(_ report: TraceReport, all: Bool) -> String {
        var lines: [String] = []
        if report.packages.isEmpty { lines.append("trace: no program of the store ran") }
        for package in report.packages {
            let name = "trace: \(package.name) \(package.version)"
            let expected =
                package.expected.isEmpty
                ? "" : "; \(package.expected.count) that are meant to be the host's" + (all ? "" : " (--all)")
            switch package.touched.count {
            case 0: lines.append("\(name): no path of the host that its image has\(expected)")
            case 1: lines.append("\(name): 1 path of the host that its image has\(expected)")
            case let count: lines.append("\(name): \(count) paths of the host that its image has\(expected)")
            }
            let rows = (package.touched + (all ? package.expected : [])).map { path in
                [
                    path.exists ? "  found" : "  missing", "\(path.count)", path.path,
                    "\(path.calls.joined(separator: " ")) by \(path.programs.joined(separator: " "))"
                        + (path.reason.map { " (\($0))" } ?? ""),
                ]
            }
            if !rows.isEmpty { lines.append(Console.table(rows)) }
        }
        if report.hidden > 0 {
            lines.append(
                """
                trace: \(report.hidden) of \(report.calls) calls could not be looked at: the kernel protects the programs
                hint: trace as root, or set kernel.yama.ptrace_scope to 1 or 0
                """)
        }
        if report.isCut { lines.append("trace: there were more paths than are kept") }
        return lines.joined(separator: "\n")
    }
}
