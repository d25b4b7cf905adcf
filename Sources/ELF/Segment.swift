/// What an ELF file is (`e_type`).
public enum FileType: Hashable, Sendable {
    /// An object file (`ET_REL`).
    case relocatable
    /// A program at a fixed address (`ET_EXEC`).
    case executable
    /// A shared library, or a program at any address (`ET_DYN`).
    case dynamic
    /// A memory dump (`ET_CORE`).
    case core
    /// Any other, by its number.
    case other(UInt16)

    /// Reads the field's value.
    public init(_ number: UInt16) {
        self =
            switch number {
            case 1: .relocatable
            case 2: .executable
            case 3: .dynamic
            case 4: .core
            default: .other(number)
            }
    }
}

/// A program header: what the kernel and the loader map and read.
///
/// The numbers are the file's own and unchecked; ``fileRange`` is within the file.
public struct Segment: Hashable, Sendable {
    /// `PT_LOAD`.
    public static let load: UInt32 = 1
    /// `PT_DYNAMIC`.
    public static let dynamic: UInt32 = 2
    /// `PT_INTERP`.
    public static let interpreter: UInt32 = 3
    /// `PT_NOTE`.
    public static let note: UInt32 = 4
    /// `PT_GNU_EH_FRAME`.
    public static let unwinding: UInt32 = 0x6474_e550

    /// What it is (`p_type`).
    public let type: UInt32
    /// `PF_X` 1, `PF_W` 2, `PF_R` 4.
    public let flags: UInt32
    /// Where it is in the file, in bytes.
    public let offset: UInt64
    /// Where it is in memory.
    public let address: UInt64
    /// Bytes of it in the file.
    public let fileSize: UInt64
    /// Bytes of it in memory.
    public let memorySize: UInt64
    /// The part of it that the file has.
    public let fileRange: Range<Int>

    /// Whether it is mapped for execution.
    public var isExecutable: Bool { flags & 1 != 0 }
    /// Whether it is mapped for writing.
    public var isWritable: Bool { flags & 2 != 0 }

    /// Bytes of a program header.
    static func size(is64Bit: Bool) -> Int { is64Bit ? 56 : 32 }

    init?(_ view: ByteView, at offset: Int) {
        let wide = view.is64Bit
        guard let type = view.read(UInt32.self, at: offset),
            let flags = view.read(UInt32.self, at: offset + (wide ? 4 : 24)),
            let position = view.word(at: offset + (wide ? 8 : 4)),
            let address = view.word(at: offset + (wide ? 16 : 8)),
            let fileSize = view.word(at: offset + (wide ? 32 : 16)),
            let memorySize = view.word(at: offset + (wide ? 40 : 20))
        else { return nil }
        self.type = type
        self.flags = flags
        self.offset = position
        self.address = address
        self.fileSize = fileSize
        self.memorySize = memorySize
        fileRange = view.clamped(offset: position, size: fileSize)
    }
}
