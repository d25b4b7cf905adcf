internal import Files
internal import StoreLayout

/// The manifest of a Java archive, which may name other archives of the image by their paths (`Class-Path`).
///
/// It is compressed, so no path of it is seen from outside. Only the manifest is made anew; what comes after it moves,
/// and the archive's directory says so.
///
/// Source: PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16; the JAR File Specification, "JAR Manifest".
struct JarManifest {
    /// Why an archive is left as it is.
    enum Refusal: Error, Equatable {
        /// It has no manifest, or none that could name paths; nothing is lost.
        case nothing
        /// It is signed: the manifest's digest is in the signature.
        case signed
        /// It is no archive that can be read, or one of a kind that no Java program is shipped in.
        case format
    }

    /// Bytes that a manifest may have.
    private static let longest = 1 << 20

    private static let name = Array("META-INF/MANIFEST.MF".utf8)

    /// The text.
    let text: Bytes

    /// The entry's bytes in the archive, from its header to what follows.
    private let range: Range<Int>

    /// The header's fixed part and name, the extra field.
    private let header: Bytes
    private let extra: Bytes

    /// Where the central directory begins, and where in it each entry does.
    private let directory: Int
    private let entries: [Int]
    private let own: Int
    private let end: Int

    /// Finds and unpacks the manifest.
    init(of archive: UnsafeRawBufferPointer) throws(Refusal) {
        guard let end = Self.endRecord(of: archive) else { throw .format }
        let count = Int(archive.field16(end + 10))
        let directory = Int(archive.field32(end + 16))
        guard count < 0xffff, directory < end else { throw .format }
        var position = directory
        var entries: [Int] = []
        var manifest: Int?
        var starts: [Int] = []
        for _ in 0..<count {
            guard position + 46 <= end, archive.field32(position) == 0x0201_4b50 else { throw .format }
            let lengths = (
                name: Int(archive.field16(position + 28)), extra: Int(archive.field16(position + 30)),
                comment: Int(archive.field16(position + 32))
            )
            let next = position + 46 + lengths.name + lengths.extra + lengths.comment
            guard next <= end else { throw .format }
            let name = UnsafeRawBufferPointer(
                rebasing: archive[(position + 46)..<(position + 46 + lengths.name)])
            if name.elementsEqual(Self.name) { manifest = position }
            if name.hasPrefix("META-INF/"), name.suffix(3).elementsEqual(".SF".utf8) { throw .signed }
            entries.append(position)
            guard archive.field32(position + 42) < directory else { throw .format }
            starts.append(Int(archive.field32(position + 42)))
            position = next
        }
        guard let manifest else { throw .nothing }
        let start = Int(archive.field32(manifest + 42))
        let sizes = (
            packed: Int(archive.field32(manifest + 20)), whole: Int(archive.field32(manifest + 24))
        )
        guard start + 30 <= directory, archive.field32(start) == 0x0403_4b50, sizes.whole <= Self.longest,
            // Not encrypted.
            archive.field16(start + 6) & 1 == 0
        else { throw .format }
        let nameEnd = start + 30 + Int(archive.field16(start + 26))
        let data = nameEnd + Int(archive.field16(start + 28))
        let next = starts.lazy.filter { $0 > start }.min() ?? directory
        guard data + sizes.packed <= next, next <= directory else { throw .format }
        let packed = UnsafeRawBufferPointer(rebasing: archive[data..<(data + sizes.packed)])
        switch archive.field16(manifest + 10) {
        case 0: text = Array(packed)
        case 8:
            guard let text = Deflate.inflated(packed, count: sizes.whole) else { throw .format }
            self.text = text
        default: throw .format
        }
        range = start..<next
        header = Array(archive[start..<nameEnd])
        extra = Array(archive[nameEnd..<data])
        self.directory = directory
        self.entries = entries
        self.own = manifest
        self.end = end
    }

