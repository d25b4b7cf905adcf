extension ELFEditor {
    /// Renames dynamic symbols, those that the file has as well as those that it needs.
    ///
    /// The symbols stay in their order. Where the table that finds them by hash then no longer fits that order, it gets
    /// a single chain, which is correct and a little slower.
    ///
    /// - Throws: ``ELFError/notDynamic`` where the number of symbols is not known.
    public mutating func renameSymbols(_ renames: [[UInt8]: [UInt8]]) throws(ELFError) {
        for name in renames.values
        where name.isEmpty || name.contains(0) || name.count > DynamicInfo.longestPath {
            throw .text(what: "symbol name")
        }
        guard var names, let symbols = names.symbols else { throw .notDynamic }
        let size = format.is64Bit ? 24 : 16
        for position in stride(from: symbols.lowerBound + size, to: symbols.upperBound, by: size) {
            let offset = withView { $0.read(UInt32.self, at: position) } ?? 0
            guard let old = string(at: UInt64(offset)), let new = renames[old], old != new else { continue }
            names.renamed[position] = new
        }
        self.names = names
    }

    /// Makes the hash tables anew after symbols were renamed.
    ///
    /// - Parameter strings: The dynamic string table.
    mutating func rebuildHashes(_ strings: [UInt8]) throws(ELFError) {
        guard let names, let symbols = names.symbols, let dynamicTable, !names.renamed.isEmpty else { return }
        let size = format.is64Bit ? 24 : 16
        let texts = withView { view in
            stride(from: symbols.lowerBound, to: symbols.upperBound, by: size).map { position in
                strings.dropFirst(Int(view.read(UInt32.self, at: position) ?? 0)).prefix { $0 != 0 }
            }
        }
        if dynamicTable[DynamicTag.gnuHash] != nil {
            guard let start = names.gnuHash else { throw Self.noHash }
            let first = symbols.lowerBound + Int(withView { $0.read(UInt32.self, at: start + 4) } ?? 0) * size
            // Symbols before the first are those that the file needs, which are in no table.
            if names.renamed.keys.contains(where: { $0 >= first }) { try rebuildGNUHash(at: start, texts) }
        }
        if dynamicTable[DynamicTag.symbolHash] != nil {
            guard let start = names.symbolHash else { throw Self.noHash }
            try rebuildHash(at: start, texts)
        }
    }

    private static let noHash = ELFError.field(name: "hash table", value: 0, offset: 0)

    /// Source: `elf/dl-lookup.c`, glibc 2.41: a chain for each bucket, in the order of the symbols.
    private mutating func rebuildGNUHash(at start: Int, _ texts: [ArraySlice<UInt8>]) throws(ELFError) {
        let word = format.wordSize
        let fields = withView { view in
            [0, 4, 8, 12].map { Int(view.read(UInt32.self, at: start + $0) ?? 0) }
        }
        let (buckets, first, filters, shift) = (fields[0], fields[1], fields[2], fields[3])
        let filterStart = start + 16
        let bucketStart = filterStart + filters * word
        guard buckets > 0, filters > 0, shift < 32, first <= texts.count,
            withView({ $0.contains(filterStart, filters * word + (buckets + texts.count - first) * 4) })
        else { throw Self.noHash }
        let hashes = texts[first...].map { text in text.reduce(UInt32(5381)) { $0 &* 33 &+ UInt32($1) } }
        let isGrouped = zip(hashes, hashes.dropFirst()).allSatisfy {
            $0 % UInt32(buckets) <= $1 % UInt32(buckets)
        }
        let count = isGrouped ? buckets : 1
        var filter = [UInt64](repeating: 0, count: filters)
        var heads = [UInt32](repeating: 0, count: count)
        var chains: [UInt32] = []
        let bits = UInt32(word * 8)
        for (index, hash) in hashes.enumerated() {
            filter[Int(hash / bits) % filters] |=
                1 << UInt64(hash % bits) | 1 << UInt64((hash >> UInt32(shift)) % bits)
            let bucket = Int(hash) % count
            if heads[bucket] == 0 { heads[bucket] = UInt32(first + index) }
            let isLast = index + 1 == hashes.count || Int(hashes[index + 1]) % count != bucket
            chains.append(isLast ? hash | 1 : hash & ~1)
        }
        format.store(UInt32(count), in: &image, at: start)
        for (index, value) in filter.enumerated() {
            format.storeWord(value, in: &image, at: filterStart + index * word)
        }
        for (index, value) in (heads + chains).enumerated() {
            format.store(value, in: &image, at: bucketStart + index * 4)
        }
    }

    /// Source: System V gABI, chapter 5, "Hash Table".
    private mutating func rebuildHash(at start: Int, _ texts: [ArraySlice<UInt8>]) throws(ELFError) {
        let buckets = withView { Int($0.read(UInt32.self, at: start) ?? 0) }
        let count = withView { Int($0.read(UInt32.self, at: start + 4) ?? 0) }
        guard buckets > 0, count == texts.count, withView({ $0.contains(start + 8, (buckets + count) * 4) })
        else {
            throw Self.noHash
        }
        var heads = [UInt32](repeating: 0, count: buckets)
        var chains = [UInt32](repeating: 0, count: count)
        for (index, text) in texts.enumerated().dropFirst() {
            let hash = text.reduce(UInt32(0)) { hash, byte in
                let shifted = (hash << 4) &+ UInt32(byte)
                let high = shifted & 0xf000_0000
                return (shifted ^ high >> 24) & ~high
            }
            let bucket = Int(hash) % buckets
            chains[index] = heads[bucket]
            heads[bucket] = UInt32(index)
        }
        for (index, value) in (heads + chains).enumerated() {
            format.store(value, in: &image, at: start + 8 + index * 4)
        }
    }
}
