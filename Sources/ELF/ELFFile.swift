/// An ELF file: its headers, its dynamic section and what its bytes are for.
///
/// It borrows the bytes it was made from, which must outlive it. No input makes it trap, and all it
/// does takes time linear in the file's size (times a logarithm).
///
/// What the kernel needs must be sound, or ``init(parsing:)`` throws; other parts that are damaged are treated as
/// absent, as the loader ignores them: see ``hasDamagedSections`` and ``damage``.
///
/// Source: System V gABI, chapters 4 and 5; `fs/binfmt_elf.c`, Linux 6.12.
public struct ELFFile {
    /// The processor it is for.
    public let machine: Machine
    /// Whether its addresses have 64 bits.
    public let is64Bit: Bool
    /// Whether its integers are little-endian.
    public let isLittleEndian: Bool
    /// What it is.
    public let type: FileType
    /// Its program headers, in order.
    public let segments: [Segment]
    /// Its section headers, in order; empty when it has none or they are damaged.
    public let sections: [Section]
    /// Whether it has a section table that cannot be read.
    public let hasDamagedSections: Bool
    /// The loader it asks the kernel for, with the room for another.
    public let interpreter: EmbeddedString?
    /// What it tells the loader; nil when it has no dynamic section, or a damaged one.
    public let dynamic: DynamicInfo?
    /// Why ``dynamic`` or ``interpreter`` is nil though the file has such a segment.
    public let damage: ELFError?

    let view: ByteView
    let mapping: AddressMap
    let regions: RegionMap

    /// The four bytes every ELF file begins with.
    public static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

    /// Whether the bytes begin as an ELF file's do.
    public static func isELF(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: magic)
    }

    /// Parses a file's headers.
    ///
    /// - Parameter bytes: The file, which must outlive the value.
    /// - Throws: ``ELFError``, naming the first field that is wrong.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(ELFError) {
        guard Self.isELF(bytes) else { throw .notELF }
        guard bytes.count >= 16 else {
            throw .outside(structure: "ELF header", offset: 0, size: 16, fileSize: bytes.count)
        }
        guard bytes[4] == 1 || bytes[4] == 2 else {
            throw .field(name: "class", value: UInt64(bytes[4]), offset: 4)
        }
        guard bytes[5] == 1 || bytes[5] == 2 else {
            throw .field(name: "byte order", value: UInt64(bytes[5]), offset: 5)
        }
        let view = ByteView(bytes: bytes, isLittleEndian: bytes[5] == 1, is64Bit: bytes[4] == 2)
        let header = try Header(view)
        let table = try SectionTable(view, header: header)
        let segments = try Self.parseSegments(view, header: header, extended: table.segmentCount)
        let mapping = AddressMap(segments)

        self.view = view
        self.mapping = mapping
        is64Bit = view.is64Bit
        isLittleEndian = view.isLittleEndian
        machine = Machine(header.machine)
        type = FileType(header.type)
        self.segments = segments
        sections = table.sections
        hasDamagedSections = table.isDamaged

        var damage: ELFError?
        var interpreter: EmbeddedString?
        var dynamic: DynamicInfo?
        do throws(ELFError) {
            interpreter = try Self.parseInterpreter(view, segments: segments)
        } catch {
            damage = error
        }
        do throws(ELFError) {
            dynamic = try Self.parseDynamic(view, segments: segments, sections: sections, mapping: mapping)
        } catch {
            damage = damage ?? error
        }
        self.damage = damage
        self.interpreter = interpreter
        self.dynamic = dynamic
        regions = RegionMap(
            header: header, headerSize: view.is64Bit ? 64 : 52, table: table, segments: segments,
            interpreter: interpreter, dynamic: dynamic, view: view)
    }

    /// Parses headers of an array and passes the file to `body`, for as long as the array's bytes stay put.
    public static func withFile<Result>(
        parsing bytes: [UInt8], _ body: (ELFFile) throws -> Result
    ) throws -> Result {
        try bytes.withUnsafeBytes { try body(try ELFFile(parsing: $0)) }
    }

    /// Whether it is a program that the kernel may put at any address, with or without a loader.
    public var isPIE: Bool {
        type == .dynamic && (interpreter != nil || dynamic?.isProgram == true)
    }

    /// Whether it is a program at any address that needs no loader.
    public var isStaticPIE: Bool {
        type == .dynamic && interpreter == nil && dynamic?.isProgram == true
    }

    /// Whether it was made by Go, whose strings have no terminators.
    public var isGo: Bool {
        sections.contains {
            $0.name == ".go.buildinfo" || $0.name == ".gopclntab" || $0.name == ".note.go.buildid"
        }
    }

    /// Whether it has parts made by Rust, whose strings have no terminators.
    ///
    /// - Complexity: Linear in the size of the read-only data, at memory speed.
    public var isRust: Bool {
        let comments = sections.filter { $0.name == ".comment" }.map(\.fileRange)
        if disjoint(comments).contains(where: { contains("rustc", in: $0) }) { return true }
        let data =
            sections.isEmpty
            ? segments.filter { $0.type == Segment.load }.map(\.fileRange)
            : sections.filter { $0.name.hasPrefix(".rodata") || $0.name.hasPrefix(".data.rel.ro") }
                .map(\.fileRange)
        return disjoint(data).contains { contains("/rustc/", in: $0) }
    }

    /// Whether it may hold strings without terminators, one right after the other.
    public var hasStringBlobs: Bool { isGo || isRust }

    /// The address that the byte at an offset of the file is mapped at.
    ///
    /// - Complexity: Logarithmic in the number of segments.
    public func address(ofFileOffset offset: Int) -> UInt64? {
        mapping.address(ofFileOffset: offset)
    }

    /// The offset in the file of the byte that is mapped at an address.
    ///
    /// - Complexity: Logarithmic in the number of segments.
    public func fileOffset(ofAddress address: UInt64) -> Int? {
        mapping.fileOffset(ofAddress: address)
    }

    private func contains(_ text: String, in range: Range<Int>) -> Bool {
        !view.occurrences(of: Array(text.utf8), in: range, limit: 1).isEmpty
    }
}
