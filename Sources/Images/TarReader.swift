internal import Files

/// One entry of a tar archive.
struct TarEntry {
    /// What it is.
    enum Kind: Equatable {
        case file, directory, symlink, hardLink, device, pipe
    }

    var kind: Kind
    var path: Bytes
    var mode: UInt16
    /// Where a symbolic or hard link leads.
    var target: Bytes = []
    var attributes: [ExtendedAttribute] = []
    /// Bytes of the file with its holes.
    var size: Int
    /// Bytes stored in the archive.
    var storedSize: Int
    /// Where the stored bytes belong; `nil` for a file without holes.
    var map: SparseMap?
    /// Where the stored bytes begin in the stream.
    var dataOffset: Int
}

/// Reads a tar archive: POSIX ustar and pax, GNU, and old ones.
///
/// Written here rather than left to libarchive for two reasons: names stay the bytes they are, whatever the
/// locale, and an archive cut between two entries is told from a whole one.
final class TarReader {
    /// Bytes a long name may have; longer ones no file system holds anyway.
    private static let longestName = 1 << 16

    private let stream: any ByteStream
    private let image: String
    /// What is left of the stream's last chunk.
    private var chunk = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Bytes of the stream taken so far.
    private(set) var offset = 0
    /// Bytes of the current entry not taken yet, and those that fill its last block.
    private var remaining = 0
    private var padding = 0
    private var globals = PaxRecords()
    /// Bytes of all global extended headers: their attributes are those of every entry.
    private var globalSize = 0

    /// - Parameter image: What errors call the archive.
    init(_ stream: any ByteStream, image: String) {
        self.stream = stream
        self.image = image
    }

    /// The next entry; `nil` after the end-of-archive marker.
    func next() throws -> TarEntry? {
        try pass(remaining)
        remaining = 0
        try pass(padding)
        padding = 0
        var records = globals
        var longName: Bytes?
        var longLink: Bytes?
        var extended = 0
        while true {
            let header = TarHeader(block: try take(TarHeader.blockSize))
            if header.isZero {
                guard try TarHeader(block: take(TarHeader.blockSize)).isZero else {
                    throw damaged("a block of zeros is in front of byte \(offset)")
                }
                return nil
            }
            guard header.isValid else {
                if offset == TarHeader.blockSize {
                    throw ImageError.notAnImage(path: image, reason: "it is of no format that sxs reads")
                }
                throw damaged("what is at byte \(offset - TarHeader.blockSize) is no entry")
            }
            guard let size = header.size else {
                throw damaged("the entry '\(header.name.displayed)' has no valid size")
            }
            switch header.type {
            case UInt8(ascii: "x"), UInt8(ascii: "X"):
                let bytes = try extra(size, limit: PaxRecords.longest - extended)
                extended += size
                guard records.read(bytes) else {
                    throw damaged("an extended header in front of byte \(offset) is not valid")
                }
            case UInt8(ascii: "g"):
                let bytes = try extra(size, limit: PaxRecords.longest - globalSize)
                globalSize += size
                guard globals.read(bytes), records.read(bytes) else {
                    throw damaged("a global extended header in front of byte \(offset) is not valid")
                }
            case UInt8(ascii: "L"):
                longName = Bytes(try extra(size, limit: Self.longestName).prefix { $0 != 0 })
            case UInt8(ascii: "K"):
                longLink = Bytes(try extra(size, limit: Self.longestName).prefix { $0 != 0 })
            case UInt8(ascii: "V"), UInt8(ascii: "N"), UInt8(ascii: "A"), UInt8(ascii: "E"),
                UInt8(ascii: "I"):
                // A volume's label, Solaris ACLs and the like: nothing of a tree.
                try pass(size)
                try pass(Self.padding(of: size))
            case UInt8(ascii: "M"):
                throw ImageError.unsupported(
                    image: image, what: "is a part of a multi-volume archive",
                    hint: "join the volumes and pack them as one archive")
            default:
                return try entry(header, size: size, records: records, longName: longName, longLink: longLink)
            }
        }
    }

    /// Gives the stored bytes of the current entry.
    func readData(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        while remaining > 0 {
            try fill()
            let part = UnsafeRawBufferPointer(rebasing: chunk[..<min(chunk.count, remaining)])
            drop(part.count)
            remaining -= part.count
            try body(part)
        }
    }

    /// Reads the stream to its end, where a compressed one is checked.
    func drain() throws {
        drop(chunk.count)
        while let bytes = try stream.next() { offset += bytes.count }
    }

    // MARK: Entries

