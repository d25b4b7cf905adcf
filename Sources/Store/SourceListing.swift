public import Files
internal import StoreLayout

/// The canonical listing of a tree as it came, which is made when it is asked for: an image has many files, and the text is
/// needed at the beginning and at the end.
public struct SourceListing {
    /// Gives the text in pieces.
    let write: ListingFiles.Writing

    /// The listing that is a text.
    public init(_ text: Bytes) {
        write = { write in try text.withUnsafeBytes(write) }
    }

    /// The listing of a tree with the contents that came to a staging area, whatever became of them.
    public init(_ nodes: Tree.SortedNodes, _ staging: Staging) {
        write = { write in try TreeListing.render(nodes, content: staging.original, write: write) }
    }

    /// Its digest, which is the tree's.
    public func digest() throws -> Digest {
        var hasher = Hasher256()
        try write { hasher.update($0) }
        return hasher.finalize()
    }

    /// All of it.
    public func text() throws -> Bytes {
        var result: Bytes = []
        try write { result.append(contentsOf: $0) }
        return result
    }
}
