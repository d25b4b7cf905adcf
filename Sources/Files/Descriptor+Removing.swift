internal import CLinux
internal import Glibc

/// Removing directories with all that is in them. Others may be removing the same: what is gone is fine.
extension Descriptor {
    /// Directories below each other that are open at once.
    private static let deepest = 24

    /// Removes everything that is in this directory, which only this program writes, following no link.
    ///
    /// Directories far below are moved up here before they are emptied: neither the stack nor the number of open files
    /// grows with the depth, which an image chooses.
    ///
    /// By one thread: two take a fifth more of the processors' time, since nearly all of it is the kernel's, for one journal
    /// and its lists of free inodes and blocks.
    public func removeContents() throws {
        var entries: [(name: Bytes, inode: UInt64)] = []
        try forEachEntry { name, _, inode in entries.append((Array(name), inode)) }
        // In the order in which they were made, more or less: what is beside each other is changed in one go.
        entries.sort { $0.inode > $1.inode }
        try removeEntries(entries.map(\.name))
    }

    /// Removes names in this directory and all below them; those that are gone are fine.
    public func removeTrees(_ names: [String]) throws {
        try removeEntries(names.reversed().map { Bytes($0.utf8) })
    }

    /// Removes entries, the last first.
    private func removeEntries(_ names: [Bytes]) throws {
        let queue = WorkQueue(names)
        try queue.run(threads: 1) { name in try self.removeEntry(name, addingTo: queue) }
    }

    /// Removes `name` and all below it, making directories writable on the way; one that is gone is fine.
    public func removeTree(_ name: String) throws {
        if unlinkat(number, name, 0) == 0 || errno == ENOENT { return }
        try removeTrees([name])
    }

    /// The same for a name that may be no valid UTF-8.
    public func removeTree(_ name: Bytes) throws { try removeEntries([name]) }

    /// Removes an entry, and leaves directories that are far below in it to a later moment.
    private func removeEntry(_ name: Bytes, addingTo queue: WorkQueue<Bytes>) throws {
        try name.withCString { text in
            // Most are directories.
            guard let directory = try openToEmpty(text) else {
                guard try remove(text, flags: 0, opensUp: false) else {
                    throw SystemError("remove", path(of: name.displayed), code: EPERM)
                }
                return
            }
            try remove(directory, named: text, depth: 0, below: self, queue)
        }
    }

    /// Removes a directory in this one, and what is in it.
    ///
    /// - Parameters:
    ///   - directory: The directory, just opened.
    ///   - top: Where directories are moved to that are left to a later moment.
    private func remove(
        _ directory: Descriptor, named name: UnsafePointer<CChar>, depth: Int, below top: Descriptor,
        _ queue: WorkQueue<Bytes>
    ) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let count = try directory.forEachNewEntry(buffer) { child, type, _ in
                if type != UInt8(DT_DIR), try directory.remove(child, flags: 0) { return }
                if depth >= Self.deepest, try directory.moveUp(child, to: top, addingTo: queue) { return }
                if let below = try directory.openToEmpty(child) {
                    try directory.remove(below, named: child, depth: depth + 1, below: top, queue)
                } else {
                    _ = try directory.remove(child, flags: 0)
                }
            }
            // Where there was room for one more, it is most likely empty by now: that need not be asked for.
            guard count + Self.longestEntry <= buffer.count else { continue }
            if try remove(name, flags: AT_REMOVEDIR, opensUp: depth > 0) { return }
            // A file system may leave out names while others are removed: those are there on another look.
            guard count > 0 || lseek(directory.number, 0, SEEK_SET) == 0 else {
                throw SystemError("list", directory.path)
            }
        }
    }

    /// Bytes of an entry as getdents64(2) gives it, at most: 19, a name, and what aligns it.
    private static let longestEntry = 280

    /// Calls `body` with some names in this directory, which nobody else lists, their types and inodes.
    ///
    /// - Returns: Bytes of the buffer that were filled; 0 at the end.
    private func forEachNewEntry(
        _ buffer: UnsafeMutableRawBufferPointer,
        _ body: (UnsafePointer<CChar>, UInt8, UInt64) throws -> Void
    ) throws -> Int {
        guard let start = buffer.baseAddress else { return 0 }
        let count = sxs_getdents(number, start, UInt(buffer.count))
        // One that was removed since it was opened has no entries, as readdir(3) says of it, too.
        if count < 0, errno == ENOENT { return 0 }
        guard count >= 0 else { throw SystemError("list", path) }
        var offset = 0
        // Source: getdents64(2).
        while offset < count {
            let length = Int(buffer.load(fromByteOffset: offset + 16, as: UInt16.self))
            let name = (start + offset + 19).assumingMemoryBound(to: CChar.self)
            let type = buffer[offset + 18]
            let inode = buffer.load(fromByteOffset: offset, as: UInt64.self)
            offset += length
            let isItself = name[0] == 0x2e && (name[1] == 0 || name[1] == 0x2e && name[2] == 0)
            if !isItself { try body(name, type, inode) }
        }
        return Int(count)
    }

    /// Removes an entry of this directory.
    ///
    /// - Parameter opensUp: Whether this directory is made writable if need be: not one that stays.
    /// - Returns: `false` where it is a directory, or one that is not empty.
    private func remove(_ name: UnsafePointer<CChar>, flags: Int32, opensUp: Bool = true) throws -> Bool {
        if unlinkat(number, name, flags) == 0 || errno == ENOENT { return true }
        // Those of store paths are not writable, which keeps others than root from removing what is in them.
        if opensUp, errno == EACCES, fchmod(number, 0o700) == 0, unlinkat(number, name, flags) == 0 {
            return true
        }
        let isDirectory = flags == 0 && (errno == EISDIR || errno == EPERM)
        guard isDirectory || flags != 0 && (errno == ENOTEMPTY || errno == EEXIST) else {
            throw SystemError("remove", path(of: String(cString: name).utf8.displayed))
        }
        return false
    }

    /// Opens a directory whose owner need not be able to search it; `nil` for what is none.
    private func openToEmpty(_ name: UnsafePointer<CChar>) throws -> Descriptor? {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var opened = openat(number, name, flags)
        if opened < 0, errno == EACCES, fchmodat(number, name, 0o700, 0) == 0 {
            opened = openat(number, name, flags)
        }
        if opened < 0, [ENOTDIR, ELOOP, ENOENT].contains(errno) { return nil }
        let path = path(of: String(cString: name).utf8.displayed)
        guard opened >= 0 else { throw SystemError("open directory", path) }
        let directory = Descriptor(taking: opened, path: path)
        // To search it takes another right than to list it; root needs neither.
        if geteuid() != 0, faccessat(opened, ".", X_OK, 0) != 0, fchmod(opened, 0o700) != 0 {
            throw SystemError("set permissions of", path)
        }
        return directory
    }

    /// Removes a directory in this one if it is empty; else moves it to where it can be worked on.
    ///
    /// - Returns: `false` where it stays.
    private func moveUp(
        _ name: UnsafePointer<CChar>, to top: Descriptor, addingTo queue: WorkQueue<Bytes>
    ) throws -> Bool {
        if try remove(name, flags: AT_REMOVEDIR) { return true }
        let newName = Self.asidePrefix + String(UInt64.random(in: .min ... .max), radix: 36)
        var result = renameat(number, name, top.number, newName)
        // A directory must be writable to be moved: its `..` changes.
        if result != 0, errno == EACCES || errno == EPERM, fchmodat(number, name, 0o700, 0) == 0 {
            result = renameat(number, name, top.number, newName)
        }
        // Another process may sweep the same: then it has it now.
        if result != 0, errno == ENOENT { return true }
        guard result == 0 else {
            throw SystemError("move aside", path(of: String(cString: name).utf8.displayed))
        }
        queue.add(Array(newName.utf8))
        return true
    }
}

