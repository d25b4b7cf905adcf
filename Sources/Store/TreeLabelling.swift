internal import Files
internal import Glibc
internal import StoreLayout

/// Gives labels to what is in store paths, on disk.
///
/// Paths that share an inode, since their contents are equal, may have different labels; then all but the first get a
/// file of their own.
struct TreeLabelling {
    /// What it came to so far.
    private(set) var result = Labelling()
    private let label: Store.Labeller
    /// Where a file is copied to before it takes another's place.
    private let temporary: Descriptor
    /// The inodes that may be given another label although others share them; `nil` for all.
    private let own: Set<Inode>?
    /// The label of each shared inode that was met.
    private var given: [Inode: Bytes] = [:]

    /// Prepares to give labels.
    ///
    /// - Parameters:
    ///   - temporary: The store's directory for unfinished work.
    ///   - own: The inodes that may be given another label although others share them; `nil` for all.
    ///   - label: The label of a path in a store path.
    init(temporary: Descriptor, own: Set<Inode>? = nil, label: @escaping Store.Labeller) {
        self.temporary = temporary
        self.own = own
        self.label = label
    }

    /// Labels a directory on the way to store paths.
    mutating func give(to directory: Bytes, in parent: Descriptor) throws {
        try set(label(.root, S_IFDIR), of: directory, in: parent)
    }

    /// Labels a store path's directory and all that is in it.
    mutating func giveAll(to tree: Bytes, in parent: Descriptor) throws {
        try give(to: tree, in: parent)
        var pending: [TreePath] = [.root]
        while let path = pending.popLast() {
            let place = TreePath.root.appending(tree).appending(path: path)
            let directory = try parent.open(beneath: place.bytes, flags: O_RDONLY | O_DIRECTORY)
            for entry in try directory.list() {
                let child = path.appending(entry.name)
                guard let status = try directory.status(of: entry.name) else { continue }
                if status.st_mode & S_IFMT == S_IFDIR { pending.append(child) }
                guard let wanted = try label(child, status.st_mode) else { continue }
                if status.st_mode & S_IFMT == S_IFREG, status.st_nlink > 1,
                    try isAnothers(Inode(status), entry.name, in: directory, wanted)
                {
                    try separate(entry.name, in: directory)
                    result.separatedCount += 1
                }
                try set(wanted, of: entry.name, in: directory)
            }
        }
    }

    /// Whether an inode has to keep another label than the wanted one, which is noted if it need not.
    private mutating func isAnothers(
        _ inode: Inode, _ name: Bytes, in directory: Descriptor, _ wanted: Bytes
    ) throws -> Bool {
        if given[inode] == nil, own?.contains(inode) == false {
            given[inode] = try current(name, in: directory) ?? []
        }
        if let other = given[inode] { return other != wanted }
        given[inode] = wanted
        return false
    }

    /// The label as it is.
    private func current(_ name: Bytes, in directory: Descriptor) throws -> Bytes? {
        // As libselinux writes it, with the NUL; the kernel may have it without.
        try directory.attribute(String(decoding: ExtendedAttribute.labelName, as: UTF8.self), of: name).map {
            Bytes($0.prefix { $0 != 0 })
        }
    }

    private mutating func set(_ label: Bytes?, of name: Bytes, in directory: Descriptor) throws {
        result.entryCount += 1
        guard let label, try current(name, in: directory) != label else { return }
        try directory.setAttribute(.label(label), of: name)
        result.changeCount += 1
    }

    /// Gives a file an inode of its own, with the same contents, mode, times and attributes.
    private func separate(_ name: Bytes, in directory: Descriptor) throws {
        let old = try directory.open(beneath: name)
        let mode = try old.status().st_mode & 0o777
        // Where the next writer removes what a crash leaves.
        let (held, holder) = try temporary.makeHeldDirectory()
        // Swept by the next writer if it cannot be removed now.
        defer { try? temporary.removeTree(held) }
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
