/// Changes what a linked ELF file tells the kernel and the loader: interpreter, search path, needed libraries.
///
/// Operations change the value; ``bytes()`` gives the new file, which depends on the old one and the operations alone.
/// What fits is written where it was. What does not is put into a segment behind the file's end; nothing that the
/// program addresses moves. A further edit writes that segment anew.
///
/// Source: System V gABI, chapters 4 and 5; `fs/binfmt_elf.c`, Linux 6.12; `elf/dl-load.c`, glibc 2.41;
/// `ldso/dynlink.c`, musl 1.2.5.
public struct ELFEditor {
    /// The page size of the appended segment, in bytes; a power of two.
    public let pageSize: Int
    /// Whether bytes that nothing refers to any more stay in the file.
    public let keepsOldBytes: Bool

    /// The file as it was, with what was changed in place.
    var image: [UInt8]
    let format: ByteFormat
    /// What the file is: ``FileType/executable`` or ``FileType/dynamic``.
    public let type: FileType
    /// Where the program headers are in the file, and where the section headers are.
    let segmentTable: Range<Int>
    let sectionTable: Range<Int>?
    var segments: [ProgramHeader]
    var sections: [SectionHeader]
    /// The interpreter's path and its place; `nil` for what needs none.
    var interpreterPlace: Range<Int>?
    var interpreterText: [UInt8]?
    var dynamicTable: DynamicTable?
    var names: DynamicNames?

    /// Parses a file.
    ///
    /// - Parameters:
    ///   - raw: The file; it is copied.
    ///   - pageSize: The page size of a segment that is appended, in bytes; by default the machine's largest.
    ///   - keepsOldBytes: Whether bytes that nothing refers to any more stay; by default they become zero.
    /// - Throws: ``ELFError``, if it is damaged or no program or library.
    public init(
        parsing raw: UnsafeRawBufferPointer, pageSize: Int? = nil, keepsOldBytes: Bool = false
    ) throws(ELFError) {
        let file = try ELFFile(parsing: raw)
        let view = file.view
        guard file.type == .executable || file.type == .dynamic else { throw .notLinked }
        // Detached debugging information has the headers of the program and none of its bytes.
        if file.sections.contains(where: { $0.type == Section.Kind.noBits && Self.hasBytes.contains($0.name) }
        ) {
            throw .detachedDebugging
        }
        // Where two segments are mapped over each other, nobody can say which of them holds what is to be changed.
        try file.checkLayout()
        let header = try Header(view)
        guard header.segmentCount < 0xffff else {
            throw .tooMany(structure: "program header table", limit: 0xfffe)
        }
        let entry = Segment.size(is64Bit: view.is64Bit)
        let start = header.segmentCount == 0 ? 0 : Int(header.segmentOffset)
        segmentTable = start..<start + Int(header.segmentCount) * entry
        segments = stride(from: segmentTable.lowerBound, to: segmentTable.upperBound, by: entry).compactMap {
            ProgramHeader(view, at: $0)
        }
        for (index, segment) in segments.enumerated() where segment.type == Segment.load {
            guard view.is64Bit || segment.address + segment.memorySize <= 1 << 32 else {
                throw .field(
                    name: "p_memsz", value: segment.memorySize,
                    offset: start + index * entry + (view.is64Bit ? 40 : 20))
            }
        }
        let table = try SectionTable(view, header: header)
        sectionTable = table.range
        let width = Section.size(is64Bit: view.is64Bit)
        sections = zip(table.sections, stride(from: table.range?.lowerBound ?? 0, to: .max, by: width))
            .compactMap { SectionHeader(view, at: $1, section: $0) }

        format = ByteFormat(isLittleEndian: view.isLittleEndian, is64Bit: view.is64Bit)
        type = file.type
        interpreterPlace = file.interpreter.map { $0.offset..<$0.offset + $0.room }
        interpreterText = file.interpreter?.bytes
        self.keepsOldBytes = keepsOldBytes
        self.pageSize = pageSize ?? file.machine.largestPage
        guard self.pageSize > 0, self.pageSize & (self.pageSize - 1) == 0, self.pageSize <= 1 << 30 else {
            throw .pageSize(self.pageSize)
        }
        dynamicTable = try DynamicTable(file)
        if let dynamicTable { names = try DynamicNames(file, table: dynamicTable) }
        image = Array(raw)
    }

    /// Sections of which a linked file has the bytes, if it has the section.
    private static let hasBytes: Set<String> = [".interp", ".dynamic", ".dynstr", ".text", ".init"]

    /// The loader's path (`PT_INTERP`); `nil` for a static program or a library without one.
    public var interpreter: [UInt8]? { interpreterText }

    /// Changes the loader's path.
    ///
    /// - Throws: ``ELFError/noInterpreter`` where there is none, ``ELFError/text(what:)`` for a path the kernel refuses.
    public mutating func setInterpreter(_ path: [UInt8]) throws(ELFError) {
        guard interpreterText != nil else { throw .noInterpreter }
        guard (1..<4096).contains(path.count), !path.contains(0) else { throw .text(what: "interpreter") }
        interpreterText = path
    }

    /// Whether the file asks for an executable stack (`PT_GNU_STACK`); `nil` if it says nothing.
    public var wantsExecutableStack: Bool? {
        segments.first { $0.type == ProgramHeader.stack }.map { $0.flags & 1 != 0 }
    }

    /// Asks for an executable stack, or for one that is not.
    public mutating func setExecutableStack(_ wanted: Bool) {
        guard let index = segments.firstIndex(where: { $0.type == ProgramHeader.stack }) else {
            segments.append(
                ProgramHeader(type: ProgramHeader.stack, flags: wanted ? 7 : 6, alignment: 16))
            return
        }
        segments[index].flags = wanted ? segments[index].flags | 1 : segments[index].flags & ~1
    }

    /// A view of the bytes as they are now.
    func withView<Result>(_ body: (ByteView) -> Result) -> Result {
        image.withUnsafeBytes {
            body(
                ByteView(bytes: $0, isLittleEndian: format.isLittleEndian, is64Bit: format.is64Bit))
        }
    }
}

extension Machine {
    /// The largest page of the machine's kernels, in bytes: what a segment must be aligned to.
    ///
    /// Source: `ELF_MAXPAGESIZE` in `bfd/elf*.c`, binutils 2.40.
    var largestPage: Int {
        switch self {
        case .arm64, .ppc64, .loongarch, .other: 1 << 16
        case .x86_64, .x86, .arm, .riscv, .s390: 1 << 12
        }
    }
}
