extension ELFFile {
    /// Offsets in the file of dynamic strings that begin inside `range`: names of symbols, libraries and versions.
    ///
    /// Linkers store a name as the tail of another string, of a RUNPATH for example; whoever changes that string
    /// must leave such tails.
    ///
    /// - Complexity: Linear in the number of dynamic symbols and the size of the version tables.
    public func dynamicNameOffsets(in range: Range<Int>) -> [Int] {
        guard let dynamic, let strings = dynamic.strings else { return [] }
        var found = (dynamic.needed + [dynamic.soname, dynamic.rpath, dynamic.runpath].compactMap { $0 })
            .map(\.offset).filter(range.contains)
        let symbols =
            sections.first { $0.type == Section.Kind.dynamicSymbols }?.fileRange ?? dynamic.tables.symbols
        // st_name is the first word of a symbol in both classes.
        let size = is64Bit ? 24 : 16
        if let symbols {
            var offset = symbols.lowerBound
            while offset + size <= symbols.upperBound {
                if let name = view.read(UInt32.self, at: offset),
                    strings.lowerBound + Int(name) < strings.upperBound,
                    range.contains(strings.lowerBound + Int(name))
                {
                    found.append(strings.lowerBound + Int(name))
                }
                offset += size
            }
        }
        // Version names: every aligned word of the version tables, which is a superset of their name fields.
        let versions = sections.filter { [0x6fff_fffd, 0x6fff_fffe].contains($0.type) }.map(\.fileRange)
        // Each byte once, however many sections lie there.
        for part in disjoint(versions) {
            var offset = part.lowerBound
            while offset + 4 <= part.upperBound {
                if let name = view.read(UInt32.self, at: offset),
                    strings.lowerBound + Int(name) < strings.upperBound,
                    range.contains(strings.lowerBound + Int(name))
                {
                    found.append(strings.lowerBound + Int(name))
                }
                offset += 4
            }
        }
        return found.sorted()
    }
}
