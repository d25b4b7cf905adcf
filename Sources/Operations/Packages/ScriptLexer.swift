internal import Files

/// A word of a shell script, in parts.
struct ScriptWord: Equatable {
    enum Part: Equatable {
        case text(String)
        case variable(String, isQuoted: Bool)
        /// What only running the script would tell.
        case unknown
    }

    var parts: [Part] = []
    /// Whether any of it was quoted, so that it is no keyword.
    var isQuoted = false

    /// Its text, if it has nothing else and was not quoted.
    var keyword: String? {
        guard !isQuoted, parts.count == 1, case .text(let text) = parts[0] else { return nil }
        return text
    }

    mutating func append(_ character: Unicode.Scalar) {
        guard case .text(var text)? = parts.last else { return parts.append(.text(String(character))) }
        // The only one who has it adds to it in place: else long words would take the square of their length.
        parts.removeLast()
        text.unicodeScalars.append(character)
        parts.append(.text(text))
    }
}

/// A simple command of a script: its words, and what ends it.
struct ScriptCommand: Equatable {
    enum End: Equatable { case command, and, or, pipe, definition }

    var words: [ScriptWord]
    var end: End
}

/// Takes a shell script apart into simple commands.
///
/// Not a shell: of `case` it drops the patterns, here-documents are passed over, and what stands in `$(…)` is unknown.
///
/// Source: POSIX.1-2017, "Shell Command Language", 2.2 and 2.3.
struct ScriptLexer {
    private let text: [Unicode.Scalar]
    private var index = 0
    private var commands: [ScriptCommand] = []
    private var words: [ScriptWord] = []
    private var word: ScriptWord?
    /// Open subshells.
    private var depth = 0
    /// Whether what comes is a pattern, in each open `case`.
    private var cases: [Bool] = []
    /// Ends of here-documents that begin on the next line.
    private var documents: [String] = []

    /// Bytes of a script that are looked at: longer ones are programs, not glue.
    static let longest = 1 << 20

    private init(_ text: Bytes) {
        self.text = Array(String(decoding: text.prefix(Self.longest), as: UTF8.self).unicodeScalars)
    }

    /// The commands of a script, in the order in which they stand there.
    static func commands(in text: Bytes) -> [ScriptCommand] {
        var lexer = ScriptLexer(text)
        lexer.run()
        return lexer.commands
    }

    private var next: Unicode.Scalar? { index < text.count ? text[index] : nil }

    private mutating func run() {
        while let character = next {
            index += 1
            switch character {
            case " ", "\t", "\r": endWord()
            case "\n":
                end(.command)
                skipDocuments()
            case ";" where next == ";" && !cases.isEmpty:
                end(.command)
                while next == ";" || next == "&" { index += 1 }
                cases[cases.count - 1] = true
            case "&" where next == "&":
                index += 1
                end(.and)
            case ";", "&": end(.command)
            case "|":
                if next == "|" {
                    index += 1
                    end(.or)
                } else {
                    end(.pipe)
                }
            case "(": open()
            case ")": close()
            case "#" where word == nil:
                while let other = next, other != "\n" { index += 1; _ = other }
            case "<", ">": redirect(character)
            case "\\":
                if next == "\n" {
                    index += 1
                } else if let escaped = next {
                    index += 1
                    begin {
                        $0.append(escaped); $0.isQuoted = true
                    }
                }
            case "'":
                begin { $0.isQuoted = true }
                while let other = next {
                    index += 1
                    if other == "'" { break }
                    word?.append(other)
                }
            case "\"": quoted()
            case "$": expand(isQuoted: false)
            case "`":
                skip(to: "`")
                begin { $0.parts.append(.unknown) }
            default: begin { $0.append(character) }
            }
        }
        end(.command)
    }

    private mutating func begin(_ edit: (inout ScriptWord) -> Void) {
        var current = word ?? ScriptWord()
        // See ``ScriptWord/append(_:)``.
        word = nil
        edit(&current)
        word = current
    }

    private var isPattern: Bool { cases.last == true }

    private mutating func endWord() {
        guard let finished = word else { return }
        word = nil
        if finished.keyword == "esac", !cases.isEmpty, words.isEmpty {
            cases.removeLast()
        } else if finished.keyword == "in", words.count >= 2, words[words.count - 2].keyword == "case" {
            words = []
            cases.append(true)
        } else if !isPattern {
            words.append(finished)
        }
    }

    private mutating func end(_ kind: ScriptCommand.End) {
        endWord()
        if !words.isEmpty { commands.append(ScriptCommand(words: words, end: kind)) }
        words = []
    }

