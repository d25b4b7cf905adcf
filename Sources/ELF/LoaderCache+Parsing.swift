extension LoaderCache {
    /// Reads a cache: the new format, alone or after the old one, or the old one alone.
    ///
    /// - Throws: ``ELFError``, naming what is not in the file.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(ELFError) {
        var start = 0
        let probe = ByteView(bytes: bytes, isLittleEndian: true, is64Bit: true)
        if probe.matches(Self.oldMagic, at: 0) {
            // Old caches have no mark of their byte order; only little-endian machines are old enough.
            guard let count = probe.read(UInt32.self, at: 12) else {
                throw .outside(structure: "cache header", offset: 0, size: 16, fileSize: bytes.count)
            }
            let end = 16 + 12 * Int(count)
            start = (end + 7) / 8 * 8
            if !probe.matches(Self.magic, at: start) {
                entries = try Self.read(probe, table: 16, count: count, entrySize: 12, strings: end)
                return
            }
        }
        guard probe.matches(Self.magic, at: start) else { throw .notLoaderCache }
        guard let order = probe.read(UInt8.self, at: start + 28) else {
            throw .outside(structure: "cache header", offset: UInt64(start), size: 48, fileSize: bytes.count)
        }
        // 0 is what versions before 2.33 wrote, in the machine's own order.
        guard order & 3 != 1 else {
            throw .field(name: "byte order", value: UInt64(order), offset: start + 28)
        }
        let view = ByteView(bytes: bytes, isLittleEndian: order & 3 != 3, is64Bit: true)
        guard view.contains(start, Self.headerSize), let count = view.read(UInt32.self, at: start + 20) else {
            throw .outside(structure: "cache header", offset: UInt64(start), size: 48, fileSize: bytes.count)
        }
        entries = try Self.read(
            view, table: start + Self.headerSize, count: count, entrySize: Self.entrySize, strings: start)
    }

    /// Reads a cache from an array.
    public init(parsing bytes: [UInt8]) throws(ELFError) {
        let result: Result<LoaderCache, ELFError> = bytes.withUnsafeBytes { buffer in
            do throws(ELFError) {
                return .success(try LoaderCache(parsing: buffer))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    /// Reads entries, whose strings are at distances from `strings`.
    private static func read(
        _ view: ByteView, table: Int, count: UInt32, entrySize: Int, strings: Int
    ) throws(ELFError) -> [FlaggedEntry] {
        guard view.contains(table, Int(count) * entrySize) else {
            throw .outside(
                structure: "list of libraries", offset: UInt64(table),
                size: UInt64(count) * UInt64(entrySize),
                fileSize: view.bytes.count)
        }
        func string(_ distance: UInt32) throws(ELFError) -> [UInt8] {
            guard
                let bytes = view.string(
                    at: strings + Int(distance), before: view.bytes.count, longest: longest)
            else { throw .string(structure: "loader cache", offset: UInt64(distance)) }
            return bytes
        }
        var result: [FlaggedEntry] = []
        result.reserveCapacity(Int(count))
        for offset in stride(from: table, to: table + Int(count) * entrySize, by: entrySize) {
            guard let flags = view.read(UInt32.self, at: offset),
                let name = view.read(UInt32.self, at: offset + 4),
                let path = view.read(UInt32.self, at: offset + 8)
            else { break }
            let hardware = entrySize == Self.entrySize ? view.read(UInt64.self, at: offset + 16) : 0
            result.append(
                FlaggedEntry(
                    entry: Entry(soname: try string(name), path: try string(path)), flags: flags,
                    hardware: hardware ?? 0))
        }
        return result
    }

    /// Finds a library as the loader does: by halving the list.
    ///
    /// - Parameters:
    ///   - soname: The name it is needed by.
    ///   - machine: The processor, whose flags the library must have.
    ///   - is64Bit: Whether addresses have 64 bits.
    /// - Returns: The path of the first library of that name that is for every processor of the machine.
    ///
    /// Source: `search_cache` in `elf/dl-cache.c`, glibc 2.41.
    public func path(of soname: [UInt8], machine: Machine, is64Bit: Bool = true) -> [UInt8]? {
        let order = LoaderNameOrder(machine)
        var left = 0
        var right = entries.count - 1
        while left <= right {
            let middle = (left + right) / 2
            let result = order.compare(soname, entries[middle].entry.soname)
            if result != 0 {
                // The list descends.
                if result < 0 { left = middle + 1 } else { right = middle - 1 }
                continue
            }
            var first = middle
            while first > 0, order.compare(soname, entries[first - 1].entry.soname) == 0 { first -= 1 }
            let flags = Self.flags(for: machine, is64Bit: is64Bit)
            for entry in entries[first...] {
                guard order.compare(soname, entry.entry.soname) == 0 else { return nil }
                if entry.flags == flags, entry.hardware == 0 { return entry.entry.path }
            }
            return nil
        }
        return nil
    }
}
