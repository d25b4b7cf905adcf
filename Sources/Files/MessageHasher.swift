internal import CDigest

/// Hashes messages, and beside them what waits in queues.
public final class MessageHasher: @unchecked Sendable {
    // A class: threads share it. Everything in it is guarded by the monitor.

    private let monitor = Monitor()
    private var queues: [DigestQueue] = []

    /// Creates one that has no queues.
    public init() {}

    /// Takes a queue whose bytes are hashed beside messages from now on.
    func add(_ queue: DigestQueue) {
        monitor.withLock { queues = queues.filter { !$0.isOver } + [queue] }
    }

    /// Whether much waits in a queue, and would rather be hashed beside something.
    public var isPressed: Bool { monitor.withLock { queues.contains { $0.isPressing } } }

    /// What waits in queues that nobody has.
    fileprivate var loans: [DigestQueue.Loan] {
        monitor.withLock { queues.compactMap { $0.lend() } }
    }

    /// Hashes messages.
    ///
    /// - Returns: What comes of each, in their order.
    public func hash(_ messages: [Message]) -> [Message.Hash] { Message.hash(messages, beside: { loans }) }

    /// Hashes some of what is left of messages.
    ///
    /// - Precondition: None of them is done.
    public func advance(_ messages: [PendingMessage]) { PendingMessage.advance(messages, beside: loans) }
}

extension ResumableHasher {
    /// Adds bytes, and hashes beside them what somebody has waiting.
    public mutating func update(_ bytes: UnsafeRawBufferPointer, beside others: MessageHasher) {
        let done = Message.canBeTogether ? addBlocks(of: bytes) { others.loans } : 0
        update(UnsafeRawBufferPointer(rebasing: bytes[done...]))
    }

    /// Adds whole blocks.
    ///
    /// - Returns: How many bytes were added.
    private mutating func addBlocks(
        of bytes: UnsafeRawBufferPointer, beside loans: () -> [DigestQueue.Loan]
    ) -> Int {
        let block = Int(SXS_SHA256_BLOCK)
        // A hole may have left it between two blocks.
        let count = hasher.count % UInt64(block) == 0 ? bytes.count / block * block : 0
        guard count > 0 else { return 0 }
        let steps = min((pending + count) / Self.step, Self.most - states.count)
        let first = hasher.count / UInt64(Self.step) + 1
        withUnsafeTemporaryAllocation(of: sxs_sha256_job.self, capacity: 1) { jobs in
            withUnsafeTemporaryAllocation(of: sxs_sha256_state.self, capacity: steps) { taken in
                var job = sxs_sha256_job(UnsafeRawBufferPointer(rebasing: bytes[..<count]), after: hasher)
                job.is_open = 1
                (job.steps, job.step, job.step_count) = (taken.baseAddress, Self.step, steps)
                jobs.initializeElement(at: 0, to: job)
                sxs_sha256_job.run(jobs, beside: loans)
                for number in 0..<steps {
                    let count = (first + UInt64(number)) * UInt64(Self.step)
                    states.append(Hasher256(state: taken[number].vector, count: count))
                }
                hasher = Hasher256(state: jobs[0].state.vector, count: jobs[0].before)
            }
        }
        pending = (pending + count) % Self.step
        return count
    }
}
