import Files
import Testing

@Suite struct CivilTimeTests {
    @Test(arguments: [
        (0, "1970-01-01 00:00 UTC", 4), (1_795_282_333, "2026-11-21 17:32 UTC", 6),
        (951_782_400, "2000-02-29 00:00 UTC", 2), (-1, "1969-12-31 23:59 UTC", 3),
        (15_000_000_000, "2445-05-01 02:40 UTC", 1),
    ])
    func momentsAreTakenApart(seconds: Int, text: String, weekday: Int) {
        let time = CivilTime(seconds)
        #expect(time.text == text && time.weekday == weekday && text.hasPrefix(time.date))
    }

    /// Files and signatures may say anything.
    @Test(arguments: [Int.min, -67_768_040_609_740_800, 67_768_036_191_676_799, 1 << 56, Int.max])
    func noTimeTraps(seconds: Int) {
        let time = CivilTime(seconds)
        #expect((1...12).contains(time.month) && (0...6).contains(time.weekday))
    }
}
