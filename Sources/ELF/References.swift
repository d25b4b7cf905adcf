/// The addresses that a file refers to, within some intervals.
public struct References: Hashable, Sendable {
    /// Addresses that the file takes or holds, to be passed on as pointers: sorted, each once.
    public let addresses: [UInt64]
    /// Addresses that instructions read or write directly: sorted, each once.
    ///
    /// Compilers copy a long constant string in pieces of 8 or 16 bytes, so an address inside a string here
    /// mostly means that the string is read whole, and not that another one is stored as its tail.
    public let loads: [UInt64]
    /// Whether all references are known; false for processors whose instructions are not understood.
    public let isComplete: Bool

    /// Creates a result.
    public init(addresses: [UInt64], loads: [UInt64], isComplete: Bool) {
        self.addresses = addresses
        self.loads = loads
        self.isComplete = isComplete
    }

    /// ``addresses`` and ``loads`` together: sorted, each once.
    public var all: [UInt64] {
        var merged = AddressSet()
        for address in addresses { merged.insert(address) }
        for address in loads { merged.insert(address) }
        return merged.sorted()
    }
}

/// Addresses, gathered with repetitions and kept small by sorting now and then.
struct AddressSet {
    private var list: [UInt64] = []
    private var limit = 1 << 16

    @inline(__always)
    mutating func insert(_ address: UInt64) {
        list.append(address)
        if list.count >= limit {
            list = sorted()
            limit = max(limit, list.count * 2)
        }
    }

    func sorted() -> [UInt64] {
        guard let first = list.min(), let last = list.max() else { return [] }
        // Many in few bytes, as of a string table: one bit each, which are in order as they are.
        if (last - first) / 64 < UInt64(list.count) { return sortedByBits(from: first, to: last) }
        var result: [UInt64] = []
        for address in list.sorted() where address != result.last { result.append(address) }
        return result
    }

