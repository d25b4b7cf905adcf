internal import CLinux
public import Glibc

/// An open file or directory, closed when the value goes.
///
/// Every path given to its methods is relative to it. Methods named "beneath" refuse symbolic links in any
/// component; others are for directories that only this program writes.
public final class Descriptor: @unchecked Sendable {
    // A class: descriptors are shared between rooms and closed once. Immutable, so Sendable.

    /// The number.
    public let number: Int32

    /// A path that is put together when somebody asks for it: of nearly all that is opened, nobody does.
    private final class Place: Sendable {
        private let above: Place?
        private let name: Bytes
        private let depth: Int

        /// Places that one is made of at most: who walks down a deep tree has one in the other.
        private static let deepest = 64

        init(_ path: String) { (above, name, depth) = (nil, Bytes(path.utf8), 0) }

        init(_ name: Bytes, in above: Place) {
            self.above = above.depth < Self.deepest ? above : Place(above.path)
            self.name = name
            depth = self.above.map { $0.depth + 1 } ?? 0
        }

        var path: String {
            guard let above else { return String(decoding: name, as: UTF8.self) }
            return above.path + "/" + name.displayed
        }
    }

    private let place: Place

    /// What messages call it: its path.
    public var path: String { place.path }

    /// Takes over an open descriptor.
    public init(taking number: Int32, path: String) {
        self.number = number
        place = Place(path)
    }

    /// Takes over the open descriptor of a name in a directory.
    init(taking number: Int32, _ name: some Collection<UInt8>, in directory: Descriptor) {
        self.number = number
        let isItself = name.isEmpty || name.elementsEqual([UInt8(ascii: ".")])
        place = isItself ? directory.place : Place(Bytes(name), in: directory.place)
    }

    deinit { close(number) }

    /// Opens a directory by path, following links.
    public static func directory(_ path: String) throws -> Descriptor {
        let number = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open directory", path) }
        return Descriptor(taking: number, path: path)
    }

    /// Opens a file for reading by path, following links.
    public static func file(_ path: String) throws -> Descriptor {
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard number >= 0 else { throw SystemError("open", path) }
        return Descriptor(taking: number, path: path)
    }

