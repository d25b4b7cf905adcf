internal import ArgumentParser
internal import Operations

struct RelabelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relabel",
        abstract: "Label the store's files as an SELinux policy labels the same files of a host.",
        discussion: """
            A store path's usr/bin/x gets the label that the policy has for /usr/bin/x. The policy is also told where the \
            store paths are (in file_contexts.subs beside its file_contexts), so that restorecon keeps the labels. Say it \
            again after an import. The module that --module prints is for the rest of the state directory; install it \
            once, with 'semodule --install FILE'.

            Examples:
              sxs relabel
              sxs relabel --policy /etc/selinux/targeted/contexts/files/file_contexts
              sxs relabel --module > sxs.cil && semodule --install sxs.cil
            """)

    @Option(
        help: ArgumentHelp(
            "The policy: its file_contexts, its directory, or a root directory; by default this host's.",
            valueName: "path"))
    var policy: String?

    @Flag(help: "Print the policy module, and label nothing.")
    var module = false

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let session = try shared.session()
        if module { return Console.print(try session.policyModule()) }
        let result = try session.relabel(policy: policy)
        if shared.json { return try Console.printJSON(result) }
        Console.print(
            "\(result.entryCount) files, directories and links: \(result.changeCount) got another label"
                + (result.separatedCount == 0
                    ? "" : "; files that shared contents, and no longer do: \(result.separatedCount)"))
        if result.hasNewSubstitutions { Console.print("changed \(result.substitutions)") }
    }
}
