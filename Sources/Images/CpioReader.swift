internal import Files
private import Glibc

/// Reads the payload of an RPM package: a cpio archive of the new format, or rpm's own with nothing but the
/// number of each file in the header, which it uses from files of 4 GiB on.
///
/// Source: cpio(5), "New ASCII Format"; rpm's docs/manual/format_payload.md.
final class CpioReader {
    // A class: it reads a stream.

    private static let headerSize = 110
    private static let longestName = 1 << 16

    private let stream: any ByteStream
    private let image: String
    private let files: [RPMPackage.File]
    private let indexes: [Bytes: Int]
    private var chunk = UnsafeRawBufferPointer(start: nil, count: 0)
    private var offset = 0
    /// Names of an inode whose contents have not come.
    private var waiting: [UInt64: [(path: TreePath, index: Int?)]] = [:]

    init(_ stream: any ByteStream, image: String, files: [RPMPackage.File]) {
        self.stream = stream
        self.image = image
        self.files = files
        indexes = Dictionary(
            files.indices.map { (Self.key(files[$0].path), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// One entry, whichever way it is written.
    private struct Entry {
        let path: Bytes
        let mode: UInt16
        let size: Int
        /// What files of one inode have in common; `nil` for a file alone.
        let inode: UInt64?
        /// The file in the header; `nil` for one that is not there.
        let index: Int?
    }

    /// A name without what may be before it.
    private static func key(_ name: Bytes) -> Bytes {
        var rest = name[...]
        while rest.first == UInt8(ascii: "/") || rest.starts(with: "./".utf8) { rest = rest.dropFirst() }
        return Bytes(rest)
    }

    /// Gives all files to a writer.
    func read(into writer: EntryWriter) throws {
        while let entry = try next() { try write(entry, to: writer) }
        // Empty files of several names have no contents that could come last.
        for inode in waiting.keys.sorted() {
            guard let first = waiting[inode]?.first else { continue }
            try begin(first.path, mode: mode(first.index), index: first.index, size: 0, to: writer)
            try writer.sink.endFile()
            try link(inode, to: first.path, writer)
        }
        chunk = UnsafeRawBufferPointer(start: nil, count: 0)
        while try stream.next() != nil {}
    }

    private func next() throws -> Entry? {
        try align()
        let magic = try take(6)
        if magic.elementsEqual("07070X".utf8) {
            let index = Int(try hexadecimal(try take(8)))
            guard index < files.count else {
                throw damaged("file \(index) of \(files.count)")
            }
            try align()
            let file = files[index]
            let isFile = UInt32(file.mode) & S_IFMT == S_IFREG
            let isLink = UInt32(file.mode) & S_IFMT == S_IFLNK
            return Entry(
                path: file.path, mode: file.mode,
                size: isLink || isFile && !file.isLinkedLater ? file.size : 0, inode: file.inode,
                index: index)
        }
        guard magic.elementsEqual("070701".utf8) || magic.elementsEqual("070702".utf8) else {
            throw damaged("what is at byte \(offset - 6) of its payload is no file")
        }
        let rest = try take(Self.headerSize - 6)
        let fields = try (0..<13).map { try hexadecimal(rest[($0 * 8)..<($0 * 8 + 8)]) }
        guard fields[11] > 0, fields[11] <= Self.longestName else {
            throw damaged("a name of \(fields[11]) bytes")
        }
        let name = Bytes(try take(Int(fields[11])).prefix { $0 != 0 })
        try align()
        if name.elementsEqual("TRAILER!!!".utf8) { return nil }
        let index = indexes[Self.key(name)]
        let isShared = fields[4] > 1 && UInt32(fields[1]) & S_IFMT == S_IFREG
        return Entry(
            path: name, mode: index.map { files[$0].mode } ?? UInt16(truncatingIfNeeded: fields[1]),
            size: Int(fields[6]), inode: isShared ? UInt64(fields[0]) : nil, index: index)
    }

    private func mode(_ index: Int?) -> UInt16 { index.map { files[$0].mode } ?? 0o644 }

    private func write(_ entry: Entry, to writer: EntryWriter) throws {
        // The header's names are absolute, and "../" in them is refused by the writer.
        let path = try writer.path(Self.key(entry.path))
        let permissions = entry.mode & 0o7777
        switch UInt32(entry.mode) & S_IFMT {
        case S_IFDIR:
            try pass(entry.size)
            try writer.sink.directory(path, mode: permissions, attributes: [])
        case S_IFLNK:
            guard entry.size <= TreePath.longestPath else {
                throw damaged("a link's target of \(entry.size) bytes")
            }
            try writer.symlink(path, target: Bytes(try take(entry.size)))
        case S_IFREG:
            if let inode = entry.inode, entry.size == 0 {
                waiting[inode, default: []].append((path, entry.index))
                return
            }
            try begin(path, mode: permissions, index: entry.index, size: entry.size, to: writer)
            try give(entry.size) { try writer.sink.append($0) }
            try writer.sink.endFile()
            if let inode = entry.inode { try link(inode, to: path, writer) }
        case S_IFCHR, S_IFBLK: writer.sink.omit(.device, at: path)
        case S_IFIFO, S_IFSOCK: writer.sink.omit(.pipe, at: path)
        default: throw damaged("'\(path)' is of no known type")
        }
    }

    private func begin(
        _ path: TreePath, mode: UInt16, index: Int?, size: Int, to writer: EntryWriter
    ) throws {
        try writer.checkRoot(path)
        let capability = index.map { files[$0].capability } ?? []
        // Its words are counted, not set: no store gives capabilities.
        let attributes =
            capability.isEmpty
            ? [] : [ExtendedAttribute(name: Bytes("security.capability".utf8), value: capability)]
        try writer.sink.beginFile(path, mode: mode & 0o7777, attributes: attributes, size: size)
    }

    /// Gives the other names of an inode to the file that has come.
    private func link(_ inode: UInt64, to path: TreePath, _ writer: EntryWriter) throws {
        for other in waiting.removeValue(forKey: inode) ?? [] where other.path != path {
            try writer.sink.hardLink(other.path, to: path)
            if let index = other.index, !files[index].capability.isEmpty {
                writer.sink.omit(.capability, at: other.path)
            }
        }
    }

    // MARK: Bytes

    private func hexadecimal(_ digits: some Collection<UInt8>) throws -> UInt32 {
        guard let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
            digits.allSatisfy({ $0 != UInt8(ascii: "+") })
        else { throw damaged("a number at byte \(offset) of its payload is not valid") }
        return value
    }

    private func fill() throws {
        guard chunk.isEmpty else { return }
        guard let bytes = try stream.next() else {
            throw ImageError.truncated(
                image: image, detail: "its payload ends at byte \(offset), before its end marker")
        }
        chunk = bytes
    }

    private func give(_ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var rest = count
        while rest > 0 {
            try fill()
            let part = UnsafeRawBufferPointer(rebasing: chunk[..<min(chunk.count, rest)])
            chunk = UnsafeRawBufferPointer(rebasing: chunk[part.count...])
            offset += part.count
            rest -= part.count
            try body(part)
        }
    }

    private func take(_ count: Int) throws -> Bytes {
        var bytes: Bytes = []
        bytes.reserveCapacity(count)
        try give(count) { bytes.append(contentsOf: $0) }
        return bytes
    }

    private func pass(_ count: Int) throws { try give(count) { _ in } }

    /// Names and contents are filled up to four bytes.
    private func align() throws { try pass((4 - offset % 4) % 4) }

    private func damaged(_ detail: String) -> ImageError { .damaged(image: image, detail: detail) }
}
