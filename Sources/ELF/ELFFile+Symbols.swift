extension ELFFile {
    /// Whether the file takes a function or variable of this name from a library.
    ///
    /// - Complexity: Linear in the dynamic symbols.
    public func takesSymbol(_ name: String) -> Bool {
        guard let dynamic, let strings = dynamic.strings else { return false }
        let symbols =
            sections.first { $0.type == Section.Kind.dynamicSymbols }?.fileRange ?? dynamic.tables.symbols
        guard let symbols else { return false }
        let wanted = Array(name.utf8) + [0]
        let size = view.is64Bit ? 24 : 16
        for symbol in stride(from: symbols.lowerBound, through: symbols.upperBound - size, by: size) {
            guard let text = view.read(UInt32.self, at: symbol),
                let section = view.read(UInt16.self, at: symbol + (view.is64Bit ? 6 : 14)), section == 0
            else { continue }
            if Int(text) < strings.count, view.matches(wanted, at: strings.lowerBound + Int(text)) {
                return true
            }
        }
        return false
    }
}
