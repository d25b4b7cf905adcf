/// A configuration file as systemd and sxs write them: sections, and `NAME=VALUE` in them.
///
/// Lines that begin with `#` or `;` are comments. A backslash at the end of a line joins the next one, with a space.
///
/// Source: systemd.syntax(7).
public struct ConfigurationFile: Sendable, Equatable {
    /// One assignment.
    public struct Entry: Sendable, Equatable {
        /// The section it is in; empty before the first one.
        public let section: String
        /// What is assigned to.
        public let key: String
        /// What is assigned, without white space at its ends.
        public let value: String
        /// Its line, counted from 1.
        public let line: Int
    }

    /// All assignments, in the order of the file.
    public let entries: [Entry]

    /// Lines that are neither an assignment nor a section nor a comment.
    public let ignoredLines: [Int]

    /// Reads a file's text.
    public init(parsing text: String) {
        var entries: [Entry] = []
        var ignored: [Int] = []
        var section = ""
        var joined: (text: String, line: Int)?
        func take(_ line: String, at number: Int) {
            if line.hasPrefix("["), line.hasSuffix("]") {
                section = String(line.dropFirst().dropLast())
            } else if let equals = line.firstIndex(of: "="), equals != line.startIndex {
                entries.append(
                    Entry(
                        section: section, key: Self.trimmed(line[..<equals]),
                        value: Self.trimmed(line[line.index(after: equals)...]), line: number))
            } else {
                ignored.append(number)
            }
        }
        for (index, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let line = Self.trimmed(raw)
            if line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.isEmpty, joined == nil { continue }
            let start = joined ?? ("", index + 1)
            if line.hasSuffix("\\") {
                joined = (start.text + line.dropLast() + " ", start.line)
            } else {
                take(start.text + line, at: start.line)
                joined = nil
            }
        }
        if let joined { take(Self.trimmed(joined.text[...]), at: joined.line) }
        self.entries = entries
        ignoredLines = ignored
    }

    /// The last value of a key; `nil` where there is none or it is empty.
    public func value(_ key: String, in section: String) -> String? {
        entries.last { $0.section == section && $0.key == key }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    /// The words of all values of a key; an empty value takes back those before it.
    public func words(_ key: String, in section: String) -> [String] {
        entries.filter { $0.section == section && $0.key == key }.reduce(into: []) { words, entry in
            if entry.value.isEmpty { words = [] }
            words += entry.value.split(separator: " ").map(String.init)
        }
    }

    /// The names of all sections with assignments, in the order of the file.
    public var sections: [String] {
        entries.reduce(into: []) { names, entry in
            if !names.contains(entry.section) { names.append(entry.section) }
        }
    }

    /// What a value that is yes or no says; `nil` for anything else.
    ///
    /// Source: systemd.syntax(7), "boolean".
    public static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "1", "yes", "y", "true", "t", "on": true
        case "0", "no", "n", "false", "f", "off": false
        default: nil
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0.isWhitespace }
        let end = start.lastIndex { !$0.isWhitespace }.map { start.index(after: $0) } ?? start.startIndex
        return String(start[..<end])
    }
}
