internal import CDigest

/// Bytes that are to be hashed, several of them together.
///
/// One SHA-256 computation is a chain whose steps wait for each other. By the instructions that processors have for it, four
/// messages side by side take little more than half the time of one after the other.
public struct Message {
    /// All bytes.
    let bytes: UnsafeRawBufferPointer
    /// Whether the computation is to be taken up again at its steps.
    let keepsStates: Bool
    /// The computation at the last step that another message, which begins with the same bytes, had.
    let begun: Hasher256?
    /// The bytes that it has hashed.
    let start: Int

    /// A message.
    ///
    /// - Parameters:
    ///   - bytes: Its bytes, which must stay until it is hashed.
    ///   - keepsStates: Whether to keep the computation after each ``ResumableHasher/step``.
    public init(_ bytes: UnsafeRawBufferPointer, keepsStates: Bool = false) {
        (self.bytes, self.keepsStates, begun, start) = (bytes, keepsStates, nil, 0)
    }

    /// A message that begins as that of a computation did.
    ///
    /// - Parameters:
    ///   - bytes: All its bytes, which must stay until it is hashed.
    ///   - states: The computation's ``ResumableHasher/states``.
    ///   - common: How many bytes, at least, are the same.
    public init(_ bytes: UnsafeRawBufferPointer, after states: [Hasher256], common: Int) {
        let steps = ResumableHasher.steps(of: bytes.count, after: states, common: common)
        (self.bytes, keepsStates, start) = (bytes, false, steps * ResumableHasher.step)
        begun = steps > 0 ? states[steps - 1] : nil
    }

    /// What comes of a message.
    public struct Hash: Sendable {
        /// The digest.
        public let digest: Digest
        /// The computation at each step; empty where it was not to be kept.
        public let states: [Hasher256]

        /// What came of a message that was hashed as it came.
        public init(digest: Digest, states: [Hasher256]) {
            (self.digest, self.states) = (digest, states)
        }
    }

    /// Whether this processor hashes messages together faster than one after the other.
    public static let canBeTogether = sxs_sha256_has_streams() != 0

    /// Hashes messages, together if this processor can.
    ///
    /// - Returns: What comes of each, in their order.
    public static func hash(_ messages: [Message], together: Bool = canBeTogether) -> [Hash] {
        hash(messages, beside: { [] }, together: together)
    }

    /// The same, and meanwhile something of what others have waiting.
    ///
    /// - Parameter loans: Gives that, as often as it is asked.
    static func hash(
        _ messages: [Message], beside loans: () -> [DigestQueue.Loan], together: Bool = canBeTogether
    ) -> [Hash] {
        guard together else { return messages.map { $0.hash() } }
        return withUnsafeTemporaryAllocation(of: sxs_sha256_job.self, capacity: messages.count) { jobs in
            let stepCount = messages.reduce(0) { $0 + $1.stepCount }
            let steps = UnsafeMutableBufferPointer<sxs_sha256_state>.allocate(capacity: stepCount)
            defer { steps.deallocate() }
            steps.initialize(repeating: sxs_sha256_state())
            var places: [Int] = []
            places.reserveCapacity(messages.count)
            var place = 0
            for (number, message) in messages.enumerated() {
                jobs.initializeElement(at: number, to: message.job(steps: steps[place...]))
                places.append(place)
                place += message.stepCount
            }
            sxs_sha256_job.run(jobs, beside: loans)
            return messages.indices.map { messages[$0].result(jobs[$0], steps: steps[places[$0]...]) }
        }
    }

    private var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[start...]) }

    private func hash() -> Hash {
        if keepsStates {
            var hasher = ResumableHasher()
            hasher.update(bytes)
            return Hash(digest: hasher.finalize(), states: hasher.states)
        }
        var hasher = begun ?? Hasher256()
        hasher.update(rest)
        return Hash(digest: hasher.finalize(), states: [])
    }

    // MARK: Together

    /// Steps whose computations are kept.
    fileprivate var stepCount: Int {
        keepsStates ? min(bytes.count / ResumableHasher.step, ResumableHasher.most) : 0
    }

    fileprivate func job(steps: Slice<UnsafeMutableBufferPointer<sxs_sha256_state>>) -> sxs_sha256_job {
        var job = sxs_sha256_job(rest, after: begun ?? Hasher256())
        if stepCount > 0 {
            job.steps = UnsafeMutableBufferPointer(rebasing: steps).baseAddress
            (job.step, job.step_count) = (ResumableHasher.step, stepCount)
        }
        return job
    }

    fileprivate func result(
        _ job: sxs_sha256_job, steps: Slice<UnsafeMutableBufferPointer<sxs_sha256_state>>
    ) -> Hash {
        let states = (0..<stepCount).map {
            Hasher256(
                state: steps[steps.startIndex + $0].vector, count: UInt64(($0 + 1) * ResumableHasher.step))
        }
        return Hash(digest: Digest(state: job.state.vector), states: states)
    }
}

