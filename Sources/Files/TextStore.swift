/// Many short texts side by side, in blocks that do not move: as arrays, each takes 32 bytes more and a place of its own.
///
/// A text is never changed. Copies share their blocks; what is added after that goes to other ones.
struct TextStore: Sendable {
    /// Where a text begins.
    struct Place: Sendable {
        fileprivate var block: UInt32 = 0
        fileprivate var offset: UInt32 = 0
    }

    /// Memory that is written once.
    private final class Block: @unchecked Sendable {
        // What is in use is not written to; the rest only by who alone has the block.
        let bytes: UnsafeMutableRawPointer
        let capacity: Int

        init(capacity: Int) {
            self.capacity = capacity
            bytes = .allocate(byteCount: capacity, alignment: 16)
        }

        deinit { bytes.deallocate() }
    }

    private static let smallestBlock = 1 << 10
    private static let largestBlock = 1 << 16

    private var blocks: [Block] = []
    /// Bytes in use of the last block.
    private var used = 0

    /// Bytes of all texts that were added.
    private(set) var size = 0

    /// Adds a text that consists of two.
    mutating func add(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Place {
        let count = first.count + second.count
        let last = blocks.count - 1
        if last < 0 || blocks[last].capacity - used < count || !isKnownUniquelyReferenced(&blocks[last]) {
            let next = last < 0 ? Self.smallestBlock : min(2 * blocks[last].capacity, Self.largestBlock)
            blocks.append(Block(capacity: max(next, count)))
            used = 0
        }
        let block = blocks[blocks.count - 1]
        let place = Place(block: UInt32(blocks.count - 1), offset: UInt32(used))
        for part in [first, second] {
            guard let start = part.baseAddress else { continue }
            (block.bytes + used).copyMemory(from: start, byteCount: part.count)
            used += part.count
        }
        size += count
        return place
    }

    /// The address of a text: good while this store, or a copy of it, is there.
    func address(_ place: Place) -> UnsafeRawPointer {
        UnsafeRawPointer(blocks[Int(place.block)].bytes + Int(place.offset))
    }

    /// The bytes of a text, as ``address(_:)`` has them.
    func bytes(_ place: Place, count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: address(place), count: count)
    }
}
