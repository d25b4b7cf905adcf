internal import Activation
internal import Files
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
    /// Commands that packages of the generation show.
    public let commands: [String]
    /// The directory with those commands.
    public let bin: String
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
        let store = try openStoreForWriting()
        let packages = try requests.map { try obtain($0, options: options, from: store) }
        let choices = try packages.map { try choice($0, options: options, prefer: prefer) }
        let names = Set(packages.map(\.name))
        return try change(store) { current in
            let kept = current.filter { !names.contains($0.name) }.map { old in
                var shown = old.shown
                if prefer.contains(old.name) { shown.isPreferred = true }
                return Member(package: old.package, shown: shown)
            }
            return kept + choices
        }
    }

    /// Takes packages out of the profile and makes the result the active generation.
    ///
    /// - Throws: ``OperationError/notInstalled(_:profile:)`` if one is not there.
    public func remove(_ names: [String]) throws -> GenerationChange {
        let store = try openStoreForWriting()
        return try change(store) { current in
            for name in names where !current.contains(where: { $0.name == name }) {
                throw OperationError.notInstalled(name, profile: profile.text)
            }
            return current.filter { !names.contains($0.name) }
        }
    }

    /// A package of the store, imported first if need be.
    func obtain(_ text: String, options: ImportOptions, from store: Store) throws -> Metadata {
        switch PackageRequest(parsing: text) {
        case .image(let source): return try importImage(source, options: options, into: store).metadata
        case .package(let name, let version):
            let found = try newest(name, version: version, in: store)
            let offer = try offers(of: name, in: store).last { version == nil || $0.version?.text == version }
            if let offer, try found.map({ try offer.isNewer(than: $0.version) }) ?? true {
                var options = options
                options.name = try PackageName(name)
                return try importImage(offer.location, options: options, into: store).metadata
            }
            if let found { return try store.metadata(of: found.baseName) }
            throw OperationError.unknownPackage(text, remotes: try store.remotes().map(\.name))
        }
    }

    /// The newest package of a name in the store.
    func newest(_ name: String, version: String? = nil, in store: Store) throws -> Package? {
        try store.packages(named: name).filter { version == nil || $0.version == version }
            .max { left, right in
                guard let older = try? PackageVersion(left.version),
                    let newer = try? PackageVersion(right.version)
                else { return false }
                return older < newer
            }
    }

    /// What a package shows in a generation.
    private func choice(_ package: Metadata, options: ImportOptions, prefer: [String]) throws -> Member {
        let exposure =
            options.expose.isEmpty
            ? package.exposure : try self.exposure(of: package, wanted: options.expose)
        guard !exposure.commands.isEmpty || !exposure.data.isEmpty else {
            throw OperationError.nothingExposed(package.name)
        }
        return Member(
            package: (package.name, package.version),
            shown: GenerationPackage(
                baseName: package.storePath, exposure: exposure,
                launchDescription: try launchDescription(of: package, exposure: exposure).text,
                isPreferred: prefer.contains(package.name)))
    }

    /// Makes a generation from the active one and activates it; nothing where it would be the same.
    private func change(_ store: Store, _ edit: ([Member]) throws -> [Member]) throws -> GenerationChange {
        try asWriter(of: store) {
            let current = try store.currentGeneration(of: profile)
            let before = try current.map { try members(of: $0, in: store) } ?? []
            let after = try edit(before).sorted { $0.name < $1.name }
            var generation = current
            if current == nil || after != before {
                try installProgram(in: store)
                let made = try store.makeGeneration(
                    profile: profile, packages: after.map(\.shown), parent: current?.number, command: command)
                try store.activate(made.number, in: profile)
                generation = made
            }
            return summary(
                of: generation?.number ?? 0, after: after, previous: current?.number, before: before)
        }
    }

    func summary(of generation: Int, after: [Member], previous: Int?, before: [Member]) -> GenerationChange {
        let text = { (member: Member) in "\(member.name) \(member.version)" }
        return GenerationChange(
            profile: profile.text, generation: generation, previous: previous,
            added: after.filter { !before.contains($0) }.map(text),
            removed: before.filter { !after.contains($0) }.map(text),
            commands: after.flatMap { $0.shown.exposure.commands.map(\.name) }.sorted(), bin: binDirectory)
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
        let names = try store.names(of: generation)
        return try store.packages(of: generation).map { shown in
            guard let package = names[shown.baseName] else {
                throw OperationError.missingFile(
                    StoreLayout.storeDirectory + "/" + shown.baseName, package: shown.baseName)
            }
            return Member(package: package, shown: shown)
        }
    }
}
