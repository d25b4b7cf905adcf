internal import ArgumentParser
internal import Operations

struct HintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hint", abstract: "What is to be known of programs beyond what their files show.",
        discussion: """
            A hint is a small text file: which programs it is for, and what is left, set or shown for them. It is \
            obeyed by imports and installations of images from then on; what is in the store stays as it is. The grammar \
            is in store-layout/hints.md.

            Example:
              sxs hint show git > mine.hints; $EDITOR mine.hints; sxs hint add mine.hints
            """,
        subcommands: [Add.self, List.self, Show.self, Remove.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add a hint, which later imports obey.",
            discussion: """
                Example:
                  sxs hint add ./emacs.hints && sxs install ./emacs.oci.tar
                """)

        @Argument(help: "A text file, whose name without '.hints' is the hint's.")
        var file: String

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let hint = try shared.session().addHint(file)
            if shared.json { return try Console.printJSON(hint) }
            Console.print("\(hint.name): \(hint.programs.joined(separator: " "))")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show the hints: the user's, then those that come with sxs.",
            discussion: """
                Example:
                  sxs hint list --json
                """)

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let hints = try shared.session().hints()
            if shared.json { return try Console.printJSON(hints) }
            Console.print(
                Console.table(
                    hints.map {
                        [$0.name, $0.isBuiltIn ? "built-in" : "user", $0.programs.joined(separator: " ")]
                    }))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Print the text of a hint.",
            discussion: """
                Example:
                  sxs hint show git
                """)

        @Argument(help: "Its name.")
        var name: String

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let text = try shared.session().hintText(name)
            if shared.json { return try Console.printJSON(["name": name, "text": text]) }
            Console.print(text.hasSuffix("\n") ? String(text.dropLast()) : text)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Remove a hint; what was imported with it stays as it is.",
            discussion: """
                Example:
                  sxs hint remove emacs
                """)

        @Argument(help: "Its name.")
        var name: String

        @OptionGroup var shared: SharedOptions

        func run() throws {
            try shared.session().removeHint(name)
        }
    }
}
