/// A section header: what linkers and debuggers read; the loader does not.
///
/// The numbers are the file's own and unchecked; ``fileRange`` is within the file.
public struct Section: Hashable, Sendable {
    /// Bytes of a name that are kept.
    static let longestName = 256

    /// The name, `.rodata` for example.
    public let name: String
    /// What it is (`sh_type`).
    public let type: UInt32
    /// `SHF_WRITE` 1, `SHF_ALLOC` 2, `SHF_EXECINSTR` 4 and others.
    public let flags: UInt64
    /// Where it is in memory.
    public let address: UInt64
    /// Where it is in the file, in bytes.
    public let offset: UInt64
    /// Its bytes, in memory and, unless it is `SHT_NOBITS`, in the file.
    public let size: UInt64
    /// The part of it that the file has; empty for `SHT_NOBITS`.
    public let fileRange: Range<Int>

    /// Whether it is in memory when the program runs.
    public var isLoaded: Bool { flags & 2 != 0 }
    /// Whether it holds instructions.
    public var isExecutable: Bool { flags & 4 != 0 }
    /// Whether the program may write to it.
    public var isWritable: Bool { flags & 1 != 0 }

    /// Types, as `SHT_` of elf.h.
    enum Kind {
        static let symbols: UInt32 = 2
        static let strings: UInt32 = 3
        static let addends: UInt32 = 4
        static let dynamic: UInt32 = 6
        static let note: UInt32 = 7
        static let noBits: UInt32 = 8
        static let inPlace: UInt32 = 9
        static let dynamicSymbols: UInt32 = 11

        /// Types that hold what linkers and loaders compute with: symbols, hashes, relocations, versions.
        static let linkage: Set<UInt32> = [
            2, 3, 4, 5, 6, 7, 9, 11, 17, 18, 19,
            0x6fff_fff5, 0x6fff_fff6, 0x6fff_fff7, 0x6fff_fffd, 0x6fff_fffe, 0x6fff_ffff,
        ]
    }

    /// Bytes of a section header.
    static func size(is64Bit: Bool) -> Int { is64Bit ? 64 : 40 }

    init?(_ view: ByteView, at header: Int, names: Range<Int>?) {
        let wide = view.is64Bit
        guard let nameOffset = view.read(UInt32.self, at: header),
            let type = view.read(UInt32.self, at: header + 4),
            let flags = view.word(at: header + 8),
            let address = view.word(at: header + (wide ? 16 : 12)),
            let offset = view.word(at: header + (wide ? 24 : 16)),
            let size = view.word(at: header + (wide ? 32 : 20))
        else { return nil }
        let name = names.flatMap { names in
            view.string(
                at: names.lowerBound + Int(nameOffset), before: names.upperBound, longest: Self.longestName)
        }
        self.name = String(decoding: name ?? [], as: UTF8.self)
        self.type = type
        self.flags = flags
        self.address = address
        self.offset = offset
        self.size = size
        // Type 0 is an unused header, whose fields the first section uses for large counts.
        let hasBytes = type != Kind.noBits && type != 0
        fileRange = hasBytes ? view.clamped(offset: offset, size: size) : 0..<0
    }
}
