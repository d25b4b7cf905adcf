/// Read-only data that may hold tables of 32-bit distances from their own beginnings, as LLVM makes of arrays of
/// strings in position-independent code.
///
/// Source: `RelLookupTableConverter.cpp`, LLVM 17.
struct RelativeTables {
    /// Bytes of a table.
    private static let longest = 1 << 16
    /// Words looked at in all: far more than there are, but for hostile files.
    private static let mostWords = 1 << 26

    private let view: ByteView
    private let mapping: AddressMap
    /// Where the data is, in the file and in memory.
    private let spans: [(range: Range<Int>, address: UInt64)]
    private let intervals: IntervalSet
    /// The data's addresses.
    let addresses: IntervalSet

    init(_ data: [Range<Int>], intervals: IntervalSet, view: ByteView, mapping: AddressMap) {
        self.view = view
        self.mapping = mapping
        self.intervals = intervals
        spans = data.compactMap { range in
            mapping.address(ofFileOffset: range.lowerBound).map { (range, $0) }
        }
        addresses = IntervalSet(spans.map { $1..<max($1, $1 &+ UInt64($0.count)) })
    }

    /// Whether a word may be a distance from somewhere before it into an interval.
    var mayExist: Bool {
        let longest = UInt64(Self.longest)
        let (first, end) = (intervals.base, intervals.base + intervals.span)
        for (range, address) in spans {
            var offset = range.lowerBound + Int((4 - address % 4) % 4)
            while offset <= range.upperBound - 4, let distance = view.read(Int32.self, at: offset) {
                let place = address &+ UInt64(offset - range.lowerBound)
                offset += 4
                let last = place &+ UInt64(bitPattern: Int64(distance))
                // Most words lead to nowhere near.
                guard last >= first, last < end || last - end <= longest else { continue }
                let lowest = last > longest ? last - longest : 0
                // Tables do not lead into themselves.
                let start = distance < 0 ? lowest : max(lowest, place &+ 4)
                if start <= last, intervals.touches(start, last - start &+ 1) { return true }
            }
        }
        return false
    }

    /// The addresses in intervals that tables lead to; nothing where looking at all would take too long.
    ///
    /// A table is a run of words that all lead into the data and not into the run. Where another begins in it, that is
    /// believed if more of what follows then leads to beginnings of strings. It counts if nearly all words lead to
    /// text, and half of them to where a string begins, or none twice: other numbers behind an address that code takes now and then
    /// lead into a string, as the days of months do into the one behind them.
    ///
    /// - Parameter bases: Addresses in the data that code takes, ascending.
    func targets(bases: [UInt64]) -> [UInt64]? {
        var result: [UInt64] = []
        var budget = Self.mostWords
        for (index, base) in bases.enumerated() where base % 4 == 0 {
            var next = index + 1
            var place = base
            var hits: [(place: UInt64, target: UInt64)] = []
            var others = 0
            var end = base &+ UInt64(Self.longest)
            while place < end, let target = target(at: place, from: base),
                target < base || target >= place &+ 4
            {
                while next < bases.count, bases[next] < place { next += 1 }
                if next < bases.count, bases[next] == place, place > base,
                    beginnings(at: place, from: place) > beginnings(at: place, from: base)
                {
                    break
                }
                if target > base { end = min(end, target) }
                if intervals.contains(target) { hits.append((place, target)) }
                if !isText(at: target) { others += 1 }
                place &+= 4
                budget -= 1
            }
            if !hits.isEmpty, UInt64(others * 8) <= (place - base) / 4 {
                let end = base &+ UInt64(4 * believed(in: base..<place))
                result += hits.filter { $0.place < end }.map(\.target)
            }
            guard budget > 0 else { return nil }
        }
        return result
    }

    /// The words of a run that may be a table's: where half of those up to some end lead to where strings begin, or all
    /// of them to different tails of some.
    ///
    /// A run may go on in the table behind, with words that mean nothing.
    private func believed(in run: Range<UInt64>) -> Int {
        let targets = stride(from: run.lowerBound, to: run.upperBound, by: 4).compactMap {
            target(at: $0, from: run.lowerBound)
        }
        var beginnings = 0
        var believed = 0
        for (index, target) in targets.enumerated() {
            if isBeginning(target) { beginnings += 1 }
            if beginnings * 2 > index { believed = index + 1 }
        }
        let areTails =
            targets.count > 1 && Set(targets).count == targets.count
            && targets.allSatisfy { isText(at: $0) && !isEmpty(at: $0) }
        return areTails ? targets.count : believed
    }

    /// Whether the string at an address has no bytes.
    private func isEmpty(at address: UInt64) -> Bool {
        mapping.fileOffset(ofAddress: address).flatMap { view.read(UInt8.self, at: $0) } == 0
    }

    /// Whether a string, and not an empty one, may begin at an address: another ends before it.
    private func isBeginning(_ address: UInt64) -> Bool {
        guard let offset = mapping.fileOffset(ofAddress: address) else { return false }
        return view.read(UInt8.self, at: offset - 1) == 0 && !isEmpty(at: address)
    }

    /// Where the word at an address leads, if that is data.
    private func target(at place: UInt64, from base: UInt64) -> UInt64? {
        guard addresses.contains(place), let offset = mapping.fileOffset(ofAddress: place),
            let distance = view.read(Int32.self, at: offset)
        else { return nil }
        let target = base &+ UInt64(bitPattern: Int64(distance))
        return addresses.contains(target) ? target : nil
    }

    /// Whether a string without control characters begins at an address or goes on there, as far as its first bytes tell.
    private func isText(at address: UInt64) -> Bool {
        guard let offset = mapping.fileOffset(ofAddress: address) else { return false }
        for index in offset..<offset + 8 {
            guard let byte = view.read(UInt8.self, at: index) else { return false }
            if byte == 0 { return true }
            if byte < 0x20, !(0x07...0x0d).contains(byte), byte != 0x1b { return false }
        }
        return true
    }

    /// How many of the next words lead to where a string begins.
    private func beginnings(at place: UInt64, from base: UInt64) -> Int {
        (0..<8).count { index in
            target(at: place &+ UInt64(4 * index), from: base).map(isBeginning) ?? false
        }
    }
}

extension ReferenceScan {
    /// Looks at aligned 32-bit words as distances from themselves, as Swift's metadata have them.
    ///
    /// Source: `include/swift/Basic/RelativePointer.h`, Swift 6.1.
    mutating func scanRelativePointers(_ range: Range<Int>, mapping: AddressMap) {
        guard let first = mapping.address(ofFileOffset: range.lowerBound) else { return }
        var offset = range.lowerBound + Int((4 - first % 4) % 4)
        while offset < range.upperBound, let distance = view.read(Int32.self, at: offset) {
            let address = first &+ UInt64(offset - range.lowerBound)
            take(address &+ UInt64(bitPattern: Int64(distance)))
            offset += 4
        }
    }
}
