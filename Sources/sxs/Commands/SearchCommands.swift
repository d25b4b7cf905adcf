internal import ArgumentParser
internal import Operations

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Find packages in remotes.",
        discussion: """
            By their names; and by commands and descriptions, where a remote has an index of them, as those of 'sxs repo' do; \
            of distributions by names and summaries. The best come first. Registries are not searched.

            Examples:
              sxs search edit
              sxs search file compare
            """)

    @Argument(
        help: ArgumentHelp(
            "Words that have to be found; all packages where none is given.", valueName: "text"))
    var words: [String] = []

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let found = try shared.session(fetch).search(words.joined(separator: " "))
        if shared.json { return try Console.printJSON(found) }
        guard !found.isEmpty else { return }
        Console.print(
            table: found.map { package in
                [
                    package.name, package.version ?? (package.packages == nil ? "-" : "collection"),
                    package.remote, package.size.map(Console.size) ?? "",
                    package.summary ?? package.packages?.joined(separator: " ") ?? "",
                ]
            })
    }
}

struct InformationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show what the store and remotes know of a package.",
        discussion: """
            Examples:
              sxs info emacs
              sxs info tools/gdb --json
            """)

    @Argument(help: ArgumentHelp("A package or collection: NAME or REMOTE/NAME.", valueName: "name"))
    var name: String

    /// Versions of one remote that are shown.
    private static let shown = 5

    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let information = try shared.session(fetch).information(on: name)
        if shared.json { return try Console.printJSON(information) }
        var rows = [["name", information.name]]
        if let summary = information.summary { rows.append(["summary", summary]) }
        if let installed = information.installed { rows.append(["in this profile", installed]) }
        if let packages = information.packages {
            rows.append(["collection of", packages.joined(separator: " ")])
        }
        rows += information.stored.map { stored in
            [
                "in the store",
                [
                    stored.version, stored.size.map(Console.size), stored.storePath,
                    stored.isReproducible ? nil : "not reproducible: scripts were run",
                ].text,
            ]
        }
        var counts: [String: Int] = [:]
        for offer in information.offered {
            counts[offer.remote, default: 0] += 1
            guard counts[offer.remote, default: 0] <= Self.shown else { continue }
            let refusal = offer.refusal.map { "not for this host: \($0)" }
            rows.append([
                "in remote \(offer.remote)",
                [
                    offer.version ?? "-", offer.size.map(Console.size), offer.isInsecure ? "insecure" : nil,
                    offer.location, refusal,
                ].text,
            ])
        }
        for (remote, count) in counts.sorted(by: { $0.key < $1.key }) where count > Self.shown {
            rows.append(["in remote \(remote)", "\(count - Self.shown) more; --json shows all"])
        }
        if !information.commands.isEmpty {
            rows.append(["commands", information.commands.joined(separator: " ")])
        }
        Console.print(Console.table(rows))
    }
}

extension [String?] {
    /// What there is of it, in one cell.
    fileprivate var text: String { compactMap { $0 }.joined(separator: "  ") }
}
