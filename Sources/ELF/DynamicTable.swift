/// An entry of the dynamic section.
struct DynamicEntry {
    var tag: UInt64
    var value: UInt64
    /// The string that the entry is to have, where that is not the one it came with.
    var text: [UInt8]?
}

/// Tags of dynamic entries, as `DT_` of elf.h.
enum DynamicTag {
    static let needed: UInt64 = 1
    static let symbolHash: UInt64 = 4
    static let strings: UInt64 = 5
    static let symbols: UInt64 = 6
    static let stringsSize: UInt64 = 10
    static let soname: UInt64 = 14
    static let rpath: UInt64 = 15
    static let debug: UInt64 = 21
    static let runpath: UInt64 = 29
    static let gnuHash: UInt64 = 0x6fff_fef5
    static let symbolVersions: UInt64 = 0x6fff_fff0
    static let flags1: UInt64 = 0x6fff_fffb
    static let definitions: UInt64 = 0x6fff_fffc
    static let needs: UInt64 = 0x6fff_fffe
    static let needsCount: UInt64 = 0x6fff_ffff

    /// Those whose value is an offset in the dynamic string table.
    static let texts: Set<UInt64> = [
        1, 14, 15, 29, 0x6fff_fefa, 0x6fff_fefb, 0x6fff_fefc, 0x7fff_fffd, 0x7fff_fffe, 0x7fff_ffff,
    ]
    /// Those whose value is the address of a table.
    static let addresses: Set<UInt64> = [
        3, 4, 5, 6, 7, 12, 13, 17, 23, 25, 26, 32, 36, 0x6fff_fef5, 0x6fff_fff0, 0x6fff_fffc, 0x6fff_fffe,
    ]
    /// Those whose value is the address of something that the editor may put elsewhere.
    static let moving: Set<UInt64> = [symbolHash, strings, symbols, gnuHash]
}

/// The dynamic section.
struct DynamicTable {
    /// Its entries, without the one that ends it and what follows.
    var entries: [DynamicEntry] = []
    let place: Range<Int>
    let address: UInt64
    /// Whether code finds it without the program headers, as that of a static program at any address does.
    let isBuiltIn: Bool

    init?(_ file: ELFFile) throws(ELFError) {
        // The same choice as the parser's.
        guard file.dynamic != nil, let segment = file.segments.last(where: { $0.type == Segment.dynamic })
        else {
            return nil
        }
        let view = file.view
        // No loader finds it where nothing is loaded, and another segment may come to be there.
        guard let start = file.fileOffset(ofAddress: segment.address).map(UInt64.init) else {
            throw .outside(
                structure: "dynamic section", offset: segment.offset, size: segment.fileSize,
                fileSize: view.bytes.count)
        }
        guard let place = view.range(offset: start, size: segment.fileSize) else {
            throw .outside(
                structure: "dynamic section", offset: start, size: segment.fileSize,
                fileSize: view.bytes.count)
        }
        self.place = place
        address = segment.address
        isBuiltIn = file.isStaticPIE
        var offset = place.lowerBound
        while offset <= place.upperBound - 2 * view.wordSize, let tag = view.word(at: offset),
            let value = view.word(at: offset + view.wordSize), tag != 0
        {
            entries.append(DynamicEntry(tag: tag, value: value))
            offset += 2 * view.wordSize
        }
    }

    subscript(tag: UInt64) -> UInt64? { entries.last { $0.tag == tag }?.value }
}

/// The string table of the dynamic section, and who uses it.
struct DynamicNames {
    /// A library in the table of needed versions: where its name's offset is, and the offset.
    struct VersionNeed {
        let position: Int
        var value: UInt32
        var text: [UInt8]?
    }

    let place: Range<Int>
    let address: UInt64
    var needs: [VersionNeed] = []
    /// Offsets of the other names of versions.
    var versions: [UInt32] = []
    /// The dynamic symbols; `nil` if their number is not known.
    let symbols: Range<Int>?
    /// Where symbols may be: more than there are, if their number is not known.
    let possibleSymbols: Range<Int>?
    /// The versions of the symbols, two bytes each.
    let symbolVersions: Range<Int>?
    /// New names of symbols, by the symbols' offsets in the file.
    var renamed: [Int: [UInt8]] = [:]
    /// Where the hash tables are.
    let gnuHash: Int?
    let symbolHash: Int?
    /// Whether all users are known, so that the bytes of no user are free.
    var isKnown = true