/// A message that is hashed together with others a while at a time.
public final class PendingMessage {
    // A class: what its computation is at has a place of its own in memory.

    private let message: Message
    private let job = UnsafeMutablePointer<sxs_sha256_job>.allocate(capacity: 1)
    private let steps: UnsafeMutableBufferPointer<sxs_sha256_state>

    /// - Precondition: ``Message/canBeTogether``.
    public init(_ message: Message) {
        self.message = message
        steps = .allocate(capacity: message.stepCount)
        steps.initialize(repeating: sxs_sha256_state())
        job.initialize(to: message.job(steps: steps[...]))
    }

    deinit {
        job.deallocate()
        steps.deallocate()
    }

    /// Bytes that are to be hashed yet.
    public var count: Int { job.pointee.count }

    /// What came of it; `nil` while something is left.
    public var hash: Message.Hash? {
        job.pointee.is_done != 0 ? message.result(job.pointee, steps: steps[...]) : nil
    }

    /// Hashes 2 MiB of messages, of the longest first, and meanwhile something of what others have waiting.
    static func advance(_ messages: [PendingMessage], beside loans: [DigestQueue.Loan]) {
        var order = messages.map { Optional.some($0.job) }
        order.withUnsafeMutableBufferPointer { _ = sxs_sha256_job.run($0[...], beside: loans) }
    }
}

extension sxs_sha256_state {
    /// The eight words that FIPS 180-4 calls H.
    var vector: SIMD8<UInt32> { withUnsafeBytes(of: self) { $0.loadUnaligned(as: SIMD8<UInt32>.self) } }
}

extension sxs_sha256_job {
    /// Work on bytes that follow those of a computation.
    ///
    /// - Precondition: The computation has hashed whole blocks.
    init(_ bytes: UnsafeRawBufferPointer, after hasher: Hasher256) {
        self.init()
        self.bytes = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        (count, before) = (bytes.count, hasher.count)
        withUnsafeMutableBytes(of: &state) { $0.storeBytes(of: hasher.state, as: SIMD8<UInt32>.self) }
    }

    /// Does what there is to do, and meanwhile something of what others have waiting.
    ///
    /// - Parameter loans: Gives that, as often as it is asked.
    static func run(_ jobs: UnsafeMutableBufferPointer<Self>, beside loans: () -> [DigestQueue.Loan]) {
        guard let first = jobs.baseAddress else { return }
        var order = jobs.indices.map { UnsafeMutablePointer?.some(first + $0) }
        order.withUnsafeMutableBufferPointer { order in
            var count = order.count
            while count > 0 { count = run(order[..<count], beside: loans()) }
        }
    }

    /// - Returns: How many are not done, which are the first then.
    fileprivate static func run(
        _ jobs: Slice<UnsafeMutableBufferPointer<UnsafeMutablePointer<Self>?>>,
        beside others: [DigestQueue.Loan]
    ) -> Int {
        let jobs = UnsafeMutableBufferPointer(rebasing: jobs)
        let loans = others.prefix(Int(SXS_SHA256_STREAMS) - 1)
        for loan in others.dropFirst(loans.count) { loan.giveBack() }
        let pieceCount = loans.reduce(0) { $0 + $1.pieces.count }
        return withUnsafeTemporaryAllocation(of: Self.self, capacity: pieceCount) { pieces in
            var parts: [UnsafeMutableBufferPointer<Self>] = []
            var place = 0
            for loan in loans {
                let part = UnsafeMutableBufferPointer(rebasing: pieces[place...].prefix(loan.pieces.count))
                for (number, bytes) in loan.pieces.enumerated() {
                    var piece = Self(bytes, after: loan.hasher)
                    piece.is_open = 1
                    piece.next = number + 1 < part.count ? part.baseAddress.map { $0 + number + 1 } : nil
                    part.initializeElement(at: number, to: piece)
                }
                parts.append(part)
                place += part.count
            }
            var companions = parts.map(\.baseAddress)
            let left = companions.withUnsafeMutableBufferPointer {
                sxs_sha256_many(jobs.baseAddress, jobs.count, $0.baseAddress, $0.count)
            }
            for (loan, part) in zip(loans, parts) {
                // Those behind the one that is not whole were not begun.
                let reached = part.first { $0.is_done == 0 } ?? part[part.count - 1]
                loan.giveBack(Hasher256(state: reached.state.vector, count: reached.before))
            }
            return left
        }
    }
}
