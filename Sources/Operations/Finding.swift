/// Something that `sxs doctor` found.
public struct Finding: Encodable, Sendable, Equatable {
    /// How bad it is.
    public enum Severity: String, Encodable, Sendable, CaseIterable {
        /// Something does not work.
        case error
        /// Something will not work, or not for everybody.
        case warning
        /// Something that is good to know.
        case note
    }

    /// A stable name for programs.
    public let code: String
    /// How bad it is.
    public let severity: Severity
    /// The path it concerns; `nil` where it is not about one.
    public let path: String?
    /// What is found.
    public let what: String
    /// Why that matters.
    public let why: String
    /// What to do.
    public let hint: String

    init(
        _ severity: Severity, _ code: String, path: String? = nil, _ what: String, why: String, hint: String
    ) {
        self.path = path
        self.code = code
        self.severity = severity
        self.what = what
        self.why = why
        self.hint = hint
    }
}
