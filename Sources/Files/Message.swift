private import CDigest

/// Bytes that are to be hashed, several of them together.
///
/// One SHA-256 computation is a chain, and leaves most of a processor idle. With AVX-512, sixteen messages side by side take
/// half the time of one after the other by the instructions that there are for SHA-256.
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
    public static let canBeTogether = sxs_sha256_has_lanes() != 0

    /// Hashes messages, together if this processor can.
    ///
    /// - Returns: What comes of each, in their order.
    public static func hash(_ messages: [Message], together: Bool = canBeTogether) -> [Hash] {
        guard together, messages.count >= SXS_SHA256_LEAST else { return messages.map { $0.hash() } }
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
            hashTogether(jobs)
            return messages.indices.map { messages[$0].result(jobs[$0], steps: steps[places[$0]...]) }
        }
    }

    private static func hashTogether(_ jobs: UnsafeMutableBufferPointer<sxs_sha256_job>) {
        guard let first = jobs.baseAddress else { return }
        var order = jobs.indices.map { UnsafeMutablePointer?.some(first + $0) }
        order.withUnsafeMutableBufferPointer { sxs_sha256_many($0.baseAddress, $0.count) }
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
    private var stepCount: Int {
        keepsStates ? min(bytes.count / ResumableHasher.step, ResumableHasher.most) : 0
    }

    private func job(steps: Slice<UnsafeMutableBufferPointer<sxs_sha256_state>>) -> sxs_sha256_job {
        var job = sxs_sha256_job()
        job.bytes = rest.baseAddress?.assumingMemoryBound(to: UInt8.self)
        (job.count, job.before) = (rest.count, UInt64(start))
        withUnsafeMutableBytes(of: &job.state) {
            $0.storeBytes(of: (begun ?? Hasher256()).state, as: SIMD8<UInt32>.self)
        }
        if stepCount > 0 {
            job.steps = UnsafeMutableBufferPointer(rebasing: steps).baseAddress
            (job.step, job.step_count) = (ResumableHasher.step, stepCount)
        }
        return job
    }

    private func result(
        _ job: sxs_sha256_job, steps: Slice<UnsafeMutableBufferPointer<sxs_sha256_state>>
    ) -> Hash {
        let states = (0..<stepCount - job.step_count).map {
            Hasher256(
                state: Self.words(steps[steps.startIndex + $0]),
                count: UInt64(($0 + 1) * ResumableHasher.step))
        }
        let state = Self.words(job.state)
        guard job.is_left != 0 else { return Hash(digest: Digest(state: state), states: states) }
        // Too few others were left.
        let done = Int(job.before)
        let begun = Hasher256(state: state, count: job.before)
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        guard keepsStates else {
            var hasher = begun
            hasher.update(rest)
            return Hash(digest: hasher.finalize(), states: [])
        }
        var hasher = ResumableHasher(begun, states: states, pending: done % ResumableHasher.step)
        hasher.update(rest)
        return Hash(digest: hasher.finalize(), states: hasher.states)
    }

    private static func words(_ state: sxs_sha256_state) -> SIMD8<UInt32> {
        withUnsafeBytes(of: state) { $0.loadUnaligned(as: SIMD8<UInt32>.self) }
    }
}
