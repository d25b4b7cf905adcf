public import Files
internal import StoreLayout

/// The labels of files in store paths: those that the policy gives to the same paths on a host.
///
/// `usr/bin/x` of a store path is labelled as `/usr/bin/x` would be. The store path's own directory, and what leads to
/// it, are labelled as `/usr`, which every program may pass through.
public struct StoreLabels {
    private let labels: FileLabels

    /// Creates the labels of a policy.
    public init(_ labels: FileLabels) {
        self.labels = labels
    }

    /// The label of a path inside a store path.
    public func label(of path: TreePath, kind: FileLabels.Kind) throws -> Bytes? {
        let usr = Array(StoreLayout.hostDirectory.utf8)
        return try labels.label(of: path == .root ? usr : [UInt8(ascii: "/")] + path.bytes, kind: kind)
    }

    /// The label of a path inside an extension, which has store paths in `usr/store`.
    public func label(inExtension path: TreePath, kind: FileLabels.Kind) throws -> Bytes? {
        guard path != .root else { return try labels.label(of: Array("/".utf8), kind: kind) }
        let store = Array(StoreLayout.storeDirectory.utf8.dropFirst()) + [UInt8(ascii: "/")]
        guard path.bytes.starts(with: store) else { return try label(of: path, kind: kind) }
        let rest = path.bytes.dropFirst(store.count)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else {
            return try label(of: .root, kind: kind)
        }
        return try label(of: TreePath(parsing: rest[rest.index(after: slash)...]), kind: kind)
    }
}
