public import Files

/// Text of an image's configuration that leaves the image: paths of the image become paths below another directory.
///
/// What is the host's by the rules (`/etc`, `/var`, `/bin/sh`) stays. The text may change its length.
public struct ConfigurationText: Sendable {
    private let paths: ImagePaths

    /// Bytes that such a text may have; a longer one stays as it is.
    public static let longest = 1 << 20

    /// Creates a rewriter of texts of an image.
    ///
    /// - Parameter tree: The image's tree, its links as they are seen from inside.
    public init(of tree: Tree) {
        paths = ImagePaths(tree.sortedNodes)
    }

    /// A text with the image's paths below a directory; as it is where it is no text.
    ///
    /// - Parameter directory: The absolute path of a directory where the image's tree is seen.
    public func moved(_ text: Bytes, to directory: String) -> Bytes {
        guard text.count <= Self.longest, !text.contains(0) else { return text }
        let prefix = Array(directory.utf8)
        var result: Bytes = []
        var done = 0
        text.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                guard bytes[offset] == UInt8(ascii: "/"), PathBorders.canBegin(bytes, at: offset),
                    case .image(let site) = PathSite.measure(bytes, at: offset, limit: bytes.count, in: paths)
                else {
                    offset += 1
                    continue
                }
                // Of `/usr/bin/x` only the directory may be the image's, and the program the host's.
                if site.saysEnough, site.isComplete || site.prefixes.count > 2 {
                    result += bytes[done..<offset]
                    result += prefix
                    done = offset
                }
                offset = max(site.end, offset + 1)
            }
            result += bytes[done...]
        }
        return result
    }
}
