/// The fields of the ELF header that count.
struct Header {
    var type: UInt16
    var machine: UInt16
    var segmentOffset: UInt64
    var segmentEntrySize: UInt16
    var segmentCount: UInt16
    var sectionOffset: UInt64
    var sectionEntrySize: UInt16
    var sectionCount: UInt16
    var sectionNames: UInt16

    init(_ view: ByteView) throws(ELFError) {
        let wide = view.is64Bit
        let size = wide ? 64 : 52
        let shorts = wide ? 54 : 42
        guard view.contains(0, size),
            let type = view.read(UInt16.self, at: 16),
            let machine = view.read(UInt16.self, at: 18),
            let segmentOffset = view.word(at: wide ? 32 : 28),
            let sectionOffset = view.word(at: wide ? 40 : 32),
            let segmentEntrySize = view.read(UInt16.self, at: shorts),
            let segmentCount = view.read(UInt16.self, at: shorts + 2),
            let sectionEntrySize = view.read(UInt16.self, at: shorts + 4),
            let sectionCount = view.read(UInt16.self, at: shorts + 6),
            let sectionNames = view.read(UInt16.self, at: shorts + 8)
        else {
            throw .outside(
                structure: "ELF header", offset: 0, size: UInt64(size), fileSize: view.bytes.count)
        }
        guard segmentCount == 0 || Int(segmentEntrySize) == Segment.size(is64Bit: wide) else {
            throw .field(name: "e_phentsize", value: UInt64(segmentEntrySize), offset: shorts)
        }
        self.type = type
        self.machine = machine
        self.segmentOffset = segmentOffset
        self.segmentEntrySize = segmentEntrySize
        self.segmentCount = segmentCount
        self.sectionOffset = sectionOffset
        self.sectionEntrySize = sectionEntrySize
        self.sectionCount = sectionCount
        self.sectionNames = sectionNames
    }
}

/// The section headers, or that they are damaged.
struct SectionTable {
    var sections: [Section] = []
    var isDamaged = false
    /// Where the headers are.
    var range: Range<Int>?
    /// The number of segments when the ELF header's field has no room for it.
    var segmentCount: UInt32?

    init(_ view: ByteView, header: Header) throws(ELFError) {
        guard header.sectionOffset != 0 else {
            isDamaged = header.sectionCount != 0
            return
        }
        let size = Section.size(is64Bit: view.is64Bit)
        guard Int(header.sectionEntrySize) == size,
            let first = view.range(offset: header.sectionOffset, size: UInt64(size))?.lowerBound,
            let extendedCount = view.word(at: first + (view.is64Bit ? 32 : 20)),
            let extendedNames = view.read(UInt32.self, at: first + (view.is64Bit ? 40 : 24)),
            let extendedSegments = view.read(UInt32.self, at: first + (view.is64Bit ? 44 : 28))
        else {
            isDamaged = header.sectionCount != 0 || header.sectionEntrySize != 0
            return
        }
        segmentCount = extendedSegments
        let count = header.sectionCount == 0 ? extendedCount : UInt64(header.sectionCount)
        let (bytes, overflow) = count.multipliedReportingOverflow(by: UInt64(size))
        guard !overflow, let range = view.range(offset: header.sectionOffset, size: bytes) else {
            isDamaged = true
            return
        }
        self.range = range
        let namesIndex = header.sectionNames == 0xffff ? UInt64(extendedNames) : UInt64(header.sectionNames)
        var names: Range<Int>?
        if namesIndex != 0, namesIndex < count {
            names = Section(view, at: first + Int(namesIndex) * size, names: nil)?.fileRange
        }
        sections.reserveCapacity(Int(count))
        for offset in stride(from: first, to: range.upperBound, by: size) {
            guard let section = Section(view, at: offset, names: names) else { continue }
            sections.append(section)
        }
    }
}

extension ELFFile {
    static func parseSegments(
        _ view: ByteView, header: Header, extended: UInt32?
    ) throws(ELFError) -> [Segment] {
        // PN_XNUM: the count is in the first section header.
        let count = header.segmentCount == 0xffff ? Int(extended ?? 0xffff) : Int(header.segmentCount)
        let size = Segment.size(is64Bit: view.is64Bit)
        guard count > 0 else { return [] }
        guard let table = view.range(offset: header.segmentOffset, size: UInt64(count * size)) else {
            throw .outside(
                structure: "program header table", offset: header.segmentOffset, size: UInt64(count * size),
                fileSize: view.bytes.count)
        }
        return stride(from: table.lowerBound, to: table.upperBound, by: size).compactMap {
            Segment(view, at: $0)
        }
    }

    /// The first `PT_INTERP`, as the kernel reads it: at most 4096 bytes, the last of them NUL.
    static func parseInterpreter(
        _ view: ByteView, segments: [Segment]
    ) throws(ELFError) -> EmbeddedString? {
        guard let segment = segments.first(where: { $0.type == Segment.interpreter }) else { return nil }
        guard let range = view.range(offset: segment.offset, size: segment.fileSize) else {
            throw .outside(
                structure: "interpreter", offset: segment.offset, size: segment.fileSize,
                fileSize: view.bytes.count)
        }
        guard (2...4096).contains(range.count), view.bytes[range.upperBound - 1] == 0,
            let text = view.string(at: range.lowerBound, before: range.upperBound, longest: range.count)
        else { throw .string(structure: "interpreter", offset: segment.offset) }
        return EmbeddedString(offset: range.lowerBound, bytes: text, room: range.count)
    }

    static func parseDynamic(
        _ view: ByteView, segments: [Segment], sections: [Section], mapping: AddressMap
    ) throws(ELFError) -> DynamicInfo? {
        guard let segment = segments.last(where: { $0.type == Segment.dynamic }) else { return nil }
        // Detached debugging information keeps the program headers and none of the bytes.
        if sections.contains(where: { $0.name == ".dynamic" && $0.type == Section.Kind.noBits }) {
            return nil
        }
        // The loader goes by the address.
        let start = mapping.fileOffset(ofAddress: segment.address).map(UInt64.init) ?? segment.offset
        guard let range = view.range(offset: start, size: segment.fileSize) else {
            throw .outside(
                structure: "dynamic section", offset: start, size: segment.fileSize,
                fileSize: view.bytes.count)
        }
        return try DynamicInfo(view, section: range, mapping: mapping)
    }
}
