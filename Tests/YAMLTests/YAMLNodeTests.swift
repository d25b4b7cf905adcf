import Testing
import YAML

/// What is read of YAML, and what is refused.
@Suite struct YAMLNodeTests {
    private func node(_ text: String) throws -> YAMLNode { try YAMLNode(parsing: Array(text.utf8)) }

    /// A node as text without its lines, to compare with.
    private func shown(_ node: YAMLNode) -> String {
        switch node.content {
        case .word(let text): "'\(text)'"
        case .nothing: "nothing"
        case .list(let nodes): "[" + nodes.map(shown).joined(separator: ", ") + "]"
        case .mapping(let entries):
            "{" + entries.map { "\($0.key): \(shown($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    @Test(arguments: [
        ("a: 1.10\nb: no\nc: 0644\n", "{a: '1.10', b: 'no', c: '0644'}"),
        ("[1, 'two words', \"\\u00e9\\n\"]", "['1', 'two words', 'é\n']"),
        ("- a\n- - b\n  - c\n- {d: e}\n", "['a', ['b', 'c'], {d: 'e'}]"),
        (
            "a:\nb: ~\nc: ''\nd: null\ne: 'null'\nf: []",
            "{a: nothing, b: nothing, c: '', d: nothing, e: 'null', f: []}"
        ),
        ("---\na: |\n  one\n  two\nb: >-\n  three\n  four\n...\n", "{a: 'one\ntwo\n', b: 'three four'}"),
        ("\u{feff}%YAML 1.1\n---\na # no comment: b\n...\n# end\n", "'a'"),
        ("a: b:c#d\nhttps://x/y: z", "{a: 'b:c#d', https://x/y: 'z'}"),
    ])
    func wordsAreReadAsTheyAreWritten(text: String, expected: String) throws {
        #expect(shown(try node(text)) == expected)
    }

    @Test func nodesKnowTheirLines() throws {
        guard case .mapping(let entries) = try node("# x\na: 1\nb:\n  - c\n  - d\n").content else {
            Issue.record("no mapping")
            return
        }
        #expect(entries.map(\.line) == [2, 3])
        guard case .list(let items) = entries[1].value.content else {
            Issue.record("no list")
            return
        }
        #expect(items.map(\.line) == [4, 5])
    }

    @Test(arguments: [
        ("", YAMLError.empty), ("# nothing\n\n", .empty),
        ("a: 1\nb: 2\na: 3\n", .twice(line: 3, key: "a", first: 1)),
        ("a: &x 1\n", .anchor(line: 1, name: "x")), ("a: 1\nb: *x\n", .alias(line: 2, name: "x")),
        ("a: &x [1]\nb: {<<: *x}", .anchor(line: 1, name: "x")), ("*x : 1", .alias(line: 1, name: "x")),
        ("a: !!int 3", .tag(line: 1, name: "tag:yaml.org,2002:int")), ("a: !x {}", .tag(line: 1, name: "!x")),
        ("a: 1\n---\nb: 2\n", .secondDocument(line: 2)), ("[a]: 1", .keyIsNoWord(line: 1)),
        ("? {a: b}\n: c", .keyIsNoWord(line: 1)), ("~: 1", .keyIsNoWord(line: 1)),
        ("\n[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", .tooDeep(line: 2)),
    ])
    func whatIsNoPlainDocumentIsRefused(text: String, error: YAMLError) {
        #expect(throws: error) { try node(text) }
        #expect("\(error)".contains("\nhint: "))
    }

    @Test(arguments: [
        ("a: 1\n\tb: 2\n", 2), ("a: b: c", 1), ("a: [1, 2\n", 2), ("x: 'open\n\n", 3), ("a: @x", 1),
        ("a: 1\nb: \u{1}\n", 2), ("a: 1\n\nb\u{0}: c\n", 3), ("a: {b}/c\n", 1), ("[Recipe]\nName=x\n", 2),
    ])
    func whatIsNoYAMLSaysWhere(text: String, line: Int) {
        let error = #expect(throws: YAMLError.self) { try node(text) }
        guard case .syntax(line, let problem)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!problem.isEmpty)
    }

    @Test(arguments: ["[", "- ", "{a: ", "? ", "- a\n- b: "])
    func whatIsDeepIsRefusedAtOnce(text: String) {
        let error = #expect(throws: YAMLError.self) { try node(String(repeating: text, count: 100_000)) }
        #expect(error?.line != nil)
    }

    @Test func depthHasALimitAndNoLess() throws {
        let (open, close) = (String(repeating: "[", count: 16), String(repeating: "]", count: 16))
        #expect(shown(try node(open + "a" + close)) == open + "'a'" + close)
    }

    @Test func whatIsLongIsRefused() {
        #expect(throws: YAMLError.tooLong) {
            try YAMLNode(parsing: [UInt8](repeating: 0x61, count: YAMLNode.longest + 1))
        }
    }

    @Test func whatIsNoTextIsRefused() {
        #expect(throws: YAMLError.notText) { try YAMLNode(parsing: [0x61, 0xff, 0x0a]) }
        // The beginning of UTF-16.
        #expect(throws: YAMLError.notText) { try YAMLNode(parsing: [0xff, 0xfe, 0x61, 0x00]) }
    }

    @Test func aWideDocumentIsReadInOneGo() throws {
        let text = (0..<60_000).map { "k\($0): v\n" }.joined()
        guard case .mapping(let entries) = try node(text).content else {
            Issue.record("no mapping")
            return
        }
        #expect(entries.count == 60_000)
    }
}
