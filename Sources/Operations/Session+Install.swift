internal import Files
internal import Store
public import StoreLayout

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
        return try change(store, command: command) { current in
            let names = Set(choices.map(\.name))
            let kept = current.filter { !names.contains($0.name) }.map { old in
                prefer.contains(old.name) ? old.withPreference(true) : old
            }
            return kept + choices
        }
    }

    /// Takes packages out of the profile and makes the result the active generation.
    ///
    /// - Throws: ``OperationError/notInstalled(_:profile:)`` if one is not there.
    public func remove(_ names: [String]) throws -> GenerationChange {
        let store = try openStoreForWriting()
        return try change(store, command: command) { current in
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
            if let offer = try offers(of: name, in: store).filter({ version == nil || $0.version?.text == version }).last,
                found == nil || (offer.version.map { try? PackageVersion(found?.version ?? "") < $0 } ?? false) == true
            {
                var options = options
                options.name = try PackageName(name)
                return try importImage(offer.location, options: options, into: store).metadata
            }
            if let found { return found }
            throw OperationError.unknownPackage(text, remotes: try store.remotes().map(\.name))
        }
    }

    /// The newest package of a name in the store.
    func newest(_ name: String, version: String? = nil, in store: Store) throws -> Metadata? {
        try store.packages(named: name).filter { version == nil || $0.version == version }
            .max { left, right in
                guard let older = try? PackageVersion(left.version), let newer = try? PackageVersion(right.version)
                else { return false }
                return older < newer
            }
    }

    /// What a package shows in a generation.
    private func choice(
        _ package: Metadata, options: ImportOptions, prefer: [String]
    ) throws -> GenerationPackage {
        var exposure = package.exposure
        if !options.expose.isEmpty { exposure = try self.exposure(of: package, wanted: options.expose) }
        guard !exposure.commands.isEmpty || !exposure.data.isEmpty else {
            throw OperationError.nothingExposed(package.name)
        }
        return GenerationPackage(
            storePath: package.storePath, name: package.name, version: package.version, exposure: exposure,
            launchDescription: try launchDescription(of: package, exposure: exposure).text,
            isPreferred: prefer.contains(package.name))
    }

    /// Makes a generation from the active one and activates it; nothing where it would be the same.
    private func change(
        _ store: Store, command: String, _ edit: ([GenerationPackage]) throws -> [GenerationPackage]
    ) throws -> GenerationChange {
        try asWriter(of: store) {
            let current = try store.currentGeneration(of: profile)
            let before = current?.packages ?? []
            let after = try edit(before).sorted { $0.name < $1.name }
            var generation = current
            if current == nil || after != before {
                try installProgram(in: store)
                let made = try store.makeGeneration(
                    profile: profile, packages: after, parent: current?.number, command: command)
                try store.activate(made.number, in: profile)
                generation = made
            }
            return summary(of: generation, after: after, previous: current?.number, before: before)
        }
    }

    func summary(
        of generation: Generation?, after: [GenerationPackage], previous: Int?, before: [GenerationPackage]
    ) -> GenerationChange {
        let text = { (package: GenerationPackage) in "\(package.name) \(package.version)" }
        let old = Dictionary(before.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let new = Dictionary(after.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return GenerationChange(
            profile: profile.text, generation: generation?.number ?? 0, previous: previous,
            added: after.filter { old[$0.name] != $0 }.map(text),
            removed: before.filter { new[$0.name]?.storePath != $0.storePath }.map(text),
            commands: after.flatMap { $0.exposure.commands.map(\.name) }.sorted(), bin: binDirectory)
    }

    /// The directory with the active generation's commands.
    public var binDirectory: String {
        [root, StoreLayout.Name.profiles, profile.text, StoreLayout.Name.current, "bin"].joined(separator: "/")
    }
}
