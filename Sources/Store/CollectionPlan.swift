/// A garbage collection before anything is done.
public struct CollectionPlan: Sendable {
    /// A store path that goes.
    public struct Doomed: Sendable {
        /// The base name of its store path.
        public let baseName: String
        /// Its name; `nil` for what a crash left, which is not registered.
        public let name: String?
        /// Its version.
        public let version: String?
        /// Bytes of its files.
        public let size: Int
        /// Bytes that are free when it is gone, after those before it: its objects that no other store path has.
        public internal(set) var freed: Int
        /// How many objects these are.
        public internal(set) var objectCount = 0
        /// Its row in the index.
        let row: Int?
    }

    /// A store path that stays, and why.
    public struct Kept: Sendable {
        /// The base name of its store path.
        public let baseName: String
        /// One of its roots: the newest generation, if there is one.
        public let root: CollectionRoot
        /// How many other roots it has.
        public let others: Int
    }

    /// Generations that go.
    public internal(set) var generations: [Generation] = []
    /// Store paths that go, what a crash left first, then those that were registered first.
    public internal(set) var doomed: [Doomed] = []
    /// Store paths that stay, by base name.
    public internal(set) var kept: [Kept] = []
    /// Store paths that could go, but need not, since enough is freed without them.
    public internal(set) var spared: [String] = []
    /// Caches that no generation uses, by their key.
    public internal(set) var derived: [String] = []
    /// Base names of store paths that nothing is known to need, and that stay until other hosts have said so, too.
    public internal(set) var waiting: [String] = []
    /// Those hosts, as people know them.
    public internal(set) var silent: [String] = []
    /// Roots that are none.
    public internal(set) var dangling: [DanglingRoot] = []
    /// What could not be looked at.
    public internal(set) var unseen: [String] = []

    /// Bytes that are freed, by what the index knows.
    public var freed: Int { doomed.reduce(0) { $0 + $1.freed } }
}

/// Which generations of a profile stay.
public struct Retention: Sendable, Equatable {
    /// So many of the newest stay.
    public var count: Int?
    /// Those that are younger stay, in seconds.
    public var age: Int?

    /// Creates a rule; without any number all generations stay.
    public init(count: Int? = nil, age: Int? = nil) {
        self.count = count
        self.age = age
    }
}
