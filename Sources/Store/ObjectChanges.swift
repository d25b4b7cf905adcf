internal import Files

/// The objects of a store path as what changed since an earlier version of it: what is gone, by its place in the other's
/// list, and what was added.
struct ObjectChanges {
    /// Places in the other list, in order.
    let removed: [UInt32]
    /// Objects that the other list does not have, in order.
    let added: [ObjectUse]

    /// Lists that are shorter are kept whole: several have room in a page of the index.
    static let least = 256

    /// Finds the changes; `nil` where they are hardly shorter than the new list.
    ///
    /// - Parameters:
    ///   - old: The other list, as ``ObjectUses`` encodes it.
    ///   - new: The new list, sorted as that one.
    init?(from old: UnsafeRawBufferPointer, to new: [ObjectUse]) {
        var removed: [UInt32] = []
        var added: [ObjectUse] = []
        var place: UInt32 = 0
        var next = 0
        ObjectUses.forEach(in: old) { use in
            while next < new.count, new[next].fingerprint < use.fingerprint {
                added.append(new[next])
                next += 1
            }
            if next < new.count, new[next] == use { next += 1 } else { removed.append(place) }
            place += 1
        }
        added += new[next...]
        guard 4 * removed.count + ObjectUses.width * added.count <= ObjectUses.width * new.count / 2 else {
            return nil
        }
        (self.removed, self.added) = (removed, added)
    }

    /// The places as the index keeps them: 4 bytes each, the lowest first.
    var encodedRemoved: Bytes {
        removed.flatMap { place in withUnsafeBytes(of: place.littleEndian, Array.init) }
    }

    /// The new list, as ``ObjectUses`` encodes it.
    ///
    /// What is damaged gives a list, too, of other objects.
    static func applied(
        removed: UnsafeRawBufferPointer, added: UnsafeRawBufferPointer, to old: UnsafeRawBufferPointer
    ) -> Bytes {
        var result: Bytes = []
        result.reserveCapacity(old.count + added.count)
        let width = ObjectUses.width
        func fingerprint(_ list: UnsafeRawBufferPointer, _ start: Int) -> UInt64 {
            UInt64(littleEndian: list.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        }
        var (nextAdded, nextRemoved) = (0, 0)
        for start in stride(from: 0, through: old.count - width, by: width) {
            while nextAdded + width <= added.count, fingerprint(added, nextAdded) <= fingerprint(old, start) {
                result.append(contentsOf: added[nextAdded..<nextAdded + width])
                nextAdded += width
            }
            let isRemoved =
                nextRemoved + 4 <= removed.count
                && UInt32(littleEndian: removed.loadUnaligned(fromByteOffset: nextRemoved, as: UInt32.self))
                    == UInt32(truncatingIfNeeded: start / width)
            if isRemoved {
                nextRemoved += 4
            } else {
                result.append(contentsOf: old[start..<start + width])
            }
        }
        if nextAdded < added.count { result.append(contentsOf: added[nextAdded...]) }
        return result
    }
}
