internal import Activation
internal import ArgumentParser
internal import Files
internal import Operations

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a program of the store.",
        discussion: """
            The program runs in place of sxs: same process, working directory, environment and signals. Where \
            /usr/store is not this root's, it gets a private mount namespace in which it is.

            Examples:
              sxs run emacs -- --batch --eval '(princ emacs-version)'
              sxs run git --command git-upload-pack -- .
            """)

    @Argument(
        help: ArgumentHelp(
            "A package, NAME@VERSION, a store path, or an installed command.", valueName: "package"))
    var package: String

    @Option(help: ArgumentHelp("A command of the package, by name or path.", valueName: "name"))
    var command: String?

    @OptionGroup var shared: SharedOptions

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("The program's arguments, after '--'.", valueName: "argument"))
    var arguments: [String] = []

    func run() throws {
        try shared.session().run(package, command: command, arguments: rawArguments(last: arguments.count))
    }
}

struct ShellCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell", abstract: "Run a shell that finds the profile's commands.",
        discussion: """
            Examples:
              sxs shell
              sxs shell -- sh -c 'emacs --version'
            """)

    @OptionGroup var shared: SharedOptions

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("A command instead of $SHELL, after '--'.", valueName: "command"))
    var arguments: [String] = []

    func run() throws {
        try shared.session().shell(rawArguments(last: arguments.count))
    }
}

/// The last arguments of the process as the bytes they are: a file name need not be UTF-8, and `String` would
/// change it.
private func rawArguments(last count: Int) -> [Bytes] {
    Array(Launcher.arguments.suffix(count))
}