    init?(_ file: ELFFile, table: DynamicTable) throws(ELFError) {
        guard let address = table[DynamicTag.strings], let size = table[DynamicTag.stringsSize] else {
            return nil
        }
        let view = file.view
        guard let start = file.fileOffset(ofAddress: address),
            let place = view.range(offset: UInt64(start), size: size)
        else {
            throw .outside(
                structure: "dynamic string table", offset: address, size: size, fileSize: view.bytes.count)
        }
        self.place = place
        self.address = address
        gnuHash = table[DynamicTag.gnuHash].flatMap(file.fileOffset(ofAddress:))
        symbolHash = Self.symbolHash(file, table)
        symbols = Self.symbols(file, table)
        let symbolSize = view.is64Bit ? 24 : 16
        symbolVersions = table[DynamicTag.symbolVersions].flatMap(file.fileOffset(ofAddress:)).flatMap {
            [symbols] start in
            symbols.flatMap { view.range(offset: UInt64(start), size: UInt64($0.count / symbolSize * 2)) }
        }
        possibleSymbols = symbols ?? Self.possibleSymbols(file, table)
        isKnown = possibleSymbols != nil
        let tables = Set<UInt32>([6, 11, 0x6fff_fffd, 0x6fff_fffe])
        for (index, section) in file.sections.enumerated()
        where section.fileRange.lowerBound == place.lowerBound && section.type == Section.Kind.strings {
            // Names of sections, or of tables that are not known, in the same strings.
            let users = file.sections.indices.filter { file.link(ofSection: $0) == index }
            if file.sectionNames == index
                || users.contains(where: { !tables.contains(file.sections[$0].type) })
            {
                isKnown = false
            }
        }
        readNeeds(file, table)
        readDefinitions(file, table)
    }

    /// The dynamic symbols: by the section, or else by the hash tables, which tell how many there are.
    private static func symbols(_ file: ELFFile, _ table: DynamicTable) -> Range<Int>? {
        guard let start = table[DynamicTag.symbols].flatMap(file.fileOffset(ofAddress:)) else { return nil }
        let view = file.view
        let size = view.is64Bit ? 24 : 16
        if let section = file.sections.first(where: {
            $0.type == Section.Kind.dynamicSymbols && $0.fileRange.lowerBound == start
        }) {
            return start..<start + section.fileRange.count / size * size
        }
        var count: UInt64?
        if let hash = symbolHash(file, table) {
            count = view.read(UInt32.self, at: hash + 4).map(UInt64.init)
        } else if let hash = table[DynamicTag.gnuHash].flatMap(file.fileOffset(ofAddress:)) {
            count = gnuHashCount(view, at: hash)
        }
        return count.flatMap { view.range(offset: UInt64(start), size: $0 * UInt64(size)) }
    }

    /// Where the older hash table is, but for machines on which its entries have 8 bytes.
    private static func symbolHash(_ file: ELFFile, _ table: DynamicTable) -> Int? {
        let alpha = Machine.other(0x9026)
        guard !file.is64Bit || (file.machine != .s390 && file.machine != alpha) else { return nil }
        return table[DynamicTag.symbolHash].flatMap(file.fileOffset(ofAddress:))
    }

    /// What is between the beginning of the symbols and the next thing that the dynamic section names.
    private static func possibleSymbols(_ file: ELFFile, _ table: DynamicTable) -> Range<Int>? {
        guard let address = table[DynamicTag.symbols], let start = file.fileOffset(ofAddress: address) else {
            return nil
        }
        let next = table.entries.filter { DynamicTag.addresses.contains($0.tag) && $0.value > address }.map(
            \.value
        )
        .min().flatMap(file.fileOffset(ofAddress:))
        let segment = file.segments.first { $0.type == Segment.load && $0.fileRange.contains(start) }
        guard let end = next ?? segment?.fileRange.upperBound, end > start else { return nil }
        let size = file.is64Bit ? 24 : 16
        return start..<start + (end - start) / size * size
    }

