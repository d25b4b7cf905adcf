internal import Glibc

/// Work that several threads take from and add to, until none is left.
public final class WorkQueue<Item: Sendable>: @unchecked Sendable {
    // A class: threads share it. Everything in it is guarded by the mutex.

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var items: [Item]
    private var busy = 0
    private var failure: (any Error)?

    /// Threads at most.
    private let threadLimit: Int

    /// Creates a queue.
    ///
    /// - Parameters:
    ///   - items: What there is to be done; the last first.
    ///   - threadLimit: Threads at most, if there are so many processors: more than 8 do not remove files any faster.
    public init(_ items: [Item], threadLimit: Int = 8) {
        self.items = items
        self.threadLimit = threadLimit
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Adds work, which is done next; called by the work on an item.
    public func add(_ item: Item) {
        pthread_mutex_lock(mutex)
        items.append(item)
        pthread_cond_signal(changed)
        pthread_mutex_unlock(mutex)
    }

    /// Whether threads may soon have nothing to do.
    var isShort: Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return items.count < threadLimit
    }

    /// Does all work on several threads, this one among them.
    ///
    /// - Parameter threads: How many threads; `nil` for as many as there are processors.
    /// - Throws: The first error of `work`; what was not begun by then is left.
    public func run(threads: Int? = nil, _ work: @escaping @Sendable (Item) throws -> Void) throws {
        let count = threads ?? min(threadLimit, max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        let body = ThreadBody { [self] in takeAll(work) }
        var threads: [pthread_t] = []
        for _ in 1..<max(1, count) {
            var thread = pthread_t()
            let argument = Unmanaged.passRetained(body)
            let result = pthread_create(&thread, nil, ThreadBody.start, argument.toOpaque())
            guard result == 0 else {
                // Fewer threads do the same.
                argument.release()
                break
            }
            threads.append(thread)
        }
        takeAll(work)
        for thread in threads { pthread_join(thread, nil) }
        if let failure { throw failure }
    }

    private func takeAll(_ work: (Item) throws -> Void) {
        pthread_mutex_lock(mutex)
        while failure == nil {
            guard let item = items.popLast() else {
                // Others may still add some.
                if busy == 0 { break }
                pthread_cond_wait(changed, mutex)
                continue
            }
            busy += 1
            pthread_mutex_unlock(mutex)
            var thrown: (any Error)?
            do { try work(item) } catch { thrown = error }
            pthread_mutex_lock(mutex)
            busy -= 1
            if failure == nil { failure = thrown }
            if busy == 0 { pthread_cond_broadcast(changed) }
        }
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }
}

/// Does the same for each of some items, on as many threads as there are processors, this one among them.
///
/// - Parameters:
///   - items: What it is done for.
///   - threads: How many threads, for work that waits; `nil` for as many as there are processors.
///   - work: What is done.
/// - Throws: The first error of `work`; what was not begun by then is left.
public func inParallel<Item: Sendable>(
    _ items: [Item], threads: Int? = nil, _ work: @escaping @Sendable (Item) throws -> Void
) throws {
    try WorkQueue(items).run(threads: threads.map { min($0, max(1, items.count)) }, work)
}
