/// A pattern of file names, as systemd-sysupdate has them: `strace-@v.x86-64.raw`.
///
/// `@v` stands for the version, and has to be there; the other fields are those of sysupdate. Fields end where the text after
/// them begins for the first time.
///
/// Source: sysupdate.d(5), "Match Patterns"; `src/sysupdate/sysupdate-pattern.c` of systemd 257.
public struct MatchPattern: Sendable, Equatable {
    private enum Element: Equatable {
        case literal(String)
        case field(Character)
    }

    /// Which characters each field may have.
    private static let fields: [Character: @Sendable (UInt8) -> Bool] = {
        let isDigit: @Sendable (UInt8) -> Bool = { (0x30...0x39).contains($0) }
        let isHex: @Sendable (UInt8) -> Bool = {
            (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20)
        }
        let isWord: @Sendable (UInt8) -> Bool = {
            (0x61...0x7a).contains($0 | 0x20) || (0x30...0x39).contains($0)
        }
        return [
            "v": { _ in true }, "u": { isHex($0) || $0 == UInt8(ascii: "-") },
            "f": { isHex($0) || $0 | 0x20 == UInt8(ascii: "x") }, "t": isDigit, "m": isDigit, "s": isDigit,
            "d": isDigit, "l": isDigit, "a": isWord, "r": isWord, "g": isWord, "h": isHex,
        ]
    }()

    private let elements: [Element]

    /// Reads a pattern; `nil` for what is none, and for one with directories.
    public init?(parsing text: String) {
        var elements: [Element] = []
        var literal = ""
        var isField = false
        var seen: Set<Character> = []
        for character in text {
            if isField {
                isField = false
                if character == "@" {
                    literal.append("@")
                    continue
                }
                guard Self.fields[character] != nil, seen.insert(character).inserted else { return nil }
                if !literal.isEmpty { elements.append(.literal(literal)) }
                // Without text between two fields nothing says where one ends.
                if literal.isEmpty, !elements.isEmpty { return nil }
                elements.append(.field(character))
                literal = ""
            } else if character == "@" {
                isField = true
            } else {
                guard character.isASCII, !character.isNewline, !"/$*?[]!\\|".contains(character) else {
                    return nil
                }
                literal.append(character)
            }
        }
        if !literal.isEmpty { elements.append(.literal(literal)) }
        guard !isField, seen.contains("v") else { return nil }
        self.elements = elements
    }

    /// The version that a file's name has; `nil` where it does not match.
    public func version(of fileName: String) -> String? {
        var rest = Array(fileName.utf8)[...]
        var version: String?
        for (index, element) in elements.enumerated() {
            switch element {
            case .literal(let text):
                guard rest.starts(with: text.utf8) else { return nil }
                rest = rest.dropFirst(text.utf8.count)
            case .field(let field):
                var value = rest
                if index + 1 < elements.count, case .literal(let next) = elements[index + 1] {
                    let end = rest.indices.first { rest[$0...].starts(with: next.utf8) }
                    guard let end else { return nil }
                    value = rest[..<end]
                }
                guard !value.isEmpty, value.allSatisfy(Self.fields[field] ?? { _ in false }) else {
                    return nil
                }
                let text = String(decoding: value, as: UTF8.self)
                if field == "v" {
                    guard (try? PackageVersion(text)) != nil else { return nil }
                    version = text
                }
                if field == "h", value.count != 64 { return nil }
                rest = rest.dropFirst(value.count)
            }
        }
        return rest.isEmpty ? version : nil
    }

    /// The text before the first field, without what separates it: mostly the name of the package.
    public var stem: String {
        guard case .literal(var text)? = elements.first else { return "" }
        while let last = text.last, "-_.".contains(last) { text.removeLast() }
        return text
    }

    /// The text after the last field.
    public var suffix: String {
        if case .literal(let text)? = elements.last { text } else { "" }
    }
}
