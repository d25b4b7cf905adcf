public import Files

/// The canonical listing of a tree in mtree(5) form: what is hashed, kept and verified.
///
/// ```
/// #mtree sxs 1
/// /set uid=0 gid=0
/// . type=dir mode=0755
/// ./usr type=dir mode=0755
/// ./usr/bin/x type=file mode=0755 size=5 sha256digest=…
/// #xattr ./usr/bin/x user.note=6869
/// ./usr/bin/y type=link mode=0777 link=x
/// ```
/// Sorted bytewise by path. Bytes other than letters, digits and `./_+,:@%~-` are `\ooo`. Hard links are files of
/// their own. Times are not listed.
///
/// Source: mtree(5) of NetBSD and of libarchive, which both read it.
public enum TreeListing {
    /// The first line.
    public static let header = "#mtree sxs 1\n/set uid=0 gid=0\n"

    /// Renders a tree.
    ///
    /// - Parameters:
    ///   - mode: The mode to list for a node.
    ///   - content: Size in bytes and digest of a file's contents.
    /// - Returns: The listing's bytes.
    public static func render(
        _ tree: Tree, mode: (Tree.Node) -> UInt16 = \.mode,
        content: (ContentID) -> (size: Int, digest: Digest)
    ) -> Bytes {
        var result: Bytes = []
        render(tree.sortedNodes, mode: mode, content: content) { result.append(contentsOf: $0) }
        return result
    }

    /// Renders the nodes of a tree, piece by piece.
    ///
    /// - Parameters:
    ///   - mode: The mode to list for a node.
    ///   - content: Size in bytes and digest of a file's contents.
    ///   - write: Is given the listing's bytes.
    public static func render(
        _ nodes: Tree.SortedNodes, mode: (Tree.Node) -> UInt16 = \.mode,
        content: (ContentID) -> (size: Int, digest: Digest),
        write: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        var text = ListingText(capacity: pieceSize)
        defer { text.deallocate() }
        Bytes(header.utf8).withUnsafeBytes { text.append(bytes: $0) }
        for index in nodes.indices {
            if text.pending > pieceSize / 2 { try write(text.take()) }
            let node = nodes.node(at: index)
            nodes.withPath(at: index) { text.append(path: $0) }
            let modeBits = mode(node)
            switch node.kind {
            case .directory:
                text.append(" type=dir mode=0")
                text.append(octal: modeBits)
            case .symlink(let target):
                text.append(" type=link mode=0777 link=")
                text.append(escaping: target)
            case .file(let id):
                let (size, digest) = content(id)
                text.append(" type=file mode=0")
                text.append(octal: modeBits)
                text.append(" size=")
                text.append(decimal: size)
                text.append(" sha256digest=")
                text.append(digest: digest)
            }
            text.append("\n")
            for attribute in node.attributes {
                text.append("#xattr ")
                nodes.withPath(at: index) { text.append(path: $0) }
                text.append(" ")
                text.append(escaping: attribute.name)
                text.append("=")
                text.append(hexadecimal: attribute.value)
                text.append("\n")
            }
        }
        try write(text.take())
    }

    /// Bytes that there is room for at first; half of them make a piece.
    private static let pieceSize = 128 << 10
}
