internal import ArgumentParser
internal import Files
internal import Operations

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the packages of the active generation.",
        discussion: """
            Extensions that stay merged over /usr (see 'sxs adopt') are shown with the path of their image.

            Example:
              sxs list --json
            """)

    @OptionGroup var shared: SharedOptions

    func run() throws { try Self.run(shared.values) }

    static func run(_ shared: SharedValues) throws {
        let packages = try shared.session().list()
        if shared.json { return try Console.printJSON(packages) }
        guard !packages.isEmpty else { return }
        Console.print(Console.table(packages.map { [$0.name, $0.version, $0.storePath, $0.holding ?? ""] }))
    }
}

struct GenerationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generations", abstract: "Show all generations of the profile, or delete some.",
        discussion: """
            Examples:
              sxs generations --profile work
              sxs generations delete 3 4
            """,
        subcommands: [List.self, Delete.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show all generations of the profile.",
            discussion: """
                Example:
                  sxs generations list --json
                """)

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let generations = try shared.session().generations()
            if shared.json { return try Console.printJSON(generations) }
            guard !generations.isEmpty else { return }
            Console.print(
                Console.table(
                    generations.map { generation in
                        [
                            (generation.isActive ? "* " : "  ") + "\(generation.number)", generation.created,
                            generation.parent.map { "from \($0)" } ?? "first",
                            generation.packages.map(\.text).joined(separator: ", "),
                        ]
                    }))
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete generations, of which the active one is none.",
            discussion: """
                Their packages stay until the next 'sxs gc'. What was made from a deleted generation counts from then on \
                as made from that one's own parent: that is where a rollback leads.

                Example:
                  sxs generations delete 3 4
                """)

        @Argument(help: ArgumentHelp("Numbers of generations.", valueName: "number"))
        var numbers: [Int]

        @OptionGroup var shared: SharedOptions

        func run() throws {
            try shared.session().deleteGenerations(numbers)
            if shared.json { return try Console.printJSON(numbers) }
            Console.print("deleted: \(numbers.map(String.init).joined(separator: ", "))")
        }
    }
}

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what differs between two generations.",
        discussion: """
            Without numbers: between the active generation and the one it was made from.

            Example:
              sxs diff 6 7
            """)

    @Argument(help: "The first generation.")
    var from: Int?

    @Argument(help: "The second generation.")
    var to: Int?

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let difference = try shared.session().difference(from: from, to: to)
        if shared.json { return try Console.printJSON(difference) }
        Console.print("generation \(difference.from) -> \(difference.to)")
        for package in difference.removed { Console.print("- \(package.text)") }
        for package in difference.added { Console.print("+ \(package.text)") }
        for change in difference.changed {
            let isRebuilt = change.from.version == change.to.version
            let note =
                change.from.storePath == change.to.storePath ? " (other commands)" : " (other contents)"
            Console.print(
                "~ \(change.name) \(change.from.version) -> \(change.to.version)" + (isRebuilt ? note : ""))
            for package in change.packages { Console.print("    \(package.text)") }
        }
        if difference.added.isEmpty, difference.removed.isEmpty, difference.changed.isEmpty {
            Console.print("no difference")
        }
    }
}

struct RollbackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Activate the generation that the active one was made from.",
        discussion: """
            Example:
              sxs rollback
            """)

    @OptionGroup var refresh: RefreshOptions
    @OptionGroup var activation: ActivationOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let session = try shared.session(activation)
        try refresh.around(session) { try session.rollback() }.show(json: shared.json)
    }
}

struct SwitchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch", abstract: "Activate any generation.",
        discussion: """
            Example:
              sxs switch 7
            """)

    @Argument(help: "The generation's number.")
    var generation: Int

    @OptionGroup var refresh: RefreshOptions
    @OptionGroup var activation: ActivationOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let session = try shared.session(activation)
        try refresh.around(session) { try session.activate(generation) }.show(json: shared.json)
    }
}
