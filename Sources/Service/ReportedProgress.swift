internal import Files
private import Glibc

/// Progress that a client is told of, a few times in a second.
final class ReportedProgress: Progress {
    // A class: as the protocol asks.

    /// What is told.
    struct Report: Encodable {
        let title: String
        let done: Int
        let total: Int?
    }

    /// Seconds between two reports.
    private static let interval = 0.25

    private let tell: (Report) -> Void
    private var title = ""
    private var total: Int?
    private var told = -1.0

    init(tell: @escaping (Report) -> Void) { self.tell = tell }

    func begin(_ title: String, total: Int?) {
        (self.title, self.total, told) = (title, total, -1)
        report(0)
    }

    func expect(_ total: Int) { self.total = total }

    func advance(to bytes: Int) { report(bytes) }

    func end() {}

    private func report(_ done: Int) {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let now = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        guard told < 0 || now - told >= Self.interval else { return }
        told = now
        tell(Report(title: title, done: done, total: total))
    }
}
