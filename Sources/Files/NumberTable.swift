/// Numbers of things by their hash: a hash table that leaves it to its owner to have the things, and to compare them.
///
/// A dictionary has each key and value in half as many places again as there are; here a place is four bytes.
public struct NumberTable: Sendable {
    /// Open addressing, a power of two; -1 where empty.
    private var slots: [Int32]

    /// How many numbers there are.
    public private(set) var count = 0

    /// Creates an empty table.
    ///
    /// - Parameter capacity: How many numbers will come, if that is known.
    public init(capacity: Int = 0) {
        var size = 8
        while size * 2 < capacity * 3 { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
    }

    /// The number of what has a hash and is what is looked for.
    public func find(_ hash: UInt32, where isSought: (Int32) -> Bool) -> Int32? {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] >= 0 {
            if isSought(slots[slot]) { return slots[slot] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Adds a number that is not there.
    ///
    /// - Parameter hashOf: The hash of each number that is there.
    public mutating func insert(_ number: Int32, hash: UInt32, hashOf: (Int32) -> UInt32) {
        if (count + 1) * 3 > slots.count * 2 {
            let old = slots
            slots = [Int32](repeating: -1, count: 2 * old.count)
            for other in old where other >= 0 { put(other, hashOf(other)) }
        }
        put(number, hash)
        count += 1
    }

    private mutating func put(_ number: Int32, _ hash: UInt32) {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] >= 0 { slot = (slot + 1) & mask }
        slots[slot] = number
    }

    /// Takes a number away that is there.
    ///
    /// - Parameter hashOf: The hash of each number that is there.
    public mutating func remove(_ number: Int32, hash: UInt32, hashOf: (Int32) -> UInt32) {
        let mask = slots.count - 1
        var empty = Int(hash) & mask
        while slots[empty] != number {
            guard slots[empty] >= 0 else { return }
            empty = (empty + 1) & mask
        }
        count -= 1
        // What comes after it moves up where the empty place would hide it.
        var slot = empty
        while true {
            slot = (slot + 1) & mask
            guard slots[slot] >= 0 else { break }
            let home = Int(hashOf(slots[slot])) & mask
            if (slot - home) & mask >= (slot - empty) & mask {
                slots[empty] = slots[slot]
                empty = slot
            }
        }
        slots[empty] = -1
    }
}
