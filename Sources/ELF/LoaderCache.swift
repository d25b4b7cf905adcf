/// The list of libraries that glibc's loader looks names up in: `/etc/ld.so.cache`.
///
/// Written in the new format only, which glibc reads since 2.2.
///
/// Source: `sysdeps/generic/dl-cache.h`, `sysdeps/generic/ldconfig.h`, `elf/cache.c`, glibc 2.41.
public struct LoaderCache: Hashable, Sendable {
    /// A library: the name it is needed by, and where it is.
    public struct Entry: Hashable, Sendable {
        /// The name that `DT_NEEDED` has, `libc.so.6` for example.
        public var soname: [UInt8]
        /// The file's absolute path.
        public var path: [UInt8]
        /// The directory of `glibc-hwcaps` that it is in, `x86-64-v3` for example, which says what the processor has to
        /// have; nil if any will do.
        public var capability: [UInt8]?

        /// Creates an entry.
        public init(soname: [UInt8], path: [UInt8], capability: [UInt8]? = nil) {
            self.soname = soname
            self.path = path
            self.capability = capability
        }
    }

    /// A library in a cache that was read, with its flags.
    public struct FlaggedEntry: Hashable, Sendable {
        /// The library.
        public let entry: Entry
        /// The ABI it is for: see ``flags(for:is64Bit:)``.
        public let flags: UInt32
        /// The processor features it is for; 0 for all.
        public let hardware: UInt64
    }

    /// Entries of a cache that was read, in its order.
    public let entries: [FlaggedEntry]

    /// Bytes a name or path may have: no longer one can be opened.
    static let longest = 4096
    static let magic = Array("glibc-ld.so.cache1.1".utf8)
    static let oldMagic = Array("ld.so-1.7.0".utf8)
    static let headerSize = 48
    static let entrySize = 24
    /// Begins the part of the file that older loaders do not read (`cache_extension_magic`).
    static let extensionMagic: UInt32 = 0xeaa4_2174
    /// Marks an entry whose processor feature is a number in that part's list of names (`DL_CACHE_HWCAP_EXTENSION`).
    static let extensionMark: UInt64 = 1 << 62

    /// The flags by which the loader takes a library of a machine: `FLAG_ELF_LIBC6` and the ABI.
    ///
    /// ARM, RISC-V and LoongArch have the number of their ABI with floating-point registers.
    public static func flags(for machine: Machine, is64Bit: Bool = true) -> UInt32? {
        switch machine {
        case .x86_64: is64Bit ? 0x0303 : 0x0803
        case .x86: 0x0003
        case .arm64: 0x0a03
        case .arm: 0x0903
        case .ppc64: 0x0503
        case .s390: is64Bit ? 0x0403 : 0x0003
        case .riscv: is64Bit ? 0x1003 : nil
        case .loongarch: 0x1203
        case .other: nil
        }
    }

