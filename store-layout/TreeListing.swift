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
    ///   - sortedPaths: The tree's ``Tree/sortedPaths``, for who has them already.
    ///   - mode: The mode to list for a node.
    ///   - content: Size in bytes and digest of a file's contents.
    /// - Returns: The listing's bytes.
    public static func render(
        _ tree: Tree, sortedPaths: [TreePath]? = nil, mode: (Tree.Node) -> UInt16 = \.mode,
        content: (ContentID) -> (size: Int, digest: Digest)
    ) -> Bytes {
        var text: Bytes = Array(header.utf8)
        text.reserveCapacity(tree.nodes.count * 160)
        for path in sortedPaths ?? tree.sortedPaths {
            guard let node = tree[path] else { continue }
            appendPath(path, to: &text)
            let modeText = " mode=0" + octal(UInt32(mode(node)), width: 3)
            switch node.kind {
            case .directory:
                text.append(contentsOf: " type=dir".utf8)
                text.append(contentsOf: modeText.utf8)
            case .symlink(let target):
                text.append(contentsOf: " type=link mode=0777 link=".utf8)
                appendEscaped(target, to: &text)
            case .file(let id):
                let (size, digest) = content(id)
                text.append(contentsOf: " type=file".utf8)
                text.append(contentsOf: modeText.utf8)
                text.append(contentsOf: " size=\(size) sha256digest=".utf8)
                text.append(contentsOf: digest.hex.utf8)
            }
            text.append(newline)
            for attribute in node.attributes {
                text.append(contentsOf: "#xattr ".utf8)
                appendPath(path, to: &text)
                text.append(space)
                appendEscaped(attribute.name, to: &text)
                text.append(UInt8(ascii: "="))
                for byte in attribute.value {
                    text.append(hexDigits[Int(byte >> 4)])
                    text.append(hexDigits[Int(byte & 15)])
                }
                text.append(newline)
            }
        }
        return text
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
    private static let newline = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")

    private static let isPlain: [Bool] = (0..<256).map { value in
        let byte = UInt8(value)
        return (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "./_+,:@%~-".utf8.contains(byte)
    }

    private static func appendPath(_ path: TreePath, to text: inout Bytes) {
        text.append(UInt8(ascii: "."))
        guard !path.bytes.isEmpty else { return }
        text.append(UInt8(ascii: "/"))
        appendEscaped(path.bytes, to: &text)
    }

    private static func appendEscaped(_ bytes: Bytes, to text: inout Bytes) {
        for byte in bytes {
            if isPlain[Int(byte)] {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "\\"))
                text.append(UInt8(ascii: "0") + (byte >> 6))
                text.append(UInt8(ascii: "0") + (byte >> 3 & 7))
                text.append(UInt8(ascii: "0") + (byte & 7))
            }
        }
    }
}
