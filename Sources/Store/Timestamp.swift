internal import Files
internal import Glibc

/// Seconds since the epoch, as ISO 8601 writes them in UTC: `2026-11-21T05:25:15Z`.
public enum Timestamp {
    static var now: Int { time(nil) }

    /// The text of a time.
    public static func text(_ seconds: Int) -> String {
        let time = CivilTime(seconds)
        return "\(time.date)T\(time.clock)Z"
    }

    /// Reads what ``text(_:)`` wrote; `nil` for anything else.
    static func seconds(_ text: String) -> Int? {
        let numbers = text.split { !$0.isASCII || !$0.isNumber }.compactMap { Int32($0) }
        guard numbers.count == 6, (1970...9999).contains(numbers[0]) else { return nil }
        var parts = tm()
        parts.tm_year = numbers[0] - 1900
        parts.tm_mon = numbers[1] - 1
        (parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec) = (
            numbers[2], numbers[3], numbers[4], numbers[5]
        )
        let seconds = timegm(&parts)
        return self.text(seconds) == text ? seconds : nil
    }
}
