/// What may be a table of 32-bit distances from its own beginning.
struct RelativeTable {
    /// Where it begins.
    var address: UInt64
    /// Its words that lead into an interval.
    var hits: [(place: UInt64, target: UInt64)]
}

extension ReferenceScan {
    /// Where tables of 32-bit distances from their own beginnings may begin, with what they refer to of the
    /// intervals.
    ///
    /// LLVM makes such tables of arrays of strings in position-independent code. Here one is every run of aligned
    /// words in read-only data that all lead into read-only data, and not into the run itself.
    ///
    /// - Returns: Those of two words and more, ascending; nothing where so much looks like a table that looking would take too long.
    ///
    /// Source: `RelLookupTableConverter.cpp`, LLVM 17.
    func relativeTables(_ data: [Range<Int>], mapping: AddressMap) -> [RelativeTable]? {
        let spans = data.compactMap { range in mapping.address(ofFileOffset: range.lowerBound).map { (range, $0) } }
        let targets = IntervalSet(spans.map { $1..<$1 &+ UInt64($0.count) })
        guard !targets.isEmpty else { return [] }
        var found: [RelativeTable] = []
        // Runs are short, but for hostile files.
        var budget = 1 << 20 + data.reduce(0) { $0 + 4 * $1.count }
        for (range, address) in spans {
            var start = range.lowerBound + Int((4 - address % 4) % 4)
            while start <= range.upperBound - 8 {
                let table = address &+ UInt64(start - range.lowerBound)
                var end = range.upperBound
                var offset = start
                var hits: [(place: UInt64, target: UInt64)] = []
                while offset <= end - 4, let distance = view.read(Int32.self, at: offset) {
                    let target = table &+ UInt64(bitPattern: Int64(distance))
                    guard distance < 0 || Int(distance) > offset - start + 3, targets.contains(target) else { break }
                    if distance > 0 { end = min(end, start + Int(distance)) }
                    if intervals.contains(target) { hits.append((table &+ UInt64(offset - start), target)) }
                    offset += 4
                }
                budget -= offset - start
                guard budget > 0 else { return nil }
                if offset > start + 4 { found.append(RelativeTable(address: table, hits: hits)) }
                start += 4
            }
        }
        return found.sorted { $0.address < $1.address }
    }

    /// Looks at aligned 32-bit words as distances from themselves, as Swift's metadata have them.
    ///
    /// Source: `include/swift/Basic/RelativePointer.h`, Swift 6.1.
    mutating func scanRelativePointers(_ range: Range<Int>, mapping: AddressMap) {
        guard let first = mapping.address(ofFileOffset: range.lowerBound) else { return }
        var offset = range.lowerBound + Int((4 - first % 4) % 4)
        while let distance = view.read(Int32.self, at: offset), offset < range.upperBound {
            let address = first &+ UInt64(offset - range.lowerBound)
            take(address &+ UInt64(bitPattern: Int64(distance)))
            offset += 4
        }
    }
}
