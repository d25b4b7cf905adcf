internal import Store
internal import StoreLayout

/// What a garbage collection did, or would do.
public struct CollectionReport: Encodable, Sendable {
    /// A generation that goes.
    public struct GoneGeneration: Encodable, Sendable {
        /// Its profile.
        public let profile: String
        /// Its number.
        public let number: Int
    }

    /// A store path that goes.
    public struct GonePath: Encodable, Sendable {
        /// Its absolute store path.
        public let storePath: String
        /// Its name; `nil` for what an interrupted command left.
        public let name: String?
        /// Its version.
        public let version: String?
        /// Bytes of its files.
        public let size: Int
        /// Bytes that are free when it and those before it are gone: what it shares with others that stay is not.
        public let freed: Int
    }

    /// A store path that stays.
    public struct KeptPath: Encodable, Sendable {
        /// Its absolute store path.
        public let storePath: String
        /// One of the roots that keep it.
        public let root: Root
        /// How many other roots it has.
        public let others: Int
    }

    /// An entry of `gcroots/` that keeps nothing.
    public struct Dangling: Encodable, Sendable {
        /// Its path, below `gcroots/`.
        public let path: String
        /// Why.
        public let reason: String
    }

    /// Whether nothing was done.
    public let isDryRun: Bool
    /// Generations that go.
    public let generations: [GoneGeneration]
    /// Store paths that go.
    public let removed: [GonePath]
    /// Store paths that stay, by base name.
    public let kept: [KeptPath]
    /// Store paths without a root that stay, since enough is freed.
    public let spared: [String]
    /// Generated caches that go.
    public let caches: Int
    /// Fetched images that go.
    public let fetched: Int
    /// Entries of `gcroots/` that keep nothing.
    public let dangling: [Dangling]
    /// What could not be looked at.
    public let unseen: [String]
    /// How many of the store paths that stay wait for the word of other hosts.
    public let waiting: Int
    /// Those hosts.
    public let silentHosts: [String]
    /// Bytes that are freed: of a dry run by what the index knows.
    public let freed: Int

    init(_ plan: CollectionPlan, isDryRun: Bool, freed: Int, fetched: (bytes: Int, count: Int)) {
        let path = { (baseName: String) in StoreLayout.storeDirectory + "/" + baseName }
        self.isDryRun = isDryRun
        generations = plan.generations.map { GoneGeneration(profile: $0.profile.text, number: $0.number) }
        removed = plan.doomed.map {
            GonePath(
                storePath: path($0.baseName), name: $0.name, version: $0.version, size: $0.size,
                freed: $0.freed)
        }
        kept = plan.kept.map {
            KeptPath(storePath: path($0.baseName), root: Root($0.root), others: $0.others)
        }
        spared = plan.spared.map(path)
        caches = plan.derived.count
        dangling = plan.dangling.map { Dangling(path: $0.path, reason: $0.reason) }
        unseen = plan.unseen
        waiting = plan.waiting.count
        silentHosts = plan.silent
        self.fetched = fetched.count
        self.freed = freed + fetched.bytes
    }
}

/// Something that keeps a store path from garbage collection.
public struct Root: Encodable, Sendable, Equatable {
    /// `generation`, `gcroot`, `lease`, `process` or `host`.
    public let kind: String
    /// What leads to the store path, the first cause first, for people.
    public let chain: [String]

    init(_ root: CollectionRoot) {
        kind = root.kind.rawValue
        chain = root.chain
    }

    /// The chain on one line.
    public var text: String { chain.joined(separator: " -> ") }
}

/// What keeps a store path.
public struct Liveness: Encodable, Sendable {
    /// Its absolute store path.
    public let storePath: String
    /// Its name.
    public let name: String
    /// Its version.
    public let version: String
    /// What keeps it; nothing where the next garbage collection removes it.
    public let roots: [Root]

    init(package: Package, roots: [CollectionRoot]) {
        storePath = StoreLayout.storeDirectory + "/" + package.baseName
        name = package.name
        version = package.version
        self.roots = roots.map(Root.init)
    }
}
