internal import ArgumentParser
internal import Operations
internal import StoreLayout

struct PrepareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare",
        abstract: "Make ready what fits the next version of this host: to be run by what updates it.",
        discussion: """
            Packages of the active generation that would not work there (see 'sxs check') are replaced by the newest that \
            remotes have for it, in a generation that becomes the active one when that version starts, and stops being that \
            when this one starts again: by 'sxs activate --boot', which 'sxs setup' installed. What is active now stays active.

            Without --host, it is the version that starts next: the deployment of ostree (rpm-ostree, bootc), or the newest \
            partition of systemd-sysupdate. 'sxs setup' has this run by itself on hosts that have these, and by \
            transactional-update.

            Exit status: 0 if all will work, 1 if something will not.

            Examples:
              sxs prepare
              sxs prepare --host /mnt/new-root
              sxs prepare --host /.snapshots/42/snapshot
            """)

    @Option(help: ArgumentHelp("The root directory of the next version.", valueName: "dir"))
    var host: String?

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let session = try shared.session(fetch)
        let found =
            try host.map { try session.prepare(host: Session.absolutePath($0)) } ?? session.prepareNext()
        guard let preparation = found else {
            // As what is printed of something: an object, or nothing.
            if !shared.json { Console.print("nothing to prepare: what starts next is what runs now") }
            return
        }
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

    /// What is asked of the program: its arguments, or what is done as a plugin of tukit; `nil` for nothing.
    ///
    /// - Parameter words: The name it was called by, and its arguments.
    static func arguments(of words: [String]) -> [String]? {
        guard let name = words.first?.split(separator: "/").last, name == PreparationLayout.pluginName else {
            return Array(words.dropFirst())
        }
        // Stage, root directory, number of the snapshot, and whatever is said of other stages.
        guard words.count > 2, words[1] == PreparationLayout.pluginStage else { return nil }
        return [configuration.commandName ?? "", "--host", words[2]]
    }
}
