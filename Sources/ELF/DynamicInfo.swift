/// What the dynamic section tells the loader.
///
/// Source: System V gABI, chapter 5, "Dynamic Section"; `elf/elf.h`, glibc 2.41.
public struct DynamicInfo: Hashable, Sendable {
    /// Libraries a file may need: more than any program has, few enough to read.
    static let mostNeeded = 16_384
    /// Bytes a library's name may have: no longer path can be opened.
    static let longestName = 4096
    /// Bytes a list of directories may have.
    static let longestPath = 1 << 20

    /// The libraries it needs (`DT_NEEDED`), in order.
    public let needed: [EmbeddedString]
    /// The name other files need it by (`DT_SONAME`).
    public let soname: EmbeddedString?
    /// Directories searched before `LD_LIBRARY_PATH` (`DT_RPATH`).
    public let rpath: EmbeddedString?
    /// Directories searched after `LD_LIBRARY_PATH` (`DT_RUNPATH`).
    public let runpath: EmbeddedString?
    /// `DT_FLAGS`.
    public let flags: UInt64
    /// `DT_FLAGS_1`.
    public let flags1: UInt64
    /// Where the dynamic string table is in the file.
    public let strings: Range<Int>?

    /// Where its version definitions begin in the file (`DT_VERDEF`).
    let definitions: Int?
    /// How many version definitions it says it has (`DT_VERDEFNUM`).
    let definitionCount: UInt64
    /// Where the versions it needs of other libraries begin in the file (`DT_VERNEED`).
    let requirements: Int?
    /// How many libraries it says it needs versions of (`DT_VERNEEDNUM`).
    let requirementCount: UInt64

    /// Where the global offset table is in memory (`DT_PLTGOT`).
    let offsetTable: UInt64?

    /// Tables, each within the file.
    struct Tables: Hashable, Sendable {
        /// Relocations with addends, without, and the PLT's.
        var addends: [Range<Int>] = []
        var inPlace: [Range<Int>] = []
        /// Packed relative relocations.
        var packed: Range<Int>?
        /// The dynamic symbols; their count is a guess when the file has no sections.
        var symbols: Range<Int>?
        /// Beginnings of hash and version tables, whose sizes the section does not tell.
        var others: [Int] = []
    }
    let tables: Tables

    /// Whether the file says it is a program and not a library (`DF_1_PIE`).
    public var isProgram: Bool { flags1 & 0x0800_0000 != 0 }

    init(_ view: ByteView, section: Range<Int>, mapping: AddressMap) throws(ELFError) {
        var values: [UInt64: UInt64] = [:]
        var neededOffsets: [UInt64] = []
        var offset = section.lowerBound
        while offset < section.upperBound, let tag = view.word(at: offset), tag != 0,
            let value = view.word(at: offset + view.wordSize)
        {
            // Tags are signed: those of 32-bit files need no extension, as none is negative.
            switch tag {
            case 1:
                guard neededOffsets.count < Self.mostNeeded else {
                    throw .tooMany(structure: "list of needed libraries", limit: Self.mostNeeded)
                }
                neededOffsets.append(value)
            case 2...10, 14, 15, 17...20, 23, 29, 30, 35, 36, 0x6fff_fff0...0x6fff_ffff, 0x6fff_fef5:
                values[tag] = value
            default: break
            }
            offset += 2 * view.wordSize
        }

        func table(_ address: UInt64, _ size: UInt64) -> Range<Int>? {
            guard let address = values[address], let start = mapping.fileOffset(ofAddress: address),
                let size = values[size]
            else { return nil }
            return view.clamped(offset: UInt64(start), size: size)
        }
        let strings = table(5, 10)
        func string(_ offset: UInt64, longest: Int) throws(ELFError) -> EmbeddedString {
            guard let strings, offset < UInt64(strings.count),
                let bytes = view.string(
                    at: strings.lowerBound + Int(offset), before: strings.upperBound, longest: longest)
            else { throw .string(structure: "dynamic string table", offset: offset) }
            return EmbeddedString(
                offset: strings.lowerBound + Int(offset), bytes: bytes, room: bytes.count + 1)
        }
        var needed: [EmbeddedString] = []
        for offset in neededOffsets { needed.append(try string(offset, longest: Self.longestName)) }
        self.needed = needed
        self.strings = strings
        soname = if let value = values[14] { try string(value, longest: Self.longestName) } else { nil }
        rpath = if let value = values[15] { try string(value, longest: Self.longestPath) } else { nil }
        runpath = if let value = values[29] { try string(value, longest: Self.longestPath) } else { nil }
        definitions = values[0x6fff_fffc].flatMap(mapping.fileOffset(ofAddress:))
        definitionCount = values[0x6fff_fffd] ?? 0
        requirements = values[0x6fff_fffe].flatMap(mapping.fileOffset(ofAddress:))
        requirementCount = values[0x6fff_ffff] ?? 0
        offsetTable = values[3]
        flags = values[30] ?? 0
        flags1 = values[0x6fff_fffb] ?? 0

        var tables = Tables()
        if let range = table(7, 8) { tables.addends.append(range) }
        if let range = table(17, 18) { tables.inPlace.append(range) }
        if let range = table(23, 2) {
            if values[20] == 7 { tables.addends.append(range) } else { tables.inPlace.append(range) }
        }
        tables.packed = table(36, 35)
        if let address = values[6], let start = mapping.fileOffset(ofAddress: address), let strings {
            // Every linker puts the strings right after the symbols.
            if start < strings.lowerBound { tables.symbols = start..<strings.lowerBound }
        }
        tables.others = [4, 0x6fff_fef5, 0x6fff_fff0, 0x6fff_fffc, 0x6fff_fffe].compactMap {
            values[$0].flatMap(mapping.fileOffset(ofAddress:))
        }
        self.tables = tables
    }
}
