/// A part of a file that is found through headers alone, so that it can be anywhere.
struct MovablePart {
    /// In the order in which parts are put into the appended segment.
    enum Kind: Int {
        case interpreter, note, hash, symbols, strings, dynamic
    }
    var kind: Kind
    /// Where it is in the file.
    var place: Range<Int>
    var address: UInt64
    var alignment: Int
}

/// Where a part came to be.
struct MovedPart {
    let part: MovablePart
    let offset: Int
    let address: UInt64
    let size: Int

    /// How far it was moved, modulo the size of an address.
    var distance: (offset: UInt64, address: UInt64) {
        (UInt64(offset) &- UInt64(part.place.lowerBound), address &- part.address)
    }
}

extension ELFEditor {
    /// Bytes of padding that a program may get so that its headers are where older kernels look for them.
    private static let mostPadding = 64 << 20

    /// The new file.
    ///
    /// - Throws: ``ELFError/noRoom(structure:reason:)`` if something does not fit in the address space; what is wrong
    ///   with the result, if the file was so damaged that the new one could not be read.
    public func bytes() throws(ELFError) -> [UInt8] {
        var copy = self
        let result = try copy.layOut()
        let damage = result.withUnsafeBytes { bytes -> ELFError? in
            do throws(ELFError) { return try ELFFile(parsing: bytes).damage } catch { return error }
        }
        if let damage { throw damage }
        return result
    }

    private mutating func layOut() throws(ELFError) -> [UInt8] {
        let parts = movableParts()
        let own = ownSegment(parts)
        let inOwn = own.map { own in parts.filter { contains(own, $0.place) }.map(\.kind) } ?? []
        let strings = try placeNames(mayShrink: inOwn.contains(.strings))
        let sizes = newSizes(strings)

        var moving = parts.indices.filter { (sizes[parts[$0].kind] ?? 0) > parts[$0].place.count }
        if let dynamicTable, dynamicTable.isBuiltIn, moving.contains(where: { parts[$0].kind == .dynamic }) {
            throw .noRoom(
                structure: "dynamic section", reason: "the code of a static program finds it by its address")
        }
        for kind in [MovablePart.Kind.interpreter, .strings, .dynamic]
        where !moving.contains(where: { parts[$0].kind == kind }) {
            guard let present = place(of: kind), let size = sizes[kind], size > present.count else {
                continue
            }
            throw .noRoom(structure: Self.name(of: kind), reason: "other parts of the file overlap it")
        }
        let entry = Segment.size(is64Bit: format.is64Bit)
        let capacity = segmentTable.count / entry
        var plan = HeaderPlan.inPlace
        if !moving.isEmpty || segments.count > capacity {
            plan = planHeaders(parts, own: own, moving: &moving, capacity: capacity)
        }
        let needsSegment = !moving.isEmpty || plan == .moved
        guard needsSegment else {
            writeInPlace(strings, sizes: sizes)
            var output = image
            writeHeaders(to: &output, at: segmentTable.lowerBound)
            return output
        }
        if let own {
            let rest = parts.indices.filter { contains(own, parts[$0].place) && !moving.contains($0) }
            moving += rest
        }
        // What stays gets its new contents where it is.
        let stays = Set(sizes.keys).subtracting(moving.map { parts[$0].kind })
        writeInPlace(strings, sizes: sizes.filter { stays.contains($0.key) })
        return try append(moving.map { parts[$0] }, strings: strings, sizes: sizes, own: own, plan: plan)
    }

    // MARK: - What there is

    private static func name(of kind: MovablePart.Kind) -> String {
        switch kind {
        case .interpreter: "interpreter"
        case .strings: "dynamic string table"
        default: "dynamic section"
        }
    }

    private func place(of kind: MovablePart.Kind) -> Range<Int>? {
        switch kind {
        case .interpreter: interpreterPlace
        case .strings: names?.place
        case .dynamic: dynamicTable?.place
        default: nil
        }
    }

    /// The sizes that parts with changing contents need.
    private func newSizes(_ strings: [UInt8]?) -> [MovablePart.Kind: Int] {
        var sizes: [MovablePart.Kind: Int] = [:]
        if let text = interpreterText { sizes[.interpreter] = text.count + 1 }
        if let names { sizes[.strings] = strings?.count ?? names.place.count }
        if let dynamicTable {
            let needed = (dynamicTable.entries.count + 1) * 2 * format.wordSize
            sizes[.dynamic] = max(needed, dynamicTable.place.count)
        }
        return sizes
    }

