/// Which of a script's commands are run where its package was never installed before.
///
/// It knows `if`, `&&` and functions, and the ways in which Debian's scripts ask for the version before, which is their second
/// argument: empty on a first installation. What it does not know counts as run.
struct ScriptFlow {
    /// An `if` that is open.
    private struct Branch {
        /// Whether its condition is read.
        var isCondition = true
        /// Whether something that is true in upgrades only has to be.
        var isUpgrade = false
        /// Whether something else is enough.
        var hasAlternative = false
        /// Whether what is read now is passed over.
        var isSkipped = false
    }

    private var branches: [Branch] = []
    private var braces = 0
    /// Functions whose bodies are open, and the number of braces that each begins with.
    private var bodies: [(name: String, braces: Int)] = []
    private var defined: String?
    /// Whether the command is the second of `test && command`, and the test is one for upgrades.
    private var isGuarded = false
    private var isNextGuarded = false
    private var isNegated = false
    /// What is called, by function; `nil` for a program whose name is not known.
    private var called: [String?: Set<String?>] = [:]

    /// Comparisons by dpkg that are false of no version.
    private static let upgradeComparisons: Set<String> = ["lt-nl", "le-nl", "gt", "ge", "eq"]

    private var isSkipping: Bool { isGuarded || branches.contains(where: \.isSkipped) }

    /// A function's name was read; its body comes.
    mutating func define(_ name: String) { defined = name }

    /// A keyword at the beginning of a command.
    mutating func take(keyword: String) {
        switch keyword {
        case "if": branches.append(Branch())
        case "then":
            guard let last = branches.indices.last else { return }
            branches[last].isSkipped = branches[last].isUpgrade && !branches[last].hasAlternative
            branches[last].isCondition = false
        case "elif":
            guard let last = branches.indices.last else { return }
            branches[last] = Branch()
        case "else":
            guard let last = branches.indices.last else { return }
            branches[last].isSkipped = false
        case "fi": _ = branches.popLast()
        case "!": isNegated = true
        case "{":
            braces += 1
            if let name = defined { bodies.append((name, braces)) }
            defined = nil
        case "}":
            if bodies.last?.braces == braces { bodies.removeLast() }
            braces -= 1
        default: break
        }
    }

    /// A command, without its keywords.
    mutating func take(_ words: ArraySlice<ScriptWord>, end: ScriptCommand.End) {
        defer { isNegated = false }
        isGuarded = isNextGuarded
        // The arguments of a function are its own.
        let isTest = bodies.isEmpty && !isNegated && Self.isUpgradeTest(Array(words))
        isNextGuarded = end == .and && (isGuarded || isTest)
        guard let last = branches.indices.last, branches[last].isCondition else { return }
        if isTest { branches[last].isUpgrade = true }
        if end == .or { branches[last].hasAlternative = true }
    }

    /// The command calls a program; `nil` for one whose name is not known.
    mutating func call(_ program: String?) {
        guard !isSkipping else { return }
        called[bodies.last?.name, default: []].insert(program)
    }

    /// Programs that are called, from the script itself and from functions that are.
    ///
    /// - Parameter entries: Functions that whoever runs the script calls.
    func programs(functions: Set<String>, entries: Set<String>) -> Set<String> {
        var found: Set<String> = []
        var waiting: [String?] = [nil] + functions.intersection(entries)
        var seen = Set(waiting)
        while let body = waiting.popLast() {
            for program in called[body] ?? [] {
                // What is put together when it runs may be any of them.
                let others = program == nil || program == "eval" || program == "trap" ? functions : []
                if let program { found.insert(program) }
                for name in others.union([program].compactMap { $0 }.filter(functions.contains))
                where seen.insert(name).inserted {
                    waiting.append(name)
                }
            }
        }
        return found
    }

    /// Whether a command succeeds only where there was another version.
    private static func isUpgradeTest(_ words: [ScriptWord]) -> Bool {
        let texts = words.map(\.keyword)
        let isVersion = { (word: ScriptWord) in
            word.parts.contains {
                if case .variable("2", _) = $0 { return true }
                return false
            }
        }
        switch texts.first ?? nil {
        case "[", "test", "[[":
            guard !texts.contains("-o"), !texts.contains("!"), !texts.contains("||") else { return false }
            return words.indices.dropLast().contains { index in
                texts[index] == "-n" && isVersion(words[index + 1])
                    || texts[index] == "!=" && index > 0 && isVersion(words[index - 1])
            }
        case "dpkg":
            return words.count >= 4 && texts[1] == "--compare-versions" && isVersion(words[2])
                && texts[3].map(upgradeComparisons.contains) == true
        default: return false
        }
    }
}
