/// A scan in progress: what is looked for and what was found.
struct ReferenceScan {
    let intervals: IntervalSet
    let view: ByteView
    var addresses = AddressSet()
    var loads = AddressSet()

    init(_ intervals: IntervalSet, _ view: ByteView) {
        self.intervals = intervals
        self.view = view
    }

    @inline(__always)
    mutating func take(_ address: UInt64) {
        if intervals.contains(address) { addresses.insert(address) }
    }

    @inline(__always)
    mutating func takeLoad(_ address: UInt64) {
        if intervals.contains(address) { loads.insert(address) }
    }

    /// Looks at every naturally aligned word.
    ///
    /// Segments are aligned alike in the file and in memory, so offsets tell.
    mutating func scanWords(_ range: Range<Int>) {
        let size = view.wordSize
        var offset = range.lowerBound + (size - range.lowerBound % size) % size
        if view.is64Bit, view.isLittleEndian, range.upperBound <= view.bytes.count {
            let bytes = view.bytes
            let (base, span) = (intervals.base, intervals.span)
            func word(_ offset: Int) -> UInt64 {
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            }
            // Four at once, of which mostly none is near.
            while offset <= range.upperBound - 32 {
                let isNear =
                    (word(offset) &- base < span) || (word(offset + 8) &- base < span)
                    || (word(offset + 16) &- base < span) || (word(offset + 24) &- base < span)
                if isNear {
                    for place in stride(from: offset, to: offset + 32, by: 8) { take(word(place)) }
                }
                offset += 32
            }
        }
        while offset < range.upperBound, let value = view.word(at: offset) {
            take(value)
            offset += size
        }
    }

    /// Looks at what relocations compute: addends, words in place, and the same plus the symbol's value.
    mutating func scanRelocations(
        _ range: Range<Int>, hasAddends: Bool, symbols: Range<Int>?, mapping: AddressMap
    ) {
        let size = view.wordSize
        let entry = size * (hasAddends ? 3 : 2)
        var offset = range.lowerBound
        while offset <= range.upperBound - entry, let place = view.word(at: offset),
            let info = view.word(at: offset + size)
        {
            defer { offset += entry }
            var addend: UInt64?
            if hasAddends {
                addend = view.word(at: offset + 2 * size)
            } else if let position = mapping.fileOffset(ofAddress: place) {
                addend = view.word(at: position)
            }
            guard let addend else { continue }
            take(addend)
            let index = view.is64Bit ? info >> 32 : info >> 8
            guard index != 0, let symbols, let value = symbolValue(index, symbols) else { continue }
            // Addresses are modulo 2^64, and addends may be negative.
            take(view.is64Bit ? value &+ addend : (value &+ addend) & 0xffff_ffff)
        }
    }

    private func symbolValue(_ index: UInt64, _ symbols: Range<Int>) -> UInt64? {
        let size = view.is64Bit ? 24 : 16
        guard index < UInt64(symbols.count / size) else { return nil }
        return view.word(at: symbols.lowerBound + Int(index) * size + (view.is64Bit ? 8 : 4))
    }

    /// Looks at the words that packed relative relocations (`DT_RELR`) name.
    mutating func scanPackedRelocations(_ range: Range<Int>, mapping: AddressMap) {
        let size = view.wordSize
        var place: UInt64 = 0
        var offset = range.lowerBound
        while offset <= range.upperBound - size, let entry = view.word(at: offset) {
            offset += size
            if entry & 1 == 0 {
                takeWord(at: entry, mapping)
                place = entry &+ UInt64(size)
                continue
            }
            var bitmap = entry >> 1
            var address = place
            while bitmap != 0 {
                if bitmap & 1 != 0 { takeWord(at: address, mapping) }
                bitmap >>= 1
                address = address &+ UInt64(size)
            }
            place = place &+ UInt64(size * (size * 8 - 1))
        }
    }

    private mutating func takeWord(at address: UInt64, _ mapping: AddressMap) {
        guard let offset = mapping.fileOffset(ofAddress: address), let value = view.word(at: offset) else {
            return
        }
        take(value)
    }

    /// Looks at the values of symbols of data.
    ///
    /// Untyped symbols count only where they are exported: otherwise they are mostly marks of the assembler.
    mutating func scanSymbols(_ range: Range<Int>, areExported: Bool) {
        let size = view.is64Bit ? 24 : 16
        var offset = range.lowerBound
        while offset <= range.upperBound - size,
            let value = view.word(at: offset + (view.is64Bit ? 8 : 4)),
            let info = view.read(UInt8.self, at: offset + (view.is64Bit ? 4 : 12)),
            let section = view.read(UInt16.self, at: offset + (view.is64Bit ? 6 : 14))
        {
            offset += size
            let isData = info & 0xf == 1 || (areExported && info & 0xf == 0)
            // From 0xff00 on, values are no addresses; 0xffff means that the section's number is elsewhere.
            if isData, section != 0, section < 0xff00 || section == 0xffff { take(value) }
        }
    }
}
