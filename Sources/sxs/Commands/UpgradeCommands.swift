internal import ArgumentParser
internal import Operations

struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Bring packages of the profile to their newest versions, in one new generation.",
        discussion: """
            All that is newer is fetched and imported before anything changes: the new generation has all of it, or there \
            is none. Each package has its own version. What 'hold' holds is passed over, unless it is named; what 'pin' pins \
            stays.

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
        if fetch.offline { session.isOffline = true }
        if dryRun {
            let upgrades = try session.upgrades(of: names, ignoresHost: anyHost)
            if names.isEmpty {
                for upgrade in upgrades where upgrade.isPassedOver { Console.note(upgrade.passedOver) }
            }
            return try shared.json ? Console.printJSON(upgrades) : upgrades.show(isPlan: names.isEmpty)
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
        commandName: "pin", abstract: "Keep packages of the profile at the version they have.",
        discussion: """
            'upgrade' leaves them alone, also where it names them, and 'install NAME' takes that version, until 'unpin'. An image \
            that is named by its path is installed all the same. Without names, shows what is pinned. See 'hold' for \
            packages that are only passed over.

            Examples:
              sxs pin emacs
              sxs install emacs@28.2 && sxs pin emacs
            """)

    @Argument(help: ArgumentHelp("Packages.", valueName: "name"))
    var names: [String] = []

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let pinned = try shared.session().pin(names)
        if shared.json { return try Console.printJSON(pinned) }
        guard names.isEmpty, !pinned.isEmpty else { return }
        Console.print(Console.table(pinned.map { [$0.name, $0.version ?? ""] }))
    }
}

struct UnpinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin", abstract: "Let 'upgrade' take newer versions of packages again.",
        discussion: """
            Whether they were pinned or held; 'unhold' is the same.

            Example:
              sxs unpin emacs
            """, aliases: ["unhold"])

    @Argument(help: ArgumentHelp("Packages.", valueName: "name"))
    var names: [String]

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let kept = try shared.session().release(names)
        if shared.json { try Console.printJSON(kept) }
    }
}

struct HoldCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Have an upgrade of all packages pass over some.",
        discussion: """
            'upgrade' says what it passed over, and takes it where it names it. Without names, shows what is held. See 'pin' for \
            packages that stay whoever names them.

            Example:
              sxs hold emacs
            """)

    @Argument(help: ArgumentHelp("Packages.", valueName: "name"))
    var names: [String] = []

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let held = try shared.session().hold(names)
        if shared.json { return try Console.printJSON(held) }
        if names.isEmpty, !held.isEmpty { Console.print(held.map(\.name).joined(separator: "\n")) }
    }
}

extension [PackageUpgrade] {
    /// Prints what is newer.
    fileprivate func show(isPlan: Bool) throws {
        let shown = isPlan ? filter { !$0.isPassedOver } : self
        guard !shown.isEmpty else { return Console.print("nothing is newer") }
        Console.print(
            Console.table(
                shown.map {
                    [
                        $0.name, $0.installed, "->", $0.available, $0.remote,
                        $0.isPinned ? "pinned" : $0.isHeld ? "held" : "",
                    ]
                }))
    }
}
