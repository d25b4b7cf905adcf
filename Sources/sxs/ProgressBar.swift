internal import Files
private import Glibc

/// A line with a bar, bytes and rate on a terminal; nothing anywhere else.
final class ProgressBar: Progress {
    private let width: Int
    private var title = ""
    private var total: Int?
    private var done = 0
    private var started = timespec()
    private var drawn = 0.0

    /// Seconds between two drawings.
    private static let interval = 0.1

    init() {
        width = terminalWidth(of: STDERR_FILENO)
    }

    func begin(_ title: String, total: Int?) {
        guard width > 0 else { return }
        (self.title, self.total, done, drawn) = (title, total, 0, 0)
        clock_gettime(CLOCK_MONOTONIC, &started)
    }

    func expect(_ total: Int) { self.total = total }

    func advance(to bytes: Int) {
        guard width > 0 else { return }
        done = bytes
        let elapsed = elapsed
        guard elapsed - drawn >= Self.interval else { return }
        drawn = elapsed
        draw(elapsed)
    }

    func end() {
        guard width > 0 else { return }
        // Erase the line: results follow on a clean one.
        Console.draw("")
    }

    private var elapsed: Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec - started.tv_sec) + Double(now.tv_nsec - started.tv_nsec) / 1e9
    }

    /// Columns of the bar at most, and its frame and spaces.
    private static let barCells = 24
    private static let barFrame = 4

    private func draw(_ elapsed: Double) {
        let rate = elapsed > 0 ? "  " + Console.size(Int(Double(done) / elapsed)) + "/s" : ""
        guard let total, total > 0 else {
            return Console.draw(fitted(title, before: "  \(Console.size(done))\(rate)"))
        }
        let share = min(1, Double(done) / Double(total))
        let left =
            done > 0
            ? "  " + Self.time(elapsed * Double(total - min(done, total)) / Double(done)) + " left" : ""
        let figures = " \(Int(share * 100))%  \(Console.size(done)) of \(Console.size(total))\(rate)\(left)"
        // Figures come first, then the title, then as much of a bar as there is room for.
        let cells = min(Self.barCells, width - 1 - figures.count - title.count - Self.barFrame)
        guard cells >= 8 else { return Console.draw(fitted(title, before: " " + figures)) }
        let full = Int(share * Double(cells))
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: cells - full)
        Console.draw("\(title)  [\(bar)]\(figures)")
    }

    /// Hours, minutes and seconds.
    private static func time(_ seconds: Double) -> String {
        let seconds = Int(min(seconds, 359_999).rounded(.up))
        let digits = { (number: Int) in (number < 10 ? "0" : "") + "\(number)" }
        let hours = seconds / 3600
        return (hours > 0 ? "\(hours):\(digits(seconds / 60 % 60))" : "\(seconds / 60)")
            + ":\(digits(seconds % 60))"
    }

    /// The end of `text` that fits the line before `rest`, and `rest`.
    private func fitted(_ text: String, before rest: String) -> String {
        let room = max(0, width - 1 - rest.count)
        return (text.count <= room ? text : String(("…" + text.suffix(max(0, room - 1))).prefix(room))) + rest
    }
}
