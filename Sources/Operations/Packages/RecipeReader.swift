internal import Files
internal import StoreLayout
internal import YAML

/// Reads recipes: YAML of the form that `packages.md` describes.
///
/// What it does not know is an error: a misspelt word would otherwise be obeyed by being passed over.
struct RecipeReader {
    /// What messages call the recipe.
    let file: String

    private static let keys = [
        "name", "version", "description", "packages", "recommends", "remote", "remotes", "wanted", "expose",
        "slim", "locales", "drop", "hints", "environment", "files",
    ]
    private static let fileKeys = ["source", "text", "link", "mode"]

    /// Reads a recipe.
    ///
    /// - Throws: `RecipeError`.
    func recipe(_ bytes: Bytes) throws -> Recipe {
        let document: YAMLNode
        do throws(YAMLError) {
            document = try YAMLNode(parsing: bytes)
        } catch {
            throw RecipeError.line(error.line, file: file, problem: error.problem, remedy: error.remedy)
        }
        let top = try mapping(document, of: nil, known: Self.keys)
        let name = try required("name", in: top) { try PackageName($0) }
        let version = try required("version", in: top) { try PackageVersion($0) }
        let packages = try top["packages"].map { try self.packages($0.value) } ?? []
        guard !packages.isEmpty else { throw RecipeError.missing("packages", file: file) }
        var recipe = Recipe(name: name, version: version, packages: packages)
        recipe.description = try top["description"].map { try word($0) }
        recipe.hasRecommended = try top["recommends"].map { try answer($0) } ?? false
        recipe.remotes = try remotes(top)
        recipe.wanted = try top["wanted"].map { try names($0) } ?? []
        recipe.expose = try top["expose"].map { try names($0) } ?? []
        recipe.slim = try top["slim"].map { try kinds($0) } ?? []
        recipe.locales = try top["locales"].map { try names($0) } ?? []
        recipe.hints = try top["hints"].map { try words($0).map(\.text) } ?? []
        if let entry = top["drop"] {
            for (text, line) in try words(entry) {
                guard let pattern = PathPattern(text) else { throw noPath(text, line) }
                recipe.drops.append(pattern)
            }
        }
        if let entry = top["environment"] {
            for variable in try entries(entry.value, of: "environment") {
                let value = try word(variable)
                do {
                    _ = try Self.hint(setting: [variable.key: value], file: file)
                } catch HintError.line(_, _, let problem, let remedy) {
                    throw wrong(variable.line, "has an environment that cannot be: \(problem)", remedy)
                }
                recipe.environment[variable.key] = value
            }
        }
        if let entry = top["files"] {
            recipe.additions = try entries(entry.value, of: "files").map { entry in
                try addition(entry)
            }.sorted { $0.path < $1.path }
        }
        return recipe
    }

    /// The hint that sets variables for all programs, as a recipe's environment does.
    ///
    /// - Throws: `HintError` for a variable that no hint may set.
    static func hint(setting variables: [String: String], file: String) throws -> Hint {
        let lines =
            [Hint.heading, "program *"]
            + variables.sorted { $0.key < $1.key }.map { "environment \($0.key)=\($0.value)" }
        return try Hint(
            parsing: Bytes((lines.joined(separator: "\n") + "\n").utf8), name: HintName("environment"),
            file: file)
    }

    // MARK: - Parts

    /// Kinds of files that are left out.
    private func kinds(_ entry: YAMLNode.Entry) throws -> [String] {
        let known = Slimming.allCases.map(\.rawValue)
        return try words(entry).map { text, line in
            guard known.contains(text) else {
                throw wrong(
                    line, "has '\(text.utf8.displayed)' for 'slim', which is no kind of files",
                    "known are \(known.joined(separator: ", "))")
            }
            return text
        }
    }

    private func required<Value>(
        _ key: String, in top: [String: YAMLNode.Entry], _ read: (String) throws -> Value
    ) throws -> Value {
        guard let entry = top[key] else { throw RecipeError.missing(key, file: file) }
        let text = try word(entry)
        guard let value = try? read(text) else {
            throw wrong(
                entry.value.line, "has the \(key) '\(text)', which is not allowed",
                "a \(key) has letters, digits, '.', '_', '+' and '-', and begins with a letter or digit")
        }
        return value
    }

