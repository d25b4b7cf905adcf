public import Files

/// An os-release or extension-release file, read as systemd reads it: nearly, but not quite, as a shell would.
///
/// Source: os-release(5); `parse_env_file_internal` in `src/basic/env-file.c`, systemd 252.39 and 257.13.
public struct ReleaseFile: Sendable, Equatable {
    /// Bytes of the largest file that is read, as in systemd: 64 MiB less one.
    public static let longest = (64 << 20) - 1

    /// Values by name; the last of several counts.
    ///
    /// An empty value counts as none in ``subscript(_:)``.
    public let fields: [String: String]

    /// Lines, counted from 1, that have no `=` and are passed over.
    public let ignoredLines: [Int]

    /// The value of a field; `nil` where there is none or it is empty.
    public subscript(name: String) -> String? {
        fields[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Reads a file.
    ///
    /// - Parameter version: The systemd to read like.
    /// - Throws: ``ReleaseFileError``; systemd then takes nothing of the file.
    public init(
        parsing bytes: Bytes, like version: SystemdVersion = .newest
    ) throws(ReleaseFileError) {
        guard bytes.count <= Self.longest else { throw .tooLarge(bytes.count) }
        guard !bytes.contains(0) else { throw .nulByte }
        var parser = Parser(version: version)
        for byte in bytes { try parser.take(byte) }
        try parser.finish()
        fields = parser.fields
        ignoredLines = parser.ignoredLines
    }
}

/// Why systemd takes nothing of a release file.
public enum ReleaseFileError: Error, Equatable, CustomStringConvertible {
    /// It is past the limit.
    case tooLarge(Int)
    /// It has a byte 0.
    case nulByte
    /// A name or value is not UTF-8, or has code points that are no characters.
    case notText(line: Int)

    /// What is wrong, to go after the file's name.
    public var description: String {
        switch self {
        case .tooLarge(let size): "has \(size) bytes, more than the \(ReleaseFile.longest) that systemd reads"
        case .nulByte: "has a zero byte"
        case .notText(let line): "has something in line \(line) that is no UTF-8 text"
        }
    }
}

/// The states of systemd's reader.
private struct Parser {
    private enum State {
        case beforeKey, key, beforeValue, value, valueEscape
        case singleQuotes, doubleQuotes, doubleQuotesEscape, comment, commentEscape
    }

    let version: SystemdVersion
    private(set) var fields: [String: String] = [:]
    private(set) var ignoredLines: [Int] = []

    private var state = State.beforeKey
    private var line = 1
    private var key: Bytes = []
    private var value: Bytes = []
    /// Where white space at the end of ``key`` and ``value`` begins, as far as they have been read.
    private var keyEnd: Int?
    private var valueEnd: Int?

    init(version: SystemdVersion) {
        self.version = version
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || isEnd(byte) }
    private static func isEnd(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

    mutating func take(_ byte: UInt8) throws(ReleaseFileError) {
        switch state {
        case .beforeKey:
            if byte == UInt8(ascii: "#") || byte == UInt8(ascii: ";") {
                state = .comment
            } else if !Self.isSpace(byte) {
                state = .key
                keyEnd = nil
                key = [byte]
            }
        case .key:
            if Self.isEnd(byte) {
                ignoredLines.append(line)
                state = .beforeKey
            } else if byte == UInt8(ascii: "=") {
                state = .beforeValue
                valueEnd = nil
                value = []
            } else {
                Self.append(byte, to: &key, end: &keyEnd)
            }
        case .beforeValue: try takeBeforeValue(byte)
        case .value:
            if Self.isEnd(byte) {
                try push()
            } else if byte == UInt8(ascii: "\\") {
                state = .valueEscape
                valueEnd = nil
            } else {
                Self.append(byte, to: &value, end: &valueEnd)
            }
        case .valueEscape:
            state = .value
            if !Self.isEnd(byte) { value.append(byte) }
        case .singleQuotes:
            if byte == UInt8(ascii: "'") { state = .beforeValue } else { value.append(byte) }
        case .doubleQuotes:
            if byte == UInt8(ascii: "\"") {
                state = .beforeValue
            } else if byte == UInt8(ascii: "\\") {
                state = .doubleQuotesEscape
            } else {
                value.append(byte)
            }
        case .doubleQuotesEscape:
            state = .doubleQuotes
            if "\"\\`$".utf8.contains(byte) {
                value.append(byte)
            } else if byte != 0x0a {
                value += [UInt8(ascii: "\\"), byte]
            }
        case .comment:
            if byte == UInt8(ascii: "\\") {
                state = .commentEscape
            } else if Self.isEnd(byte) {
                state = .beforeKey
            }
        case .commentEscape:
            state = Self.isEnd(byte) && !version.continuesComments ? .beforeKey : .comment
        }
        if byte == 0x0a { line += 1 }
    }

    private mutating func takeBeforeValue(_ byte: UInt8) throws(ReleaseFileError) {
        switch byte {
        case 0x0a, 0x0d:
            valueEnd = nil
            try push()
        case UInt8(ascii: "'"): state = .singleQuotes
        case UInt8(ascii: "\""): state = .doubleQuotes
        case UInt8(ascii: "\\"): state = .valueEscape
        case _ where Self.isSpace(byte): break
        default:
            state = .value
            value.append(byte)
        }
    }

    private static func append(_ byte: UInt8, to bytes: inout Bytes, end: inout Int?) {
        if !isSpace(byte) {
            end = nil
        } else if end == nil {
            end = bytes.count
        }
        bytes.append(byte)
    }

    /// Ends the file: what has a `=` counts, whatever quotes are open.
    mutating func finish() throws(ReleaseFileError) {
        switch state {
        case .beforeKey, .comment, .commentEscape: break
        case .key: ignoredLines.append(line)
        case .value: try push()
        default:
            valueEnd = nil
            try push()
        }
    }

    private mutating func push() throws(ReleaseFileError) {
        state = .beforeKey
        guard let name = Self.text(key[..<(keyEnd ?? key.count)]),
            let text = Self.text(value[..<(valueEnd ?? value.count)])
        else { throw .notText(line: line) }
        fields[name] = text
    }

    /// Text of which every code point is a character; others are refused as bad UTF-8 is.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self),
            text.unicodeScalars.allSatisfy({
                !(0xfdd0...0xfdef).contains($0.value) && $0.value & 0xfffe != 0xfffe
            })
        else { return nil }
        return text
    }
}
