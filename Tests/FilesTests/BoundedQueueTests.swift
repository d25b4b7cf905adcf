import Files
import Testing

/// Items that are handed from threads to threads.
@Suite struct BoundedQueueTests {
    @Test func allItemsArriveOnce() throws {
        let queue = BoundedQueue<Int>(limit: 3)
        let takers = (0..<3).map { _ in
            BackgroundTask { () -> [Int] in
                var taken: [Int] = []
                while let item = queue.take() { taken.append(item) }
                return taken
            }
        }
        let givers = (0..<4).map { giver in
            BackgroundTask { for item in 0..<500 { queue.put(giver * 500 + item) } }
        }
        for giver in givers { try giver.value() }
        queue.close()
        let taken = try takers.map { try $0.value() }
        #expect(taken.flatMap { $0 }.sorted() == Array(0..<2000))
        #expect(!queue.put(1) && queue.take() == nil)
    }

    @Test func whoWaitsForRoomGoesOnWhenItCloses() throws {
        let queue = BoundedQueue<Int>(limit: 1)
        queue.put(1)
        let giver = BackgroundTask { queue.put(2) }
        queue.close(droppingItems: true)
        #expect(try !giver.value() && queue.take() == nil)
    }
}
