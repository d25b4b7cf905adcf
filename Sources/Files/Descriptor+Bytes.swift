internal import CLinux
public import Glibc

/// Names as bytes: those of an image need not be UTF-8, and a `String` would change them.
extension Descriptor {
    private func path(of name: some Collection<UInt8>) -> String { path(of: name.displayed) }

    /// Opens what `name` leads to in this directory without following links in any component.
    public func open(
        beneath name: Bytes, flags: Int32 = O_RDONLY, mode: UInt32 = 0o600
    ) throws -> Descriptor {
        let result = name.withCString { sxs_openat_beneath(number, $0, flags, mode, 0) }
        guard result >= 0 else { throw SystemError("open", path(of: name)) }
        return Descriptor(taking: result, path: path(of: name))
    }

    /// Makes the directory `name`, which must not be there.
    public func makeDirectory(_ name: Bytes, mode: UInt32) throws {
        guard name.withCString({ mkdirat(number, $0, mode) }) == 0 else {
            throw SystemError("create directory", path(of: name))
        }
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

    /// Sets modification and access time of `name`, following no link.
    public func setTimes(_ seconds: Int, of name: Bytes) throws {
        let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        guard name.withCString({ utimensat(number, $0, times, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw SystemError("set times of", path(of: name))
        }
    }

    /// The target of the symbolic link `name`.
    public func target(ofLink name: Bytes) throws -> Bytes {
        var length = 0
        let buffer = Bytes(unsafeUninitializedCapacity: 4096) { buffer, count in
            length = buffer.withMemoryRebound(to: CChar.self) { chars in
                guard let start = chars.baseAddress else { return -1 }
                return name.withCString { readlinkat(number, $0, start, chars.count) }
            }
            count = max(0, length)
        }
        guard length >= 0 else { throw SystemError("read symbolic link", path(of: name)) }
        return buffer
    }

    /// What `name` is, following no link; `nil` where there is nothing.
    public func status(of name: Bytes) throws -> stat? {
        var status = stat()
        if name.withCString({ fstatat(number, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 { return status }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw SystemError("look at", path(of: name))
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

    /// lseek(2)'s `SEEK_DATA`, which Swift's Glibc module lacks.
    private static let seekData: Int32 = 3
    /// lseek(2)'s `SEEK_HOLE`.
    private static let seekHole: Int32 = 4

    /// Where this file stores bytes at or after `offset`; `nil` where only a hole follows.
    ///
    /// - Parameter size: The file's size; a file system without holes gives all the rest.
    public func storedRange(from offset: Int, size: Int) throws -> Range<Int>? {
        let start = lseek(number, off_t(offset), Self.seekData)
        guard start >= 0 else {
            if errno == ENXIO { return nil }
            if errno == EINVAL { return offset < size ? offset..<size : nil }
            throw SystemError("find holes of", path)
        }
        guard start < size else { return nil }
        let end = lseek(number, start, Self.seekHole)
        guard end > start else { return Int(start)..<size }
        return Int(start)..<min(Int(end), size)
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
    /// Calls `body` with the bytes as a C string. There must be no NUL among them.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        let terminated = ContiguousArray(self) + [0]
        return try terminated.withUnsafeBytes { bytes in
            // Never empty: the terminator is there.
            try body(bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self))
        }
    }
}