    private mutating func open() {
        endWord()
        // Before a pattern.
        if isPattern { return }
        // "name()" begins a function.
        if words.count == 1, next == ")" {
            index += 1
            return end(.definition)
        }
        if words.isEmpty { depth += 1 }
    }

    private mutating func close() {
        endWord()
        if depth > 0, !isPattern {
            depth -= 1
            return end(.command)
        }
        if isPattern { cases[cases.count - 1] = false }
        end(.command)
    }

    private mutating func redirect(_ character: Unicode.Scalar) {
        // "2>": the number is part of it.
        if let number = word?.keyword, number.allSatisfy(\.isNumber) { word = nil }
        endWord()
        if character == "<", next == "<" {
            index += 1
            guard next == "<" else {
                if next == "-" { index += 1 }
                while next == " " { index += 1 }
                var name = ""
                while let other = next, !" \n;|&)".unicodeScalars.contains(other) {
                    if !"'\"\\".unicodeScalars.contains(other) { name.unicodeScalars.append(other) }
                    index += 1
                }
                documents.append(name)
                return
            }
            index += 1
        }
        while let other = next, ">&|".unicodeScalars.contains(other) { index += 1; _ = other }
        while next == " " { index += 1 }
        // The file is no argument.
        let count = words.count
        let before = commands.count
        while let other = next, !" \t\n;|&()<>".unicodeScalars.contains(other) {
            index += 1
            switch other {
            case "\"": quoted()
            case "'": skip(to: "'")
            case "$": expand(isQuoted: true)
            default: break
            }
        }
        word = nil
        if commands.count == before { words.removeLast(words.count - count) }
    }

    private mutating func skipDocuments() {
        for name in documents {
            while index < text.count {
                var line = String.UnicodeScalarView()
                while let other = next, other != "\n" {
                    line.append(other)
                    index += 1
                }
                index += 1
                if String(line.drop { $0 == "\t" }) == name { break }
            }
        }
        documents = []
    }

    private mutating func quoted() {
        begin { $0.isQuoted = true }
        while let character = next {
            index += 1
            switch character {
            case "\"": return
            case "\\":
                guard let escaped = next else { return }
                index += 1
                if escaped == "\n" { continue }
                if !"$`\"\\".unicodeScalars.contains(escaped) { word?.append("\\") }
                word?.append(escaped)
            case "$": expand(isQuoted: true)
            case "`":
                skip(to: "`")
                word?.parts.append(.unknown)
            default: word?.append(character)
            }
        }
    }

    private mutating func skip(to end: Unicode.Scalar) {
        while let other = next {
            index += 1
            if other == "\\" { index += 1 } else if other == end { return }
        }
    }

    /// After a `$`.
    private mutating func expand(isQuoted: Bool) {
        guard let character = next else { return begin { $0.append("$") } }
        if character == "(" {
            skipNested("(", ")")
            return begin { $0.parts.append(.unknown) }
        }
        if character == "{" {
            let start = index + 1
            skipNested("{", "}")
            var inner = String.UnicodeScalarView(text[start..<max(start, index - 1)])
            let isPlain = inner.allSatisfy { Self.isName($0) }
            // "${VERSION:-1}" and the like are what the shell makes of them.
            let name = String(inner)
            inner = String.UnicodeScalarView()
            return begin { $0.parts.append(isPlain ? .variable(name, isQuoted: isQuoted) : .unknown) }
        }
        if Self.isName(character), !("0"..."9").contains(character) {
            var name = String.UnicodeScalarView()
            while let other = next, Self.isName(other) {
                name.append(other)
                index += 1
            }
            return begin { $0.parts.append(.variable(String(name), isQuoted: isQuoted)) }
        }
        if "0123456789@*#?$!-".unicodeScalars.contains(character) {
            index += 1
            let isPlace = ("0"..."9").contains(character)
            return begin {
                $0.parts.append(isPlace ? .variable(String(character), isQuoted: isQuoted) : .unknown)
            }
        }
        begin { $0.append("$") }
    }

    private static func isName(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
            || scalar == "_"
    }

    private mutating func skipNested(_ opening: Unicode.Scalar, _ closing: Unicode.Scalar) {
        var level = 0
        while let other = next {
            index += 1
            switch other {
            case opening: level += 1
            case closing:
                level -= 1
                if level == 0 { return }
            case "'" where opening == "(": skip(to: "'")
            case "\\": index += 1
            default: break
            }
        }
    }
}