    /// All parts that may be moved; none overlaps anything that may not.
    func movableParts() -> [MovablePart] {
        var parts: [MovablePart] = []
        if let interpreterPlace,
            let segment = segments.first(where: { $0.type == Segment.interpreter })
        {
            parts.append(
                MovablePart(
                    kind: .interpreter, place: interpreterPlace, address: segment.address, alignment: 1))
        }
        parts += notes()
        if let names {
            parts.append(
                MovablePart(kind: .strings, place: names.place, address: names.address, alignment: 1))
        }
        if let dynamicTable {
            parts.append(
                MovablePart(
                    kind: .dynamic, place: dynamicTable.place, address: dynamicTable.address,
                    alignment: format.wordSize))
        }
        let tables: [(UInt32, UInt64, MovablePart.Kind)] = [
            (0x6fff_fff6, DynamicTag.gnuHash, .hash), (5, DynamicTag.symbolHash, .hash),
            (Section.Kind.dynamicSymbols, DynamicTag.symbols, .symbols),
        ]
        for header in sections where header.section.isLoaded && !header.section.fileRange.isEmpty {
            for (type, tag, kind) in tables
            where header.section.type == type && dynamicTable?[tag] == header.address {
                parts.append(
                    MovablePart(
                        kind: kind, place: header.section.fileRange, address: header.address, alignment: 8))
            }
        }
        return parts.filter { part in
            isAlone(part) && parts.filter { $0.place.overlaps(part.place) }.count == 1
        }
    }

    /// Groups of notes: what segments and sections that overlap describe together.
    private func notes() -> [MovablePart] {
        var found = segments.filter {
            ($0.type == Segment.note || $0.type == ProgramHeader.property) && $0.fileSize > 0
                && isInFile($0.offset, $0.fileSize)
        }.map { ($0.offset, $0.fileSize, $0.address, $0.alignment) }
        found += sections.filter {
            $0.section.type == Section.Kind.note && $0.section.isLoaded && !$0.section.fileRange.isEmpty
                && isInFile($0.offset, $0.size)
        }.map { ($0.offset, $0.size, $0.address, $0.alignment) }
        found.sort { ($0.0, $0.1) < ($1.0, $1.1) }
        var groups: [MovablePart] = []
        for (offset, size, address, alignment) in found {
            let place = Int(offset)..<Int(offset + size)
            let wanted = (1...4096).contains(alignment) ? Int(alignment) : 4
            if let last = groups.last, place.lowerBound < last.place.upperBound {
                let end = max(last.place.upperBound, place.upperBound)
                groups[groups.count - 1].place = last.place.lowerBound..<end
                groups[groups.count - 1].alignment = max(last.alignment, wanted)
            } else {
                groups.append(
                    MovablePart(kind: .note, place: place, address: address, alignment: max(4, wanted)))
            }
        }
        return groups
    }

    private func isInFile(_ offset: UInt64, _ size: UInt64) -> Bool {
        let count = UInt64(image.count)
        return offset <= count && size <= count - offset
    }

    /// Whether nothing but the part itself is in its bytes.
    private func isAlone(_ part: MovablePart) -> Bool {
        guard !part.place.overlaps(segmentTable), !part.place.isEmpty,
            part.place.lowerBound >= (format.is64Bit ? 64 : 52),
            sectionTable.map(part.place.overlaps) != true
        else { return false }
        for header in sections where header.section.fileRange.overlaps(part.place) {
            guard part.place.contains(header.section.fileRange), header.section.isLoaded else { return false }
        }
        for segment in segments where isInFile(segment.offset, segment.fileSize) && segment.fileSize > 0 {
            let range = Int(segment.offset)..<Int(segment.offset + segment.fileSize)
            guard range.overlaps(part.place) else { continue }
            switch segment.type {
            case Segment.interpreter, Segment.note, ProgramHeader.property, Segment.dynamic:
                guard part.place.contains(range) else { return false }
            default: continue
            }
        }
        return true
    }

    private func contains(_ segment: ProgramHeader, _ place: Range<Int>) -> Bool {
        UInt64(place.lowerBound) >= segment.offset
            && UInt64(place.upperBound) <= segment.offset + segment.fileSize
    }

