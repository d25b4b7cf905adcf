/// What long work reports to, called now and then by one thread at a time.
public protocol Progress: AnyObject {
    /// Work of a known or unknown length begins.
    ///
    /// - Parameters:
    ///   - title: What is done, such as `reading emacs.tar.zst`.
    ///   - total: Bytes in all; `nil` where nobody knows.
    func begin(_ title: String, total: Int?)

    /// The length of the work that was begun became known.
    func expect(_ total: Int)

    /// Bytes done so far.
    func advance(to bytes: Int)

    /// The work is over.
    func end()
}

extension Progress {
    /// Does nothing: by default a length that comes late is not shown.
    public func expect(_ total: Int) {}
}

/// Reports to nobody.
public final class NoProgress: Progress {
    /// Creates it.
    public init() {}

    /// Does nothing.
    public func begin(_ title: String, total: Int?) {}

    /// Does nothing.
    public func advance(to bytes: Int) {}

    /// Does nothing.
    public func end() {}
}
