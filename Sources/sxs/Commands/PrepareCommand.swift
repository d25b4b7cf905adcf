internal import ArgumentParser
internal import Operations

struct PrepareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare",
        abstract: "Make ready what fits the next version of this host: to be run by what updates it.",
        discussion: """
            Packages of the active generation that would not work there (see 'sxs check') are replaced by the newest that \
            remotes have for it, in a generation that becomes the active one when that version starts, and stops being that \
            when this one starts again: by 'sxs activate --boot', which 'sxs setup' installed. What is active now stays active.

            Exit status: 0 if all will work, 1 if something will not.

            Examples:
              sxs prepare --host /mnt/new-root
              sxs prepare --host /.snapshots/42/snapshot
            """)

    @Option(help: ArgumentHelp("The root directory of the next version.", valueName: "dir"))
    var host: String

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let preparation = try shared.session(fetch).prepare(host: Session.absolutePath(host))
        if shared.json {
            try Console.printJSON(preparation)
        } else {
            for package in preparation.replacements {
                Console.print("~ \(package.name) \(package.installed) -> \(package.prepared)")
            }
            let host = [preparation.host.id, preparation.host.versionID].compactMap { $0 }.joined(
                separator: " ")
            Console.print(
                preparation.generation.map { "generation \($0) is active once \(host) starts" }
                    ?? "nothing to prepare for \(host)")
            for problem in preparation.problems { Console.note(problem) }
        }
        if !preparation.problems.isEmpty { throw ExitCode(1) }
    }
}
