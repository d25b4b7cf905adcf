/// A program header with all its fields, to be written back.
///
/// Source: System V gABI, chapter 5, "Program Header".
struct ProgramHeader: Equatable {
    /// `PT_NULL`: an entry without a meaning.
    static let unused: UInt32 = 0
    /// `PT_PHDR`.
    static let table: UInt32 = 6
    /// `PT_GNU_STACK`.
    static let stack: UInt32 = 0x6474_e551
    /// `PT_GNU_PROPERTY`.
    static let property: UInt32 = 0x6474_e553

    var type: UInt32
    var flags: UInt32
    var offset: UInt64 = 0
    var address: UInt64 = 0
    var physicalAddress: UInt64 = 0
    var fileSize: UInt64 = 0
    var memorySize: UInt64 = 0
    var alignment: UInt64

    init(type: UInt32, flags: UInt32, alignment: UInt64) {
        self.type = type
        self.flags = flags
        self.alignment = alignment
    }

    init?(_ view: ByteView, at offset: Int) {
        let wide = view.is64Bit
        guard let segment = Segment(view, at: offset),
            let physicalAddress = view.word(at: offset + (wide ? 24 : 12)),
            let alignment = view.word(at: offset + (wide ? 48 : 28))
        else { return nil }
        type = segment.type
        flags = segment.flags
        self.offset = segment.offset
        address = segment.address
        self.physicalAddress = physicalAddress
        fileSize = segment.fileSize
        memorySize = segment.memorySize
        self.alignment = alignment
    }

    func write(to bytes: inout [UInt8], at position: Int, as format: ByteFormat) {
        let wide = format.is64Bit
        format.store(type, in: &bytes, at: position)
        format.store(flags, in: &bytes, at: position + (wide ? 4 : 24))
        format.storeWord(offset, in: &bytes, at: position + (wide ? 8 : 4))
        format.storeWord(address, in: &bytes, at: position + (wide ? 16 : 8))
        format.storeWord(physicalAddress, in: &bytes, at: position + (wide ? 24 : 12))
        format.storeWord(fileSize, in: &bytes, at: position + (wide ? 32 : 16))
        format.storeWord(memorySize, in: &bytes, at: position + (wide ? 40 : 20))
        format.storeWord(alignment, in: &bytes, at: position + (wide ? 48 : 28))
    }

    /// Moves what it describes, which keeps its size.
    mutating func move(by distance: (offset: UInt64, address: UInt64)) {
        offset &+= distance.offset
        address &+= distance.address
        physicalAddress &+= distance.address
    }
}

/// A section header with all its fields, to be written back.
///
/// Source: System V gABI, chapter 4, "Sections".
struct SectionHeader {
    var section: Section
    var address: UInt64
    var offset: UInt64
    var size: UInt64
    let link: UInt32
    let alignment: UInt64

    /// Reads the fields that ``Section`` leaves out.
    init?(_ view: ByteView, at position: Int, section: Section) {
        let wide = view.is64Bit
        guard let link = view.read(UInt32.self, at: position + (wide ? 40 : 24)),
            let alignment = view.word(at: position + (wide ? 48 : 32))
        else { return nil }
        self.section = section
        address = section.address
        offset = section.offset
        size = section.size
        self.link = link
        self.alignment = alignment
    }

    /// Writes the fields that may change.
    func write(to bytes: inout [UInt8], at position: Int, as format: ByteFormat) {
        let wide = format.is64Bit
        format.storeWord(address, in: &bytes, at: position + (wide ? 16 : 12))
        format.storeWord(offset, in: &bytes, at: position + (wide ? 24 : 16))
        format.storeWord(size, in: &bytes, at: position + (wide ? 32 : 20))
    }
}

/// How a file stores integers.
struct ByteFormat: Equatable {
    let isLittleEndian: Bool
    let is64Bit: Bool

    /// Bytes of an address.
    var wordSize: Int { is64Bit ? 8 : 4 }

    /// Stores an integer at an offset that was checked when the file was parsed.
    func store<T: FixedWidthInteger>(_ value: T, in bytes: inout [UInt8], at offset: Int) {
        for index in 0..<MemoryLayout<T>.size {
            let shift = 8 * (isLittleEndian ? index : MemoryLayout<T>.size - 1 - index)
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> shift)
        }
    }

    /// Stores an address: 8 bytes or 4.
    func storeWord(_ value: UInt64, in bytes: inout [UInt8], at offset: Int) {
        if is64Bit {
            store(value, in: &bytes, at: offset)
        } else {
            store(UInt32(truncatingIfNeeded: value), in: &bytes, at: offset)
        }
    }
}
