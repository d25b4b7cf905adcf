internal import Activation
internal import Files
private import Glibc
internal import Images
internal import Remotes
internal import Store
internal import StoreLayout

/// A profile before and after a verb.
public struct GenerationChange: Encodable, Sendable {
    /// The profile.
    public let profile: String
    /// The generation that is active now.
    public let generation: Int
    /// The one that was active before; `nil` where there was none.
    public let previous: Int?
    /// What came in, as `name version`; empty where nothing changed.
    public let added: [String]
    /// What went out.
    public let removed: [String]
    /// What of merged extensions changes when they are merged next.
    public let mergeChanges: [ExtensionChange]
    /// The directory with the generation's commands.
    public let bin: String
    /// What followed on the host; `nil` where this root has no services.
    public let activation: ServiceActivation?
    private let contents: GenerationContents

    /// Commands that packages of the generation show, which are as many as these: where it is enough to know that there
    /// are some, ``hasCommands`` is to be asked.
    public var commands: [String] { contents.commands().sorted() }

    /// Whether the generation shows commands.
    public var hasCommands: Bool { contents.hasCommands }

    fileprivate init(
        of generation: Generation, contents: GenerationContents, previous: Int?, added: [String],
        removed: [String], mergeChanges: [ExtensionChange], bin: String, activation: ServiceActivation?
    ) {
        profile = generation.profile.text
        self.generation = generation.number
        self.previous = previous
        (self.added, self.removed, self.mergeChanges) = (added, removed, mergeChanges)
        (self.bin, self.activation, self.contents) = (bin, activation, contents)
    }

    private enum CodingKeys: String, CodingKey {
        case profile, generation, previous, added, removed, mergeChanges, commands, bin, activation
    }

    /// Writes all of it, the commands, too.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(profile, forKey: .profile)
        try container.encode(generation, forKey: .generation)
        try container.encodeIfPresent(previous, forKey: .previous)
        try container.encode(added, forKey: .added)
        try container.encode(removed, forKey: .removed)
        try container.encode(mergeChanges, forKey: .mergeChanges)
        try container.encode(commands, forKey: .commands)
        try container.encode(bin, forKey: .bin)
        try container.encodeIfPresent(activation, forKey: .activation)
    }
}

extension Session {
    /// Adds packages to the profile and makes the result the active generation.
    ///
    /// - Parameters:
    ///   - requests: Images to import, or names of packages in the store or in a remote.
    ///   - options: What is said about them; a name or version goes with one request only.
    ///   - prefer: Packages whose command is taken where two have one of the same name.
    /// - Throws: An error before the profile changes.
    public func install(
        _ requests: [String], options: ImportOptions = ImportOptions(), prefer: [String] = []
    ) throws -> GenerationChange {
        // Images first: one that cannot be opened is no reason to make a store.
        let wanted = try requests.map { try want($0, options: options) }
        let store = try openStoreForWriting()
        let finder = try OfferFinder(self, architecture: options.platform)
        let kept = try holdings(in: store)
        let packages = try wanted.flatMap { try expand($0, finder) }.map { try pinned($0, kept) }
        return try install(
            packages.map { ($0, options.expose) }, options: options, prefer: prefer, finder, into: store)
    }

    /// Adds packages to the profile and makes the result the active generation.
    ///
    /// - Parameters:
    ///   - wanted: What is wanted, and the commands that are shown of it; none to choose.
    ///   - finder: Finds what remotes have.
    func install(
        _ wanted: [(package: Wanted, expose: [String])], options: ImportOptions, prefer: [String] = [],
        _ finder: OfferFinder, into store: Store
    ) throws -> GenerationChange {
        // What is imported now has no generation yet: garbage collection is not to take it away before it has one.
        let lease = try store.makeLease()
        defer { withExtendedLifetime(lease) {} }
        finder.hasRecommended = options.hasRecommended
        finder.runsScripts = options.packages.runsScripts
        // All is fetched before anything is unpacked.
        let resolved = try wanted.map { try resolve($0.package, options: options, finder, in: store) }
        let files = try fetch(resolved.compactMap(\.offer))
        var choices: [Member] = []
        for (want, expose) in zip(resolved, wanted.map(\.expose)) {
            let package = try obtain(want, files, options: options, finder, from: store, lease) { package in
                // An image that cannot be shown beside what is there stays out of the store.
                let choice = try choice(package, exposure: package.exposure)
                let current = try store.currentGeneration(of: profile)
                let there = try current.map { try members(of: $0, in: store) } ?? []
                let all = Self.preferring(prefer, in: Self.adding(choices + [choice], to: there))
                try store.checkGeneration(of: all.map(\.shown))
            }
            let exposure =
                expose.isEmpty ? package.exposure : try self.exposure(of: package, wanted: expose)
            choices.append(try choice(package, exposure: exposure))
        }
        return try change(store) { current in
            let members = Self.adding(choices, to: current)
            for name in prefer where !members.contains(where: { $0.name == name }) {
                throw OperationError.notInstalled(name, profile: profile.text)
            }
            return Self.preferring(prefer, in: members)
        }
    }

