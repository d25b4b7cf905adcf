/// Why a text is no YAML document, or none of the plain kind that ``YAMLNode`` is.
public enum YAMLError: Error, Equatable, Sendable {
    /// It has too many bytes.
    case tooLong
    /// It is no UTF-8.
    case notText
    /// There is no document in it.
    case empty
    /// What libyaml cannot read.
    case syntax(line: Int, problem: String)
    /// A mark on a node that others could refer to.
    case anchor(line: Int, name: String)
    /// A reference to a marked node.
    case alias(line: Int, name: String)
    /// A type that is said of a node.
    case tag(line: Int, name: String)
    /// A list or a mapping in too many others.
    case tooDeep(line: Int)
    /// A key that is a list, a mapping or nothing.
    case keyIsNoWord(line: Int)
    /// A key that a mapping has already.
    case twice(line: Int, key: String, first: Int)
    /// A further document.
    case secondDocument(line: Int)

    /// The line that is wrong, counted from 1; `nil` where it is the whole.
    public var line: Int? {
        switch self {
        case .tooLong, .notText, .empty: nil
        case .syntax(let line, _), .anchor(let line, _), .alias(let line, _), .tag(let line, _),
            .tooDeep(let line), .keyIsNoWord(let line), .twice(let line, _, _), .secondDocument(let line):
            line
        }
    }

    /// What is wrong, to be said of the line or of the whole.
    public var problem: String {
        switch self {
        case .tooLong: "has more than \(YAMLNode.longest) bytes"
        case .notText: "is no UTF-8 text"
        case .empty: "has nothing in it"
        case .syntax(_, let problem): "is not YAML: \(problem)"
        case .anchor(_, let name): "has the anchor '&\(name)'"
        case .alias(_, let name): "has the alias '*\(name)'"
        case .tag(_, let name): "has the tag '\(name)'"
        case .tooDeep: "has more than \(YAMLNode.deepest) lists and mappings in one another"
        case .keyIsNoWord: "has a key that is no word"
        case .twice(_, let key, let first): "has the key '\(key)', which is in line \(first) already"
        case .secondDocument: "begins a second document"
        }
    }

    /// What to do.
    public var remedy: String {
        switch self {
        case .tooLong, .empty: "give a YAML file that a person wrote"
        case .notText: "save it in UTF-8"
        case .syntax:
            """
            indent with spaces, not with tabs, and put quotes around what begins with one of {[&*!|>%@` or has ': ' or ' #' in it
            """
        case .anchor, .alias: "write it out; what begins with '&' or '*' needs quotes"
        case .tag: "leave it out; what begins with '!' needs quotes"
        case .tooDeep: "take out what is not needed"
        case .keyIsNoWord: "put quotes around a key that has one of {[?:, in it"
        case .twice: "put both together, or take one out"
        case .secondDocument: "take out the line '---', or put the rest into a file of its own"
        }
    }
}

extension YAMLError: CustomStringConvertible {
    /// What is wrong, and what to do.
    public var description: String {
        (line.map { "line \($0) " } ?? "it ") + problem + "\nhint: " + remedy
    }
}
