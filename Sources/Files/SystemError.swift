public import Glibc

/// A system call that failed: what was attempted, on what, and why.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    /// What was attempted, as words that go before the path: "open", "create".
    public let attempt: String

    /// The path or thing it was attempted on, as shown to people.
    public let subject: String

    /// The error number (errno(3)).
    public let code: Int32

    /// Creates an error from a failed call.
    ///
    /// - Parameters:
    ///   - attempt: What was attempted.
    ///   - subject: What it was attempted on.
    ///   - code: The error number; errno by default.
    public init(_ attempt: String, _ subject: String, code: Int32 = errno) {
        self.attempt = attempt
        self.subject = subject
        self.code = code
    }

    /// What failed, the system's reason, and what to do.
    public var description: String {
        let reason = String(cString: strerror(code))
        return """
            cannot \(attempt) \(subject): \(reason.prefix(1).lowercased() + reason.dropFirst())
            hint: \(hint)
            """
    }

    /// Whether it is for want of something that others need, too: room, memory, open files, the right to write.
    public var isWant: Bool {
        [ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE, ENOMEM].contains(code)
    }

    /// Whether other attempts would end with it, too: for want of something that all need, or at what they all use.
    ///
    /// - Parameter directory: The path of the directory that they all use.
    public func endsOthers(in directory: String) -> Bool { isWant || subject.hasPrefix(directory + "/") }

    private var hint: String { Self.hint(for: code) }

    /// What to do about an error number.
    public static func hint(for code: Int32) -> String {
        switch code {
        case ENOSPC:
            "the file system is full; free some space, perhaps with 'sxs gc', and try again; what was active still is"
        case EDQUOT:
            "your disk quota is used up; free some space, perhaps with 'sxs gc', and try again; what was active still is"
        case EROFS: "the file system is read-only; choose another state directory with --root DIR"
        case EACCES, EPERM: "run as a user who may do that, or choose another state directory with --root DIR"
        case ENOENT: "check the path"
        case ENOTDIR, EISDIR, EEXIST, ELOOP: "check what is there with 'ls -l'"
        case ENAMETOOLONG: "choose a shorter path"
        case ENOTSUP: "the file system does not offer this; choose another one with --root DIR"
        case EMFILE, ENFILE: "too many open files; raise the limit with 'ulimit -n'"
        case ENOMEM: "there is not enough memory; end other programs and try again"
        case EIO: "the device may be failing; look at the kernel's messages with 'dmesg'"
        default: "check the file system it is on, and try again"
        }
    }
}
