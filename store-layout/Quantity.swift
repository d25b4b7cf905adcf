/// Amounts as people write them, on command lines and in configuration files.
public enum Quantity {
    /// An amount of bytes: `500M`, `2GiB`; `nil` for anything else.
    public static func bytes(_ text: String) -> Int? {
        let units: [(String, Int)] = [
            ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40), ("kb", 1000),
            ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000), ("k", 1000),
            ("m", 1_000_000),
            ("g", 1_000_000_000), ("t", 1_000_000_000_000), ("b", 1), ("", 1),
        ]
        let text = text.lowercased()
        return units.first { text.hasSuffix($0.0) }.flatMap { product(text.dropLast($0.0.count), $0.1) }
    }

    /// Bytes as people read them: `7.1 MB`.
    public static func text(bytes: Int) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        guard unit > 0, value < 99.95 else { return "\(Int(value.rounded())) \(units[unit])" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    /// A length of time in seconds: `30d`, `2w`, `12h`; `nil` for anything else.
    public static func seconds(_ text: String) -> Int? {
        let units: [(Character, Int)] = [
            ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("w", 7 * 86400), ("y", 365 * 86400),
        ]
        return units.first { $0.0 == text.last }.flatMap { product(text.dropLast(), $0.1) }
    }

    private static func product(_ digits: Substring, _ unit: Int) -> Int? {
        guard let number = Int(digits), number >= 0 else { return nil }
        let (result, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : result
    }
}
