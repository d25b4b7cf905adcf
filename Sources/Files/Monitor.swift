internal import CLinux
internal import Glibc

/// A lock, and conditions that threads which hold it can wait for.
public final class Monitor: @unchecked Sendable {
    // A class: threads share it. Its parts may not move in memory.

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private let conditionCount: Int

    /// Creates one that nobody holds.
    ///
    /// - Parameter conditions: How many conditions it has, numbered from 0.
    public init(conditions: Int = 1) {
        conditionCount = conditions
        changed = .allocate(capacity: conditions)
        pthread_mutex_init(mutex, nil)
        for number in 0..<conditions { pthread_cond_init(changed + number, nil) }
    }

    deinit {
        for number in 0..<conditionCount { pthread_cond_destroy(changed + number) }
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
    public func wait(for condition: Int = 0) { pthread_cond_wait(place(condition), mutex) }

    /// Wakes one that waits for a condition.
    public func signal(_ condition: Int = 0) { pthread_cond_signal(place(condition)) }

    /// Wakes all that wait for a condition.
    public func broadcast(_ condition: Int = 0) { pthread_cond_broadcast(place(condition)) }

    private func place(_ condition: Int) -> UnsafeMutablePointer<pthread_cond_t> {
        precondition((0..<conditionCount).contains(condition), "a condition that the monitor has not")
        return changed + condition
    }
}

/// Processors that this process may use, at least one.
///
/// Source: sched_setaffinity(2).
public let processorCount = max(1, Int(sxs_processor_count()))
