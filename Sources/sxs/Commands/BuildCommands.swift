internal import ArgumentParser
internal import Operations
internal import StoreLayout

struct BuildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Make a store path of packages as a recipe says, and an image of it.",
        discussion: """
            A recipe is a file in YAML that names packages of a distribution, files to add or drop, commands to show: see \
            packages.md. With a lock beside it ('sxs lock'), every machine builds the same bytes.

            A recipe:
              name: tools
              version: 1.7
              packages: [jq, zsh]
              remote: debian
              slim: [doc]

            Examples:
              sxs build ./tools.yaml
              sxs build ./tools.yaml -o tools.raw
            """)

    @Argument(help: "The recipe.")
    var recipe: String

    @Option(
        name: .shortAndLong, help: ArgumentHelp("An image to write, for systemd-sysext.", valueName: "file"))
    var output: String?

    @Flag(help: "Replace the image that is there.")
    var force = false

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let result = try shared.session(fetch).build(recipe, output: output, isForced: force)
        if shared.json { return try Console.printJSON(result) }
        Console.print(StoreLayout.storeDirectory + "/" + result.package.metadata.storePath)
        if let image = result.image { Console.print(image.path) }
        if !result.isLocked {
            Console.note("\(recipe) has no lock: 'sxs lock \(recipe)' makes builds repeatable")
        }
    }
}

/// What both verbs that write a lock take.
struct LockOptions: ParsableArguments {
    @Argument(help: "The recipe.")
    var recipe: String

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run(isUpdate: Bool) throws {
        try shared.session(fetch).lock(recipe, isUpdate: isUpdate).show(json: shared.json)
    }
}

struct LockCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock", abstract: "Note the digests of a recipe's packages; those that are noted stay.",
        discussion: """
            The lock is a file beside the recipe, RECIPE.lock. A package that is another one than noted is an error.

            Example:
              sxs lock ./tools.yaml
            """)

    @OptionGroup var lock: LockOptions

    func run() throws { try lock.run(isUpdate: false) }
}

struct UpdateLockCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update-lock", abstract: "Note the digests of a recipe's packages as they are now.",
        discussion: """
            Example:
              sxs update-lock ./tools.yaml
            """)

    @OptionGroup var lock: LockOptions

    func run() throws { try lock.run(isUpdate: true) }
}

extension LockChange {
    /// Prints what changed.
    fileprivate func show(json: Bool) throws {
        if json { return try Console.printJSON(self) }
        for package in removed { Console.print("- \(package)") }
        for package in changed { Console.print("~ \(package)") }
        for package in added { Console.print("+ \(package)") }
        Console.print(file)
    }
}