    /// The members of a generation with others in place of, or beside, those there are.
    ///
    /// Another version of a package keeps the preference that was given to it.
    static func adding(_ choices: [Member], to current: [Member]) -> [Member] {
        let names = Set(choices.map(\.name))
        let preferred = Set(current.filter(\.shown.isPreferred).map(\.name))
        return current.filter { !names.contains($0.name) }
            + choices.map { choice in
                var shown = choice.shown
                shown.isPreferred = preferred.contains(choice.name)
                return Member(package: choice.package, shown: shown)
            }
    }

    /// The members with a new preference, which takes an older one away from those that show the same.
    static func preferring(_ names: [String], in members: [Member]) -> [Member] {
        guard !names.isEmpty else { return members }
        let preferred = members.filter { names.contains($0.name) }
        let claimed = Set(preferred.flatMap(\.shown.exposure.paths))
        return members.map { member in
            var shown = member.shown
            if names.contains(member.name) {
                shown.isPreferred = true
            } else if !claimed.isDisjoint(with: shown.exposure.paths) {
                shown.isPreferred = false
            }
            return Member(package: member.package, shown: shown)
        }
    }

    /// Takes packages out of the profile and makes the result the active generation.
    ///
    /// - Throws: ``OperationError/notInstalled(_:profile:)`` if one is not there.
    public func remove(_ names: [String]) throws -> GenerationChange {
        let store = try openStoreForWriting()
        return try change(
            store, extensions: { $0.filter { !names.contains($0.name) } }
        ) { current in
            let extensions =
                try store.currentGeneration(of: profile).map { try store.extensions(of: $0) } ?? []
            for name in names
            where !current.contains(where: { $0.name == name })
                && !extensions.contains(where: { $0.name == name })
            {
                throw OperationError.notInstalled(name, profile: profile.text)
            }
            return current.filter { !names.contains($0.name) }
        }
    }

    /// The newest package of a name in the store; of one version the one that was registered last.
    func newest(_ name: String, version: String? = nil, in store: Store) throws -> Package? {
        try store.packages(named: name).filter { version == nil || $0.version == version }
            .reversed().max { left, right in
                guard let older = try? PackageVersion(left.version),
                    let newer = try? PackageVersion(right.version)
                else { return false }
                return older < newer
            }
    }

    /// What a package shows in a generation.
    func choice(_ package: Metadata, exposure: Exposure) throws -> Member {
        var exposure = exposure
        exposure.data.removeAll(where: DesktopFiles.isCache)
        // A plain link into /usr/store leads somewhere only where that is this root's store.
        if !StoreView(root: root).isVisible() {
            exposure.commands = exposure.commands.map {
                Exposure.Command(name: $0.name, path: $0.path, needsLauncher: true)
            }
        }
        guard !exposure.isEmpty else { throw OperationError.nothingExposed(package.name) }
        return Member(
            package: (package.name, package.version),
            shown: GenerationPackage(
                baseName: package.storePath, exposure: exposure,
                launchDescription: try launchDescription(of: package, exposure: exposure).text))
    }

    /// Makes a generation from the active one and activates it; nothing where it would be the same.
    ///
    /// - Parameter extensions: What is to be merged over `/usr`, made from what is; by default the same.
    func change(
        _ store: Store, extensions: ([GenerationExtension]) throws -> [GenerationExtension] = { $0 },
        _ edit: ([Member]) throws -> [Member]
    ) throws -> GenerationChange {
        try asWriter(of: store) {
            let current = try store.currentGeneration(of: profile)
            let shown = try current.map { try store.contents(of: $0) }
            let before =
                try current.map { try members(of: $0, showing: shown?.packages() ?? [], in: store) } ?? []
            let after = try edit(before).sorted { $0.name < $1.name }
            let merged = shown?.extensions ?? []
            let wanted = try extensions(merged).sorted { $0.fileName < $1.fileName }
            if let current, let shown, after == before, wanted == merged {
                return summary(
                    of: current, shown, previous: current.number, Changes(), activation: nil)
            }
            let made = try makeGeneration(
                of: after, extensions: wanted, parent: current?.number, host: Self.hostRecord(), in: store)
            let contents = try store.contents(of: made)
            let changes = try changes(from: shown, to: contents, in: store)
            // From here on nothing may fail that would say that it was not done.
            try store.activate(made.number, in: profile)
            return summary(
                of: made, contents, previous: current?.number, changes,
                activation: try afterSwitch(to: made, contents, in: store))
        }
    }

