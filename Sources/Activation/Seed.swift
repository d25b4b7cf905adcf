public import Files

/// Something that programs expect below `/etc` or `/usr`, and which a host without it is shown from the store.
public struct Seed: Hashable, Sendable {
    /// Where it is expected, such as `etc/ssl/certs`; always below `etc` or `usr`.
    public let path: TreePath

    /// The absolute path of what is shown there, in the store.
    public let source: Bytes

    /// Creates a seed; `nil` if the path is not below `etc` or `usr`.
    ///
    /// - Parameters:
    ///   - path: Where it is expected, and where it is in the store path's tree.
    ///   - storePath: The absolute path of a store path.
    public init?(_ path: TreePath, in storePath: String) {
        self.init(path, source: Array(storePath.utf8) + [UInt8(ascii: "/")] + path.bytes)
    }

    /// Creates a seed; `nil` if the path is not below `etc` or `usr`.
    ///
    /// - Parameters:
    ///   - path: Where it is expected.
    ///   - source: The absolute path of what is shown there.
    public init?(_ path: TreePath, source: Bytes) {
        guard Self.directories.contains(where: { path.isWithin($0) && path != $0 }) else { return nil }
        self.path = path
        self.source = source
    }

    /// The directories in which anything may be shown.
    private static let directories: [TreePath] = ["etc", "usr"]
}
