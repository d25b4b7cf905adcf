internal import ArgumentParser
internal import Operations

struct IndexCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "The database of what is in the store.",
        discussion: """
            Example:
              sxs index rebuild
            """,
        subcommands: [Rebuild.self])

    struct Rebuild: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rebuild", abstract: "Make the index anew from the files of the store.",
            discussion: """
                For an index that is damaged; one that is missing or empty is made anew by the next command that \
                writes. All of it is in the files: manifests and generations. Commands that read meanwhile see the old \
                index or the new one. The exit status is 1 where something on disk could not be taken into it.

                Example:
                  sxs index rebuild --json
                """)

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let report = try shared.session().rebuildIndex()
            if shared.json {
                try Console.printJSON(report)
            } else {
                let paths = "\(report.packages) store \(report.packages == 1 ? "path" : "paths")"
                let generations =
                    "\(report.generations) \(report.generations == 1 ? "generation" : "generations")"
                Console.print("the index has \(paths) and \(generations)")
                for left in report.leftOut { Console.print("left out: \(left.path): \(left.reason)") }
            }
            guard !report.leftOut.isEmpty else { return }
            Console.note(
                "hint: 'sxs repair' mends what can be mended, and then 'sxs index rebuild' takes it in")
            throw ExitCode(1)
        }
    }
}