    /// The text with other archives in its `Class-Path`.
    ///
    /// - Parameter change: The new element for one of the list; `nil` to keep it.
    /// - Returns: The text, and how many were changed.
    func changing(_ change: (Bytes) -> Bytes?) -> (text: Bytes, count: Int) {
        let newline: Bytes = text.contains(0x0d) ? [0x0d, 0x0a] : [0x0a]
        var lines = text.split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
            line.last == 0x0d ? line.dropLast() : line
        }
        let key = Array("class-path:".utf8)
        // The main section ends at the first empty line.
        let section = lines.firstIndex(where: \.isEmpty) ?? lines.endIndex
        guard
            let first = lines[..<section].firstIndex(where: { line in
                line.prefix(key.count).elementsEqual(key) { byte, wanted in
                    byte | (0x41...0x5a ~= byte ? 0x20 : 0) == wanted
                }
            })
        else { return (text, 0) }
        let last = lines[(first + 1)..<section].prefix { $0.first == 0x20 }.endIndex
        var value = Bytes(lines[first].dropFirst(key.count))
        for line in lines[(first + 1)..<last] { value += line.dropFirst() }
        var count = 0
        let elements = value.split(separator: 0x20).map { element in
            guard let changed = change(Array(element)) else { return Array(element) }
            count += 1
            return changed
        }
        guard count > 0 else { return (text, 0) }
        let whole = lines[first].prefix(key.count) + [0x20] + elements.joined(separator: [0x20])
        lines.replaceSubrange(first..<last, with: Self.folded(Bytes(whole)))
        return (Bytes(lines.joined(separator: newline)), count)
    }

    /// A line in pieces of at most 72 bytes, all but the first with a space before.
    private static func folded(_ line: Bytes) -> [ArraySlice<UInt8>] {
        var result = [line.prefix(72)]
        var rest = line.dropFirst(72)
        while !rest.isEmpty {
            result.append([0x20] + rest.prefix(71))
            rest = rest.dropFirst(71)
        }
        return result
    }

    /// What makes the archive one with another text, in ascending order.
    func edits(for text: Bytes, in archive: UnsafeRawBufferPointer) -> [(range: Range<Int>, bytes: Bytes)]? {
        guard let packed = Deflate.deflated(text) else { return nil }
        let sum = Deflate.checksum(text)
        // No descriptor after the data (bit 3 of the flags): the header says it all.
        let flags = archive.field16(own + 8) & ~8
        var local = header
        local.set16(flags, at: 6)
        local.set16(8, at: 8)
        for (offset, value) in [(14, sum), (18, UInt32(packed.count)), (22, UInt32(text.count))] {
            local.set32(value, at: offset)
        }
        let entry = local + extra + packed
        let shift = entry.count - range.count
        var rest = Array(archive[directory...])
        for position in entries {
            let start = Int(archive.field32(position + 42))
            if start > range.lowerBound { rest.set32(UInt32(start + shift), at: position - directory + 42) }
        }
        let offset = own - directory
        rest.set16(flags, at: offset + 8)
        rest.set16(8, at: offset + 10)
        for (field, value) in [(16, sum), (20, UInt32(packed.count)), (24, UInt32(text.count))] {
            rest.set32(value, at: offset + field)
        }
        rest.set32(UInt32(directory + shift), at: end - directory + 16)
        return [(range, entry), (directory..<archive.count, rest)]
    }

    /// Where the record is that ends an archive of one volume, after which only its comment comes.
    private static func endRecord(of archive: UnsafeRawBufferPointer) -> Int? {
        guard archive.count >= 22, archive.count < Int32.max else { return nil }
        for offset in stride(from: archive.count - 22, through: max(0, archive.count - 22 - 0xffff), by: -1)
        where archive.field32(offset) == 0x0605_4b50 {
            let isLast = offset + 22 + Int(archive.field16(offset + 20)) == archive.count
            let isOne = archive.field16(offset + 4) == 0 && archive.field16(offset + 6) == 0
            if isLast, isOne, archive.field16(offset + 8) == archive.field16(offset + 10) { return offset }
        }
        return nil
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func field16(_ offset: Int) -> UInt16 {
        loadUnaligned(fromByteOffset: offset, as: UInt16.self).littleEndian
    }

    fileprivate func field32(_ offset: Int) -> UInt32 {
        loadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian
    }
}

extension Bytes {
    fileprivate mutating func set16(_ value: UInt16, at offset: Int) {
        withUnsafeMutableBytes {
            $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt16.self)
        }
    }

    fileprivate mutating func set32(_ value: UInt32, at offset: Int) {
        withUnsafeMutableBytes {
            $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
        }
    }
}

extension Relocator {
    /// Whether a file is a Java archive, by its name and first bytes.
    static func isJar(_ path: TreePath, head: FileHead) -> Bool {
        path.name.suffix(4).elementsEqual(".jar".utf8) && head.starts(with: [0x50, 0x4b, 0x03, 0x04])
    }

    /// Full store paths for the archives of the image that an archive's manifest names.
    func planJar(_ id: ContentID, into plan: inout Plan) throws {
        let file = try MappedFile(staging.open(id))
        defer { withExtendedLifetime(file) {} }
        let manifest: JarManifest
        do {
            manifest = try JarManifest(of: file.bytes)
        } catch .signed {
            return plan.leave("META-INF/MANIFEST.MF", .sealed)
        } catch {
            return
        }
        let (text, count) = manifest.changing { element in
            // As a path, or as a URL of one.
            let scheme = Array("file:".utf8)
            let start = element.starts(with: scheme) ? scheme.count : 0
            let path = Array(element[start...])
            guard path.first == UInt8(ascii: "/"), path.dropFirst().first != UInt8(ascii: "/"),
                !PathRules.isHost(path), tree.resolve(path) != nil
            else { return nil }
            return element[..<start] + Array(storePath.path.utf8) + path
        }
        guard count > 0, let edits = manifest.edits(for: text, in: file.bytes) else { return }
        plan.edits += edits.map { range, bytes in
            Edit(offset: range.lowerBound, length: range.count, replacement: .bytes(bytes))
        }
        plan.file.done[.storePath, default: 0] += count
    }
}
