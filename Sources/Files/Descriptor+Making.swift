internal import CLinux
internal import Glibc

/// Making what an image names: in bytes, for a `String` would change those that are no UTF-8.
extension Descriptor {
    private func path(of name: some Collection<UInt8>) -> String { path(of: name.displayed) }

    /// Makes the file `name`, which must not be there, and opens it for writing.
    public func makeFile(_ name: Bytes, mode: UInt32 = 0o600) throws -> Descriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        let result = name.withCString { sxs_openat_beneath(number, $0, flags, mode, 0) }
        guard result >= 0 else { throw SystemError("create", path(of: name)) }
        return Descriptor(taking: result, name, in: self)
    }

    /// Makes the directory `name`; one that is there already is fine if `existing` is.
    public func makeDirectory(_ name: Bytes, mode: UInt32, existing: Bool = false) throws {
        guard name.withCString({ mkdirat(number, $0, mode) }) != 0 else { return }
        guard existing, errno == EEXIST else { throw SystemError("create directory", path(of: name)) }
    }

    /// Makes a symbolic link.
    public func makeSymlink(_ name: Bytes, target: Bytes) throws {
        let result = name.withCString { name in target.withCString { symlinkat($0, number, name) } }
        guard result == 0 else { throw SystemError("create symbolic link", path(of: name)) }
    }

    /// Gives `name` another name, which may be that of an image.
    public func link(_ name: String, to directory: Descriptor, as newName: Bytes) throws {
        let result = newName.withCString { linkat(number, name, directory.number, $0, 0) }
        guard result == 0 else {
            throw SystemError("link \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Gives `name`, which may be that of an image, another name.
    public func link(_ name: Bytes, to directory: Descriptor, as newName: String) throws {
        guard name.withCString({ linkat(number, $0, directory.number, newName, 0) }) == 0 else {
            throw SystemError("link \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Gives `name` another name, both of which may be those of an image.
    public func link(_ name: Bytes, to directory: Descriptor, as newName: Bytes) throws {
        let result = name.withCString { name in
            newName.withCString { linkat(number, name, directory.number, $0, 0) }
        }
        guard result == 0 else {
            throw SystemError("link \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Removes a file or link, whose name may be that of an image; one that is gone already is fine.
    public func unlink(_ name: Bytes) throws {
        guard name.withCString({ unlinkat(number, $0, 0) }) != 0, errno != ENOENT else { return }
        throw SystemError("remove", path(of: name))
    }

    /// Removes an empty directory, whose name may be that of an image.
    public func removeDirectory(_ name: Bytes) throws {
        guard name.withCString({ unlinkat(number, $0, AT_REMOVEDIR) }) != 0 else { return }
        throw SystemError("remove directory", path(of: name))
    }

    /// Renames `name`, replacing what is at the new place, whose name may be that of an image.
    public func rename(_ name: String, to directory: Descriptor, as newName: Bytes) throws {
        let result = newName.withCString { renameat(number, name, directory.number, $0) }
        guard result == 0 else {
            throw SystemError("rename \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Renames `name`, which may be that of an image, replacing what is at the new place.
    public func rename(_ name: Bytes, to directory: Descriptor, as newName: String) throws {
        let result = name.withCString { renameat(number, $0, directory.number, newName) }
        guard result == 0 else {
            throw SystemError("rename \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Sets modification and access time of `name`, following no link.
    public func setTimes(_ seconds: Int, of name: Bytes) throws {
        let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        guard name.withCString({ utimensat(number, $0, times, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw SystemError("set times of", path(of: name))
        }
    }
}

extension Descriptor {
    /// Renames `name` to a place where nothing is.
    ///
    /// - Throws: `SystemError`, with EEXIST where something is.
    public func rename(_ name: String, to directory: Descriptor, asNew newName: String) throws {
        guard sxs_rename_new(number, name, directory.number, newName) == 0 else {
            throw SystemError("rename \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Gives `name` the name of something else, and that its name, in one step (renameat2(2)).
    public func exchange(_ name: String, with other: String, in directory: Descriptor) throws {
        guard sxs_exchange(number, name, directory.number, other) == 0 else {
            throw SystemError("exchange \(path(of: name)) with", directory.path(of: other))
        }
    }

    /// Opens the directory that another mount lies over, such as `/usr` below merged extensions.
    ///
    /// - Throws: `SystemError`; only root may.
    public static func directory(covered path: String) throws -> Descriptor {
        let number = sxs_open_covered(path)
        guard number >= 0 else { throw SystemError("look below what is mounted on", path) }
        return Descriptor(taking: number, path: path)
    }
}

extension Descriptor {
    /// Writes out this file or directory (fsync(2)).
    public func synchronize() throws {
        guard fsync(number) == 0 else { throw SystemError("write out", path) }
    }

    /// Sets the file's length; what is added reads as zeros and takes no space.
    public func setSize(_ size: Int) throws {
        while ftruncate(number, off_t(size)) != 0 {
            guard errno == EINTR else { throw SystemError("set the length of", path) }
        }
    }

    /// Takes the exclusive lock on this file or directory (flock(2)), if nobody has it.
    public func tryLock() throws -> Bool {
        while flock(number, LOCK_EX | LOCK_NB) != 0 {
            if errno == EWOULDBLOCK { return false }
            guard errno == EINTR else { throw SystemError("lock", path) }
        }
        return true
    }

    /// Takes the exclusive lock on this file or directory, waiting for whoever has it.
    public func lock() throws {
        while flock(number, LOCK_EX) != 0 {
            guard errno == EINTR else { throw SystemError("lock", path) }
        }
    }

    /// Appends the contents of `source`, from its start, at this file's current offset.
    public func append(contentsOf source: Descriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
        defer { buffer.deallocate() }
        var offset = 0
        while true {
            let count = try source.read(into: buffer, at: offset)
            guard count > 0 else { return }
            try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += count
        }
    }
}

extension Collection where Element == UInt8 {
    /// Calls `body` with the bytes as a C string.
    ///
    /// There must be no NUL among them.
    public func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        let terminated = ContiguousArray(self) + [0]
        return try terminated.withUnsafeBytes { bytes in
            // Never empty: the terminator is there.
            try body(bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self))
        }
    }
}
