public import Files
private import Glibc
private import StoreLayout

/// Why a process cannot get its own view of `/usr/store`.
public enum NamespaceError: Error, Equatable, CustomStringConvertible {
    /// The kernel refuses a private user and mount namespace.
    case refused(code: Int32, cause: Cause)

    /// `/proc` is not mounted, so that this user cannot stay the same user in a namespace.
    case noProc

    /// The host has no `/usr` directory on which the store could appear.
    case noUsr

    /// In a chroot, mounts would appear on the host too, or nobody can tell whether they would.
    case notPrivate

    /// Two roots have the same alias for different targets.
    case aliasClash(alias: String, targets: [String], directories: [String])

    /// A mount was refused.
    case mount(what: String, path: String, code: Int32)

    /// Another system call failed.
    case failed(SystemError)

    /// What of the host's settings fits a refusal.
    public enum Cause: Equatable, Sendable {
        /// `user.max_user_namespaces` is 0.
        case limitIsZero
        /// `kernel.unprivileged_userns_clone` is 0 (Debian's and Arch's patch).
        case cloneIsOff
        /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu).
        case appArmor
        /// The limit of namespaces, or of their nesting, is reached.
        case limitReached
        /// None of these: a chroot, or a container's filter of system calls.
        case unknown
    }

    /// What the kernel refused, why, and what to do.
    public var description: String {
        switch self {
        case .refused(let code, let cause):
            """
            cannot make a private view of \(StoreLayout.storeDirectory): the kernel refuses a user namespace \
            (\(reason(code)))
            hint: \(cause.hint)
            """
        case .noProc:
            """
            cannot make a private view of \(StoreLayout.storeDirectory): /proc is not mounted
            hint: mount it ('mount -t proc proc /proc'), or run as root
            """
        case .noUsr:
            """
            cannot show \(StoreLayout.storeDirectory): this system has no directory \(StoreLayout.hostDirectory)
            hint: create it, as root: mkdir \(StoreLayout.hostDirectory)
            """
        case .notPrivate:
            """
            cannot make a private view of \(StoreLayout.storeDirectory): in this chroot, mounts may appear on the \
            host too
            hint: make the root a mount of its own: 'mount --bind DIR DIR' before 'chroot DIR', or 'unshare -m \
            chroot DIR' on Linux 6.8 and later
            """
        case .aliasClash(let alias, let targets, let directories):
            """
            cannot show two stores together: alias '\(alias)' stands for \
            \(zip(targets, directories).map { "\($0) in \($1)" }.joined(separator: " and for "))
            hint: remove the package of one of the targets and install it again into the other root
            """
        case .mount(let what, let path, let code):
            """
            cannot mount \(what) on \(path): \(reason(code))
            hint: a container or security module may forbid mounts; ask the administrator to run 'sxs setup', \
            which needs none
            """
        case .failed(let error): error.description
        }
    }
}

extension NamespaceError {
    /// A setting of this host that keeps ordinary users from making namespaces; `nil` where none is known.
    public static var knownCause: Cause? {
        let cause = Cause(code: 0)
        return cause == .unknown ? nil : cause
    }
}

extension NamespaceError.Cause {
    /// What to do about it, as root.
    public var advice: String { hint }

    /// Reads the host's settings.
    init(code: Int32) {
        if setting("/proc/sys/user/max_user_namespaces") == 0 {
            self = .limitIsZero
        } else if setting("/proc/sys/kernel/unprivileged_userns_clone") == 0 {
            self = .cloneIsOff
        } else if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1 {
            self = .appArmor
        } else if code == ENOSPC || code == EUSERS {
            self = .limitReached
        } else {
            self = .unknown
        }
    }

    /// What to do about it.
    var hint: String {
        let otherwise = "or ask the administrator to run 'sxs setup', which needs none"
        return switch self {
        case .limitIsZero: "as root: sysctl -w user.max_user_namespaces=10000, \(otherwise)"
        case .cloneIsOff: "as root: sysctl -w kernel.unprivileged_userns_clone=1, \(otherwise)"
        case .appArmor:
            "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give sxs an AppArmor profile "
                + "with 'userns,', \(otherwise)"
        case .limitReached:
            "too many namespaces, or too deeply nested; leave a shell or container, \(otherwise)"
        case .unknown:
            "a chroot and many containers forbid them; run as root or outside of it, \(otherwise)"
        }
    }
}

/// The number in a file of `/proc/sys`; `nil` if it is not there.
private func setting(_ path: String) -> Int? {
    guard let bytes = try? Descriptor.file(path).readAll(limit: 64) else { return nil }
    return Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
}

/// What an error number means, for the middle of a sentence.
func reason(_ code: Int32) -> String {
    let text = String(cString: strerror(code))
    return text.prefix(1).lowercased() + text.dropFirst()
}
