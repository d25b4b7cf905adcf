private import CLinux
private import Files
private import Glibc
private import StoreLayout

/// The private mount namespace of this process.
enum PrivateNamespace {
    /// Moves this process into a mount namespace of its own, whose mounts nobody else sees.
    ///
    /// Mounts that the host makes later still arrive. User and group stay the same numbers. What a user namespace
    /// gives in capabilities an ordinary user loses again by execve(2): nothing to drop here.
    static func enter() throws {
        if sxs_unshare(SXS_CLONE_NEWNS) == 0 {
            try keepMountsPrivate()
        } else {
            // Here the kernel itself makes every mount a slave of the host's: another user owns the namespace.
            try enterUserNamespace()
        }
    }

    private static func enterUserNamespace() throws {
        let user = geteuid()
        let group = getegid()
        // Found out before: in a namespace without a mapping the program would run as nobody.
        guard access("/proc/self/uid_map", F_OK) == 0 else { throw NamespaceError.noProc }
        guard sxs_unshare(SXS_CLONE_NEWUSER | SXS_CLONE_NEWNS) == 0 else {
            let code = errno
            throw NamespaceError.refused(code: code, cause: NamespaceError.Cause(code: code))
        }
        do {
            // Kernels before 3.19 have no setgroups file and no such rule.
            try write("deny", to: "/proc/self/setgroups", missing: true)
            try write("\(user) \(user) 1", to: "/proc/self/uid_map")
            try write("\(group) \(group) 1", to: "/proc/self/gid_map")
        } catch let error as SystemError {
            // AppArmor lets a process make the namespace but do nothing in it.
            throw NamespaceError.refused(code: error.code, cause: NamespaceError.Cause(code: error.code))
        }
    }

    private static func write(_ text: String, to path: String, missing: Bool = false) throws {
        var file = open(path, O_WRONLY | O_CLOEXEC)
        if file < 0, errno == EACCES {
            // A program file that its user may not read makes the process undumpable, its /proc files root's.
            let setDumpable: Int32 = 4
            _ = sxs_prctl(setDumpable, 1)
            file = open(path, O_WRONLY | O_CLOEXEC)
        }
        guard file >= 0 else {
            if missing, errno == ENOENT { return }
            throw SystemError("open", path)
        }
        let descriptor = Descriptor(taking: file, path: path)
        try Array(text.utf8).withUnsafeBytes { try descriptor.write($0) }
    }

    private static func keepMountsPrivate() throws {
        guard sxs_mount("none", "/", nil, UInt(SXS_MS_REC | SXS_MS_SLAVE), nil) != 0 else { return }
        guard errno == EINVAL else {
            throw NamespaceError.mount(what: "as slaves all mounts", path: "/", code: errno)
        }
        // A chroot whose root is no mount: its sharing cannot be changed from in here.
        guard sxs_mount_is_shared(StoreLayout.hostDirectory) == 0, sxs_mount_is_shared("/") == 0 else {
            throw NamespaceError.notPrivate
        }
    }
}