/// Directories of many entries.
extension Descriptor {
    /// Calls `body` with each name in this directory, without `.` and `..`, in the order that the file system has.
    ///
    /// - Parameter body: Given the name, valid only for the call and followed by a NUL, its type (`DT_DIR`, …) and inode number.
    public func forEachEntry(_ body: (UnsafeRawBufferPointer, UInt8, UInt64) throws -> Void) throws {
        // A second description: the offset of this one is not disturbed.
        let copy = openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw SystemError("open directory", path) }
        try Descriptor(taking: copy, path: path).forEachEntryOnce(body)
    }

    /// The same for a directory that was just opened, and that nobody else lists: it is not opened again.
    public func forEachEntryOnce(_ body: (UnsafeRawBufferPointer, UInt8, UInt64) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 8)
        defer { buffer.deallocate() }
        while try forEachNewEntry(
            buffer,
            { name, type, inode in
                try body(UnsafeRawBufferPointer(start: name, count: strlen(name)), type, inode)
            }) > 0
        {}
    }

    /// Bytes that can still be written on this file system, by others than its administrator.
    public func freeSpace() throws -> Int {
        var space = statvfs()
        guard fstatvfs(number, &space) == 0 else { throw SystemError("ask for the free space of", path) }
        let (bytes, overflow) = Int(clamping: space.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: space.f_frsize))
        return overflow ? .max : bytes
    }

    /// Bytes that everything on this file system takes.
    public func usedSpace() throws -> Int {
        var space = statvfs()
        guard fstatvfs(number, &space) == 0 else { throw SystemError("ask for the used space of", path) }
        let blocks = Int(clamping: space.f_blocks) - Int(clamping: space.f_bfree)
        let (bytes, overflow) = blocks.multipliedReportingOverflow(by: Int(clamping: space.f_frsize))
        return overflow ? .max : bytes
    }

    /// Whether this file system may need less space for bytes than there are, since it can compress them.
    ///
    /// Source: linux/magic.h; ZFS and bcachefs have theirs in their own headers.
    public func mayCompress() throws -> Bool {
        let kind = sxs_file_system_kind(number)
        guard kind >= 0 else { throw SystemError("ask for the file system of", path) }
        // btrfs, F2FS, ZFS, bcachefs
        return [0x9123_683e, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e].contains(kind)
    }

    /// Takes the space for a file's first bytes, so that writing them cannot fail for lack of it.
    public func reserveSpace(_ size: Int) throws {
        let code = posix_fallocate(number, 0, off_t(size))
        guard code == 0 else { throw SystemError("reserve space for", path, code: code) }
    }
}