    private func packages(_ node: YAMLNode) throws -> [String] {
        var packages: [String] = []
        for (text, line) in try words(node, of: "packages") {
            guard text.contains("/") || !text.contains(where: \.isWhitespace) else {
                throw severalWords(text, line)
            }
            packages.append(text)
        }
        return packages
    }

    private func remotes(_ top: [String: YAMLNode.Entry]) throws -> [Recipe.Remote] {
        if let one = top["remote"], let several = top["remotes"] {
            throw wrong(
                max(one.line, several.line), "has both 'remote' and 'remotes'",
                "write all of them at 'remotes'")
        }
        if let entry = top["remote"] { return [try remote(entry.value, of: "remote")] }
        guard let entry = top["remotes"] else { return [] }
        guard case .list(let nodes) = entry.value.content else {
            throw kind(entry.value, "a list", of: "remotes")
        }
        var remotes: [Recipe.Remote] = []
        for node in nodes {
            let remote = try remote(node, of: "remotes")
            guard !remotes.contains(remote) else {
                throw wrong(node.line, "names a remote that is there already", "take one out")
            }
            remotes.append(remote)
        }
        return remotes
    }

    /// A remote by its name, or described by the keys of a remote's file in lower case.
    private func remote(_ node: YAMLNode, of key: String) throws -> Recipe.Remote {
        if case .word = node.content { return .named(try word(node, of: key)) }
        let known = Dictionary(
            RemoteDescription.keys.map { ($0.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
        let found = try mapping(node, of: key, known: RemoteDescription.keys.map { $0.lowercased() })
        for key in ["kind", "location"] where found[key] == nil {
            throw wrong(
                node.line, "describes a remote that has no '\(key)'",
                "such as: {kind: debian, location: https://deb.debian.org/debian, suites: bookworm}")
        }
        var lines = ["[\(RemoteDescription.section)]"]
        for entry in found.values.sorted(by: { $0.key < $1.key }) {
            guard let name = known[entry.key] else { continue }
            let words = try words(entry)
            // A list in a remote's file is words on one line, and a backslash at its end would go on with the next.
            if words.count != 1 || name == "Suites" || name == "Components",
                let bad = words.first(where: { $0.text.contains(where: \.isWhitespace) })
            {
                throw severalWords(bad.text, bad.line)
            }
            let text = words.map(\.text).joined(separator: " ")
            guard !text.hasSuffix("\\") else {
                throw wrong(
                    entry.line, "has a '\\' at the end of '\(entry.key)'", "leave it out: it means nothing")
            }
            lines.append("\(name)=\(text)")
        }
        return .described(lines.joined(separator: "\n") + "\n")
    }

    private func addition(_ entry: YAMLNode.Entry) throws -> Recipe.Addition {
        let path = try? TreePath(parsing: entry.key.utf8)
        guard let path, path.bytes.elementsEqual(entry.key.utf8), !path.bytes.isEmpty else {
            throw noPath(entry.key, entry.line)
        }
        let found = try mapping(entry.value, of: entry.key, known: Self.fileKeys)
        var contents: [Recipe.Addition.Content] = []
        if let text = found["text"] {
            guard case .word(let lines) = text.value.content else {
                throw kind(text.value, "a text", of: "text")
            }
            contents.append(.text(lines.hasSuffix("\n") ? lines : lines + "\n"))
        }
        if let source = found["source"] { contents.append(.source(try word(source))) }
        if let link = found["link"] { contents.append(.link(try word(link))) }
        guard let content = contents.first, contents.count == 1 else {
            throw wrong(
                entry.line, "says not once what is in '\(entry.key)'",
                "give one of source, text and link")
        }
        guard let entry = found["mode"] else { return Recipe.Addition(path: path, content: content) }
        if case .link = content {
            throw wrong(entry.line, "gives a mode to a link", "leave it out: a link has none")
        }
        let text = try word(entry)
        let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
        guard (3...4).contains(digits.utf8.count), let mode = UInt16(digits, radix: 8), mode <= 0o777 else {
            throw wrong(
                entry.value.line, "has the mode '\(text)', which is none",
                "give three octal digits, such as 755")
        }
        return Recipe.Addition(path: path, content: content, mode: mode)
    }

    // MARK: - Kinds of nodes

    private func entries(_ node: YAMLNode, of key: String?) throws -> [YAMLNode.Entry] {
        guard case .mapping(let entries) = node.content else { throw kind(node, "a mapping", of: key) }
        return entries
    }

    private func mapping(
        _ node: YAMLNode, of key: String?, known: [String]
    ) throws -> [String: YAMLNode.Entry] {
        var found: [String: YAMLNode.Entry] = [:]
        for entry in try entries(node, of: key) {
            guard known.contains(entry.key) else {
                throw wrong(
                    entry.line, "has the unknown key '\(entry.key.utf8.displayed)'",
                    "known are \(known.joined(separator: ", "))")
            }
            found[entry.key] = entry
        }
        return found
    }

    private func word(_ entry: YAMLNode.Entry) throws -> String {
        try word(entry.value, of: entry.key)
    }

    private func word(_ node: YAMLNode, of key: String) throws -> String {
        guard case .word(let text) = node.content else { throw kind(node, "one word", of: key) }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw wrong(
                node.line, "has a line break or a control character in '\(key)'", "write it on one line")
        }
        return text
    }

    /// The words of a list, or the only one.
    private func words(
        _ node: YAMLNode, of key: String
    ) throws -> [(text: String, line: Int)] {
        var nodes = [node]
        if case .list(let list) = node.content { nodes = list }
        var words: [(text: String, line: Int)] = []
        for node in nodes {
            guard case .word = node.content else {
                throw kind(node, nodes.count == 1 ? "a word or a list of words" : "a word", of: key)
            }
            let text = try word(node, of: key)
            guard !text.isEmpty else {
                throw wrong(node.line, "has an empty word in '\(key)'", "take it out")
            }
            words.append((text, node.line))
        }
        return words
    }

    private func words(_ entry: YAMLNode.Entry) throws -> [(text: String, line: Int)] {
        try words(entry.value, of: entry.key)
    }

    /// Words that have no blanks in them.
    private func names(_ entry: YAMLNode.Entry) throws -> [String] {
        var names: [String] = []
        for (text, line) in try words(entry) {
            guard !text.contains(where: \.isWhitespace) else { throw severalWords(text, line) }
            names.append(text)
        }
        return names
    }

    private func answer(_ entry: YAMLNode.Entry) throws -> Bool {
        let text = try word(entry)
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default:
            throw wrong(
                entry.value.line,
                "has '\(text.utf8.displayed)' for '\(entry.key)', which is neither yes nor no",
                "write true or false")
        }
    }

    // MARK: - Errors

    private func wrong(_ line: Int, _ problem: String, _ remedy: String) -> RecipeError {
        .line(line, file: file, problem: problem, remedy: remedy)
    }

    private func kind(_ node: YAMLNode, _ wanted: String, of key: String?) -> RecipeError {
        guard let key else {
            return wrong(
                node.line, "is \(node.kind), and a recipe is a mapping",
                "write lines such as 'name: tools' and 'packages: [jq, zsh]'")
        }
        let remedy = node.content == .nothing ? "leave the key out, or give it a value" : "write \(wanted)"
        return wrong(node.line, "has \(node.kind) for '\(key.utf8.displayed)', which takes \(wanted)", remedy)
    }

    private func severalWords(_ text: String, _ line: Int) -> RecipeError {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: ", ")
        return wrong(
            line, "has '\(text.utf8.displayed)', which is several words",
            "write a list: [\(words.utf8.displayed)]")
    }

    private func noPath(_ text: String, _ line: Int) -> RecipeError {
        wrong(
            line, "has '\(text.utf8.displayed)', which is no path in a tree",
            "write it without '/' at its beginning and without '..', such as usr/share/x")
    }
}