    /// The number of symbols that a GNU hash table tells: the end of the last chain.
    private static func gnuHashCount(_ view: ByteView, at offset: Int) -> UInt64? {
        guard let buckets = view.read(UInt32.self, at: offset),
            let first = view.read(UInt32.self, at: offset + 4),
            let filters = view.read(UInt32.self, at: offset + 8)
        else { return nil }
        let table = offset + 16 + Int(filters) * view.wordSize
        let chains = table + Int(buckets) * 4
        guard view.contains(table, chains - table) else { return nil }
        var last: UInt32 = 0
        for position in stride(from: table, to: chains, by: 4) {
            last = max(last, view.read(UInt32.self, at: position) ?? 0)
        }
        // A table without symbols does not tell how many there are outside it.
        guard last >= first else { return nil }
        while let hash = view.read(UInt32.self, at: chains + Int(last - first) * 4) {
            let (next, overflow) = last.addingReportingOverflow(1)
            if hash & 1 != 0 || overflow { return UInt64(last) + 1 }
            last = next
        }
        return nil
    }

    /// Source: Linux Standard Base 5.0, Core, "Symbol Versioning".
    private mutating func readNeeds(_ file: ELFFile, _ table: DynamicTable) {
        guard let address = table[DynamicTag.needs] else { return }
        guard var offset = file.fileOffset(ofAddress: address) else {
            isKnown = false
            return
        }
        let view = file.view
        // Each entry has 16 bytes, so no sound table has more of them.
        for _ in 0..<view.bytes.count / 16 {
            guard let count = view.read(UInt16.self, at: offset + 2),
                let name = view.read(UInt32.self, at: offset + 4),
                let first = view.read(UInt32.self, at: offset + 8),
                let next = view.read(UInt32.self, at: offset + 12)
            else {
                isKnown = false
                return
            }
            needs.append(VersionNeed(position: offset + 4, value: name))
            readNames(view, count: Int(count), from: offset + Int(first), nameAt: 8, nextAt: 12)
            guard next != 0 else { return }
            offset += Int(next)
        }
    }

    private mutating func readDefinitions(_ file: ELFFile, _ table: DynamicTable) {
        guard let address = table[DynamicTag.definitions] else { return }
        guard var offset = file.fileOffset(ofAddress: address) else {
            isKnown = false
            return
        }
        let view = file.view
        for _ in 0..<view.bytes.count / 20 {
            guard let count = view.read(UInt16.self, at: offset + 6),
                let first = view.read(UInt32.self, at: offset + 12),
                let next = view.read(UInt32.self, at: offset + 16)
            else {
                isKnown = false
                return
            }
            readNames(view, count: Int(count), from: offset + Int(first), nameAt: 0, nextAt: 4)
            guard next != 0 else { return }
            offset += Int(next)
        }
    }

    private mutating func readNames(_ view: ByteView, count: Int, from start: Int, nameAt: Int, nextAt: Int) {
        var offset = start
        for _ in 0..<count {
            // Overlapping lists could name more than the file has room for.
            guard let name = view.read(UInt32.self, at: offset + nameAt),
                let next = view.read(UInt32.self, at: offset + nextAt), versions.count < view.bytes.count / 8
            else {
                isKnown = false
                return
            }
            versions.append(name)
            guard next != 0 else { return }
            offset += Int(next)
        }
    }
}

extension ELFFile {
    /// The index of the section that holds the sections' names.
    var sectionNames: Int? {
        view.read(UInt16.self, at: is64Bit ? 62 : 50).map(Int.init)
    }

    /// The section that a section's header names (`sh_link`).
    func link(ofSection index: Int) -> Int? {
        guard let start = view.word(at: is64Bit ? 40 : 32) else { return nil }
        let header = Int(truncatingIfNeeded: start) + index * Section.size(is64Bit: is64Bit)
        return view.read(UInt32.self, at: header + (is64Bit ? 40 : 24)).map(Int.init)
    }
}