    private func entry(
        _ header: TarHeader, size headerSize: Int, records: PaxRecords, longName: Bytes?, longLink: Bytes?
    ) throws -> TarEntry {
        var path = records.path ?? longName ?? header.name
        let type = header.type
        let size = records.size ?? headerSize
        var entry = TarEntry(
            kind: .file, path: path, mode: header.mode,
            target: records.linkPath ?? longLink ?? header.linkName,
            attributes: records.attributes.map { ExtendedAttribute(name: $0.key, value: $0.value) }
                .sorted { $0.name.lexicographicallyPrecedes($1.name) },
            size: size, storedSize: size, dataOffset: offset)
        switch type {
        case UInt8(ascii: "1"): entry.kind = .hardLink
        case UInt8(ascii: "2"): entry.kind = .symlink
        case UInt8(ascii: "3"), UInt8(ascii: "4"): entry.kind = .device
        case UInt8(ascii: "5"), UInt8(ascii: "D"): entry.kind = .directory
        case UInt8(ascii: "6"): entry.kind = .pipe
        case UInt8(ascii: "S"):
            entry.map = try oldSparseMap(header)
            guard let whole = header.number(483..<495) else { throw damaged(path, "has no valid size") }
            entry.size = whole
        default:
            // Before POSIX, a directory was a file whose name ends in a slash.
            if path.last == UInt8(ascii: "/") { entry.kind = .directory }
        }
        let hasData =
            entry.kind == .file || type == UInt8(ascii: "D")
            // pax may store a hard link's contents again; other archives give a size without contents.
            || entry.kind == .hardLink && header.block[257..<263].elementsEqual("ustar\0".utf8)
        if !hasData { entry.storedSize = 0 }
        remaining = entry.storedSize
        padding = Self.padding(of: remaining)
        entry.dataOffset = offset
        guard entry.kind == .file else { return entry }
        if let name = records.sparseName {
            path = name
            entry.path = name
        }
        if records.hasMapInData {
            entry.map = try mapInData(path)
            entry.dataOffset = offset
        } else if let map = records.sparseMap {
            entry.map = map
        }
        guard let map = entry.map else { return entry }
        if type != UInt8(ascii: "S") {
            guard let whole = records.sparseSize else { throw damaged(path, "is sparse and has no size") }
            entry.size = whole
        }
        entry.storedSize = remaining
        guard map.storedSize == remaining, map.ranges.last?.upperBound ?? 0 <= entry.size else {
            throw damaged(path, "has a list of holes that does not fit its size")
        }
        return entry
    }

    private func oldSparseMap(_ header: TarHeader) throws -> SparseMap {
        var map = SparseMap()
        var isRight = map.append(fieldsOf: header, from: 386, count: 4)
        var hasMore = header.block[482] != 0
        while hasMore, isRight {
            let more = TarHeader(block: try take(TarHeader.blockSize))
            isRight = map.append(fieldsOf: more, from: 0, count: 21)
            hasMore = more.block[504] != 0
        }
        guard isRight else { throw damaged(header.name, "has a list of holes that is not valid") }
        return map
    }

    /// The map of format 1.0: decimal numbers on lines of their own, filled up to a block.
    private func mapInData(_ path: Bytes) throws -> SparseMap {
        var pending: Bytes = []
        var used = 0
        func number() throws -> Int {
            while true {
                if let newline = pending[used...].firstIndex(of: 0x0a) {
                    defer { used = newline + 1 }
                    if newline > used, let value = TarHeader.number(pending[used..<newline], radix: 10) {
                        return value
                    }
                    throw damaged(path, "has a list of holes that is not valid")
                }
                guard remaining >= TarHeader.blockSize, pending.count - used < 64 else {
                    throw damaged(path, "has a list of holes that is not valid")
                }
                pending = Bytes(pending[used...]) + (try take(TarHeader.blockSize))
                used = 0
                remaining -= TarHeader.blockSize
            }
        }
        let count = try number()
        guard count <= SparseMap.longest else {
            throw ImageError.excessive(
                image: image, what: "\(count) holes in '\(path.displayed)'", limit: SparseMap.longest)
        }
        var map = SparseMap()
        for _ in 0..<count {
            guard map.append(offset: try number(), count: try number()) else {
                throw damaged(path, "has a list of holes that is not valid")
            }
        }
        return map
    }

    private func extra(_ size: Int, limit: Int) throws -> Bytes {
        guard size <= limit else {
            throw ImageError.excessive(image: image, what: "a header of \(size) bytes", limit: limit)
        }
        let bytes = try take(size)
        try pass(Self.padding(of: size))
        return bytes
    }

    // MARK: Bytes

    private static func padding(of size: Int) -> Int {
        let rest = size % TarHeader.blockSize
        return rest == 0 ? 0 : TarHeader.blockSize - rest
    }

    /// Makes ``chunk`` hold at least one byte.
    private func fill() throws {
        guard chunk.isEmpty else { return }
        guard let bytes = try stream.next() else {
            throw ImageError.truncated(
                image: image, detail: "the tar archive ends at byte \(offset), before its end marker")
        }
        chunk = bytes
    }

    private func drop(_ count: Int) {
        chunk = UnsafeRawBufferPointer(rebasing: chunk[count...])
        offset += count
    }

    private func take(_ count: Int) throws -> Bytes {
        var result: Bytes = []
        result.reserveCapacity(count)
        while result.count < count {
            try fill()
            let part = min(chunk.count, count - result.count)
            result.append(contentsOf: chunk[..<part])
            drop(part)
        }
        return result
    }

    private func pass(_ count: Int) throws {
        var rest = count
        while rest > 0 {
            if chunk.isEmpty, try stream.skip(rest) {
                offset += rest
                return
            }
            try fill()
            let part = min(chunk.count, rest)
            drop(part)
            rest -= part
        }
    }

    private func damaged(_ detail: String) -> ImageError {
        .damaged(image: image, detail: detail)
    }

    private func damaged(_ path: Bytes, _ detail: String) -> ImageError {
        .damaged(image: image, detail: "'\(path.displayed)' \(detail)")
    }
}