    /// Makes a generation, which is not switched to.
    ///
    /// - Parameters:
    ///   - host: What is kept of the host that it is for.
    ///   - preparedOn: What is kept of the host that it is made on, where that is another.
    func makeGeneration(
        of members: [Member], extensions: [GenerationExtension], parent: Int?, host: [String: String],
        preparedOn: [String: String]? = nil, in store: Store
    ) throws -> Generation {
        try installProgram(in: store)
        let shown = try members.map { try withEarlierCommands($0.shown, in: store) }
        let desktop = try DesktopFiles(
            of: shown, parent: parent.flatMap { try store.generation($0, of: profile) }, session: self,
            store: store)
        return try store.makeGeneration(
            profile: profile, packages: shown, parent: parent,
            files: desktop.files() + ServiceFiles(of: shown, session: self, store: store).files(),
            extensions: extensions, cacheSources: desktop.cacheSources.sorted(), command: command,
            host: host, preparedOn: preparedOn)
    }

    /// What is kept of the host in a generation; nothing where it has no os-release that can be read, for only a
    /// later `check` compares it.
    static func hostRecord() -> [String: String] {
        guard let release = try? HostTree("/").release(like: .newest) else { return [:] }
        return HostTree.record(release)
    }

    /// What people know this host by.
    static func hostName() -> String { hostRecord()["PRETTY_NAME"] ?? "" }

    /// What one generation shows and another does not, in words.
    struct Changes {
        var added: [String] = []
        var removed: [String] = []
        var merges: [ExtensionChange] = []
    }

    /// Compares two generations.
    ///
    /// - Parameter before: The one that is active before a switch; `nil` where there is none.
    func changes(
        from before: GenerationContents?, to contents: GenerationContents, in store: Store
    ) throws -> Changes {
        let names =
            try before.map { try contents.difference(from: $0) } ?? (gone: [], new: contents.packageNames())
        let text = { (baseNames: [String]) in
            try zip(baseNames, try store.names(of: baseNames)).map { baseName, package in
                guard let package else {
                    throw OperationError.missingFile(
                        StoreLayout.storeDirectory + "/" + baseName, package: baseName)
                }
                return "\(package.name) \(package.version)"
            }
        }
        let kept = { (found: GenerationExtension) in "\(found.name) \(found.version)" }
        let (old, new) = (before?.extensions ?? [], contents.extensions)
        return Changes(
            added: try text(names.new) + new.filter { !old.contains($0) }.map(kept),
            removed: try text(names.gone) + old.filter { !new.contains($0) }.map(kept),
            merges: ExtensionChange.between(old, new))
    }

    /// What a switch came to.
    ///
    /// - Parameters:
    ///   - contents: What the generation shows.
    ///   - previous: The number of the one that was active before.
    func summary(
        of generation: Generation, _ contents: GenerationContents, previous: Int?, _ changes: Changes,
        activation: ServiceActivation?
    ) -> GenerationChange {
        GenerationChange(
            of: generation, contents: contents, previous: previous, added: changes.added,
            removed: changes.removed, mergeChanges: changes.merges, bin: binDirectory, activation: activation)
    }

    /// The directory with the active generation's commands.
    public var binDirectory: String {
        [root, StoreLayout.Name.profiles, profile.text, StoreLayout.Name.current, "bin"].joined(
            separator: "/")
    }
}

/// A package of a generation, with its name.
struct Member: Equatable {
    let name: String
    let version: String
    let shown: GenerationPackage

    init(package: (name: String, version: String), shown: GenerationPackage) {
        (name, version) = package
        self.shown = shown
    }

    var package: (name: String, version: String) { (name, version) }

    /// Launchers follow from the rest.
    static func == (left: Member, right: Member) -> Bool {
        left.shown.baseName == right.shown.baseName && left.shown.exposure == right.shown.exposure
            && left.shown.isPreferred == right.shown.isPreferred
    }
}

extension Session {
    /// The packages of a generation.
    func members(of generation: Generation, in store: Store) throws -> [Member] {
        try members(of: generation, showing: store.packages(of: generation), in: store)
    }

    private func members(
        of generation: Generation, showing packages: [GenerationPackage], in store: Store
    ) throws -> [Member] {
        let names = try store.names(of: packages, in: generation)
        return try zip(packages, names).map { shown, package in
            guard let package else {
                throw OperationError.missingFile(
                    StoreLayout.storeDirectory + "/" + shown.baseName, package: shown.baseName)
            }
            return Member(package: package, shown: shown)
        }
    }
}

extension Exposure {
    /// What it shows, commands and data, as two packages may have it in common.
    fileprivate var paths: [String] { commands.map { "bin/" + $0.name } + data + system }
}
