/// Hands items from threads to threads in order, and lets those that give wait while too many are underway.
public final class BoundedQueue<Item: Sendable>: @unchecked Sendable {
    // A class: threads share it. Everything in it is guarded by the monitor.

    private let monitor = Monitor(conditions: 2)
    /// What those wait for that take, and those that give: each wakes one of the others, not everybody.
    private static var hasItems: Int { 0 }
    private static var hasRoom: Int { 1 }
    private let limit: Int
    private var items: [Item] = []
    private var isClosed = false

    /// Creates a queue.
    ///
    /// - Parameter limit: Items that may wait in it.
    public init(limit: Int) { self.limit = max(1, limit) }

    /// Adds an item, once there is room.
    ///
    /// - Returns: `false` where the queue is closed, and the item was not taken.
    @discardableResult
    public func put(_ item: Item) -> Bool {
        monitor.withLock {
            while items.count >= limit, !isClosed { monitor.wait(for: Self.hasRoom) }
            guard !isClosed else { return false }
            items.append(item)
            monitor.signal(Self.hasItems)
            return true
        }
    }

    /// Adds an item, if there is room now.
    ///
    /// - Returns: `false` where it was not taken.
    public func offer(_ item: Item) -> Bool {
        monitor.withLock {
            guard items.count < limit, !isClosed else { return false }
            items.append(item)
            monitor.signal(Self.hasItems)
            return true
        }
    }

    /// Takes the oldest item, once there is one; `nil` where there will be none.
    public func take() -> Item? {
        monitor.withLock {
            while items.isEmpty, !isClosed { monitor.wait(for: Self.hasItems) }
            guard !items.isEmpty else { return nil }
            let item = items.removeFirst()
            monitor.signal(Self.hasRoom)
            return item
        }
    }

    /// Takes no more items; those that are in it can still be taken, unless they are dropped.
    public func close(droppingItems: Bool = false) {
        monitor.withLock {
            isClosed = true
            if droppingItems { items = [] }
            monitor.broadcast(Self.hasItems)
            monitor.broadcast(Self.hasRoom)
        }
    }
}
