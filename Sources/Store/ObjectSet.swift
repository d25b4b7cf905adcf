/// Objects by fingerprint: those that stay, and those that only store paths which go have.
///
/// A hash table; fingerprints are evenly spread as they are.
struct ObjectSet: Sendable {
    private var keys = [UInt64](repeating: 0, count: 1 << 10)
    private var staying = [Bool](repeating: false, count: 1 << 10)
    private var filled = 0

    /// Notes that an object stays.
    mutating func keep(_ fingerprint: UInt64) { staying[slot(adding: fingerprint).slot] = true }

    /// Notes an object of a store path that goes; `true` if none before had it, and none that stays.
    mutating func claim(_ fingerprint: UInt64) -> Bool { slot(adding: fingerprint).isNew }

    /// Whether an object stays.
    func isKept(_ fingerprint: UInt64) -> Bool {
        let slot = slot(of: Self.key(fingerprint))
        return keys[slot] != 0 && staying[slot]
    }

    /// 0 marks an empty place.
    private static func key(_ fingerprint: UInt64) -> UInt64 { fingerprint == 0 ? 1 : fingerprint }

    /// Where an object is, or would be.
    private func slot(of key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: key) & mask
        while keys[slot] != 0, keys[slot] != key { slot = (slot + 1) & mask }
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
        let (oldKeys, old) = (keys, staying)
        keys = [UInt64](repeating: 0, count: oldKeys.count * 4)
        staying = [Bool](repeating: false, count: oldKeys.count * 4)
        for (index, key) in oldKeys.enumerated() where key != 0 {
            let place = slot(of: key)
            keys[place] = key
            staying[place] = old[index]
        }
    }
}
