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
    /// The attribute that has a file's label.
    static let labelAttribute = Array("security.selinux".utf8)

    private struct Inode: Hashable {
        let device: UInt64
        let number: UInt64
    }

    /// Labels everything in all store paths.
    ///
    /// Paths that share an inode, since their contents are equal, may have different labels; then all but the first, in
    /// the order of base names and paths, get a file of their own.
    ///
    /// - Parameter label: The label of a path in a store path, by its mode; `nil` to leave it as it is.
    /// - Throws: `SystemError`, or what `label` throws; labels that were set by then stay.
    public func relabel(_ label: (TreePath, UInt32) throws -> Bytes?) throws -> Labelling {
        try withWriterLock(command: "relabelling the store") {
            var result = Labelling()
            var given: [Inode: Bytes] = [:]
            let name = StoreLayout.Name.store
            let store = try root.directory(beneath: name)
            try set(label(.root, store.status().st_mode), of: Bytes(name.utf8), in: root, &result)
            for base in try store.list() {
                guard let status = try store.status(of: base.name), status.st_mode & S_IFMT == S_IFDIR else {
                    continue
                }
                try set(label(.root, status.st_mode), of: base.name, in: store, &result)
                var pending: [TreePath] = [.root]
                while let path = pending.popLast() {
                    let place = TreePath.root.appending(base.name).appending(path: path)
                    let directory = try store.open(beneath: place.bytes, flags: O_RDONLY | O_DIRECTORY)
                    for entry in try directory.list() {
                        let child = path.appending(entry.name)
                        guard let status = try directory.status(of: entry.name) else { continue }
                        if status.st_mode & S_IFMT == S_IFDIR { pending.append(child) }
                        guard let wanted = try label(child, status.st_mode) else { continue }
                        if status.st_mode & S_IFMT == S_IFREG, status.st_nlink > 1 {
                            let inode = Inode(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
                            if let other = given[inode], other != wanted {
                                try separate(entry.name, in: directory)
                                result.separatedCount += 1
                            } else {
                                given[inode] = wanted
                            }
                        }
                        try set(wanted, of: entry.name, in: directory, &result)
                    }
                }
            }
            return result
        }
    }

    private func set(
        _ label: Bytes?, of name: Bytes, in directory: Descriptor, _ result: inout Labelling
    ) throws {
        result.entryCount += 1
        guard let label else { return }
        // As libselinux writes it, with the NUL; the kernel may have it without.
        let old = try directory.attribute(String(decoding: Self.labelAttribute, as: UTF8.self), of: name)
        if let old, old.prefix(while: { $0 != 0 }).elementsEqual(label) { return }
        try directory.setAttribute(
            ExtendedAttribute(name: Self.labelAttribute, value: label + [0]), of: name)
        result.changeCount += 1
    }

    /// Gives a file an inode of its own, with the same contents, mode, times and attributes.
    private func separate(_ name: Bytes, in directory: Descriptor) throws {
        let old = try directory.open(beneath: name)
        let mode = try old.status().st_mode & 0o777
        // Below `tmp`, where the next writer removes what a crash leaves.
        let area = try temporary()
        let (held, holder) = try ImportArea.makeHeldDirectory(in: area)
        // Swept by the next writer if it cannot be removed now.
        defer { try? area.removeTree(held) }
        let new = try holder.open(beneath: "file", flags: O_RDWR | O_CREAT | O_EXCL)
        try new.copyContents(of: old)
        for attribute in try old.attributes() where attribute.counts { try new.setAttribute(attribute) }
        try new.setMode(mode)
        try new.setTimes(StoreLayout.modificationTime)
        // It takes the place of a whole file, and so has to be whole.
        try new.synchronize()
        try holder.rename("file", to: directory, as: name)
        try directory.setTimes(StoreLayout.modificationTime)
    }
}
