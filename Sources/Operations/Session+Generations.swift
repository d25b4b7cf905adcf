internal import Files
internal import Store
internal import StoreLayout

/// A package in a profile, or an extension that is merged while a generation of it is active.
public struct InstalledPackage: Encodable, Sendable, Equatable {
    /// Its name.
    public let name: String
    /// Its version.
    public let version: String
    /// Its absolute store path; of an extension, the path of the image or directory.
    public let storePath: String
    /// Names of the commands it shows.
    public let commands: [String]
    /// Whether it is an extension, which systemd merges over `/usr`.
    public let isExtension: Bool
    /// Names of the units it brings for the system's manager.
    public let units: [String]
    /// `pinned` or `held` in a list of the active generation where upgrades leave it alone.
    public internal(set) var holding: String?

    init(_ member: Member) {
        name = member.name
        version = member.version
        storePath = StoreLayout.storeDirectory + "/" + member.shown.baseName
        commands = member.shown.exposure.commands.map(\.name)
        units = member.shown.exposure.units
        isExtension = false
    }

    init(_ found: GenerationExtension, root: String) {
        name = found.name
        version = found.version
        storePath =
            found.location.hasPrefix("/")
            ? found.location : [root, StoreLayout.Name.extensions, found.location].joined(separator: "/")
        commands = []
        units = []
        isExtension = true
    }
}

/// A generation as it is listed.
public struct GenerationSummary: Encodable, Sendable {
    /// Its number.
    public let number: Int
    /// The generation it was made from.
    public let parent: Int?
    /// When, in ISO 8601, UTC.
    public let created: String
    /// The command that made it.
    public let command: String
    /// Whether it is the active one.
    public let isActive: Bool
    /// Its packages.
    public let packages: [InstalledPackage]
    /// What the os-release of the host that it was made on said; empty where that is not known.
    public let host: [String: String]
}

/// What differs between two generations.
public struct GenerationDifference: Encodable, Sendable {
    /// A package whose version or contents changed.
    public struct Change: Encodable, Sendable {
        /// Its name.
        public let name: String
        /// Before.
        public let from: InstalledPackage
        /// After.
        public let to: InstalledPackage
        /// What differs of the distribution's packages that it was made from; empty for images.
        public let packages: [PackageChange]
    }
    /// The first generation.
    public let from: Int
    /// The second.
    public let to: Int
    /// Packages only in the second.
    public let added: [InstalledPackage]
    /// Packages only in the first.
    public let removed: [InstalledPackage]
    /// Packages in both that are not the same.
    public let changed: [Change]
}

extension Session {
    /// Packages of the active generation.
    public func list() throws -> [InstalledPackage] {
        let store = try openStore()
        while let generation = try store.currentGeneration(of: profile) {
            guard let installed = try reading(generation, in: store, { try installed($0, in: store) }) else {
                continue
            }
            let kept = try holdings()
            return installed.map { package in
                var package = package
                package.holding =
                    package.isExtension ? nil : kept[package.name].map { $0.isPinned ? "pinned" : "held" }
                return package
            }
        }
        return []
    }

    /// What somebody without the lock makes of a generation; `nil` where it was deleted meanwhile, and its packages perhaps
    /// collected.
    private func reading<Result>(
        _ generation: Generation, in store: Store, _ body: (Generation) throws -> Result
    ) throws -> Result? {
        do {
            return try body(generation)
        } catch {
            guard try store.generation(generation.number, of: profile) == nil else { throw error }
            return nil
        }
    }

    /// What a generation has, packages first.
    private func installed(_ generation: Generation, in store: Store) throws -> [InstalledPackage] {
        try members(of: generation, in: store).map(InstalledPackage.init)
            + store.extensions(of: generation).map { InstalledPackage($0, root: root) }
    }

    /// All generations of the profile, the oldest first.
    public func generations() throws -> [GenerationSummary] {
        let store = try openStore()
        let active = try store.currentGeneration(of: profile)?.number
        return try store.generations(of: profile).compactMap { generation in
            guard let packages = try reading(generation, in: store, { try installed($0, in: store) }) else {
                return nil
            }
            return GenerationSummary(
                number: generation.number, parent: generation.parent,
                created: Timestamp.text(generation.created), command: generation.command,
                isActive: generation.number == active, packages: packages,
                // One whose description is damaged is listed all the same.
                host: (try? store.hostRelease(of: generation)) ?? [:])
        }
    }

    /// What differs between two generations.
    ///
    /// - Parameters:
    ///   - first: A number; `nil` for the active generation's parent.
    ///   - second: A number; `nil` for the active generation.
    public func difference(from first: Int?, to second: Int?) throws -> GenerationDifference {
        let store = try openStore()
        let all = try store.generations(of: profile)
        guard let active = try store.currentGeneration(of: profile) else {
            throw OperationError.emptyProfile(profile.text)
        }
        let find = { (number: Int) in
            guard let found = all.first(where: { $0.number == number }) else {
                throw OperationError.unknownGeneration(
                    number, profile: profile.text, known: all.map(\.number))
            }
            return found
        }
        let to = try second.map(find) ?? active
        guard let from = try first.map(find) ?? to.parent.map(find) else {
            throw OperationError.noParent(to.number, profile: profile.text)
        }
        let installed = { (generation: Generation) in
            Dictionary(
                // A package and an extension may have one name.
                try self.installed(generation, in: store).map { ("\($0.name)\n\($0.isExtension)", $0) },
                uniquingKeysWith: { _, last in last })
        }
        let (old, new) = (try installed(from), try installed(to))
        return GenerationDifference(
            from: from.number, to: to.number,
            added: new.filter { old[$0.key] == nil }.values.sorted { $0.name < $1.name },
            removed: old.filter { new[$0.key] == nil }.values.sorted { $0.name < $1.name },
            changed: try new.sorted { $0.key < $1.key }.compactMap { key, package in
                guard let before = old[key], before != package else { return nil }
                return try GenerationDifference.Change(
                    name: package.name, from: before, to: package,
                    packages: PackageChange.between(
                        self.records(of: before, in: store), self.records(of: package, in: store)))
            })
    }

    /// Activates the generation that the active one was made from.
    public func rollback() throws -> GenerationChange {
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            guard let active = try store.currentGeneration(of: profile) else {
                throw OperationError.emptyProfile(profile.text)
            }
            guard let parent = active.parent else {
                throw OperationError.noParent(active.number, profile: profile.text)
            }
            return try activate(parent, after: active, in: store)
        }
    }

    /// Activates any generation.
    public func activate(_ number: Int) throws -> GenerationChange {
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            try activate(number, after: store.currentGeneration(of: profile), in: store)
        }
    }

    private func activate(_ number: Int, after active: Generation?, in store: Store) throws
        -> GenerationChange
    {
        guard let generation = try store.generation(number, of: profile) else {
            throw OperationError.unknownGeneration(
                number, profile: profile.text, known: try store.generations(of: profile).map(\.number))
        }
        let contents = try store.contents(of: generation)
        guard generation.number != active?.number else {
            return summary(of: generation, contents, previous: number, Changes(), activation: nil)
        }
        // A generation that is damaged can be left, and only then is it said.
        let changes = Result {
            try self.changes(from: active.map { try store.contents(of: $0) }, to: contents, in: store)
        }
        try store.activate(number, in: profile)
        let activation = try afterSwitch(to: generation, contents, in: store)
        return summary(
            of: generation, contents, previous: active?.number, try changes.get(), activation: activation)
    }
}
