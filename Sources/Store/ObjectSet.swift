/// Objects by fingerprint: those that stay, and those that only store paths which go have.
///
/// A hash table; fingerprints are evenly spread as they are. Their lowest bit is not looked at: it says what stays.
struct ObjectSet: Sendable {
    private var keys = [UInt64](repeating: 0, count: 1 << 10)
    private var filled = 0

    /// The bit of those that stay.
    private static let stays: UInt64 = 1

    /// Notes that an object stays.
    mutating func keep(_ fingerprint: UInt64) { keys[slot(adding: fingerprint).slot] |= Self.stays }

    /// Notes an object of a store path that goes; `true` if none before had it, and none that stays.
    mutating func claim(_ fingerprint: UInt64) -> Bool { slot(adding: fingerprint).isNew }

    /// 0 marks an empty place.
    private static func key(_ fingerprint: UInt64) -> UInt64 {
        let key = fingerprint & ~stays
        return key == 0 ? stays << 1 : key
    }

    /// Where an object is, or would be.
    private func slot(of key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: key >> 1) & mask
        while keys[slot] != 0, keys[slot] & ~Self.stays != key { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func slot(adding fingerprint: UInt64) -> (slot: Int, isNew: Bool) {
        let key = Self.key(fingerprint)
        var place = slot(of: key)
        guard keys[place] == 0 else { return (place, false) }
        // Two thirds: fuller, it is searched for longer than what a larger one costs.
        if filled * 3 >= keys.count * 2 {
            grow()
            place = slot(of: key)
        }
        keys[place] = key
        filled += 1
        return (place, true)
    }

    private mutating func grow() {
        let old = keys
        keys = [UInt64](repeating: 0, count: old.count * 4)
        for key in old where key != 0 { keys[slot(of: key & ~Self.stays)] = key }
    }
}
