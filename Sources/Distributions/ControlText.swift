public import Files

/// Text in the form of Debian's control files: paragraphs of fields, each a name and lines.
///
/// Source: deb822(5), Debian Policy 5.1.
public struct ControlText: Sendable, Equatable {
    /// One paragraph.
    public struct Paragraph: Sendable, Equatable {
        /// Its fields in their order; the first line of a value without white space at its ends, the others as they are
        /// but for white space at their ends.
        public let fields: [(name: String, lines: [String])]

        /// The lines of a field, whatever the case of its name; `nil` where there is none.
        public func lines(_ name: String) -> [String]? {
            let wanted = name.lowercased()
            return fields.first { $0.name.lowercased() == wanted }?.lines
        }

        /// A field of one line; lines of a longer one are joined by spaces.
        public func value(_ name: String) -> String? {
            lines(name).map { $0.map(ControlText.trimmed).filter { !$0.isEmpty }.joined(separator: " ") }
        }

        /// The words of a field.
        public func words(_ name: String) -> [String] {
            (value(name) ?? "").split { $0 == " " || $0 == "\t" || $0 == "," }.map(String.init)
        }

        /// Whether both have the same fields.
        public static func == (left: Paragraph, right: Paragraph) -> Bool {
            left.fields.elementsEqual(right.fields) { $0 == $1 }
        }
    }

    /// Bytes that a text may have.
    public static let longest = 64 << 20
    /// Fields that a paragraph may have: none has nearly as many.
    private static let mostFields = 1000

    /// The paragraphs.
    public let paragraphs: [Paragraph]

    /// Reads a text.
    ///
    /// Lines that begin with `#` are comments. A field that a paragraph has already is an error.
    ///
    /// - Parameters:
    ///   - bytes: The text, in UTF-8.
    ///   - file: What errors call it.
    public init(parsing bytes: Bytes, file: String) throws(DistributionError) {
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self),
            !bytes.contains(0)
        else { throw .badText(file: file, line: 0, reason: "is no UTF-8 text") }
        var paragraphs: [Paragraph] = []
        var fields: [(name: String, lines: [String])] = []
        var names: Set<String> = []
        func end() {
            if !fields.isEmpty { paragraphs.append(Paragraph(fields: fields)) }
            fields = []
            names = []
        }
        // By bytes: other line ends than a line feed are part of the text.
        for (index, raw) in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            let line = String(Substring(raw))
            if line.hasPrefix("#") { continue }
            if Self.trimmed(line).isEmpty {
                end()
            } else if let first = line.utf8.first, first == 0x20 || first == 0x09 {
                guard !fields.isEmpty else {
                    throw .badText(
                        file: file, line: index + 1, reason: "goes on with a field that there is none of")
                }
                fields[fields.count - 1].lines.append(Self.withoutEnd(line))
            } else {
                guard let colon = line.utf8.firstIndex(of: 0x3a), colon != line.startIndex else {
                    throw .badText(
                        file: file, line: index + 1, reason: "is neither NAME: VALUE nor the rest of one")
                }
                let name = String(line[..<colon])
                guard name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                    throw .badText(file: file, line: index + 1, reason: "has a name that none can have")
                }
                guard names.insert(name.lowercased()).inserted else {
                    throw .badText(file: file, line: index + 1, reason: "has '\(name)' for the second time")
                }
                guard fields.count < Self.mostFields else {
                    throw .badText(
                        file: file, line: index + 1,
                        reason: "is one field too many: a paragraph has at most \(Self.mostFields)")
                }
                fields.append((name, [Self.trimmed(String(line[line.utf8.index(after: colon)...]))]))
            }
        }
        end()
        self.paragraphs = paragraphs
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }

    /// Without white space at its ends.
    static func trimmed(_ text: String) -> String {
        String(Substring(text.utf8.drop(while: isBlank))).withoutBlankEnd
    }

    private static func withoutEnd(_ text: String) -> String { text.withoutBlankEnd }
}

extension String {
    fileprivate var withoutBlankEnd: String {
        var bytes = utf8[...]
        while let last = bytes.last, last == 0x20 || last == 0x09 || last == 0x0d { bytes = bytes.dropLast() }
        return String(Substring(bytes))
    }
}