    /// The last segment, if it holds nothing but movable parts, as one that an editor appended.
    private func ownSegment(_ parts: [MovablePart]) -> ProgramHeader? {
        let loaded = segments.indices.filter { segments[$0].type == Segment.load }
        guard loaded.count > 1, let last = loaded.max(by: { segments[$0].address < segments[$1].address })
        else {
            return nil
        }
        let header = segments[last]
        guard header.flags & 1 == 0, header.fileSize == header.memorySize, header.fileSize > 0 else {
            return nil
        }
        let range = Int(header.offset)..<Int(header.offset + header.fileSize)
        var covered = parts.map(\.place).filter(range.contains)
        guard !covered.isEmpty else { return nil }
        if range.contains(segmentTable) { covered.append(segmentTable) }
        for header in sections where header.section.fileRange.overlaps(range) {
            guard covered.contains(where: { $0.contains(header.section.fileRange) }) else { return nil }
        }
        if let sectionTable, sectionTable.overlaps(range) { return nil }
        for (index, segment) in segments.enumerated()
        where index != last && segment.fileSize > 0 && isInFile(segment.offset, segment.fileSize) {
            let other = Int(segment.offset)..<Int(segment.offset + segment.fileSize)
            guard !other.overlaps(range) || covered.contains(where: { $0.contains(other) }) else {
                return nil
            }
        }
        var position = range.lowerBound
        for part in covered.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if part.lowerBound > position, image[position..<part.lowerBound].contains(where: { $0 != 0 }) {
                return nil
            }
            position = max(position, part.upperBound)
        }
        guard !image[position..<range.upperBound].contains(where: { $0 != 0 }) else { return nil }
        return header
    }

    // MARK: - Program headers

    /// Where the program headers go.
    enum HeaderPlan {
        /// Where they are, with what is behind them out of the way.
        case inPlace
        /// Into the appended segment.
        case moved
    }

    /// Makes room for the entries that are needed; parts that are in the way are added to `moving`.
    private mutating func planHeaders(
        _ parts: [MovablePart], own: ProgramHeader?, moving: inout [Int], capacity: Int
    ) -> HeaderPlan {
        let entry = Segment.size(is64Bit: format.is64Bit)
        if let own, contains(own, segmentTable) { return .moved }
        while true {
            let count = segments.count + (own == nil && !moving.isEmpty ? 1 : 0)
            guard count > capacity else { return .inPlace }
            if let unused = segments.lastIndex(where: { $0.type == ProgramHeader.unused }) {
                segments.remove(at: unused)
                continue
            }
            let end = segmentTable.lowerBound + count * entry
            guard let inTheWay = blockers(segmentTable.upperBound..<end, parts) else { return .moved }
            let added = inTheWay.filter { !moving.contains($0) }
            let wasEmpty = moving.isEmpty
            moving += added
            // The first part that moves needs a segment, which needs a header.
            if added.isEmpty || !wasEmpty || own != nil { return .inPlace }
        }
    }

    /// The parts in a range behind the program headers, or nothing if something is there that must stay.
    private func blockers(_ span: Range<Int>, _ parts: [MovablePart]) -> [Int]? {
        // Without section headers nobody knows what is there.
        guard !sections.isEmpty, span.upperBound <= image.count, sectionTable.map(span.overlaps) != true
        else {
            return nil
        }
        for segment in segments where segment.type == Segment.load {
            let range = Int(segment.offset)..<Int(segment.offset + segment.fileSize)
            if range.overlaps(segmentTable), !range.contains(segmentTable.lowerBound..<span.upperBound) {
                return nil
            }
        }
        let inTheWay = parts.indices.filter { parts[$0].place.overlaps(span) }
        guard inTheWay.allSatisfy({ parts[$0].kind != .dynamic }) else { return nil }
        for header in sections where header.section.fileRange.overlaps(span) {
            guard inTheWay.contains(where: { parts[$0].place.contains(header.section.fileRange) }) else {
                return nil
            }
        }
        for position in span where image[position] != 0 {
            guard inTheWay.contains(where: { parts[$0].place.contains(position) }) else { return nil }
        }
        return inTheWay
    }

    private mutating func writeHeaders(to output: inout [UInt8], at start: Int, address: UInt64? = nil) {
        let entry = Segment.size(is64Bit: format.is64Bit)
        for index in segments.indices where segments[index].type == ProgramHeader.table {
            if let address {
                segments[index].offset = UInt64(start)
                segments[index].address = address
                segments[index].physicalAddress = address
            }
            segments[index].fileSize = UInt64(segments.count * entry)
            segments[index].memorySize = segments[index].fileSize
        }
        for (index, segment) in segments.enumerated() {
            segment.write(to: &output, at: start + index * entry, as: format)
        }
        format.storeWord(UInt64(start), in: &output, at: format.is64Bit ? 32 : 28)
        format.store(UInt16(segments.count), in: &output, at: format.is64Bit ? 56 : 44)
    }

    // MARK: - Writing

    private mutating func writeInPlace(_ strings: [UInt8]?, sizes: [MovablePart.Kind: Int]) {
        if sizes[.interpreter] != nil, let place = interpreterPlace, let text = interpreterText {
            image.replaceSubrange(place, with: padded(text, to: place.count))
        }
        if sizes[.strings] != nil, let place = names?.place, let strings {
            image.replaceSubrange(place, with: padded(strings, to: place.count))
        }
        if sizes[.dynamic] != nil, let table = dynamicTable {
            write(table, to: &image, at: table.place)
        }
    }

    private func padded(_ bytes: [UInt8], to count: Int) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: max(0, count - bytes.count))
    }

    /// Writes the dynamic section: what follows the last entry becomes zero as far as entries were.
    private func write(_ table: DynamicTable, to output: inout [UInt8], at place: Range<Int>) {
        let word = format.wordSize
        var offset = place.lowerBound
        for entry in table.entries {
            format.storeWord(entry.tag, in: &output, at: offset)
            format.storeWord(entry.value, in: &output, at: offset + word)
            offset += 2 * word
        }
        while offset <= place.upperBound - 2 * word {
            format.storeWord(0, in: &output, at: offset)
            format.storeWord(0, in: &output, at: offset + word)
            offset += 2 * word
        }
    }

    /// Appends a segment with the parts, or writes the one that was appended before anew.
    private mutating func append(
        _ parts: [MovablePart], strings: [UInt8]?, sizes: [MovablePart.Kind: Int], own: ProgramHeader?,
        plan: HeaderPlan
    ) throws(ELFError) -> [UInt8] {
        let entry = Segment.size(is64Bit: format.is64Bit)
        var output = image
        var load = ProgramHeader(type: Segment.load, flags: 4, alignment: UInt64(pageSize))
        // The loader writes addresses into the dynamic section.
        if parts.contains(where: { $0.kind == .dynamic }) { load.flags |= 2 }
        if let own {
            segments.removeAll { $0 == own }
            if own.offset + own.fileSize == UInt64(output.count) { output.removeSubrange(Int(own.offset)...) }
        }
        let last = segments.lastIndex { $0.type == Segment.load } ?? segments.endIndex - 1
        segments.insert(load, at: last + 1)
        let index = last + 1

        let ordered = parts.sorted {
            ($0.kind.rawValue, $0.place.lowerBound) < ($1.kind.rawValue, $1.place.lowerBound)
        }
        let tableSize = plan == .moved ? segments.count * entry : 0
        let total = ordered.reduce(tableSize) { $0 + (sizes[$1.kind] ?? $1.place.count) + $1.alignment }
        let start = try place(behind: output.count, size: total, isHeaderTable: plan == .moved)
        output.append(contentsOf: [UInt8](repeating: 0, count: start.offset - output.count + tableSize))

        var moved: [MovedPart] = []
        for part in ordered {
            let alignment = max(part.alignment, 1)
            let offset = (output.count + alignment - 1) / alignment * alignment
            let size =
                part.kind == .note || part.kind == .hash || part.kind == .symbols
                ? part.place.count : sizes[part.kind] ?? part.place.count
            output.append(contentsOf: [UInt8](repeating: 0, count: offset - output.count))
            switch part.kind {
            case .interpreter: output += padded(interpreterText ?? [], to: size)
            case .strings: output += padded(strings ?? Array(image[part.place]), to: size)
            default: output += padded(Array(image[part.place]), to: size)
            }
            moved.append(
                MovedPart(
                    part: part, offset: offset, address: start.address &+ UInt64(offset - start.offset),
                    size: size))
        }
        if !keepsOldBytes {
            for part in parts where part.kind != .dynamic {
                for position in part.place
                where position < min(image.count, start.offset) && position < output.count {
                    output[position] = 0
                }
            }
        }
        load.offset = UInt64(start.offset)
        load.address = start.address
        load.physicalAddress = start.address
        load.fileSize = UInt64(output.count - start.offset)
        load.memorySize = load.fileSize
        segments[index] = load
        try finish(&output, moved: moved, table: plan == .moved ? start : nil)
        return output
    }

    /// Finds the place of a segment behind the file's end and behind all addresses in use.
    private func place(
        behind end: Int, size: Int, isHeaderTable: Bool
    ) throws(ELFError) -> (offset: Int, address: UInt64) {
        let page = UInt64(pageSize)
        let limit: UInt64 = format.is64Bit ? 1 << 47 : 1 << 32
        let loaded = segments.filter { $0.type == Segment.load && $0.memorySize > 0 }
        let used = loaded.map { $0.address + $0.memorySize }.max() ?? 0
        let tooFar = ELFError.noRoom(
            structure: "interpreter, search path or list of libraries",
            reason: "there are no addresses left behind the program")
        guard used <= limit - page else { throw tooFar }
        let firstPage = (used + page - 1) / page * page
        var offset = UInt64((end + 15) / 16 * 16)
        var address = firstPage + offset % page
        if isHeaderTable, isProgram, let first = loaded.first {
            // Kernels before 5.18 take the headers to be as far from the first segment in memory as in the file.
            guard first.address >= first.offset, (first.address - first.offset) % page == 0 else {
                throw .noRoom(structure: "program header table", reason: "the first segment is not aligned")
            }
            let shift = first.address - first.offset
            if address - shift < offset {
                address = offset + shift
            } else {
                guard address - shift - offset <= UInt64(Self.mostPadding) else {
                    throw .noRoom(
                        structure: "program header table",
                        reason:
                            "the program has too many zeros in memory between its end and the next free address"
                    )
                }
                offset = address - shift
            }
        }
        guard address + UInt64(size) + page <= limit else { throw tooFar }
        return (Int(offset), address)
    }

    /// Whether the kernel starts it, rather than a loader.
    private var isProgram: Bool {
        type == .executable || interpreterText != nil || dynamicTable?.isBuiltIn == true
    }

    /// Writes headers and all that refers to moved parts.
    private mutating func finish(
        _ output: inout [UInt8], moved: [MovedPart], table: (offset: Int, address: UInt64)?
    ) throws(ELFError) {
        for index in segments.indices {
            let segment = segments[index]
            guard
                [Segment.interpreter, Segment.note, ProgramHeader.property, Segment.dynamic].contains(
                    segment.type),
                isInFile(segment.offset, segment.fileSize)
            else { continue }
            let range = Int(segment.offset)..<Int(segment.offset + segment.fileSize)
            guard let move = moved.first(where: { $0.part.place.contains(range) }) else { continue }
            segments[index].move(by: move.distance)
            if range == move.part.place {
                segments[index].fileSize = UInt64(move.size)
                segments[index].memorySize = UInt64(move.size)
            }
        }
        let tableStart = table?.offset ?? segmentTable.lowerBound
        writeSections(to: &output, moved: moved)
        if var dynamic = dynamicTable {
            for index in dynamic.entries.indices {
                let value = dynamic.entries[index].value
                let tag = dynamic.entries[index].tag
                if DynamicTag.moving.contains(tag),
                    let move = moved.first(where: { $0.part.address == value })
                {
                    dynamic.entries[index].value = move.address
                }
                if tag == DynamicTag.stringsSize, let move = moved.first(where: { $0.part.kind == .strings })
                {
                    dynamic.entries[index].value = UInt64(move.size)
                }
            }
            let place = moved.first { $0.part.kind == .dynamic }.map { $0.offset..<$0.offset + $0.size }
            write(dynamic, to: &output, at: place ?? dynamic.place)
        }
        writeHeaders(to: &output, at: tableStart, address: table?.address)
    }

    private mutating func writeSections(to output: inout [UInt8], moved: [MovedPart]) {
        guard let sectionTable else { return }
        let size = Section.size(is64Bit: format.is64Bit)
        var addresses: [Int: UInt64] = [:]
        for index in sections.indices {
            let range = sections[index].section.fileRange
            guard !range.isEmpty, let move = moved.first(where: { $0.part.place.contains(range) }) else {
                continue
            }
            sections[index].address &+= move.distance.address
            sections[index].offset &+= move.distance.offset
            if range.lowerBound == move.part.place.lowerBound, move.size != move.part.place.count,
                move.part.kind != .note
            {
                sections[index].size = UInt64(move.size)
            }
            addresses[index] = sections[index].address
            sections[index].write(to: &output, at: sectionTable.lowerBound + index * size, as: format)
        }
        moveSectionSymbols(in: &output, to: addresses)
    }

    /// Gives the symbols that stand for sections the new addresses.
    private func moveSectionSymbols(in output: inout [UInt8], to addresses: [Int: UInt64]) {
        let wide = format.is64Bit
        let size = wide ? 24 : 16
        for header in sections where header.section.type == Section.Kind.symbols {
            let range = header.section.fileRange
            for symbol in stride(from: range.lowerBound, to: range.upperBound - size + 1, by: size) {
                let index = withView { $0.read(UInt16.self, at: symbol + (wide ? 6 : 14)) }
                guard image[symbol + (wide ? 4 : 12)] & 15 == 3, let index,
                    let address = addresses[Int(index)]
                else {
                    continue
                }
                format.storeWord(address, in: &output, at: symbol + (wide ? 8 : 4))
            }
        }
    }
}
