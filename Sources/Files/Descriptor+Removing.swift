internal import CLinux
internal import Glibc

/// Removing much, by several threads.
extension Descriptor {
    /// Removes everything that is in this directory, which only this program writes, following no link.
    ///
    /// Directories are moved up here before they are emptied, for each is a piece of work for some thread: neither the
    /// stack nor the number of open files grows with the depth, which an image chooses.
    public func removeContents() throws {
        var names: [Bytes] = []
        try forEachEntry { name, _, _ in names.append(Array(name)) }
        let queue = WorkQueue(names)
        try queue.run { name in try self.removeEntry(name, addingTo: queue) }
    }

    /// Removes an entry, and leaves directories in it to others.
    private func removeEntry(_ name: Bytes, addingTo queue: WorkQueue<Bytes>) throws {
        if name.withCString({ unlinkat(number, $0, 0) }) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM || errno == EACCES,
            let status = try status(of: name), status.st_mode & S_IFMT == S_IFDIR
        else { throw SystemError("remove", path(of: name.displayed)) }
        if status.st_mode & 0o700 != 0o700 { try makeWritable(name) }
        let directory = try open(beneath: name, flags: O_RDONLY | O_DIRECTORY)
        while true {
            try directory.forEachEntry { child, type, _ in
                if type != UInt8(DT_DIR) {
                    if unlinkat(directory.number, Self.text(child), 0) == 0 || errno == ENOENT { return }
                    guard errno == EISDIR || errno == EPERM else {
                        throw SystemError("remove", directory.path(of: child.displayed))
                    }
                }
                try directory.moveUp(child, to: self, addingTo: queue)
            }
            // A file system may leave out names while others are removed: those are there on another look.
            if name.withCString({ unlinkat(number, $0, AT_REMOVEDIR) }) == 0 || errno == ENOENT { return }
            guard errno == ENOTEMPTY || errno == EEXIST else {
                throw SystemError("remove directory", path(of: name.displayed))
            }
        }
    }

    /// Removes a directory in this one if it is empty; else moves it to where it can be worked on.
    private func moveUp(
        _ child: UnsafeRawBufferPointer, to top: Descriptor, addingTo queue: WorkQueue<Bytes>
    ) throws {
        let name = Array(child)
        if name.withCString({ unlinkat(number, $0, AT_REMOVEDIR) }) == 0 { return }
        // A directory must be writable to be moved: its `..` changes.
        try makeWritable(name)
        let newName = ".removed." + String(UInt64.random(in: .min ... .max), radix: 36)
        guard name.withCString({ renameat(number, $0, top.number, newName) }) == 0 else {
            throw SystemError("move aside", path(of: name.displayed))
        }
        queue.add(Array(newName.utf8))
    }

    private func makeWritable(_ name: Bytes) throws {
        guard name.withCString({ fchmodat(number, $0, 0o700, 0) }) == 0 else {
            throw SystemError("set permissions of", path(of: name.displayed))
        }
    }

    /// A name of ``forEachEntry(_:)``, which a NUL follows.
    private static func text(_ name: UnsafeRawBufferPointer) -> UnsafePointer<CChar> {
        // A name has at least one byte, and so an address.
        name.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self)
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
        guard let stream = fdopendir(copy) else {
            close(copy)
            throw SystemError("list", path)
        }
        defer { closedir(stream) }
        // Source: readdir(3); d_name is the last member, ended by a NUL.
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return }
        while true {
            sxs_set_errno(0)
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError("list", path) }
                return
            }
            let name = UnsafeRawPointer(entry) + offset
            let length = strlen(name.assumingMemoryBound(to: CChar.self))
            let bytes = UnsafeRawBufferPointer(start: name, count: length)
            if bytes[0] == 0x2e, length == 1 || (length == 2 && bytes[1] == 0x2e) { continue }
            try body(bytes, entry.pointee.d_type, UInt64(entry.pointee.d_ino))
        }
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