    /// Opens a file for writing by path, following links: made where there is none, else emptied.
    public static func create(_ path: String) throws -> Descriptor {
        let number = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0o666)
        guard number >= 0 else { throw SystemError("write", path) }
        return Descriptor(taking: number, path: path)
    }

    /// The path of `name` in this directory, for messages.
    public func path(of name: String) -> String {
        name.isEmpty || name == "." ? path : path + "/" + name
    }

    /// Opens `name` in this directory without following links in any component.
    ///
    /// - Parameters:
    ///   - flags: open(2) flags; close-on-exec is added.
    ///   - mode: Permission bits of a file that is created; the umask applies.
    public func open(beneath name: String, flags: Int32 = O_RDONLY, mode: UInt32 = 0o600) throws -> Descriptor
    {
        let number = sxs_openat_beneath(self.number, name, flags, mode, 0)
        guard number >= 0 else { throw SystemError("open", path(of: name)) }
        return Descriptor(taking: number, name.utf8, in: self)
    }

    /// Opens the directory `name` in this directory without following links.
    public func directory(beneath name: String) throws -> Descriptor {
        try open(beneath: name, flags: O_RDONLY | O_DIRECTORY)
    }

    /// Makes the directory `name`; one that is there already is fine if `existing` is.
    public func makeDirectory(_ name: String, mode: UInt32 = 0o755, existing: Bool = true) throws {
        guard mkdirat(number, name, mode) != 0 else { return }
        guard existing, errno == EEXIST else { throw SystemError("create directory", path(of: name)) }
    }

    /// Makes a symbolic link.
    public func makeSymlink(_ name: String, target: some Collection<UInt8>) throws {
        let result = (Array(target) + [0]).withUnsafeBufferPointer { pointer in
            pointer.withMemoryRebound(to: CChar.self) { chars in
                symlinkat(chars.baseAddress.unsafelyUnwrapped, number, name)
            }
        }
        guard result == 0 else { throw SystemError("create symbolic link", path(of: name)) }
    }

    /// Makes or replaces a symbolic link in one step, so that no reader ever finds it missing.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - target: Where it leads.
    ///   - temporary: A directory of the same file system where it is made; what a crash leaves is left there.
    public func replaceSymlink(
        _ name: String, target: some Collection<UInt8>, through temporary: Descriptor? = nil
    ) throws {
        let directory = temporary ?? self
        let newName = Self.temporaryName(for: name)
        try directory.makeSymlink(newName, target: target)
        do {
            try directory.rename(newName, to: self, as: name)
        } catch {
            // The first error is the one to report.
            try? directory.unlink(newName)
            throw error
        }
    }

    /// The target of the symbolic link `name`; `nil` where there is none.
    ///
    /// - Throws: `SystemError` if it is no link or cannot be read.
    public func readSymlink(_ name: String) throws -> Bytes? {
        var length = 0
        let buffer = Bytes(unsafeUninitializedCapacity: 4096) { buffer, count in
            length = buffer.withMemoryRebound(to: CChar.self) { chars in
                readlinkat(number, name, chars.baseAddress.unsafelyUnwrapped, chars.count)
            }
            count = max(0, length)
        }
        if length >= 0 { return buffer }
        if errno == ENOENT { return nil }
        throw SystemError("read symbolic link", path(of: name))
    }

    /// What `name` is, following no link; `nil` where there is nothing.
    public func status(of name: String) throws -> stat? {
        var status = stat()
        if fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw SystemError("look at", path(of: name))
    }

    /// What this descriptor is open on.
    public func status() throws -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw SystemError("look at", path) }
        return status
    }

    /// Renames `name`, replacing what is at the new place.
    public func rename(_ name: String, to directory: Descriptor, as newName: String) throws {
        guard renameat(number, name, directory.number, newName) == 0 else {
            throw SystemError("rename \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Gives `name` another name.
    ///
    /// The error number is in the error: EMLINK and EEXIST are often expected.
    public func link(_ name: String, to directory: Descriptor, as newName: String) throws {
        guard linkat(number, name, directory.number, newName, 0) == 0 else {
            throw SystemError("link \(path(of: name)) to", directory.path(of: newName))
        }
    }

    /// Removes a file or link; one that is gone already is fine.
    public func unlink(_ name: String) throws {
        guard unlinkat(number, name, 0) != 0, errno != ENOENT else { return }
        throw SystemError("remove", path(of: name))
    }

    /// Removes an empty directory.
    public func removeDirectory(_ name: String) throws {
        guard unlinkat(number, name, AT_REMOVEDIR) != 0 else { return }
        throw SystemError("remove directory", path(of: name))
    }

    /// Writes out the whole file system that this descriptor is on (syncfs(2)).
    public func synchronizeFileSystem() throws {
        guard sxs_syncfs(number) == 0 else { throw SystemError("write out the file system of", path) }
    }

    /// Bytes that are written at once: the kernel takes as much memory in one piece, and in a virtual machine large pieces are
    /// those that the host took back and has to find again (decision 0032).
    private static let writeSize = 128 << 10

    /// Writes all bytes at the current offset.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(number, rest.baseAddress, min(rest.count, Self.writeSize))
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno != EINTR {
                throw SystemError("write to", path)
            }
        }
    }

    /// Writes all bytes at `offset`.
    public func write(_ bytes: some Collection<UInt8>, at offset: Int) throws {
        try Array(bytes).withUnsafeBytes { try write($0, at: offset) }
    }

    /// Writes all bytes at `offset`.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let size = min(rest.count, Self.writeSize)
            let count = pwrite(number, rest.baseAddress, size, off_t(offset + done))
            if count > 0 {
                done += count
            } else if errno != EINTR {
                throw SystemError("write to", path)
            }
        }
    }

    /// Fills this empty file with the whole of another one, by reference where the file system can.
    public func copyContents(of other: Descriptor) throws {
        while true {
            let count = sxs_copy_file_range(other.number, number, 1 << 30)
            if count == 0 { return }
            if count < 0 { break }
        }
        // Another file system, or a kernel that cannot: by hand, all again.
        try setSize(0)
        guard lseek(number, 0, SEEK_SET) == 0 else { throw SystemError("write to", path) }
        try append(contentsOf: other)
    }

    /// Reads up to a buffer's length; 0 at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = Glibc.read(number, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw SystemError("read", path) }
        }
    }

    /// Reads up to a buffer's length at `offset`; 0 at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        while true {
            let count = pread(number, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw SystemError("read", path) }
        }
    }

    /// Reads the whole rest of the file.
    ///
    /// - Parameter limit: Bytes to accept at most.
    /// - Throws: `SystemError` with EFBIG past the limit.
    public func readAll(limit: Int = 256 << 20) throws -> Bytes {
        var result: Bytes = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer)
            guard count > 0 else { return result }
            guard result.count + count <= limit else { throw SystemError("read", path, code: EFBIG) }
            result.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Sets permission bits, whatever the umask.
    public func setMode(_ mode: UInt32) throws {
        guard fchmod(number, mode) == 0 else { throw SystemError("set permissions of", path) }
    }

    /// Sets modification and access time, in seconds since the epoch.
    public func setTimes(_ seconds: Int) throws {
        let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        guard futimens(number, times) == 0 else { throw SystemError("set times of", path) }
    }

    /// Sets modification and access time to this moment.
    public func touch() throws {
        guard futimens(number, nil) == 0 else { throw SystemError("set times of", path) }
    }

    /// Sets modification and access time of `name`, following no link.
    public func setTimes(_ seconds: Int, of name: String) throws {
        let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        guard utimensat(number, name, times, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw SystemError("set times of", path(of: name))
        }
    }

    /// Sets an extended attribute.
    public func setAttribute(_ attribute: ExtendedAttribute) throws {
        let result = attribute.name.withCString {
            sxs_fsetxattr(number, $0, attribute.value, attribute.value.count, 0)
        }
        guard result == 0 else {
            throw SystemError("set extended attribute \(attribute.name.displayed) of", path)
        }
    }

    /// Removes an extended attribute.
    public func removeAttribute(_ name: Bytes) throws {
        guard name.withCString({ sxs_fremovexattr(number, $0) }) == 0 else {
            throw SystemError("remove extended attribute \(name.displayed) of", path)
        }
    }

    /// All extended attributes that can be read, sorted by name.
    public func attributes() throws -> [ExtendedAttribute] {
        let length = sxs_flistxattr(number, nil, 0)
        if length == 0 || length < 0 && errno == ENOTSUP { return [] }
        guard length > 0 else { throw SystemError("list extended attributes of", path) }
        var list = [CChar](repeating: 0, count: length + 1024)
        let listed = sxs_flistxattr(number, &list, list.count)
        guard listed >= 0 else { throw SystemError("list extended attributes of", path) }
        let names = list[..<listed].split(separator: 0).map { $0.map { UInt8(bitPattern: $0) } }
        return try names.compactMap { name in
            let size = name.withCString { sxs_fgetxattr(number, $0, nil, 0) }
            guard size >= 0 else {
                if errno == ENODATA { return nil }
                throw SystemError("read extended attribute \(name.displayed) of", path)
            }
            var value = Bytes(repeating: 0, count: size)
            let got = name.withCString { sxs_fgetxattr(number, $0, &value, size) }
            guard got >= 0 else { throw SystemError("read extended attribute \(name.displayed) of", path) }
            return ExtendedAttribute(name: name, value: Array(value.prefix(got)))
        }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}

