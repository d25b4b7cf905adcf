/// A value that one thread at a time has.
///
/// Synchronization's `Mutex` is the same, but the thread sanitizer does not know it, and takes whatever it guards for a race.
public final class Locked<Value>: @unchecked Sendable {
    // A class: threads share it. Its value is guarded by the monitor.

    private let monitor = Monitor()
    private var value: Value

    /// Creates one that nobody has.
    public init(_ value: Value) { self.value = value }

    /// Does something with the value while no other thread does.
    public func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try monitor.withLock { try body(&value) }
    }
}
