private import CLinux
internal import Files
internal import Glibc

// Paths are given relative to a descriptor by way of the working directory: mount(2) has no *at form, and
// /proc/self/fd needs /proc. StoreView.enter restores the working directory.

extension Descriptor {
    /// Opens a directory as a place only, which needs no permission to read it.
    static func place(_ path: String) throws -> Descriptor {
        let number = Glibc.open(path, SXS_O_PATH | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open directory", path) }
        return Descriptor(taking: number, path: path)
    }

    /// Makes this directory the working directory.
    func enter() throws {
        guard fchdir(number) == 0 else { throw SystemError("change to directory", path) }
    }

    /// Shows this directory, with all that is mounted in it, on the directory `target` too.
    func bind(on target: String) throws {
        try enter()
        try mount(path, from: ".", on: target, flags: SXS_MS_BIND | SXS_MS_REC)
    }

    /// The flags of the mount it is on that a view of it must keep.
    var mountFlags: Int32 { Int32(truncatingIfNeeded: sxs_mount_flags(number)) }
}

/// Mounts, or throws what was refused.
func mount(
    _ what: String, from source: String, on target: String, type: String? = nil, flags: Int32,
    data: String? = nil
) throws {
    guard sxs_mount(source, target, type, UInt(flags), data) == 0 else {
        throw NamespaceError.mount(what: what, path: target, code: errno)
    }
}

/// Makes an empty file system in memory on `path`, owned by this user.
func mountMemory(on path: String) throws -> Descriptor {
    try mount(
        "an empty file system", from: "tmpfs", on: path, type: "tmpfs", flags: SXS_MS_NOSUID | SXS_MS_NODEV,
        data: "mode=0755")
    return try Descriptor.directory(path)
}

/// Forbids writing through the mount on `path`.
///
/// It protects from accidents only, so a kernel that refuses it is not fatal: the files have their permissions.
func makeReadOnly(_ path: String, nosuid: Bool) {
    guard let directory = try? Descriptor.place(path) else { return }
    let flags =
        SXS_MS_REMOUNT | SXS_MS_BIND | SXS_MS_RDONLY | directory.mountFlags | (nosuid ? SXS_MS_NOSUID : 0)
    _ = sxs_mount(nil, path, nil, UInt(flags), nil)
}

/// The device and inode of a file, following links; `nil` if it cannot be reached.
struct FileIdentity: Hashable, CustomStringConvertible {
    let device: UInt64
    let inode: UInt64

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    var description: String { "\(device):\(inode)" }
}
