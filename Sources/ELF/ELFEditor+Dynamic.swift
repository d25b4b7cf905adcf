extension ELFEditor {
    /// Whether there is a dynamic section.
    public var isDynamic: Bool { dynamicTable != nil }

    /// The directories in which the loader looks for needed libraries, separated by colons: `DT_RUNPATH`, or
    /// `DT_RPATH` where there is none; `nil` where there is neither.
    public var searchPath: [UInt8]? {
        text(ofLast: DynamicTag.runpath) ?? text(ofLast: DynamicTag.rpath)
    }

    /// Sets the search path.
    ///
    /// - Parameters:
    ///   - path: Directories, separated by colons.
    ///   - inherited: Whether it is a `DT_RPATH`, which also holds for libraries of libraries and comes before
    ///     `LD_LIBRARY_PATH`. A path of the other kind becomes one of this kind.
    /// - Throws: ``ELFError/notDynamic`` for static programs.
    public mutating func setSearchPath(_ path: [UInt8], inherited: Bool = false) throws(ELFError) {
        guard path.count <= DynamicInfo.longestPath, !path.contains(0) else {
            throw .text(what: "search path")
        }
        var table = try dynamicSection()
        let wanted = inherited ? DynamicTag.rpath : DynamicTag.runpath
        let other = inherited ? DynamicTag.runpath : DynamicTag.rpath
        var isThere = table.entries.contains { $0.tag == wanted }
        if !isThere, let index = table.entries.lastIndex(where: { $0.tag == other }) {
            table.entries[index].tag = wanted
            isThere = true
        }
        // glibc ignores DT_RPATH beside DT_RUNPATH, but whoever wants the one does not want the other.
        if inherited { table.entries.removeAll { $0.tag == other } }
        if !isThere { table.entries.insert(DynamicEntry(tag: wanted, value: 0, text: path), at: 0) }
        dynamicTable = table
        setText(path) { $0.tag == DynamicTag.rpath || $0.tag == DynamicTag.runpath }
    }

    /// Removes `DT_RUNPATH` and `DT_RPATH`.
    public mutating func removeSearchPath() throws(ELFError) {
        try removeEntries { $0.tag == DynamicTag.rpath || $0.tag == DynamicTag.runpath }
    }

    /// The name that other files need a library by (`DT_SONAME`).
    public var soname: [UInt8]? { text(ofLast: DynamicTag.soname) }

    /// Sets the name of a library; a program at a fixed address, which nobody can need, stays as it is.
    public mutating func setSoname(_ name: [UInt8]) throws(ELFError) {
        guard type == .dynamic else { return }
        try Self.checkName(name, of: "library name")
        var table = try dynamicSection(isForLoading: false)
        if !table.entries.contains(where: { $0.tag == DynamicTag.soname }) {
            table.entries.insert(DynamicEntry(tag: DynamicTag.soname, value: 0, text: name), at: 0)
        }
        dynamicTable = table
        setText(name) { $0.tag == DynamicTag.soname }
    }

    /// The libraries the file needs, in order (`DT_NEEDED`).
    public var needed: [[UInt8]] {
        (dynamicTable?.entries ?? []).filter { $0.tag == DynamicTag.needed }.compactMap(text)
    }

    /// Adds libraries before the others, so that their symbols come first.
    public mutating func addNeeded(_ libraries: [[UInt8]]) throws(ELFError) {
        for library in libraries { try Self.checkName(library, of: "library name") }
        var table = try dynamicSection()
        table.entries.insert(
            contentsOf: libraries.map { DynamicEntry(tag: DynamicTag.needed, value: 0, text: $0) }, at: 0)
        dynamicTable = table
    }

    /// Removes libraries from those needed; the versions wanted of them stay, as other libraries may bring them.
    public mutating func removeNeeded(_ libraries: Set<[UInt8]>) throws(ELFError) {
        let texts = try dynamicSection().entries.filter { $0.tag == DynamicTag.needed }.map(text)
        var index = 0
        try removeEntries {
            guard $0.tag == DynamicTag.needed else { return false }
            defer { index += 1 }
            return texts[index].map(libraries.contains) ?? false
        }
    }

    /// Replaces needed libraries by others, also where versions of them are wanted.
    public mutating func replaceNeeded(_ replacements: [[UInt8]: [UInt8]]) throws(ELFError) {
        for name in replacements.values { try Self.checkName(name, of: "library name") }
        var table = try dynamicSection()
        for index in table.entries.indices where table.entries[index].tag == DynamicTag.needed {
            if let old = text(table.entries[index]), let new = replacements[old], old != new {
                table.entries[index].text = new
            }
        }
        dynamicTable = table
        guard var names else { return }
        for index in names.needs.indices {
            let need = names.needs[index]
            if let old = need.text ?? string(at: UInt64(need.value)), let new = replacements[old], old != new
            {
                names.needs[index].text = new
            }
        }
        self.names = names
    }

    /// Forbids the loader to look in its built-in directories (`DF_1_NODEFLIB`).
    public mutating func forbidDefaultDirectories() throws(ELFError) {
        let noDefault: UInt64 = 0x800
        var table = try dynamicSection()
        if let index = table.entries.firstIndex(where: { $0.tag == DynamicTag.flags1 }) {
            table.entries[index].value |= noDefault
        } else {
            table.entries.insert(DynamicEntry(tag: DynamicTag.flags1, value: noDefault), at: 0)
        }
        dynamicTable = table
    }

    /// Adds the entry in which the loader tells debuggers where its data are (`DT_DEBUG`).
    public mutating func addDebugEntry() throws(ELFError) {
        var table = try dynamicSection()
        guard !table.entries.contains(where: { $0.tag == DynamicTag.debug }) else { return }
        table.entries.insert(DynamicEntry(tag: DynamicTag.debug, value: 0), at: 0)
        dynamicTable = table
    }

    /// Lets any version of the named symbols do.
    ///
    /// - Throws: ``ELFError/notDynamic`` where the file has no versions of symbols.
    public mutating func clearVersions(ofSymbols symbols: Set<[UInt8]>) throws(ELFError) {
        guard let names, let table = names.symbols, let versions = names.symbolVersions else {
            throw .notDynamic
        }
        let size = format.is64Bit ? 24 : 16
        let found = withView { view in
            (0..<versions.count / 2).filter { index in
                guard let offset = view.read(UInt32.self, at: table.lowerBound + index * size),
                    let name = view.string(
                        at: names.place.lowerBound + Int(offset), before: names.place.upperBound,
                        longest: DynamicInfo.longestPath)
                else { return false }
                return symbols.contains(name)
            }
        }
        // 1 is "global": no particular version.
        for index in found { format.store(UInt16(1), in: &image, at: versions.lowerBound + index * 2) }
    }

    // MARK: -

    /// The dynamic section, to be changed.
    ///
    /// - Parameter isForLoading: Whether the change is one that glibc's start-up code refuses where nobody loads the
    ///   file: in the loader itself, and in static programs.
    private func dynamicSection(isForLoading: Bool = true) throws(ELFError) -> DynamicTable {
        guard let dynamicTable, names != nil else { throw .notDynamic }
        guard !dynamicTable.isBuiltIn else { throw .ownLoader }
        if isForLoading, interpreterText == nil, let soname, Self.loaders.contains(where: soname.starts) {
            throw .ownLoader
        }
        return dynamicTable
    }

    /// How names of glibc's loaders begin.
    private static let loaders = ["ld-linux", "ld64.so", "ld.so."].map { Array($0.utf8) }

    private static func checkName(_ name: [UInt8], of what: String) throws(ELFError) {
        guard (1...DynamicInfo.longestName).contains(name.count), !name.contains(0) else {
            throw .text(what: what)
        }
    }

    private mutating func removeEntries(where isUnwanted: (DynamicEntry) -> Bool) throws(ELFError) {
        var table = try dynamicSection()
        table.entries.removeAll(where: isUnwanted)
        dynamicTable = table
    }

    private mutating func setText(_ new: [UInt8], where isMeant: (DynamicEntry) -> Bool) {
        guard var table = dynamicTable else { return }
        for index in table.entries.indices where isMeant(table.entries[index]) {
            if text(table.entries[index]) != new { table.entries[index].text = new }
        }
        dynamicTable = table
    }

    private func text(ofLast tag: UInt64) -> [UInt8]? {
        dynamicTable?.entries.last { $0.tag == tag }.flatMap(text)
    }

    /// The string of an entry.
    func text(_ entry: DynamicEntry) -> [UInt8]? { entry.text ?? string(at: entry.value) }

    /// The dynamic string at an offset.
    func string(at offset: UInt64) -> [UInt8]? {
        guard let place = names?.place, offset < UInt64(place.count) else { return nil }
        return withView {
            $0.string(
                at: place.lowerBound + Int(offset), before: place.upperBound, longest: DynamicInfo.longestPath
            )
        }
    }
}