    private func sortedByBits(from first: UInt64, to last: UInt64) -> [UInt64] {
        var bits = [UInt64](repeating: 0, count: Int((last - first) / 64) + 1)
        for address in list { bits[Int((address - first) / 64)] |= 1 << ((address - first) % 64) }
        var result: [UInt64] = []
        result.reserveCapacity(list.count)
        for (index, word) in bits.enumerated() {
            var rest = word
            while rest != 0 {
                result.append(first + UInt64(index * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return result
    }
}

/// Sorted, disjoint address ranges, with a quick test for most addresses that are in none.
struct IntervalSet {
    private let intervals: [Range<UInt64>]
    /// The first interval's beginning; 0 without any.
    let base: UInt64
    /// From there to the end of the last.
    let span: UInt64
    /// One bit for each 2^shift addresses of the span: whether an interval touches them.
    private let bits: [UInt64]
    private let shift: UInt64

    init(_ ranges: [Range<UInt64>]) {
        var sorted: [Range<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = sorted.last, last.upperBound >= range.lowerBound {
                let end = max(last.upperBound, range.upperBound)
                sorted[sorted.count - 1] = last.lowerBound..<end
            } else {
                sorted.append(range)
            }
        }
        intervals = sorted
        base = sorted.first?.lowerBound ?? 0
        span = (sorted.last?.upperBound ?? 0) - base
        // At most 2^16 bits, 8 KiB, so that they stay in the processor's first cache.
        var shift: UInt64 = 4
        while (span >> shift) >= 1 << 16 { shift += 1 }
        self.shift = shift
        var bits = [UInt64](repeating: 0, count: Int((span >> shift) / 64) + 1)
        for range in sorted {
            let last = (range.upperBound - 1 - base) >> shift
            for bit in ((range.lowerBound - base) >> shift)...last {
                bits[Int(bit / 64)] |= 1 << (bit % 64)
            }
        }
        self.bits = bits
    }

    var isEmpty: Bool { intervals.isEmpty }

    /// These addresses and those of another set.
    func union(_ other: IntervalSet) -> IntervalSet { IntervalSet(intervals + other.intervals) }

    /// Passes the bits of ``mayContain(_:)``, one for each 2^shift addresses, and the shift.
    func withBits(_ body: (UnsafePointer<UInt64>?, UInt64) -> Void) {
        bits.withUnsafeBufferPointer { body($0.baseAddress, shift) }
    }

    /// Whether an interval touches the few addresses around `address` that share a bit.
    @inline(__always)
    func mayContain(_ address: UInt64) -> Bool {
        // Wraps around below the first interval, to a distance beyond the span.
        let distance = address &- base
        guard distance < span else { return false }
        let bit = distance >> shift
        return bits[Int(bit / 64)] & (1 << (bit % 64)) != 0
    }

    @inline(__always)
    func contains(_ address: UInt64) -> Bool {
        mayContain(address) && search(address)
    }

    /// Whether an interval has one of the `count` addresses from `address` on.
    func touches(_ address: UInt64, _ count: UInt64) -> Bool {
        let index = firstIndex(of: intervals) { $0.upperBound > address }
        let (end, isBeyond) = address.addingReportingOverflow(count)
        return index < intervals.count && (isBeyond || intervals[index].lowerBound < end)
    }

    /// Whether an interval has an address that is less than `distance` away.
    func isNear(_ address: UInt64, _ distance: UInt64) -> Bool {
        let start = address > distance ? address - distance : 0
        return touches(start, address - start + distance)
    }

    private func search(_ address: UInt64) -> Bool {
        let index = firstIndex(of: intervals) { $0.lowerBound > address }
        return index > 0 && intervals[index - 1].contains(address)
    }
}

extension ELFFile {
    /// Every address the file refers to that lies in one of `intervals`.
    ///
    /// Linkers store a string as the tail of another that ends alike, so a reference may point into the middle of
    /// a string. Looked at are instructions (x86-64, x86, arm64, riscv64), relocations, aligned words of
    /// loaded data, and symbols of data. What looks like an instruction and is none makes a
    /// reference too many, never one too few.
    ///
    /// Of tables of 32-bit distances, those that LLVM and Swift make are known.
    ///
    /// - Parameter intervals: Address ranges, of strings for example.
    /// - Complexity: Linear in the file's size: 0.5 to 1.5 GB/s.
    public func references(into intervals: [Range<UInt64>]) -> References {
        var scan = ReferenceScan(IntervalSet(intervals), view)
        guard !scan.intervals.isEmpty else { return References(addresses: [], loads: [], isComplete: true) }
        let tables = relativeTables(into: scan.intervals)
        var bases: [UInt64] = []
        var isComplete = scanCode(&scan, tables: tables, bases: &bases)
        let isFixed = type == .executable
        for range in wordRanges(isFixed: isFixed) { scan.scanWords(range) }
        if isFixed, machine == .arm64 || machine == .riscv {
            // Constants between functions.
            for code in codeSpans { scan.scanWords(code.range) }
        }
        scanTables(&scan)
        scanRelative(&scan)
        if let tables {
            if let targets = tables.targets(bases: bases) {
                for target in targets { scan.take(target) }
            } else {
                isComplete = false
            }
        }
        return References(
            addresses: scan.addresses.sorted(), loads: scan.loads.sorted(),
            isComplete: isComplete && type != .relocatable)
    }

    /// Looks at the instructions, for the addresses that tables may begin at too; whether all that they refer to is
    /// known then.
    private func scanCode(
        _ scan: inout ReferenceScan, tables: RelativeTables?, bases: inout [UInt64]
    ) -> Bool {
        guard let tables else { return scanCode(&scan) }
        guard machine == .x86_64 else {
            // What is found depends on what is near to what is looked for.
            var other = ReferenceScan(tables.addresses, view)
            let isComplete = scanCode(&scan)
            let isOtherComplete = scanCode(&other)
            bases = other.addresses.sorted()
            return isComplete && isOtherComplete
        }
        var both = ReferenceScan(scan.intervals.union(tables.addresses), view)
        let isComplete = scanCode(&both)
        let addresses = both.addresses.sorted()
        bases = addresses.filter(tables.addresses.contains)
        for address in addresses { scan.take(address) }
        for address in both.loads.sorted() { scan.takeLoad(address) }
        return isComplete
    }

    /// Looks at the instructions; whether all that they refer to is known then.
    private func scanCode(_ scan: inout ReferenceScan) -> Bool {
        let isFixed = type == .executable
        let spans = codeSpans
        guard !spans.isEmpty else { return true }
        switch machine {
        case .x86_64:
            for code in spans { scan.scanX86(code, absolute: isFixed ? .plausible : .none, relative: true) }
            return true
        case .x86:
            let table = offsetTable
            for code in spans {
                scan.scanX86(code, absolute: .anywhere, relative: false)
                if let table { scan.scanTableDistances(code, table: table) }
            }
            // Go adds to a register that holds the address of an instruction.
            return isFixed || (table != nil && !isGo)
        case .arm64: return scan.scanARM64(spans, starts: functionStarts, isFixed: isFixed)
        case .riscv: return is64Bit && scan.scanRISCV(spans, starts: functionStarts, isFixed: isFixed)
        default: return false
        }
    }

    /// Looks at distances in read-only data that count from themselves.
    private func scanRelative(_ scan: inout ReferenceScan) {
        guard is64Bit, type == .dynamic, sections.contains(where: { $0.name.hasPrefix("swift5_") }) else {
            return
        }
        for range in readOnlyData { scan.scanRelativePointers(range, mapping: mapping) }
    }

    /// Where tables of distances may be that lead into intervals; nothing where none can be.
    private func relativeTables(into intervals: IntervalSet) -> RelativeTables? {
        guard is64Bit, type == .dynamic, !isMadeByGCCAlone else { return nil }
        let tables = RelativeTables(readOnlyData, intervals: intervals, view: view, mapping: mapping)
        return tables.mayExist ? tables : nil
    }

    /// Whether all compilers that signed the file are GCC, which makes no tables of distances to strings.
    private var isMadeByGCCAlone: Bool {
        guard let comment = sections.first(where: { $0.name == ".comment" && !$0.fileRange.isEmpty }) else {
            return false
        }
        return view.bytes[comment.fileRange].split(separator: 0).allSatisfy { $0.starts(with: "GCC:".utf8) }
    }

    /// Data that nobody writes to, nor the loader.
    private var readOnlyData: [Range<Int>] {
        disjoint(
            sections.isEmpty
                ? segments.filter { $0.type == Segment.load && !$0.isWritable }.map(\.fileRange)
                : sections.filter {
                    $0.isLoaded && !$0.isExecutable && !$0.isWritable
                        && !Section.Kind.linkage.contains($0.type)
                        && !$0.name.hasPrefix(".eh_frame") && $0.name != ".interp"
                }.map(\.fileRange))
    }

    /// Where instructions are, without overlaps.
    private var codeSpans: [CodeSpan] {
        var found: [CodeSpan] = sections.filter { $0.isLoaded && $0.isExecutable && !$0.fileRange.isEmpty }
            .map { CodeSpan(range: $0.fileRange, address: $0.address) }
        if found.isEmpty {
            found = segments.filter {
                $0.type == Segment.load && $0.isExecutable && !$0.fileRange.isEmpty
            }.map { CodeSpan(range: $0.fileRange, address: $0.address) }
        }
        var end = 0
        var result: [CodeSpan] = []
        for span in found.sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
        where span.range.upperBound > end {
            let start = max(end, span.range.lowerBound)
            let skipped = UInt64(start - span.range.lowerBound)
            result.append(CodeSpan(range: start..<span.range.upperBound, address: span.address &+ skipped))
            end = span.range.upperBound
        }
        return result
    }

    /// Where pointers may be stored: what relocations change, and all data of a program at a fixed address.
    private func wordRanges(isFixed: Bool) -> [Range<Int>] {
        let loaded = segments.filter { $0.type == Segment.load }
        if !isFixed { return disjoint(loaded.filter(\.isWritable).map(\.fileRange)) }
        guard !sections.isEmpty else { return disjoint(loaded.map(\.fileRange)) }
        return disjoint(
            sections.filter { $0.isLoaded && !$0.isExecutable && !Section.Kind.linkage.contains($0.type) }
                .map(\.fileRange) + loaded.filter(\.isWritable).map(\.fileRange))
    }

    /// Relocations and symbols.
    private func scanTables(_ scan: inout ReferenceScan) {
        let tables = dynamic?.tables
        func ranges(_ type: UInt32) -> [Range<Int>] {
            sections.filter { $0.type == type }.map(\.fileRange)
        }
        var dynamicSymbols = ranges(Section.Kind.dynamicSymbols)
        if dynamicSymbols.isEmpty, let guess = tables?.symbols { dynamicSymbols = [guess] }
        let symbols = dynamicSymbols.first
        for range in disjoint((tables?.addends ?? []) + ranges(Section.Kind.addends)) {
            scan.scanRelocations(range, hasAddends: true, symbols: symbols, mapping: mapping)
        }
        for range in disjoint((tables?.inPlace ?? []) + ranges(Section.Kind.inPlace)) {
            scan.scanRelocations(range, hasAddends: false, symbols: symbols, mapping: mapping)
        }
        if let packed = tables?.packed { scan.scanPackedRelocations(packed, mapping: mapping) }
        for range in disjoint(dynamicSymbols) { scan.scanSymbols(range, areExported: true) }
        for range in disjoint(ranges(Section.Kind.symbols)) { scan.scanSymbols(range, areExported: false) }
    }
}

/// Instructions: where they are in the file, and the address of the first.
struct CodeSpan {
    var range: Range<Int>
    var address: UInt64
}
