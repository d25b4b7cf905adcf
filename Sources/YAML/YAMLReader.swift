/// Puts a document together from its events.
struct YAMLReader {
    private let events: YAMLEvents

    init(_ bytes: [UInt8]) { events = YAMLEvents(bytes) }

    /// Reads the one document that there is.
    mutating func document() throws(YAMLError) -> YAMLNode {
        // The stream's beginning.
        _ = try events.next()
        guard case .documentStart = try events.next().kind else { throw .empty }
        let node = try node(events.next(), depth: 0)
        // The document's end.
        _ = try events.next()
        let rest = try events.next()
        guard case .streamEnd = rest.kind else { throw .secondDocument(line: rest.line) }
        return node
    }

    private func node(_ event: YAMLEvents.Event, depth: Int) throws(YAMLError) -> YAMLNode {
        let line = event.line
        if let name = event.anchor { throw .anchor(line: line, name: name) }
        if let name = event.tag { throw .tag(line: line, name: name) }
        switch event.kind {
        case .listStart where depth == YAMLNode.deepest, .mappingStart where depth == YAMLNode.deepest:
            throw .tooDeep(line: line)
        case .word(let text, let isPlain):
            let isNothing = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
            return YAMLNode(isNothing ? .nothing : .word(text), line: line)
        case .listStart: return YAMLNode(.list(try list(depth: depth + 1)), line: line)
        case .mappingStart: return YAMLNode(.mapping(try mapping(depth: depth + 1)), line: line)
        case .alias(let name): throw .alias(line: line, name: name)
        case .documentStart, .listEnd, .mappingEnd, .streamEnd, .other:
            throw .syntax(line: line, problem: "a value is missing")
        }
    }

    private func list(depth: Int) throws(YAMLError) -> [YAMLNode] {
        var nodes: [YAMLNode] = []
        while true {
            let event = try events.next()
            if case .listEnd = event.kind { return nodes }
            nodes.append(try node(event, depth: depth))
        }
    }

    private func mapping(depth: Int) throws(YAMLError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var lines: [String: Int] = [:]
        while true {
            let event = try events.next()
            if case .mappingEnd = event.kind { return entries }
            let key = try node(event, depth: depth)
            guard case .word(let text) = key.content else { throw .keyIsNoWord(line: key.line) }
            if let first = lines.updateValue(key.line, forKey: text) {
                throw .twice(line: key.line, key: text, first: first)
            }
            let value = try node(events.next(), depth: depth)
            entries.append(YAMLNode.Entry(key: text, line: key.line, value: value))
        }
    }
}