    /// Renders a cache; of several libraries with one name and capability the first is in it.
    ///
    /// The same entries make the same bytes.
    ///
    /// - Parameters:
    ///   - entries: The libraries, those that are to be preferred first.
    ///   - machine: The processor they are for.
    ///   - is64Bit: Whether their addresses have 64 bits.
    ///   - isLittleEndian: Their byte order.
    /// - Throws: ``ELFError`` for a name or machine that no cache can have.
    public static func render(
        _ entries: [Entry], machine: Machine, is64Bit: Bool = true, isLittleEndian: Bool = true
    ) throws(ELFError) -> [UInt8] {
        guard let flags = flags(for: machine, is64Bit: is64Bit) else { throw .cacheMachine(machine) }
        var seen: Set<[[UInt8]]> = []
        var kept: [Entry] = []
        for entry in entries where seen.insert([entry.soname, entry.capability ?? []]).inserted {
            for text in [entry.soname, entry.path, entry.capability ?? entry.soname]
            where text.isEmpty || text.count > longest || text.contains(0) {
                throw .cacheEntry(soname: String(decoding: entry.soname, as: UTF8.self))
            }
            kept.append(entry)
        }
        let order = LoaderNameOrder(machine)
        // The loader halves a list that descends. Names it holds for equal stay in the caller's order.
        let sorted = kept.enumerated().sorted { left, right in
            let result = order.compare(left.element.soname, right.element.soname)
            guard result == 0 else { return result > 0 }
            // The loader stops at the first that is for all processors.
            switch (left.element.capability, right.element.capability) {
            case (let a?, let b?) where a != b: return a.lexicographicallyPrecedes(b)
            case (.some, nil): return true
            case (nil, .some): return false
            default: return left.offset < right.offset
            }
        }.map(\.element)
        let capabilities = Set(sorted.compactMap(\.capability)).sorted { $0.lexicographicallyPrecedes($1) }

        let stringsStart = headerSize + entrySize * sorted.count
        var strings: [UInt8] = []
        var table: [UInt8] = []
        func append(_ value: UInt32, to bytes: inout [UInt8]) {
            withUnsafeBytes(of: isLittleEndian ? value.littleEndian : value.bigEndian) { bytes += $0 }
        }
        for entry in sorted {
            let path = stringsStart + strings.count
            strings += entry.path + [0]
            var name = path
            if entry.path.count >= entry.soname.count,
                entry.path.suffix(entry.soname.count) == entry.soname[...]
            {
                name += entry.path.count - entry.soname.count
            } else {
                name = stringsStart + strings.count
                strings += entry.soname + [0]
            }
            guard stringsStart + strings.count <= Int(Int32.max) else {
                throw .tooMany(structure: "loader cache", limit: sorted.count)
            }
            append(flags, to: &table)
            append(UInt32(name), to: &table)
            append(UInt32(path), to: &table)
            append(0, to: &table)  // any version of the OS
            let number = entry.capability.flatMap { capabilities.firstIndex(of: $0) }
            let feature = number.map { extensionMark | UInt64($0) } ?? 0
            let halves = [UInt32(truncatingIfNeeded: feature), UInt32(feature >> 32)]
            for half in isLittleEndian ? halves : halves.reversed() { append(half, to: &table) }
        }
        let names = capabilities.map { capability in
            defer { strings += capability + [0] }
            return UInt32(stringsStart + strings.count)
        }
        while !names.isEmpty, (stringsStart + strings.count) % 4 != 0 { strings.append(0) }
        var cache = magic
        append(UInt32(sorted.count), to: &cache)
        append(UInt32(strings.count), to: &cache)
        cache.append(isLittleEndian ? 2 : 3)
        cache += [0, 0, 0]
        let end = stringsStart + strings.count
        append(names.isEmpty ? 0 : UInt32(end), to: &cache)
        cache += [UInt8](repeating: 0, count: headerSize - cache.count)
        cache += table + strings
        guard !names.isEmpty else { return cache }
        // One section (`cache_extension_tag_glibc_hwcaps`): where the names are, in their order.
        for value in [extensionMagic, 1, 1, 0, UInt32(end + 24), UInt32(4 * names.count)] + names {
            append(value, to: &cache)
        }
        return cache
    }
}

/// The order of names in the cache: like text, but runs of digits like numbers.
///
/// Source: `_dl_cache_libcmp` in `elf/dl-cache.c`, glibc 2.41. It compares `char`, which is signed on some machines,
/// and lets long numbers wrap; a list in any other order is one the loader's binary search fails on.
public struct LoaderNameOrder: Sendable {
    private let isSigned: Bool

    /// The order that the loader of a machine has.
    public init(_ machine: Machine) {
        isSigned = machine == .x86_64 || machine == .x86 || machine == .loongarch
    }

    /// Compares names: negative, 0 or positive, as strcmp(3) does.
    public func compare(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var (i, j) = (0, 0)
        while let a = byte(left, i) {
            let b = byte(right, j)
            switch (isDigit(a), b.map(isDigit) ?? false) {
            case (true, true):
                let (x, y) = (number(left, &i), number(right, &j))
                if x != y { return Int(x &- y) }
            case (true, false): return 1
            case (false, true): return -1
            case (false, false):
                guard let b, a == b else { return value(a) - value(b ?? 0) }
                i += 1
                j += 1
            }
        }
        return -value(byte(right, j) ?? 0)
    }

    private func byte(_ name: [UInt8], _ index: Int) -> UInt8? { index < name.count ? name[index] : nil }

    private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private func value(_ byte: UInt8) -> Int { isSigned ? Int(Int8(bitPattern: byte)) : Int(byte) }

    private func number(_ name: [UInt8], _ index: inout Int) -> Int32 {
        var result: Int32 = 0
        while let digit = byte(name, index), isDigit(digit) {
            result = result &* 10 &+ Int32(digit - 0x30)
            index += 1
        }
        return result
    }
}
