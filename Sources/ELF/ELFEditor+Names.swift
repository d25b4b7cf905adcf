extension ELFEditor {
    /// Gives every new string a place in the dynamic string table, and returns the table.
    ///
    /// A string that is there is used again; else it goes where nobody's string is, else to the end. Linkers store
    /// names as tails of others: a byte is free only if it belongs to no user's string.
    ///
    /// - Parameter mayShrink: Whether free bytes at the end are dropped.
    /// - Returns: `nil` where nothing changes.
    mutating func placeNames(mayShrink: Bool) throws(ELFError) -> [UInt8]? {
        guard var names, var table = dynamicTable else { return nil }
        let old = Array(image[names.place])
        var strings = NameTable(old, isKnown: names.isKnown)
        if names.isKnown { markSymbols(of: names, in: &strings) }
        for version in names.versions { strings.mark(Int(version)) }
        if mayShrink,
            table.entries.contains(where: { $0.text != nil })
                || names.needs.contains(where: { $0.text != nil })
        {
            // These strings came with earlier edits; placed anew, they leave no gaps.
            let end = strings.usedEnd
            for index in table.entries.indices where DynamicTag.texts.contains(table.entries[index].tag) {
                let entry = table.entries[index]
                if entry.text == nil, entry.value >= UInt64(end) { table.entries[index].text = text(entry) }
            }
            for index in names.needs.indices where names.needs[index].text == nil {
                let offset = names.needs[index].value
                if offset >= end { names.needs[index].text = string(at: UInt64(offset)) }
            }
        }
        for need in names.needs where need.text == nil { strings.mark(Int(need.value)) }
        for entry in table.entries where DynamicTag.texts.contains(entry.tag) && entry.text == nil {
            strings.mark(Int(clamping: entry.value))
        }
        if !keepsOldBytes { strings.clearFree(at: formerOffsets(names, table)) }
        for index in table.entries.indices {
            guard let text = table.entries[index].text else { continue }
            table.entries[index].value = UInt64(try strings.place(text))
        }
        for index in names.needs.indices {
            guard let text = names.needs[index].text else { continue }
            let offset = try strings.place(text)
            format.store(UInt32(offset), in: &image, at: names.needs[index].position)
        }
        // In the file's order, so that the same renaming gives the same bytes.
        for (position, text) in names.renamed.sorted(by: { $0.key < $1.key }) {
            format.store(UInt32(try strings.place(text)), in: &image, at: position)
        }
        dynamicTable = table
        self.names = names
        try rebuildHashes(strings.bytes)
        if mayShrink { strings.dropFreeEnd() }
        return strings.bytes == old ? nil : strings.bytes
    }

    /// Where the strings were that entries had when the file was parsed.
    private func formerOffsets(_ names: DynamicNames, _ table: DynamicTable) -> [Int] {
        let word = format.wordSize
        let entries = withView { view in
            stride(from: table.place.lowerBound, to: table.place.upperBound - 2 * word + 1, by: 2 * word)
                .compactMap {
                    view.word(at: $0).map(DynamicTag.texts.contains) == true ? view.word(at: $0 + word) : nil
                }
        }
        return entries.map(Int.init(clamping:)) + names.needs.map { Int($0.value) }
    }

    private func markSymbols(of names: DynamicNames, in strings: inout NameTable) {
        guard let symbols = names.possibleSymbols else { return }
        // st_name is the first word of a symbol in both classes.
        withView { view in
            for offset in stride(
                from: symbols.lowerBound, to: symbols.upperBound, by: format.is64Bit ? 24 : 16)
            {
                if names.renamed[offset] == nil { strings.mark(Int(view.read(UInt32.self, at: offset) ?? 0)) }
            }
        }
    }
}

/// A string table with what of it is used.
struct NameTable {
    private(set) var bytes: [UInt8]
    private var isUsed: [Bool]

    init(_ bytes: [UInt8], isKnown: Bool) {
        self.bytes = bytes
        isUsed = [Bool](repeating: !isKnown, count: bytes.count)
        if !bytes.isEmpty { isUsed[0] = true }
    }

    /// Where the last string in use ends.
    var usedEnd: Int { (isUsed.lastIndex(of: true) ?? -1) + 1 }

    /// Says that the string at an offset is used.
    ///
    /// - Complexity: Linear in the table's size, for all calls together.
    mutating func mark(_ offset: Int) {
        var index = offset
        while index >= 0, index < bytes.count, !isUsed[index] {
            isUsed[index] = true
            if bytes[index] == 0 { return }
            index += 1
        }
    }

    /// Overwrites what is not used of the strings at some offsets, so that no old path stays in the file.
    mutating func clearFree(at offsets: [Int]) {
        for offset in offsets {
            var index = offset
            while index < bytes.count, !isUsed[index], bytes[index] != 0 {
                bytes[index] = 0
                index += 1
            }
        }
    }

    /// Finds or makes a place for a string and returns its offset.
    mutating func place(_ text: [UInt8]) throws(ELFError) -> Int {
        let pattern = text + [0]
        if let offset = find(pattern) { return offset }
        let offset = firstFree(pattern.count) ?? bytes.count
        guard offset + pattern.count <= UInt32.max else {
            throw .noRoom(structure: "dynamic string table", reason: "it would have more than 4 GiB")
        }
        let added = max(0, offset + pattern.count - bytes.count)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: added))
        isUsed.append(contentsOf: [Bool](repeating: false, count: added))
        bytes.replaceSubrange(offset..<offset + pattern.count, with: pattern)
        for index in offset..<offset + pattern.count { isUsed[index] = true }
        return offset
    }

    /// A string in use that is, or ends with, the pattern.
    private func find(_ pattern: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { raw in
            let view = ByteView(bytes: raw, isLittleEndian: true, is64Bit: true)
            var start = 0
            while let offset = view.occurrences(of: pattern, in: start..<raw.count, limit: 1).first {
                if isUsed[offset] { return offset }
                start = offset + 1
            }
            return nil
        }
    }

    /// The first run of so many free bytes, which may go on behind the table's end.
    private func firstFree(_ count: Int) -> Int? {
        var start: Int?
        for index in bytes.indices {
            if isUsed[index] {
                start = nil
            } else {
                let first = start ?? index
                start = first
                if index - first + 1 == count { return first }
            }
        }
        return start
    }

    /// Drops free bytes at the end.
    mutating func dropFreeEnd() {
        bytes.removeSubrange(usedEnd...)
        isUsed.removeSubrange(bytes.count...)
    }
}
