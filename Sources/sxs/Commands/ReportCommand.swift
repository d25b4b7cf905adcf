internal import ArgumentParser
internal import Operations
internal import Relocation

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Show what relocation did to a package and what it left.",
        discussion: """
            The score is the part of all paths that lead into the store path now, each weighed by what leaving it \
            means: 'severe' (a program does not start, or starts with the host's libraries), 'matters' (it reads the \
            host's file or finds none), 'slight' (hardly ever seen). 100 is all.

            Examples:
              sxs report emacs
              sxs report emacs --limit 30
              sxs report emacs --file usr/bin/emacs
            """)

    @Argument(help: ArgumentHelp("A package.", valueName: "package"))
    var package: String

    @Flag(help: "Show every file, not only those with most left.")
    var all = false

    @Option(help: ArgumentHelp("How many files to show, the worst first.", valueName: "n"))
    var limit = 10

    @Option(help: ArgumentHelp("Show all of one file, named as in the image.", valueName: "path"))
    var file: String?

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit is a number of files, 0 or more") }
    }

    func run() throws {
        let session = try shared.session()
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
}
