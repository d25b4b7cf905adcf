internal import ArgumentParser
internal import Operations

struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Bring packages of the profile to their newest versions, in one new generation.",
        discussion: """
            All that is newer is fetched and imported before anything changes: the new generation has all of it, or there \
            is none. Each package has its own version; those that 'pin' holds stay, unless they are named.

            Examples:
              sxs upgrade
              sxs upgrade emacs git
              sxs upgrade --dry-run
            """)

    @Argument(help: ArgumentHelp("Packages; all of the profile where none is named.", valueName: "name"))
    var names: [String] = []

    @Flag(help: "Change nothing; show what would be upgraded.")
    var dryRun = false

    @Flag(help: "Take extensions that are for other hosts, too.")
    var anyHost = false

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var activation: ActivationOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        var session = try shared.session(activation)
        session.isOffline = fetch.offline
        if dryRun {
            let upgrades = try session.upgrades(of: names, ignoresHost: anyHost)
            return try shared.json ? Console.printJSON(upgrades) : upgrades.show(isPlan: true)
        }
        try session.upgrade(names, ignoresHost: anyHost).show(json: shared.json)
    }
}

struct OutdatedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outdated",
        abstract: "Show packages of the profile of which a remote has a newer version.",
        discussion: """
            Example:
              sxs outdated
            """)

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let upgrades = try shared.session(fetch).outdated()
        try shared.json ? Console.printJSON(upgrades) : upgrades.show(isPlan: false)
    }
}

struct PinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Hold packages of the profile at the version they have.",
        discussion: """
            'upgrade' passes over them until 'unpin', unless it names them. Without names, shows what is held.

            Example:
              sxs pin emacs
            """)

    @Argument(help: ArgumentHelp("Packages.", valueName: "name"))
    var names: [String] = []

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let pins = try shared.session().pin(names)
        if shared.json { return try Console.printJSON(pins) }
        if names.isEmpty, !pins.isEmpty { Console.print(pins.joined(separator: "\n")) }
    }
}

struct UnpinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin", abstract: "Let 'upgrade' take newer versions of packages again.",
        discussion: """
            Example:
              sxs unpin emacs
            """)

    @Argument(help: ArgumentHelp("Packages.", valueName: "name"))
    var names: [String]

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let pins = try shared.session().unpin(names)
        if shared.json { try Console.printJSON(pins) }
    }
}

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Find packages in remotes, by a part of their names.",
        discussion: """
            Packages of distributions are looked for among those that were read last, without asking a server: 'remote \
            refresh' reads what is newer.

            Example:
              sxs search edit
            """)

    @Argument(help: ArgumentHelp("A part of the name; all packages where none is given.", valueName: "text"))
    var text = ""

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let found = try shared.session(fetch).search(text)
        if shared.json { return try Console.printJSON(found) }
        guard !found.isEmpty else { return }
        Console.print(
            Console.table(found.map { [$0.name, $0.version ?? "-", $0.remote, $0.summary ?? ""] }))
    }
}

extension [PackageUpgrade] {
    /// Prints what is newer.
    fileprivate func show(isPlan: Bool) throws {
        let shown = isPlan ? filter { !$0.isPinned } : self
        guard !shown.isEmpty else { return Console.print("nothing is newer") }
        Console.print(
            Console.table(
                shown.map {
                    [$0.name, $0.installed, "->", $0.available, $0.remote, $0.isPinned ? "pinned" : ""]
                }))
    }
}
