public import Files

/// One entry of a listing that was read back.
public struct ListedEntry: Hashable, Sendable {
    /// What an entry is.
    public enum Kind: Hashable, Sendable {
        case directory
        case file(size: Int, digest: Digest)
        case symlink(target: Bytes)
    }

    /// Its path.
    public let path: TreePath
    /// What it is.
    public let kind: Kind
    /// Permission bits.
    public let mode: UInt16
    /// Extended attributes, sorted by name.
    public var attributes: [ExtendedAttribute]
}

/// A listing that cannot be read: the line and what is wrong with it.
public struct ListingError: Error, Equatable, CustomStringConvertible {
    /// The line, counted from 1.
    public let line: Int
    /// What is wrong.
    public let reason: String

    /// The text for people.
    public var description: String {
        """
        the listing is damaged at line \(line): \(reason)
        hint: import the image again; the listing is written anew
        """
    }
}

extension TreeListing {
    /// Reads a listing that ``render(_:mode:content:)`` wrote.
    ///
    /// - Throws: ``ListingError`` for anything it would not have written.
    public static func parse(_ bytes: Bytes) throws(ListingError) -> [ListedEntry] {
        var entries: [ListedEntry] = []
        guard bytes.starts(with: header.utf8) else { throw ListingError(line: 1, reason: "unknown header") }
        guard bytes.last == UInt8(ascii: "\n") else { throw ListingError(line: 1, reason: "it is cut short") }
        var number = 2
        var place = header.utf8.count
        while place < bytes.count {
            let end = bytes[place...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var fields = Fields(bytes: bytes, place: place, end: end)
            place = end + 1
            guard let first = fields.next() else { continue }
            number += 1
            if first.first == UInt8(ascii: "#") {
                guard fields.next() != nil, let field = fields.next(), fields.next() == nil, !entries.isEmpty
                else { throw ListingError(line: number, reason: "stray comment") }
                entries[entries.count - 1].attributes.append(try attribute(field, line: number))
            } else {
                entries.append(try entry(first, &fields, line: number))
            }
        }
        return entries
    }

    /// The fields of a line, one by one.
    private struct Fields {
        let bytes: Bytes
        var place: Int
        let end: Int

        mutating func next() -> ArraySlice<UInt8>? {
            while place < end, bytes[place] == UInt8(ascii: " ") { place += 1 }
            guard place < end else { return nil }
            let start = place
            while place < end, bytes[place] != UInt8(ascii: " ") { place += 1 }
            return bytes[start..<place]
        }
    }

    private static func entry(
        _ first: ArraySlice<UInt8>, _ fields: inout Fields, line: Int
    ) throws(ListingError) -> ListedEntry {
        var (type, mode, size): (ArraySlice<UInt8>?, UInt16?, Int?)
        var (digest, target): (Digest?, Bytes?)
        while let field = fields.next() {
            guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else {
                throw ListingError(line: line, reason: "a keyword without a value")
            }
            let (key, value) = (field[..<equals], field[(equals + 1)...])
            if equal(key, "type") {
                type = value
            } else if equal(key, "mode") {
                mode = self.number(value, radix: 8).flatMap(UInt16.init(exactly:))
            } else if equal(key, "size") {
                size = self.number(value, radix: 10)
            } else if equal(key, "sha256digest") {
                digest = Digest(digits: value)
            } else if equal(key, "link") {
                target = try unescape(value, line: line)
            }
        }
        let path = try self.path(first, line: line)
        guard let mode else { throw ListingError(line: line, reason: "no mode") }
        let kind: ListedEntry.Kind
        if let type, equal(type, "file") {
            guard let size, let digest else { throw ListingError(line: line, reason: "no size or digest") }
            kind = .file(size: size, digest: digest)
        } else if let type, equal(type, "dir") {
            kind = .directory
        } else if let type, equal(type, "link") {
            guard let target else { throw ListingError(line: line, reason: "no link target") }
            kind = .symlink(target: target)
        } else {
            throw ListingError(line: line, reason: "unknown type")
        }
        return ListedEntry(path: path, kind: kind, mode: mode, attributes: [])
    }

    private static func path(_ field: ArraySlice<UInt8>, line: Int) throws(ListingError) -> TreePath {
        // Without it, it is a path as it stands.
        let isBelow = field.count > 2 && field.starts(with: "./".utf8)
        let name = try unescape(isBelow ? field.dropFirst(2) : field, line: line)
        do {
            return try TreePath(parsing: name)
        } catch {
            throw ListingError(line: line, reason: "\(error)")
        }
    }

    private static func equal(_ bytes: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { $0.count == bytes.count && bytes.elementsEqual($0) }
    }

    /// A whole number without a sign; `nil` for anything else.
    private static func number(_ digits: ArraySlice<UInt8>, radix: Int) -> Int? {
        guard !digits.isEmpty else { return nil }
        var value = 0
        for digit in digits {
            guard case let next = Int(digit) - Int(UInt8(ascii: "0")), 0..<radix ~= next else { return nil }
            let (product, isLost) = value.multipliedReportingOverflow(by: radix)
            let (sum, isOver) = product.addingReportingOverflow(next)
            guard !isLost, !isOver else { return nil }
            value = sum
        }
        return value
    }

    private static func attribute(
        _ field: ArraySlice<UInt8>, line: Int
    ) throws(ListingError) -> ExtendedAttribute {
        guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else {
            throw ListingError(line: line, reason: "an attribute without a value")
        }
        let digits = Array(field[(equals + 1)...])
        var value: Bytes = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard index + 1 < digits.count,
                let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16)
            else { throw ListingError(line: line, reason: "an attribute that is not hexadecimal") }
            value.append(byte)
        }
        return ExtendedAttribute(name: try unescape(field[..<equals], line: line), value: value)
    }

    private static func unescape(_ bytes: ArraySlice<UInt8>, line: Int) throws(ListingError) -> Bytes {
        guard bytes.contains(UInt8(ascii: "\\")) else { return Array(bytes) }
        var result: Bytes = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            guard bytes[index] == UInt8(ascii: "\\") else {
                result.append(bytes[index])
                index += 1
                continue
            }
            guard index + 3 < bytes.endIndex,
                let byte = UInt8(String(decoding: bytes[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
            else { throw ListingError(line: line, reason: "a broken escape") }
            result.append(byte)
            index += 4
        }
        return result
    }
}
