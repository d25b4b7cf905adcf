internal import CLinux
public import Glibc

/// Names that may be no valid UTF-8, as a directory that somebody else made has them.
extension Descriptor {
    /// lseek(2)'s `SEEK_DATA`, which Swift's Glibc module lacks.
    private static let seekData: Int32 = 3
    /// lseek(2)'s `SEEK_HOLE`.
    private static let seekHole: Int32 = 4

    /// Opens the path `name` below this directory without following links in any component.
    ///
    /// - Parameters:
    ///   - flags: open(2) flags; close-on-exec is added.
    ///   - mode: Permission bits of a file that is created; the umask applies.
    public func open(beneath name: Bytes, flags: Int32 = O_RDONLY, mode: UInt32 = 0) throws -> Descriptor {
        let number = Self.withCString(name) { sxs_openat_beneath(self.number, $0, flags, mode, 0) }
        guard number >= 0 else { throw SystemError("open", path(of: name.displayed)) }
        return Descriptor(taking: number, name, in: self)
    }

    /// What `name` is, following no link in the last component; `nil` where there is nothing.
    public func status(of name: Bytes) throws -> stat? {
        var status = stat()
        let result = Self.withCString(name) { fstatat(number, $0, &status, AT_SYMLINK_NOFOLLOW) }
        if result == 0 { return status }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw SystemError("look at", path(of: name.displayed))
    }

    /// The target of the symbolic link `name`.
    public func readSymlink(_ name: Bytes) throws -> Bytes {
        var length = 0
        let target = Bytes(unsafeUninitializedCapacity: 4096) { buffer, count in
            length = buffer.withMemoryRebound(to: CChar.self) { chars in
                Self.withCString(name) {
                    readlinkat(number, $0, chars.baseAddress.unsafelyUnwrapped, chars.count)
                }
            }
            count = max(0, length)
        }
        guard length >= 0 else { throw SystemError("read symbolic link", path(of: name.displayed)) }
        return target
    }

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

    /// An extended attribute of `name`, following no link; `nil` where there is none.
    public func attribute(_ attribute: String, of name: Bytes) throws -> Bytes? {
        var value = Bytes(repeating: 0, count: 4096)
        let count = Self.withCString(name) {
            sxs_getxattrat(number, $0, attribute, &value, value.count)
        }
        if count >= 0 { return Bytes(value.prefix(count)) }
        if errno == ENODATA || errno == ENOTSUP { return nil }
        throw SystemError("read extended attribute \(attribute) of", path(of: name.displayed))
    }

    /// Sets an extended attribute of `name`, following no link.
    public func setAttribute(_ attribute: ExtendedAttribute, of name: Bytes) throws {
        let result = Self.withCString(name) { name in
            attribute.name.withCString {
                sxs_setxattrat(number, name, $0, attribute.value, attribute.value.count)
            }
        }
        guard result == 0 else {
            throw SystemError(
                "set extended attribute \(attribute.name.displayed) of", path(of: name.displayed))
        }
    }

    private static func withCString<Result>(
        _ bytes: Bytes, _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        (bytes + [0]).withUnsafeBufferPointer { pointer in
            pointer.withMemoryRebound(to: CChar.self) { body($0.baseAddress.unsafelyUnwrapped) }
        }
    }
}
