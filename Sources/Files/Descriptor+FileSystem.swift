internal import CLinux
internal import Glibc

/// What the file system is like that something is on.
extension Descriptor {
    /// Whether the mount that this is reached through refuses to be written to.
    public func isOnReadOnlyMount() throws -> Bool {
        var space = statvfs()
        guard fstatvfs(number, &space) == 0 else { throw SystemError("ask for the file system of", path) }
        return space.f_flag & UInt(ST_RDONLY) != 0
    }

    /// File systems that other kernels may write to at the same time.
    ///
    /// Source: statfs(2), linux/magic.h: NFS, SMB, SMB2, CIFS, AFS, Ceph, 9p, FUSE (virtiofs is one), OCFS2, GFS2.
    private static let sharedKinds: Set<UInt32> = [
        0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x5346_414f, 0x00c3_6400, 0x0102_1997, 0x6573_5546,
        0x7461_636f, 0x0116_1970,
    ]

    /// Whether other machines may have this file system mounted, too.
    public func isOnSharedFileSystem() throws -> Bool {
        let kind = sxs_file_system_kind(number)
        guard kind >= 0 else { throw SystemError("ask for the file system of", path) }
        return Self.sharedKinds.contains(UInt32(truncatingIfNeeded: kind))
    }

    /// A name for a moment that nobody can know before: `.<name>.<26 letters and digits or fewer>`, of a long name its
    /// beginning.
    public static func temporaryName(for name: String) -> String {
        "." + String(name.prefix(32)) + "." + String(UInt64.random(in: .min ... .max), radix: 36)
            + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
