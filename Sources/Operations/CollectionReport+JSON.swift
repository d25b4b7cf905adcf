public import Files

extension CollectionReport {
    /// The report as `JSONEncoder` writes it, pretty and with sorted keys.
    ///
    /// Written here, since a store may have a hundred thousand paths: the encoder takes longer than the whole plan.
    public func json() -> Bytes {
        var text = JSONLines()
        text.object { text in
            text.member("caches") { $0.number(caches) }
            text.member("dangling") {
                $0.array(dangling) { text, root in
                    text.object {
                        $0.member("path") { $0.string(root.path) }
                        $0.member("reason") { $0.string(root.reason) }
                    }
                }
            }
            text.member("fetched") { $0.number(fetched) }
            text.member("freed") { $0.number(freed) }
            text.member("generations") {
                $0.array(generations) { text, generation in
                    text.object {
                        $0.member("number") { $0.number(generation.number) }
                        $0.member("profile") { $0.string(generation.profile) }
                    }
                }
            }
            text.member("isDryRun") { $0.word(isDryRun ? "true" : "false") }
            text.member("kept") {
                $0.array(kept) { text, path in
                    text.object {
                        $0.member("others") { $0.number(path.others) }
                        $0.member("root") {
                            $0.object {
                                $0.member("chain") { $0.array(path.root.chain) { $0.string($1) } }
                                $0.member("kind") { $0.string(path.root.kind) }
                            }
                        }
                        $0.member("storePath") { $0.string(path.storePath) }
                    }
                }
            }
            text.member("removed") {
                $0.array(removed) { text, path in
                    text.object {
                        $0.member("freed") { $0.number(path.freed) }
                        if let name = path.name { $0.member("name") { $0.string(name) } }
                        $0.member("size") { $0.number(path.size) }
                        $0.member("storePath") { $0.string(path.storePath) }
                        if let version = path.version { $0.member("version") { $0.string(version) } }
                    }
                }
            }
            text.member("silentHosts") { $0.array(silentHosts) { $0.string($1) } }
            text.member("spared") { $0.array(spared) { $0.string($1) } }
            text.member("unseen") { $0.array(unseen) { $0.string($1) } }
            text.member("waiting") { $0.number(waiting) }
        }
        return text.bytes
    }
}

/// JSON that is written from its beginning to its end, two spaces deeper with each object and array.
private struct JSONLines {
    private(set) var bytes: Bytes = []
    private var depth = 0
    private var isFirst = true

    /// Writes an object; its members must come in the order of their keys.
    mutating func object(_ members: (inout JSONLines) -> Void) {
        open("{")
        members(&self)
        close("}")
    }

    mutating func member(_ key: StaticString, _ value: (inout JSONLines) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        word("\" : ")
        value(&self)
    }

    mutating func array<Element>(_ elements: [Element], _ value: (inout JSONLines, Element) -> Void) {
        open("[")
        // The encoder's own way.
        if elements.isEmpty { bytes.append(UInt8(ascii: "\n")) }
        for element in elements {
            separate()
            value(&self, element)
        }
        close("]")
    }

    mutating func number(_ value: Int) { bytes.append(contentsOf: String(value).utf8) }

    mutating func word(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c }) {
            for byte in text.utf8 { escape(byte) }
        } else {
            bytes.append(contentsOf: text.utf8)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case 0x22: word("\\\"")
        case 0x5c: word("\\\\")
        case 0x08: word("\\b")
        case 0x09: word("\\t")
        case 0x0a: word("\\n")
        case 0x0c: word("\\f")
        case 0x0d: word("\\r")
        case 0..<0x20:
            word("\\u00")
            bytes.append(byte < 0x10 ? 0x30 : 0x31)
            let digit = byte & 0x0f
            bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        default: bytes.append(byte)
        }
    }

    private mutating func open(_ bracket: StaticString) {
        word(bracket)
        depth += 1
        isFirst = true
    }

    private mutating func close(_ bracket: StaticString) {
        depth -= 1
        startLine()
        word(bracket)
        isFirst = false
    }

    private mutating func separate() {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        startLine()
    }

    private mutating func startLine() {
        bytes.append(UInt8(ascii: "\n"))
        for _ in 0..<depth { word("  ") }
    }
}
