/// Paths of the host that programs of the store touched although their own image has them.
public struct TraceReport: Encodable, Sendable {
    /// A path.
    public struct Path: Encodable, Sendable {
        /// The path as the program gave it, made absolute.
        public let path: String
        /// How often it was given.
        public internal(set) var count: Int
        /// Whether the host had it, the first time.
        public let exists: Bool
        /// The system calls, sorted; `interpreter` where the kernel itself took it.
        public internal(set) var calls: [String]
        /// The programs, as paths in the tree, sorted.
        public internal(set) var programs: [String]
        /// Why it is the host's to give; `nil` where it is not.
        public let reason: String?
    }

    /// A package of which a program ran.
    public struct Package: Encodable, Sendable {
        /// Its name.
        public let name: String
        /// Its version.
        public let version: String
        /// Its absolute store path.
        public let storePath: String
        /// Paths that the image has, and the host was asked for: sorted.
        public internal(set) var touched: [Path]
        /// Paths that the image has and that are meant to be the host's: sorted.
        public internal(set) var expected: [Path]
    }

    /// Packages of which programs ran, sorted by name.
    public let packages: [Package]
    /// How many calls with paths there were, by all programs.
    public let calls: Int
    /// How many of them could not be looked at, because the kernel protects the program's memory.
    public let hidden: Int
    /// Whether there were more paths than are kept.
    public let isCut: Bool
}
