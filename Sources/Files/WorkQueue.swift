internal import Glibc

/// Work that several threads take from and add to, until none is left.
public final class WorkQueue<Item: Sendable>: @unchecked Sendable {
    // A class: threads share it. Everything in it is guarded by the monitor.

    private let monitor = Monitor()
    private var items: [Item]
    private var busy = 0
    private var failure: (any Error)?

    /// Threads at most.
    private let threadLimit: Int

    /// Creates a queue.
    ///
    /// - Parameters:
    ///   - items: What there is to be done; the last first.
    ///   - threadLimit: Threads at most, if there are so many processors: more than 8 do not make files any faster.
    public init(_ items: [Item], threadLimit: Int = 8) {
        self.items = items
        self.threadLimit = threadLimit
    }

    /// Adds work, which is done next; called by the work on an item.
    public func add(_ item: Item) {
        monitor.withLock {
            items.append(item)
            monitor.signal()
        }
    }

    /// Does all work on several threads, this one among them.
    ///
    /// - Parameter threads: How many threads; `nil` for as many as there are processors.
    /// - Throws: The first error of `work`; what was not begun by then is left.
    public func run(threads: Int? = nil, _ work: @escaping @Sendable (Item) throws -> Void) throws {
        let count = threads ?? min(threadLimit, processorCount)
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
        while let item = next() {
            var thrown: (any Error)?
            do { try work(item) } catch { thrown = error }
            monitor.withLock {
                busy -= 1
                if failure == nil { failure = thrown }
                if busy == 0 || failure != nil { monitor.broadcast() }
            }
        }
    }

    /// The next item; `nil` where there will be none.
    private func next() -> Item? {
        monitor.withLock {
            while failure == nil {
                if let item = items.popLast() {
                    busy += 1
                    return item
                }
                // Others may still add some.
                if busy == 0 { break }
                monitor.wait()
            }
            return nil
        }
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
    try WorkQueue(items).run(threads: min(threads ?? min(8, processorCount), max(1, items.count)), work)
}
