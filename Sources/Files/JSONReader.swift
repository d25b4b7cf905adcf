/// Reads JSON of the form that programs write: a general decoder takes ten times as long, half of it to begin.
///
/// What it does not take it gives up on, once and for all: text with escapes, numbers that are not whole, and what is no JSON.
/// So whoever uses it has a general decoder for the rest, which also says what is wrong.
public struct JSONReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0
    /// Whether it gave up: nothing that it said counts then.
    public private(set) var isOther = false

    /// - Parameter bytes: They must stay until it is done.
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Levels that a value which is passed over may have.
    private static let deepest = 16

    /// Gives up.
    public mutating func giveUp() {
        isOther = true
        place = bytes.count
    }

    /// The next byte that is no white space, which is left there; 0 at the end.
    private mutating func next() -> UInt8 {
        while place < bytes.count {
            let byte = bytes[place]
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
            place += 1
        }
        return 0
    }

    /// Takes a byte if it is the next one.
    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard next() == UInt8(ascii: byte) else { return false }
        place += 1
        return true
    }

    private mutating func expect(_ byte: Unicode.Scalar) { if !take(byte) { giveUp() } }

    /// There is nothing behind what was read.
    public mutating func end() { if next() != 0 || place < bytes.count { giveUp() } }

    // MARK: Values

    /// A text.
    public mutating func text() -> String {
        expect("\"")
        let start = place
        var isASCII = true
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            guard bytes[place] >= 0x20, bytes[place] != UInt8(ascii: "\\") else { break }
            if bytes[place] >= 0x80 { isASCII = false }
            place += 1
        }
        let found = UnsafeRawBufferPointer(rebasing: bytes[start..<place])
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else {
            giveUp()
            return ""
        }
        place += 1
        // That is generic code, which takes its time.
        let text = isASCII ? String(decoding: found, as: UTF8.self) : String(validating: found, as: UTF8.self)
        guard let text else {
            giveUp()
            return ""
        }
        return text
    }

    /// A whole number of at most eighteen digits.
    public mutating func integer() -> Int {
        let isNegative = take("-")
        let start = place
        var value = 0
        while place < bytes.count, place - start < 18, case let digit = bytes[place] &- UInt8(ascii: "0"),
            digit < 10
        {
            value = value * 10 + Int(digit)
            place += 1
        }
        let count = place - start
        let isLast = [0, UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]")].contains(next())
        guard (1...18).contains(count), count == 1 || bytes[start] != UInt8(ascii: "0"), isLast else {
            giveUp()
            return 0
        }
        return isNegative ? -value : value
    }

    /// `true` or `false`.
    public mutating func boolean() -> Bool {
        let word: StaticString = next() == UInt8(ascii: "t") ? "true" : "false"
        let isThere = word.withUTF8Buffer { bytes[place...].starts(with: $0) }
        guard isThere else {
            giveUp()
            return false
        }
        place += word.utf8CodeUnitCount
        return word.utf8CodeUnitCount == 4
    }

    /// An object: has `body` read each member's value.
    public mutating func object(_ body: (_ name: String, _ json: inout JSONReader) -> Void) {
        expect("{")
        if take("}") { return }
        repeat {
            let name = text()
            expect(":")
            guard !isOther else { return }
            body(name, &self)
        } while take(",")
        expect("}")
    }

    /// An array: has `body` read each element.
    public mutating func array<Element>(_ body: (_ json: inout JSONReader) -> Element) -> [Element] {
        var result: [Element] = []
        expect("[")
        if take("]") { return result }
        repeat {
            guard !isOther else { return result }
            result.append(body(&self))
        } while take(",")
        expect("]")
        return result
    }

    /// An array of texts.
    public mutating func texts() -> [String] { array { $0.text() } }

    /// Passes over any value.
    public mutating func skip() { skip(depth: 0) }

    private mutating func skip(depth: Int) {
        guard depth < Self.deepest else { return giveUp() }
        switch next() {
        case UInt8(ascii: "\""): _ = text()
        case UInt8(ascii: "{"): object { $1.skip(depth: depth + 1) }
        case UInt8(ascii: "["): _ = array { $0.skip(depth: depth + 1) }
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = boolean()
        default: _ = integer()
        }
    }

    /// Sets what a member says; a second member of one name is for a general decoder to judge.
    public mutating func set<Value>(_ value: inout Value?, _ read: (inout JSONReader) -> Value) {
        let found = read(&self)
        if value == nil { value = found } else { giveUp() }
    }
}
