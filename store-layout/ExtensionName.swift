/// The name of a system extension, ordered as `systemd-sysext` stacks extensions: the last is on top.
///
/// Source: systemd's `strverscmp_improved()`, the same as `systemd-analyze compare-versions` (systemd-analyze(1)).
public struct ExtensionName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The name.
    public let text: String

    /// Creates a name.
    public init(_ text: String) {
        self.text = text
    }

    /// The text for people.
    public var description: String { text }

    /// Whether one is stacked below the other.
    public static func < (first: ExtensionName, second: ExtensionName) -> Bool {
        compare(Array(first.text.utf8)[...], Array(second.text.utf8)[...]) < 0
    }

    /// Less than, equal to or greater than 0.
    private static func compare(_ first: ArraySlice<UInt8>, _ second: ArraySlice<UInt8>) -> Int {
        var first = first
        var second = second
        while true {
            // Other bytes only separate.
            first = first.drop { !isVersionCharacter($0) }
            second = second.drop { !isVersionCharacter($0) }
            // Before everything, also before the end.
            if let order = compare(&first, &second, separator: "~") { return order }
            guard !first.isEmpty, !second.isEmpty else {
                return (first.isEmpty ? 0 : 1) - (second.isEmpty ? 0 : 1)
            }
            var isDecided: Int?
            for separator in ["-", "^", "."] as [Unicode.Scalar] where isDecided == nil {
                isDecided = compare(&first, &second, separator: separator)
            }
            if let isDecided { return isDecided }
            let isNumber = [first, second].contains { $0.first.map(isDigit) == true }
            let part = isNumber ? compareNumbers : compareWords
            if let order = part(&first, &second) { return order }
        }
    }

    /// One with a separator is less than one without; two lose it.
    private static func compare(
        _ first: inout ArraySlice<UInt8>, _ second: inout ArraySlice<UInt8>, separator: Unicode.Scalar
    ) -> Int? {
        let byte = UInt8(ascii: separator)
        switch (first.first == byte, second.first == byte) {
        case (true, true):
            first.removeFirst()
            second.removeFirst()
            return nil
        case (true, false): return -1
        case (false, true): return 1
        case (false, false): return nil
        }
    }

    private static func compareNumbers(_ first: inout ArraySlice<UInt8>, _ second: inout ArraySlice<UInt8>)
        -> Int?
    {
        let numbers = [first, second].map { $0.prefix(while: isDigit) }
        // No number is less than any.
        guard !numbers[0].isEmpty, !numbers[1].isEmpty else { return numbers[0].isEmpty ? -1 : 1 }
        first = first.dropFirst(numbers[0].count)
        second = second.dropFirst(numbers[1].count)
        let values = numbers.map { $0.drop { $0 == UInt8(ascii: "0") } }
        if values[0].count != values[1].count { return values[0].count < values[1].count ? -1 : 1 }
        guard !values[0].elementsEqual(values[1]) else { return nil }
        return values[0].lexicographicallyPrecedes(values[1]) ? -1 : 1
    }

    private static func compareWords(_ first: inout ArraySlice<UInt8>, _ second: inout ArraySlice<UInt8>)
        -> Int?
    {
        let words = [first, second].map { $0.prefix(while: isLetter) }
        first = first.dropFirst(words[0].count)
        second = second.dropFirst(words[1].count)
        guard !words[0].elementsEqual(words[1]) else { return nil }
        return words[0].lexicographicallyPrecedes(words[1]) ? -1 : 1
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    private static func isVersionCharacter(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || "~-^.".utf8.contains(byte)
    }
}
