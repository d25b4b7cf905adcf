/// Something in which files, index and profiles of a store contradict each other, or what makes them unsafe.
public struct Inconsistency: Sendable, Hashable {
    /// How bad it is.
    public enum Severity: String, Sendable, CaseIterable {
        /// Something is lost, or does not work.
        case error
        /// Something will not work, or is not safe.
        case warning
        /// What an interrupted command left, or could be smaller.
        case note
    }

    /// What puts it right.
    public enum Remedy: Sendable, Hashable {
        /// `sxs repair`, of a package or, where there is no name, of everything.
        case repair(String?)
        /// `sxs index rebuild`.
        case rebuildIndex
        /// `sxs gc`.
        case collect
        /// Nothing: the next command that writes does it.
        case wait
        /// What somebody has to do by hand.
        case byHand(String)
    }

    /// A stable name for programs.
    public let code: String
    /// How bad it is.
    public let severity: Severity
    /// The path it concerns, in the root.
    public let path: String
    /// What is wrong.
    public let what: String
    /// What puts it right.
    public let remedy: Remedy

    init(_ severity: Severity, _ code: String, _ path: String, _ what: String, _ remedy: Remedy) {
        (self.severity, self.code, self.path, self.what, self.remedy) = (severity, code, path, what, remedy)
    }
}
