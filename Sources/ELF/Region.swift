/// What a byte of an ELF file is for, as far as rewriting strings goes.
public enum Region: Int, Hashable, Sendable, CaseIterable {
    // In order of precedence where a damaged file's parts overlap: the careful ones first.

    /// The interpreter's path.
    case interpreter
    /// The ELF header, program headers and section headers.
    case headers
    /// Symbols, their strings, hashes, versions, relocations, the dynamic section and notes.
    case symbols
    /// Instructions.
    case code
    /// Go's tables of functions, symbols and types.
    case goTables
    /// Debugging information.
    case debug
    /// Bytes that are not in memory when the program runs, and padding.
    case unloaded
    /// Loaded and not executable: strings in it may be rewritten.
    case data
}

extension ELFFile {
    /// What the byte at an offset of the file is for.
    ///
    /// By sections; by segments when there are none.
    ///
    /// - Complexity: Logarithmic in the number of sections.
    public func region(atFileOffset offset: Int) -> Region {
        regions[offset]
    }

    /// The parts of the file that are for `region`, ascending and apart.
    ///
    /// - Complexity: Linear in the number of sections.
    public func ranges(of region: Region) -> [Range<Int>] {
        regions.ranges(of: region)
    }
}

/// What each part of a file is for: spans that do not overlap.
struct RegionMap {
    private struct Span {
        var end: Int
        var region: Region
    }
    /// Ascending by end; the first begins at 0.
    private var spans: [Span] = []

    subscript(offset: Int) -> Region {
        guard offset >= 0 else { return .unloaded }
        let index = firstIndex(of: spans) { $0.end > offset }
        return index < spans.count ? spans[index].region : .unloaded
    }

    /// The parts that are for `region`, ascending.
    func ranges(of region: Region) -> [Range<Int>] {
        var start = 0
        var result: [Range<Int>] = []
        for span in spans {
            if span.region == region { result.append(start..<span.end) }
            start = span.end
        }
        return result
    }

    init(
        header: Header, headerSize: Int, table: SectionTable, segments: [Segment],
        interpreter: EmbeddedString?, dynamic: DynamicInfo?, view: ByteView
    ) {
        var claims: [(range: Range<Int>, region: Region)] = [(0..<headerSize, .headers)]
        if let range = table.range { claims.append((range, .headers)) }
        let size = UInt64(segments.count * Segment.size(is64Bit: view.is64Bit))
        claims.append((view.clamped(offset: header.segmentOffset, size: size), .headers))
        if let interpreter {
            claims.append((interpreter.offset..<interpreter.offset + interpreter.room, .interpreter))
        }
        if let strings = dynamic?.strings { claims.append((strings, .symbols)) }
        if table.sections.isEmpty {
            for segment in segments {
                guard let region = Self.region(of: segment) else { continue }
                claims.append((segment.fileRange, region))
            }
            if let dynamic { claims += Self.linkage(dynamic).map { ($0, .symbols) } }
        } else {
            for section in table.sections { claims.append((section.fileRange, Self.region(of: section))) }
        }
        resolve(claims)
    }

    private static func region(of segment: Segment) -> Region? {
        switch segment.type {
        case Segment.load: segment.isExecutable ? .code : .data
        case Segment.dynamic, Segment.note, Segment.unwinding: .symbols
        default: nil
        }
    }

    /// The loader's tables of a file without sections.
    private static func linkage(_ dynamic: DynamicInfo) -> [Range<Int>] {
        let tables = dynamic.tables
        var result = tables.addends + tables.inPlace
        if let packed = tables.packed { result.append(packed) }
        // Symbols come right before their strings, in every linker's output; hashes and versions have no
        // size here and hold nothing that looks like a path.
        if let symbols = tables.symbols, symbols.count <= 24 << 20 { result.append(symbols) }
        return result
    }

    private static func region(of section: Section) -> Region {
        let name = section.name
        if name == ".interp" { return .interpreter }
        if name.hasSuffix(".gopclntab") || name.hasSuffix(".gosymtab") || name.hasSuffix(".typelink")
            || name.hasSuffix(".itablink")
        {
            return .goTables
        }
        if Section.Kind.linkage.contains(section.type) { return .symbols }
        if name.hasPrefix(".debug") || name.hasPrefix(".zdebug") || name.hasPrefix(".gnu_debug")
            || name.hasPrefix(".stab")
        {
            return .debug
        }
        guard section.isLoaded else { return .unloaded }
        return section.isExecutable ? .code : .data
    }

    /// Sweeps over the claims; where several overlap, the careful one holds.
    private mutating func resolve(_ claims: [(range: Range<Int>, region: Region)]) {
        var events: [(offset: Int, change: Int, region: Region)] = []
        for claim in claims where !claim.range.isEmpty {
            events.append((claim.range.lowerBound, 1, claim.region))
            events.append((claim.range.upperBound, -1, claim.region))
        }
        events.sort { $0.offset < $1.offset }
        var active = [Int](repeating: 0, count: Region.allCases.count)
        var position = 0
        for event in events {
            if event.offset > position {
                let region = active.firstIndex { $0 > 0 }.flatMap(Region.init(rawValue:)) ?? .unloaded
                if spans.last?.region == region {
                    spans[spans.count - 1].end = event.offset
                } else {
                    spans.append(Span(end: event.offset, region: region))
                }
                position = event.offset
            }
            active[event.region.rawValue] += event.change
        }
    }
}

/// The ranges, ascending, without what an earlier one has covered.
///
/// - Complexity: Sorting.
func disjoint(_ ranges: [Range<Int>]) -> [Range<Int>] {
    var end = 0
    var result: [Range<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.upperBound > end {
        let start = max(end, range.lowerBound)
        result.append(start..<range.upperBound)
        end = range.upperBound
    }
    return result
}
