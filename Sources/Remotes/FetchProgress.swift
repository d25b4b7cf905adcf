public import Files

/// The progress of several transfers as one piece of work.
public final class FetchProgress: @unchecked Sendable {
    // A class: transfers on several threads share it. All of it, the receiver too, is used under the lock only.

    private struct State {
        var totals: [Int?]
        var done: [Int]
    }

    private let state: Locked<State>
    private let receiver: any Progress
    private let title: String

    /// Begins the work.
    ///
    /// - Parameters:
    ///   - title: What is fetched.
    ///   - count: How many transfers there are.
    ///   - receiver: Told of all together.
    public init(_ title: String, count: Int, receiver: any Progress) {
        state = Locked(
            State(totals: Array(repeating: nil, count: count), done: Array(repeating: 0, count: count)))
        self.receiver = receiver
        self.title = title
        receiver.begin(title, total: nil)
    }

    /// Ends the work.
    public func end() { receiver.end() }

    /// One of the transfers.
    public struct Part: Sendable {
        let progress: FetchProgress
        let index: Int

        /// Its length is known, or is not to be known.
        func expect(_ total: Int?) {
            progress.state.withLock { state in
                state.totals[index] = total
                // Known only where each is.
                let known = state.totals.compactMap { $0 }
                if known.count == state.totals.count { progress.receiver.expect(known.reduce(0, +)) }
            }
        }

        /// So much is there.
        func advance(to bytes: Int) {
            progress.state.withLock { state in
                state.done[index] = bytes
                progress.receiver.advance(to: state.done.reduce(0, +))
            }
        }
    }

    /// The transfer of a number, counted from 0.
    public func part(_ index: Int) -> Part { Part(progress: self, index: index) }
}
