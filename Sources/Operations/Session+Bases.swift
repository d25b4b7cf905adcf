internal import Files
internal import Store
internal import StoreLayout

/// A store that another one lies over, as it is listed.
public struct BaseSummary: Encodable, Sendable {
    /// Its root.
    public let path: String
    /// Whether it can be read.
    public let isReadable: Bool
    /// Why not; `nil` where it can.
    public let problem: String?
    /// Absolute store paths that are taken from it.
    public let storePaths: [String]
}

/// A base that can be read: what it is called in the store over it, and itself.
typealias OpenBase = (entry: StoreBase, store: Store)

extension Session {
    /// Lays the store over another one: what that has is referred to, and not copied, from now on.
    ///
    /// - Returns: The base, and how many store paths that were lost are found again in it.
    public func addBase(_ path: String) throws -> (base: BaseSummary, found: Int) {
        let path = try Self.absolutePath(path)
        // Whether it is a store at all, before one is made for it.
        let other = try Store.open(root: path, forWriting: false)
        let store = try openStoreForWriting()
        let (base, found) = try asWriter(of: store) { try store.addBase(path) }
        if let owner = other.owner, owner != 0, owner != store.owner {
            note("\(path) belongs to user \(owner), who can change what you run from it")
        }
        return (try summary(of: base, in: store), found)
    }

    /// The stores that this one lies over.
    public func bases() throws -> [BaseSummary] {
        let store = try openStore()
        return try store.bases().map { try summary(of: $0, in: store) }
    }

    /// Ends lying over a store.
    public func removeBase(_ path: String) throws {
        let path = try Self.absolutePath(path)
        let store = try openStoreForWriting()
        try asWriter(of: store) { try store.removeBase(path) }
    }

    private func summary(of base: StoreBase, in store: Store) throws -> BaseSummary {
        var problem: String?
        do {
            _ = try Store.open(root: base.path, forWriting: false)
        } catch {
            problem = "\(error)".firstLine
        }
        return BaseSummary(
            path: base.path, isReadable: problem == nil, problem: problem,
            storePaths: try store.references(to: base).map { StoreLayout.storeDirectory + "/" + $0 })
    }

    /// The bases that can be read, with what they are called here; one that cannot is said.
    private func openBases(of store: Store) throws -> [OpenBase] {
        try store.bases().compactMap { entry in
            do {
                return (entry, try Store.open(root: entry.path, forWriting: false))
            } catch {
                note("the base \(entry.path) is left out: \("\(error)".firstLine)")
                return nil
            }
        }
    }

    /// Makes a store path of a base one of this store; `nil` where it has to be imported.
    ///
    /// - Parameter accept: Asked before; what it throws stops that.
    func refer(
        to baseName: String, in base: OpenBase, from store: Store,
        accept: (Metadata) throws -> Void
    ) throws -> Metadata? {
        guard try base.store.has(baseName) else { return nil }
        try accept(base.store.metadata(of: baseName))
        let made = try asWriter(of: store) { try store.refer(to: baseName, in: base.entry, base.store) }
        guard let made else { return nil }
        if made.registration == .refused {
            note(
                "\(made.metadata.name) stays in \(base.entry.path), where nothing keeps it from being collected: its owner may"
                    + " put a link to \(root)/\(StoreLayout.Name.profiles)/\(profile) into its \(StoreLayout.Name.collectionRoots)"
            )
        }
        return made.metadata
    }

    /// The import of the same manifest under the same name by a base, without reading a layer.
    func knownImportOfBase(
        _ key: ImportedSource?, options: ImportOptions, in store: Store, accept: (Metadata) throws -> Void
    ) throws -> ImportResult? {
        guard options.expose.isEmpty, let key else { return nil }
        for base in try openBases(of: store) {
            guard let baseName = try base.store.package(from: key),
                let metadata = try refer(to: baseName, in: base, from: store, accept: accept)
            else { continue }
            try checkSoundness(of: metadata, options: options, in: store)
            try asWriter(of: store) { try store.record(key, gave: baseName) }
            return ImportResult(metadata: metadata, wasKnown: true)
        }
        return nil
    }

    /// The first of some store paths that a base has; `nil` where it has to be imported.
    func referred(
        to baseNames: [String], in store: Store, accept: (Metadata) throws -> Void
    ) throws -> Metadata? {
        for base in try openBases(of: store) {
            for baseName in baseNames {
                if let made = try refer(to: baseName, in: base, from: store, accept: accept) { return made }
            }
        }
        return nil
    }

    /// The newest package of a name in the store; one whose base is gone is as good as none.
    func newestWhole(_ name: String, version: String?, in store: Store) throws -> Package? {
        let found = try newest(name, version: version, in: store)
        return try found.flatMap { try store.has($0.baseName) ? $0 : nil }
    }

    /// The newest package of a name in the bases, where that is newer than what the store has, or the only one.
    func newestOfBases(
        _ name: String, version: String?, beyond found: Package?, in store: Store
    ) throws -> (package: Package, base: OpenBase)? {
        var result: (package: Package, base: OpenBase)?
        for base in try openBases(of: store) {
            guard let other = try newestWhole(name, version: version, in: base.store),
                found?.baseName != other.baseName
            else { continue }
            if let known = result?.package ?? found,
                try PackageVersion(other.version) <= PackageVersion(known.version)
            {
                continue
            }
            result = (other, base)
        }
        return result
    }
}