extension Descriptor {
    /// One name in a directory.
    public struct Listed: Sendable {
        /// Its name.
        public let name: Bytes
        /// Its inode number.
        public let inode: UInt64
        /// Its type as readdir(3) gives it: `DT_DIR`, `DT_REG`, `DT_LNK`, …, `DT_UNKNOWN`.
        public let type: UInt8

        /// The name as text; only meant for names this program made.
        public var text: String { String(decoding: name, as: UTF8.self) }
    }

    /// What is in this directory, sorted bytewise, without `.` and `..`.
    public func list() throws -> [Listed] {
        var result: [Listed] = []
        try forEachEntry { name, type, inode in
            result.append(Listed(name: Array(name), inode: inode, type: type))
        }
        result.sort { $0.name.lexicographicallyPrecedes($1.name) }
        return result
    }

    /// The same of a directory that was just opened, in no order: it is not opened again, and can be listed once.
    public func listOnce() throws -> [Listed] {
        var result: [Listed] = []
        try forEachEntryOnce { name, type, inode in
            result.append(Listed(name: Array(name), inode: inode, type: type))
        }
        return result
    }

    /// What the names of directories begin with that are moved aside while much is removed.
    static let asidePrefix = ".removed."

    /// Removes what an interrupted ``removeTree(_:)`` left in this directory.
    public func removeRemains() throws {
        for entry in try list() where entry.text.hasPrefix(Self.asidePrefix) { try removeTree(entry.text) }
    }

    /// Writes a file under a temporary name and renames it into place.
    ///
    /// What is replaced is there until the new contents are on the disk. Where nothing is, the name may be there
    /// before them after a loss of power, unless `isDurable`.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - contents: What is in it.
    ///   - mode: Its permission bits, whatever the umask.
    ///   - temporary: A directory of the same file system where it is written; what a crash leaves is left there.
    ///   - isDurable: Whether the contents are on the disk before the name, also where nothing is replaced.
    public func replaceFile(
        _ name: String, contents: some Collection<UInt8>, mode: UInt32 = 0o644,
        through temporary: Descriptor? = nil, isDurable: Bool = false
    ) throws {
        let directory = temporary ?? self
        let newName = Self.temporaryName(for: name)
        let file = try directory.open(beneath: newName, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        do {
            try file.write(contents, at: 0)
            try file.setMode(mode)
            if try isDurable || status(of: name) != nil { try file.synchronize() }
            try directory.rename(newName, to: self, as: name)
        } catch {
            // The first error is the one to report.
            try? directory.unlink(newName)
            throw error
        }
    }
}
