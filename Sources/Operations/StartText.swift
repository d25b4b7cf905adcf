internal import Files

/// A text by which desktops start programs: a desktop entry, or a service file of D-Bus.
///
/// What is started is changed, everything else stays byte for byte: arguments, field codes, other keys.
///
/// Source: Desktop Entry Specification 1.5, "The Exec key" and "Values"; D-Bus Specification, "Message Bus
/// Starting Services".
struct StartText {
    /// Bytes that such a text may have; a longer one is none.
    static let longest = 1 << 20

    /// Whether it is a service file of D-Bus.
    let isService: Bool

    /// Whether the bus can start the entry's application; asked of desktop entries only.
    var isActivatable = true

    /// Whether units that services name are where the user's systemd reads them.
    var keepsUnits = false

    /// What starts a program in place of its name or path: a program and arguments; `nil` to leave it as it is.
    let start: (Bytes) -> [Bytes]?

    /// The text with other programs.
    ///
    /// Lines that nobody can read (an open quote) stay as they are: nobody starts them either.
    func rewritten(_ text: Bytes) -> Bytes {
        let lines = text.split(separator: Self.newline, omittingEmptySubsequences: false)
        return Array(lines.compactMap(rewritten(line:)).joined(separator: [Self.newline]))
    }

    private static let newline = UInt8(ascii: "\n")
    private static let backslash = UInt8(ascii: "\\")
    private static let percent = UInt8(ascii: "%")
    private static let doubleQuote = UInt8(ascii: "\"")

    /// A line; `nil` where it goes.
    private func rewritten(line: ArraySlice<UInt8>) -> Bytes? {
        guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { return Array(line) }
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let key = line[..<equals].reversed().drop(while: isBlank).reversed()
        let begin = line[(equals + 1)...].firstIndex { !isBlank($0) } ?? line.endIndex
        let (head, value) = (line[..<begin], line[begin...])
        switch String(decoding: key, as: UTF8.self) {
        case "Exec": return head + (command(value) ?? Array(value))
        case "TryExec" where !isService:
            let program = Self.unescaped(value).map(\.byte)
            return head + (start(program)?.first.map { Self.escaped($0) } ?? Array(value))
        case "DBusActivatable" where !isService && !isActivatable: return head + Array("false".utf8)
        // The unit that it names is not where the user's systemd looks; without it the bus starts the program.
        case "SystemdService" where isService && !keepsUnits: return nil
        default: return Array(line)
        }
    }

    /// The command line with another program; `nil` where that is not known, or the line makes no sense.
    private func command(_ value: ArraySlice<UInt8>) -> Bytes? {
        guard let words = Self.words(value), let first = words.first else { return nil }
        var program = first
        var isSetter = false
        if Self.isEnv(first.text) {
            // Variables are set by the host's env, which needs nothing; what it starts is what matters.
            let next = words.dropFirst().first { !$0.text.contains(UInt8(ascii: "=")) }
            if let next, next.text.first != UInt8(ascii: "-") {
                program = next
                isSetter = true
            }
        }
        // A field code is no program, and one with a '%' in its name is nobody's.
        guard !program.text.contains(Self.percent), let started = start(program.text) else { return nil }
        let replacement = Array(started.map { quoted($0) }.joined(separator: [0x20]))
        guard isSetter else { return replacement + value[program.end...] }
        return Array("env".utf8) + value[first.end..<program.begin] + replacement + value[program.end...]
    }

    private static func isEnv(_ word: Bytes) -> Bool {
        word.elementsEqual("env".utf8) || word.first == UInt8(ascii: "/") && word.hasSuffix("/usr/bin/env")
    }

    /// A word of a command line, and where it is in the value.
    private struct Word {
        var text: Bytes = []
        let begin: Int
        var end: Int
    }

    /// The value's characters after its own escapes, with where each ends.
    private static func unescaped(_ value: ArraySlice<UInt8>) -> [(byte: UInt8, begin: Int, end: Int)] {
        var result: [(byte: UInt8, begin: Int, end: Int)] = []
        var index = value.startIndex
        while index < value.endIndex {
            let escapes: [UInt8: UInt8] = [
                UInt8(ascii: "s"): 0x20, UInt8(ascii: "n"): 0x0a, UInt8(ascii: "t"): 0x09,
                UInt8(ascii: "r"): 0x0d, backslash: backslash,
            ]
            if value[index] == backslash, index + 1 < value.endIndex, let byte = escapes[value[index + 1]] {
                result.append((byte, index, index + 2))
                index += 2
            } else {
                result.append((value[index], index, index + 1))
                index += 1
            }
        }
        return result
    }

    /// The words of a command line, quoted as a shell does it; `nil` where a quote is open.
    private static func words(_ value: ArraySlice<UInt8>) -> [Word]? {
        let singleQuote = UInt8(ascii: "'")
        let special = Array("\"`$\\".utf8)
        var words: [Word] = []
        var word: Word?
        var quote: UInt8?
        let characters = unescaped(value)
        var index = 0
        while index < characters.count {
            let (byte, begin, end) = characters[index]
            index += 1
            if quote == nil, [0x20, 0x09, 0x0a, 0x0d].contains(byte) {
                if let word { words.append(word) }
                word = nil
                continue
            }
            var current = word ?? Word(begin: begin, end: end)
            current.end = end
            defer { word = current }
            if quote == nil, byte == doubleQuote || byte == singleQuote {
                quote = byte
            } else if byte == quote {
                quote = nil
            } else if byte == backslash, quote != singleQuote {
                guard index < characters.count else { return nil }
                let next = characters[index]
                let isEscape = quote == nil || special.contains(next.byte)
                current.text.append(isEscape ? next.byte : byte)
                if isEscape {
                    current.end = next.end
                    index += 1
                }
            } else {
                current.text.append(byte)
            }
        }
        guard quote == nil else { return nil }
        if let word { words.append(word) }
        return words
    }

    /// A word as such a text has it.
    private func quoted(_ word: Bytes) -> Bytes {
        let plain = Array("/._+-:@,".utf8)
        let isPlain =
            !word.isEmpty
            && word.allSatisfy {
                plain.contains($0) || (0x30...0x39).contains($0) || (0x41...0x5a).contains($0)
                    || (0x61...0x7a).contains($0)
            }
        if isPlain { return word }
        var text = [Self.doubleQuote]
        for byte in word {
            if "\"`$\\".utf8.contains(byte) { text.append(Self.backslash) }
            if byte == Self.percent, !isService { text.append(Self.percent) }
            text.append(byte)
        }
        return Self.escaped(text + [Self.doubleQuote])
    }

    /// A value with its own escapes.
    private static func escaped(_ value: Bytes) -> Bytes {
        value.flatMap { byte -> Bytes in
            switch byte {
            case backslash: [backslash, backslash]
            case newline: [backslash, UInt8(ascii: "n")]
            case 0x0d: [backslash, UInt8(ascii: "r")]
            default: [byte]
            }
        }
    }
}

extension Bytes {
    fileprivate func hasSuffix(_ suffix: String) -> Bool {
        count >= suffix.utf8.count && self[(count - suffix.utf8.count)...].elementsEqual(suffix.utf8)
    }
}
