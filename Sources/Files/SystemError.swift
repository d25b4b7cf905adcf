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
        let text = "cannot \(attempt) \(subject): \(reason.prefix(1).lowercased() + reason.dropFirst())"
        guard let hint else { return text }
        return text + "\nhint: " + hint
    }

    private var hint: String? {
        switch code {
        case ENOSPC: "the file system is full; free some space and try again, nothing was changed"
        case EDQUOT: "your disk quota is used up; free some space and try again, nothing was changed"
        case EROFS: "the file system is read-only; choose another state directory with --root DIR"
        case EACCES, EPERM: "run as the owner of that directory, or choose another one with --root DIR"
        case ENOTSUP: "the file system does not offer this; choose another one with --root DIR"
        case EMFILE, ENFILE: "too many open files; raise the limit with 'ulimit -n'"
        default: nil
        }
    }
}
