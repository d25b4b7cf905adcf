internal import CLinux
internal import Glibc

/// A lock, and a condition that threads which hold it can wait for.
public final class Monitor: @unchecked Sendable {
    // A class: threads share it. Its parts may not move in memory.

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// Creates one that nobody holds.
    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Does something while no other thread does.
    public func withLock<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Lets others go on until one signals; may return for no reason.
    ///
    /// - Precondition: This thread holds the lock, and has it again afterwards.
    public func wait() { pthread_cond_wait(changed, mutex) }

    /// Wakes one that waits.
    public func signal() { pthread_cond_signal(changed) }

    /// Wakes all that wait.
    public func broadcast() { pthread_cond_broadcast(changed) }
}

/// Processors that this process may use, at least one.
///
/// Source: sched_setaffinity(2).
public let processorCount = max(1, Int(sxs_processor_count()))
