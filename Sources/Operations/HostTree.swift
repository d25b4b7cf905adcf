internal import Activation
internal import Files
private import Glibc

/// A host's root directory: the running system's, or that of a system that is not running.
struct HostTree {
    /// The root directory.
    let root: Descriptor

    /// Opens a root directory.
    init(_ path: String) throws {
        root = try Descriptor.directory(path)
    }

    /// What a path leads to, each link followed as if this were the root directory.
    func resolve(_ path: TreePath) throws -> WalkedPath {
        try WalkedPath(path) { place in
            guard let status = try root.status(of: place.bytes) else { return nil }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: return .directory
            case S_IFLNK: return .link(try root.readSymlink(place.bytes))
            default: return .other
            }
        }
    }

    /// Opens what a path leads to; `nil` where that is nothing.
    func open(_ path: TreePath, flags: Int32 = O_RDONLY) throws -> Descriptor? {
        switch try resolve(path) {
        case .missing, .found(.root): nil
        // Not to wait for the other end of a named pipe.
        case .found(let place): try root.open(beneath: place.bytes, flags: flags | O_NOCTTY | O_NONBLOCK)
        case .failed(let reason): throw HostError.unreachable(root.path(of: "\(path)"), reason: reason)
        }
    }

    /// The host's os-release.
    ///
    /// Source: os-release(5).
    func release(like version: SystemdVersion) throws -> ReleaseFile {
        for path: TreePath in ["etc/os-release", "usr/lib/os-release"] {
            if let file = try open(path) { return try Self.release(of: file, like: version) }
        }
        throw HostError.noRelease(root.path)
    }

    /// Fields of os-release that generations keep: what tells one host, or one state of it, from another.
    private static let recorded = [
        "BUILD_ID", "ID", "ID_LIKE", "IMAGE_ID", "IMAGE_VERSION", "PRETTY_NAME", "SYSEXT_LEVEL", "VARIANT_ID",
        "VERSION_ID",
    ]

    /// What generations keep of an os-release.
    static func record(_ release: ReleaseFile) -> [String: String] {
        release.fields.filter { recorded.contains($0.key) && !$0.value.isEmpty }
    }

    /// Reads an os-release file.
    static func release(of file: Descriptor, like version: SystemdVersion) throws -> ReleaseFile {
        guard try file.status().st_mode & S_IFMT == S_IFREG else {
            throw HostError.badRelease(file.path, reason: "is no regular file")
        }
        let size = Int(try file.status().st_size)
        guard size <= ReleaseFile.longest else {
            throw HostError.badRelease(file.path, reason: "\(ReleaseFileError.tooLarge(size))")
        }
        let bytes = try file.readAll(limit: ReleaseFile.longest)
        do throws(ReleaseFileError) {
            return try ReleaseFile(parsing: bytes, like: version)
        } catch {
            throw HostError.badRelease(file.path, reason: "\(error)")
        }
    }

    /// The version of the host's systemd, told by its library's name; `nil` where it has none.
    func systemdVersion() throws -> SystemdVersion? {
        let prefix = "libsystemd-shared-"
        var directories: [TreePath] = ["usr/lib/systemd", "usr/lib64/systemd"]
        if case .found(let library) = try resolve("usr/lib"), library != .root,
            let listed = try? root.open(beneath: library.bytes, flags: O_RDONLY | O_DIRECTORY).list()
        {
            // Debian's directories of an architecture.
            directories += listed.filter { $0.name.contains(UInt8(ascii: "-")) }.map {
                library.appending($0.name).appending("systemd".utf8)
            }
        }
        var found: [Int] = []
        for path in directories {
            guard case .found(let place) = try resolve(path), place != .root,
                let directory = try? root.open(beneath: place.bytes, flags: O_RDONLY | O_DIRECTORY)
            else { continue }
            for file in try directory.list() where file.name.hasPrefix(prefix) {
                let digits = file.name.dropFirst(prefix.utf8.count).prefix { (0x30...0x39).contains($0) }
                if let number = Int(String(decoding: digits, as: UTF8.self)) { found.append(number) }
            }
        }
        return found.max().map { SystemdVersion($0) }
    }
}

/// Why a host cannot be looked at.
public enum HostError: Error, Equatable, CustomStringConvertible {
    /// A root directory without an os-release.
    case noRelease(String)
    /// Nothing says which host is meant.
    case noHost
    /// An os-release that cannot be read.
    case badRelease(String, reason: String)
    /// A path that leads nowhere.
    case unreachable(String, reason: String)
    /// A root directory given where the state directory is meant.
    case rootIsHost(String)

    /// What is wrong, why, and what to do.
    public var description: String {
        switch self {
        case .noRelease(let path):
            """
            \(path) has neither etc/os-release nor usr/lib/os-release
            hint: give the root directory of an operating system, or a file with --os-release FILE
            """
        case .noHost:
            """
            it is not said which host is meant
            hint: give its root directory, or its os-release file
            """
        case .badRelease(let path, let reason):
            """
            \(path) \(reason)
            hint: os-release(5) says what belongs in it
            """
        case .unreachable(let path, let reason):
            """
            \(path) cannot be read: \(reason)
            hint: check what is there with 'ls -l'
            """
        case .rootIsHost(let path):
            """
            \(path) is the root directory of an operating system, not a state directory of sxs
            hint: --host \(path) names the system to look at; --root is where the store is
            """
        }
    }
}
