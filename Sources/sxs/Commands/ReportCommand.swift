internal import ArgumentParser
internal import Operations
internal import Relocation
internal import StoreLayout

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Show what relocation did to a package and what it left.",
        discussion: """
            Examples:
              sxs report emacs
              sxs report emacs --all
            """)

    @Argument(help: ArgumentHelp("A package.", valueName: "package"))
    var package: String

    @Flag(help: "Show every file, not only totals and the files with most left.")
    var all = false

    @OptionGroup var shared: SharedOptions

    /// Files shown unless all are asked for.
    private static let shownFiles = 10

    func run() throws {
        let (metadata, report) = try shared.session().report(package)
        if shared.json { return try Console.printJSON(report) }
        Console.print(
            "\(metadata.name) \(metadata.version)  \(StoreLayout.storeDirectory)/\(metadata.storePath)")
        Console.print(
            "\(report.fileCount) files, \(report.elfCount) of them ELF; loader: \(report.loader ?? "the host's")"
                + (report.cachedLibraries > 0 ? ", \(report.cachedLibraries) library names in its cache" : "")
        )
        var rows = report.done.sorted { $0.key.rawValue < $1.key.rawValue }.map {
            ["rewritten", $0.key.rawValue, "\($0.value)"]
        }
        rows += report.left.sorted { $0.key.rawValue < $1.key.rawValue }.map {
            ["left", $0.key.rawValue, "\($0.value)"]
        }
        for finding in RelocationReport.Finding.allCases {
            let count = report.files.reduce(0) { $0 + ($1.findings[finding]?.count ?? 0) }
            if count > 0 { rows.append(["missing", finding.rawValue, "\(count)"]) }
        }
        Console.print(Console.table(rows))
        showFiles(report)
    }

    private func showFiles(_ report: RelocationReport) {
        let weight = { (file: RelocationReport.File) in
            file.left.reduce(0) { $0 + $1.count } + file.findings.values.reduce(0) { $0 + $1.count } * 100
        }
        let files =
            all
            ? report.files
            : Array(
                report.files.filter { weight($0) > 0 }.sorted {
                    (weight($1), $0.path) < (weight($0), $1.path)
                }
                .prefix(Self.shownFiles))
        for file in files {
            let done = file.done.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                "\($0.value) \($0.key.rawValue)"
            }
            Console.print(
                "\(file.path): \(done.isEmpty ? "nothing rewritten" : done.joined(separator: ", "))")
            for left in file.left.prefix(all ? Int.max : 5) {
                Console.print(
                    "  left \(left.path) (\(left.reason.rawValue)\(left.count > 1 ? ", \(left.count) times" : ""))"
                )
            }
            if !all, file.left.count > 5 { Console.print("  and \(file.left.count - 5) more; see --all") }
            for (finding, names) in file.findings.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                Console.print("  \(finding.rawValue): \(names.joined(separator: ", "))")
            }
        }
    }
}
