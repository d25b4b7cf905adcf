private import Glibc

/// A moment as calendars and clocks in UTC have it.
public struct CivilTime: Sendable {
    /// The year, such as 2026.
    public let year: Int
    /// The month: from 1 to 12.
    public let month: Int
    /// The day of the month.
    public let day: Int
    /// The hour of the day.
    public let hour: Int
    /// The minute of the hour.
    public let minute: Int
    /// The second of the minute.
    public let second: Int
    /// The day of the week: 0 for Sunday.
    public let weekday: Int

    /// Takes a moment apart.
    ///
    /// - Parameter seconds: Seconds since the epoch; whatever a file or a stranger says may stand here.
    public init(_ seconds: Int) {
        var clock = time_t(seconds)
        var parts = tm()
        // Where the year has no place in 32 bits, it is that of 1900, and nothing traps.
        gmtime_r(&clock, &parts)
        (year, month, day) = (Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday))
        (hour, minute, second) = (Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec))
        weekday = Int(parts.tm_wday)
    }

    /// The day: `2026-11-21`.
    public var date: String { "\(year)-\(Self.padded(month))-\(Self.padded(day))" }

    /// The day and the minute, for people: `2026-11-21 20:12 UTC`.
    public var text: String { "\(date) \(Self.padded(hour)):\(Self.padded(minute)) UTC" }

    /// The time of the day: `20:12:33`.
    public var clock: String { [hour, minute, second].map(Self.padded).joined(separator: ":") }

    /// A number with two digits at least.
    public static func padded(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }
}
