internal import ArgumentParser
internal import Operations
internal import Remotes

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Keys that sign repositories, and those whose signatures are taken.",
        discussion: """
            The keys are those of minisign: Ed25519. Keys of GnuPG are given to each remote, with 'sxs remote add --key'.

            Examples:
              sxs key generate me
              sxs key trust ./me.pub
            """,
        subcommands: [Generate.self, List.self, Trust.self, Remove.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "generate", abstract: "Make a key that signs.",
            discussion: """
                It has no password: who can read its file can sign. The line that is printed is the public key, for others.

                Example:
                  sxs key generate me
                """)

        @Argument(help: "A name for it.")
        var name: String
        @OptionGroup var shared: SharedOptions

        func run() throws {
            let key = try shared.session().generateKey(name)
            try shared.json ? Console.printJSON(key) : Console.print("\(key.path)\n\(key.key)")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show the keys that are here.",
            discussion: """
                Example:
                  sxs key list
                """)

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let keys = try shared.session().keys()
            guard !shared.json else { return try Console.printJSON(keys) }
            for key in keys {
                let uses = [key.isSecret ? "signs" : nil, key.isTrusted ? "trusted" : nil].compactMap { $0 }
                Console.print("\(key.name)  \(key.key)  \(uses.joined(separator: ", "))")
            }
        }
    }

    struct Trust: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "trust", abstract: "Take listings that a key signed.",
            discussion: """
                Examples:
                  sxs key trust ./me.pub
                  sxs key trust RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3 --name me
                """)

        @Argument(help: ArgumentHelp("The public key's file, or the key itself.", valueName: "key"))
        var key: String
        @Option(help: "What it is called here; by default as its file.")
        var name: String?
        @OptionGroup var shared: SharedOptions

        func run() throws {
            let trusted = try shared.session().trustKey(key, name: name)
            try shared.json
                ? Console.printJSON(trusted) : Console.print("\(trusted.name)  \(trusted.key)  trusted")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Take trust from a key, or remove one that signs, for good.",
            discussion: """
                Example:
                  sxs key remove me
                """)

        @Argument(help: "The key's name.")
        var name: String
        @OptionGroup var shared: SharedOptions

        func run() throws { try shared.session().removeKey(name) }
    }
}
