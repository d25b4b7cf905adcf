public import Files

/// A file of a generation that is no link to the same path of a store path: what was rewritten, or made from all its packages.
public struct GenerationFile: Sendable, Equatable {
    /// What is in it.
    public enum Content: Sendable, Equatable {
        /// These bytes.
        case bytes(Bytes)
        /// A file of what was derived under a key: see ``Store/derived(_:)``.
        case derived(Digest, TreePath)
        /// A symbolic link with this target; not in `share`, where links follow from packages.
        case link(Bytes)
    }

    /// Its path in the generation, below `share`, `lib` or `etc`.
    public let path: TreePath
    /// What is in it.
    public let content: Content

    /// Creates a file of a generation.
    public init(path: TreePath, content: Content) {
        self.path = path
        self.content = content
    }
}
