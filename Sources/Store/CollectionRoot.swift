/// Something that keeps a store path from garbage collection.
public struct CollectionRoot: Sendable, Equatable {
    /// What it is.
    public enum Kind: String, Sendable {
        /// A generation of a profile of this store.
        case generation
        /// A link or file in `gcroots/`.
        case link = "gcroot"
        /// Work that is not finished, such as an installation.
        case lease
        /// A running program.
        case process
        /// A system that this host has besides the running one, or its configuration.
        case host
    }

    /// What it is.
    public let kind: Kind
    /// What leads to the store path, the first cause first, for people.
    public let chain: [String]

    /// The chain on one line.
    public var text: String { chain.joined(separator: " -> ") }

    /// Describes a root.
    public init(kind: Kind, chain: [String]) {
        self.kind = kind
        self.chain = chain
    }
}

/// Roots of one kind or several, by the base name of the store path that they keep.
public typealias RootsByStorePath = [String: [CollectionRoot]]
