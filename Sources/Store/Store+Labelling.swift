public import Files
private import Glibc
internal import StoreLayout

/// What labelling a store came to.
public struct Labelling: Encodable, Sendable, Equatable {
    /// Files, directories and links that were looked at.
    public internal(set) var entryCount = 0
    /// How many of them got another label.
    public internal(set) var changeCount = 0
    /// Files that were given contents of their own, because another path with the same contents has another label.
    public internal(set) var separatedCount = 0
}

extension Store {
    /// The SELinux label of a path in a store path, by its mode; `nil` to leave it as it is.
    public typealias Labeller = (TreePath, UInt32) throws -> Bytes?

    /// Labels everything in all store paths.
    ///
    /// Paths that share an inode, since their contents are equal, may have different labels; then all but the first, in
    /// the order of base names and paths, get a file of their own.
    ///
    /// - Throws: `SystemError`, or what `label` throws; labels that were set by then stay.
    public func relabel(_ label: @escaping Labeller) throws -> Labelling {
        try withWriterLock(command: "relabelling the store") {
            var labelling = TreeLabelling(temporary: try temporary(), label: label)
            let name = StoreLayout.Name.store
            try labelling.give(to: Bytes(name.utf8), in: root)
            let store = try root.directory(beneath: name)
            for base in try store.list() {
                guard let status = try store.status(of: base.name), status.st_mode & S_IFMT == S_IFDIR else {
                    continue
                }
                try labelling.giveAll(to: base.name, in: store)
            }
            return labelling.result
        }
    }
}
