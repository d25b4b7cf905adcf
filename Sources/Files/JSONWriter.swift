/// JSON that is written from its beginning to its end, two spaces deeper with each object and array: as `JSONEncoder` does it,
/// pretty and without escaped slashes, which takes far longer.
public struct JSONWriter {
    /// What was written.
    public private(set) var bytes: Bytes = []
    private var depth = 0
    private var isFirst = true

    /// Nothing is written yet.
    public init() {}

    /// Writes an object; its members must come in the order of their keys.
    public mutating func object(_ members: (inout JSONWriter) -> Void) {
        open("{")
        members(&self)
        close("}")
    }

    /// Writes a member of an object.
    public mutating func member(_ key: StaticString, _ value: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes.append(contentsOf: $0) }
        word("\" : ")
        value(&self)
    }

    /// Writes an object of texts, in the order of their keys' bytes.
    public mutating func texts(_ texts: [String: String]) {
        object {
            for (key, text) in texts.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                $0.separate()
                $0.string(key)
                $0.word(" : ")
                $0.string(text)
            }
        }
    }

    /// Writes an array.
    public mutating func array<Element>(_ elements: [Element], _ value: (inout JSONWriter, Element) -> Void) {
        open("[")
        // The encoder's own way.
        if elements.isEmpty { bytes.append(UInt8(ascii: "\n")) }
        for element in elements {
            separate()
            value(&self, element)
        }
        close("]")
    }

    /// Writes a number.
    public mutating func number(_ value: Int) { bytes.append(contentsOf: String(value).utf8) }

    /// Writes `true`, `false` or `null`.
    public mutating func word(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }

    /// Writes a text.
    public mutating func string(_ text: String) {
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
