internal import Files

/// What a maintainer's script calls, as far as that can be told without running it.
///
/// It knows assignments of plain words, and `for NAME in WORDS`, which is what such scripts are made of.
struct ScriptCalls {
    /// One call; a word that only running the script would tell is `nil`.
    struct Call: Hashable {
        let words: [String?]

        /// The program's name, without its directory.
        var program: String? {
            guard let first = words.first, let first else { return nil }
            return first.split(separator: "/").last.map(String.init)
        }
    }

    /// All calls, each combination of a loop's values once.
    private(set) var calls: [Call] = []
    /// Functions that the script defines.
    private(set) var functions: Set<String> = []
    /// Programs that it calls where its package comes in for the first time.
    ///
    /// Without those of functions that nothing calls, and of branches for upgrades from another version.
    private(set) var programs: Set<String> = []

    private typealias Binding = [String: String]

    /// Values that a loop goes through, and combinations of nested loops.
    private static let loopLimit = 1000
    /// Commands that are looked at, one inside a loop for each of its values: scripts have some hundred.
    private static let commandLimit = 50_000
    /// Bytes of a value that is known: `a=$a$a` a few times over would fill the memory.
    private static let longestValue = 4096
    private static let keywords: Set<String> = [
        "if", "then", "elif", "else", "fi", "do", "done", "while", "until", "for", "in",
        "{", "}", "!", "function", "time", "[[",
    ]

    /// Reads a script.
    ///
    /// - Parameters:
    ///   - text: Its text.
    ///   - entries: Functions that whoever runs it calls.
    init(_ text: Bytes, entries: Set<String> = []) {
        var bindings: [Binding] = [[:]]
        // What a loop's end brings back; `nil` for loops that are not `for`.
        var loops: [[Binding]?] = []
        var count = 0
        var flow = ScriptFlow()
        for command in ScriptLexer.commands(in: text) {
            count += bindings.count
            guard count <= Self.commandLimit else { break }
            if command.end == .definition {
                if let name = command.words.first?.keyword {
                    functions.insert(name)
                    flow.define(name)
                }
                continue
            }
            var words = command.words[...]
            while let word = words.first?.keyword, Self.keywords.contains(word) {
                words = words.dropFirst()
                flow.take(keyword: word)
                switch word {
                case "for":
                    loops.append(bindings)
                    bindings = Self.loop(words, bindings)
                    words = []
                case "while", "until": loops.append(nil)
                case "done": if let last = loops.popLast(), let before = last { bindings = before }
                case "function":
                    if let name = words.first?.keyword {
                        functions.insert(name)
                        flow.define(name)
                    }
                    words = words.dropFirst()
                default: break
                }
            }
            flow.take(words, end: command.end)
            var isDeclaration = false
            while let word = words.first?.keyword, ["local", "export", "readonly"].contains(word) {
                words = words.dropFirst()
                isDeclaration = true
            }
            while let first = words.first, let (name, value) = Self.assignment(first) {
                words = words.dropFirst()
                guard words.isEmpty else { continue }
                for index in bindings.indices {
                    bindings[index][name] = Self.expand(value, bindings[index])
                }
            }
            // What follows "local" are names.
            guard !words.isEmpty, !isDeclaration else { continue }
            for binding in bindings {
                let call = Call(words: words.flatMap { Self.fields($0, binding) })
                if !call.words.isEmpty { flow.call(call.program) }
                if calls.last != call, !call.words.isEmpty { calls.append(call) }
            }
        }
        programs = flow.programs(functions: functions, entries: entries)
    }

    /// The name and the value of `NAME=VALUE`.
    private static func assignment(_ word: ScriptWord) -> (String, ScriptWord)? {
        guard case .text(let text)? = word.parts.first, let equals = text.firstIndex(of: "=") else {
            return nil
        }
        let name = text[..<equals]
        guard let first = name.unicodeScalars.first, first.properties.isAlphabetic || first == "_",
            name.unicodeScalars.allSatisfy({
                $0.isASCII && ($0.properties.isAlphabetic || $0 == "_" || ("0"..."9").contains($0))
            })
        else { return nil }
        var value = word
        let rest = String(text[text.index(after: equals)...])
        value.parts[0] = .text(rest)
        return (String(name), value)
    }

    /// A word as one text; `nil` if a part of it is not known.
    private static func expand(_ word: ScriptWord, _ binding: Binding) -> String? {
        var result = ""
        for part in word.parts {
            switch part {
            case .text(let text): result += text
            case .variable(let name, _):
                guard let value = binding[name], result.utf8.count + value.utf8.count <= longestValue else {
                    return nil
                }
                result += value
            case .unknown: return nil
            }
        }
        return result
    }

    /// A word as the shell would split it: a variable alone and unquoted may be several.
    private static func fields(_ word: ScriptWord, _ binding: Binding) -> [String?] {
        if word.parts.count == 1, case .variable(let name, isQuoted: false) = word.parts[0],
            let value = binding[name]
        {
            return value.split(whereSeparator: \.isWhitespace).map(String.init)
        }
        return [expand(word, binding)]
    }

    private static func loop(_ words: ArraySlice<ScriptWord>, _ bindings: [Binding]) -> [Binding] {
        guard let name = words.first?.keyword else { return bindings }
        let values = words.dropFirst().drop { $0.keyword == "in" }
        var result: [Binding] = []
        for binding in bindings {
            for value in values.flatMap({ fields($0, binding) }).prefix(loopLimit) {
                guard result.count < loopLimit else { return result }
                var other = binding
                other[name] = value
                result.append(other)
            }
        }
        return result.isEmpty ? bindings : result
    }
}
