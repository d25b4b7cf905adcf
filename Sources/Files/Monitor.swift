internal import CLinux
internal import Glibc

/// A lock, and conditions that threads which hold it can wait for.
///
/// Who is signalled is woken when the lock is free again: otherwise it would wake only to wait once more. To sleep and be
/// woken takes longer than most that is done under a lock, above all on a virtual machine, where an idle processor is its
/// host's: who finds it taken tries again for some microseconds first.
public final class Monitor: @unchecked Sendable {
    // A class: threads share it. Its parts may not move in memory.

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    /// Threads that wait for each condition, and those of them that are to be woken; guarded by the lock.
    private let counts: UnsafeMutableBufferPointer<(waiting: Int, woken: Int)>
    /// The conditions of which any are to be woken: none, one, or several; guarded by the lock.
    private var signalled: Range<Int> = 0..<0

    /// Creates one that nobody holds.
    ///
    /// - Parameter conditions: How many conditions it has, numbered from 0.
    public init(conditions: Int = 1) {
        counts = .allocate(capacity: conditions)
        counts.initialize(repeating: (0, 0))
        changed = .allocate(capacity: conditions)
        for number in 0..<conditions { pthread_cond_init(changed + number, nil) }
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        pthread_mutexattr_settype(&attributes, CInt(PTHREAD_MUTEX_ADAPTIVE_NP))
        pthread_mutex_init(mutex, &attributes)
        pthread_mutexattr_destroy(&attributes)
    }

    deinit {
        for number in counts.indices { pthread_cond_destroy(changed + number) }
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        counts.deallocate()
        mutex.deallocate()
    }

    /// Does something while no other thread does.
    public func withLock<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { unlock() }
        return try body()
    }

    private func unlock() {
        guard signalled.count == 1 else {
            wakeAll()
            pthread_mutex_unlock(mutex)
            return
        }
        let number = signalled.lowerBound
        let isOne = counts[number].woken == 1
        counts[number].woken = 0
        signalled = 0..<0
        pthread_mutex_unlock(mutex)
        _ = isOne ? pthread_cond_signal(changed + number) : pthread_cond_broadcast(changed + number)
    }

    private func wakeAll() {
        for number in signalled where counts[number].woken > 0 {
            counts[number].woken = 0
            pthread_cond_broadcast(changed + number)
        }
        signalled = 0..<0
    }

    /// Lets others go on until one signals; may return for no reason.
    ///
    /// - Precondition: This thread holds the lock, and has it again afterwards.
    public func wait(for condition: Int = 0) {
        wakeAll()
        counts[condition].waiting += 1
        pthread_cond_wait(changed + condition, mutex)
        counts[condition].waiting -= 1
    }

    /// Wakes one that waits for a condition.
    ///
    /// - Precondition: This thread holds the lock.
    public func signal(_ condition: Int = 0) { wake(counts[condition].woken + 1, condition) }

    /// Wakes all that wait for a condition.
    ///
    /// - Precondition: This thread holds the lock.
    public func broadcast(_ condition: Int = 0) { wake(.max, condition) }

    /// Has as many threads woken that wait for a condition, if there are so many.
    private func wake(_ count: Int, _ condition: Int) {
        let woken = min(counts[condition].waiting, count)
        guard woken > 0 else { return }
        counts[condition].woken = woken
        signalled =
            signalled.isEmpty
            ? condition..<condition + 1
            : min(signalled.lowerBound, condition)..<max(signalled.upperBound, condition + 1)
    }
}

/// Processors that this process may use, at least one.
///
/// Source: sched_setaffinity(2).
public let processorCount = max(1, Int(sxs_processor_count()))
