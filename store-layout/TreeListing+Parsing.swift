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

    /// The line, what is wrong with it, and a hint.
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
        for line in bytes.dropFirst(header.utf8.count).split(separator: UInt8(ascii: "\n")) {
            number += 1
            let fields = line.split(separator: UInt8(ascii: " "))
            if line.first == UInt8(ascii: "#") {
                guard fields.count == 3, !entries.isEmpty else {
                    throw ListingError(line: number, reason: "stray comment")
                }
                entries[entries.count - 1].attributes.append(try attribute(fields[2], line: number))
            } else {
                entries.append(try entry(fields, line: number))
            }
        }
        return entries
    }

    private static func entry(_ fields: [ArraySlice<UInt8>], line: Int) throws(ListingError) -> ListedEntry {
        var values: [String: Bytes] = [:]
        guard let first = fields.first else { throw ListingError(line: line, reason: "it is empty") }
        for field in fields.dropFirst() {
            guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else {
                throw ListingError(line: line, reason: "a keyword without a value")
            }
            let key = String(decoding: field[..<equals], as: UTF8.self)
            values[key] = try unescape(field[(equals + 1)...], line: line)
        }
        let name = try unescape(first, line: line)
        let path: TreePath
        do {
            path = try TreePath(parsing: name)
        } catch {
            throw ListingError(line: line, reason: "\(error)")
        }
        let text = { (key: String) in values[key].map { String(decoding: $0, as: UTF8.self) } }
        guard let mode = text("mode").flatMap({ UInt16($0, radix: 8) }) else {
            throw ListingError(line: line, reason: "no mode")
        }
        let kind: ListedEntry.Kind
        switch text("type") {
        case "dir": kind = .directory
        case "link":
            guard let target = values["link"] else {
                throw ListingError(line: line, reason: "no link target")
            }
            kind = .symlink(target: target)
        case "file":
            guard let size = text("size").flatMap({ Int($0) }),
                let digest = text("sha256digest").flatMap({ Digest(hex: $0) })
            else { throw ListingError(line: line, reason: "no size or digest") }
            kind = .file(size: size, digest: digest)
        default: throw ListingError(line: line, reason: "unknown type")
        }
        return ListedEntry(path: path, kind: kind, mode: mode, attributes: [])
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
