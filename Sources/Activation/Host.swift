private import CLinux
public import Files
public import Glibc
private import StoreLayout

/// A system that sxs is set up on: this one, or another root directory, whose links lead nowhere outside of it.
///
/// Paths are those that the system itself sees.
public struct Host: Sendable {
    /// The root directory.
    public let path: String

    private let root: Descriptor

    /// Opens a system's root directory.
    ///
    /// - Parameter path: An absolute path; `/` for this system.
    public init(_ path: String) throws {
        self.path = path
        root = try Descriptor.directory(path)
    }

    /// Whether it is the system that this program runs on.
    public var isThisSystem: Bool { FileIdentity(path) == FileIdentity("/") }

    /// A path of the host as this program reaches it, for messages.
    public func outside(_ inside: String) -> String {
        path == "/" ? inside : path + inside
    }

    /// The directory at a path, following links; `nil` where there is none.
    public func directory(_ inside: String) throws -> Descriptor? {
        let relative = inside == "/" ? "." : String(inside.dropFirst())
        let number = sxs_open_in_root(root.number, relative)
        guard number >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw SystemError("open", outside(inside))
        }
        let place = Descriptor(taking: number, path: outside(inside))
        guard try place.status().st_mode & S_IFMT == S_IFDIR else { return nil }
        // What is open as a place only can be neither listed nor synchronized.
        let reopened = Glibc.openat(place.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard reopened >= 0 else { throw SystemError("open", outside(inside)) }
        return Descriptor(taking: reopened, path: outside(inside))
    }

    /// What is at a path, following links but not in the last component; `nil` where there is nothing.
    public func status(_ inside: String) throws -> stat? {
        guard let parent = try directory(Self.parent(of: inside)) else { return nil }
        return try parent.status(of: Self.name(of: inside))
    }

    /// The target of a link; `nil` where there is none, or something else.
    public func link(_ inside: String) throws -> String? {
        guard let status = try status(inside), status.st_mode & S_IFMT == S_IFLNK,
            let parent = try directory(Self.parent(of: inside)),
            let target = try parent.readSymlink(Self.name(of: inside))
        else { return nil }
        return String(decoding: target, as: UTF8.self)
    }

    /// A regular file's bytes, following no link in the last component; `nil` where there is none.
    ///
    /// - Throws: `SystemError` if it has more than 1 MiB, or cannot be read.
    public func contents(_ inside: String) throws -> Bytes? {
        guard let status = try status(inside), status.st_mode & S_IFMT == S_IFREG else { return nil }
        return try directory(Self.parent(of: inside))?.open(beneath: Self.name(of: inside)).readAll(
            limit: 1 << 20)
    }

    /// Names in a directory, sorted; none where there is no directory.
    public func names(in inside: String) throws -> [String] {
        try directory(inside)?.list().map(\.text) ?? []
    }

    /// A directory's path as this program reaches it, without links: these may be absolute.
    public func resolved(_ inside: String) throws -> String {
        guard let directory = try directory(inside), let path = directory.currentPath else {
            throw SystemError("open", outside(inside), code: ENOENT)
        }
        return String(decoding: path, as: UTF8.self)
    }

    /// The path of the directory that an item is in.
    static func parent(of inside: String) -> String {
        let parts = inside.split(separator: "/").dropLast()
        return "/" + parts.joined(separator: "/")
    }

    /// The last component.
    static func name(of inside: String) -> String {
        inside.split(separator: "/").last.map(String.init) ?? "."
    }
}
