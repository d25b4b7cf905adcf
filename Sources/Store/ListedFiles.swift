internal import Files
internal import StoreLayout

/// The files of one store path by their contents, as its listing has them.
struct ListedFiles {
    /// The lines of a file: its own and, where it has some, those of its attributes.
    private struct Item {
        /// The first bytes of the digest.
        let digest: UInt64
        let start: UInt32
        let end: UInt32
    }

    private let text: SpilledText
    /// Sorted by digest, those of one in the listing's order.
    private let items: [Item]
    /// Bytes of the listing.
    let size: Int

    /// Reads what a listing has.
    ///
    /// - Parameter text: The listing, which ``TreeListing/render(_:mode:content:)`` wrote; lines that it would not have
    ///   written are no files.
    init(_ text: SpilledText) throws {
        var items: [Item] = []
        var size = 0
        try text.withBytes { bytes in
            size = bytes.count
            guard bytes.count <= Int(UInt32.max) else { return }
            var place = 0
            while let line = Self.line(in: bytes, from: place) {
                place = line.upperBound
                guard let digest = Self.digest(of: UnsafeRawBufferPointer(rebasing: bytes[line])) else {
                    continue
                }
                while place < bytes.count, bytes[place] == UInt8(ascii: "#"),
                    let next = Self.line(in: bytes, from: place)
                {
                    place = next.upperBound
                }
                items.append(Item(digest: digest, start: UInt32(line.lowerBound), end: UInt32(place)))
            }
        }
        items.sort { ($0.digest, $0.start) < ($1.digest, $1.start) }
        (self.text, self.items, self.size) = (text, items, size)
    }

    /// The first bytes of the digests of all files.
    var digests: some Sequence<UInt64> { items.lazy.map(\.digest) }

    /// Asks for one file after the other that has certain contents, until there is an answer.
    func first<Answer>(with digest: Digest, _ answer: (ListedEntry) throws -> Answer?) throws -> Answer? {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle].digest < digest.start { low = middle + 1 } else { high = middle }
        }
        for item in items[low...] {
            guard item.digest == digest.start else { break }
            let entry = try text.withBytes {
                try? Self.entry(UnsafeRawBufferPointer(rebasing: $0[Int(item.start)..<Int(item.end)]))
            }
            guard let entry, case .file(_, digest) = entry.kind else { continue }
            if let found = try answer(entry) { return found }
        }
        return nil
    }

    /// A line, with what ends it.
    private static func line(in bytes: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        guard start < bytes.count,
            let length = UnsafeRawBufferPointer(rebasing: bytes[start...]).firstIndex(
                of: UInt8(ascii: "\n"))
        else { return nil }
        return start..<(start + length + 1)
    }

    private static func entry(_ lines: UnsafeRawBufferPointer) throws -> ListedEntry? {
        try TreeListing.parse(Bytes(TreeListing.header.utf8) + lines).first
    }

    /// The first bytes of a file's digest; `nil` for what is no file, or has no contents.
    ///
    /// They end the line: ` mode=0555 size=5 sha256digest=…`.
    private static func digest(of line: UnsafeRawBufferPointer) -> UInt64? {
        // The newline.
        let start = line.count - 1 - Digest.byteCount * 2
        guard start > digestField.count, let digest = number(line[start..<(start + 16)]),
            line[(start - digestField.count)..<start].elementsEqual(digestField)
        else { return nil }
        return line[..<(start - digestField.count)].suffix(empty.count).elementsEqual(empty) ? nil : digest
    }

    private static let digestField = Bytes(" sha256digest=".utf8)
    private static let empty = Bytes(" size=0".utf8)

    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt64(digit - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(digit - 0x61 + 10)
            default: return nil
            }
        }
        return value
    }
}
