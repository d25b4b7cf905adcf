internal import ArgumentParser
internal import Operations

struct BaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "base",
        abstract: "Stores that this one lies over, and takes packages from without a copy.",
        discussion: """
            A store path that a base has is not copied when it is installed: the store refers to it, and tells the base so. \
            The base may be read-only, or another user's.

            Example:
              sxs base add /var/lib/sxs && sxs install emacs
            """,
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Lay the store over another one.",
            discussion: """
                What was in a base that has gone, and is in this one, is found again.

                Example:
                  sxs base add /mnt/sxs --root ~/sxs
                """)

        @Argument(help: "The other store's root.")
        var path: String

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let (base, found) = try shared.session().addBase(path)
            if shared.json { return try Console.printJSON(base) }
            Console.print(base.path)
            if found > 0 {
                Console.note("\(found) lost store \(found == 1 ? "path is" : "paths are") found again")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show the stores that this one lies over.",
            discussion: """
                Example:
                  sxs base list --json
                """)

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let bases = try shared.session().bases()
            if shared.json { return try Console.printJSON(bases) }
            for base in bases {
                let count = base.storePaths.count
                Console.print("\(base.path)  \(count) store \(count == 1 ? "path" : "paths")")
                if let problem = base.problem { Console.note("\(base.path): \(problem)") }
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "End lying over a store; nothing may be taken from it any more.",
            discussion: """
                Example:
                  sxs base remove /var/lib/sxs
                """)

        @Argument(help: "The other store's root.")
        var path: String

        @OptionGroup var shared: SharedOptions

        func run() throws {
            try shared.session().removeBase(path)
        }
    }
}
