/// SHA-256 of a stream's bytes, computed by those that hash other messages meanwhile (``MessageHasher``).
///
/// One computation takes no less time if it is the only thing that a thread does. Bytes that passed wait in their chunks for
/// company; where it does not come, whoever wants an empty chunk hashes them alone.
public final class DigestQueue: @unchecked Sendable {
    // A class: threads share it. Everything in it is guarded by the monitor, but what the hasher and chunks were lent for.

    /// Some of the stream's bytes.
    public final class Chunk: @unchecked Sendable {
        // One thread at a time writes into it: none once it was put into the queue.

        /// Room for bytes.
        public let buffer: UnsafeMutableRawBufferPointer
        /// Bytes that are in it.
        public fileprivate(set) var count = 0
        /// Bytes of these that were hashed.
        fileprivate var done = 0

        fileprivate init(size: Int) {
            buffer = .allocate(byteCount: size, alignment: 64)
        }

        deinit { buffer.deallocate() }

        /// The bytes that are in it.
        public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<count]) }
        fileprivate var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[done...]) }
        /// Whether there is no room.
        public var isFull: Bool { count == buffer.count }

        /// Takes as many bytes as there is room for; how many.
        public func append(_ bytes: UnsafeRawBufferPointer) -> Int {
            let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(buffer.count - count))
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: part)
            count += part.count
            return part.count
        }

        /// Says that so many bytes were written into ``buffer``.
        public func fill(_ count: Int) { self.count = count }
    }

    /// Bytes that somebody hashes beside others, as many as come about; nobody else does meanwhile.
    struct Loan {
        fileprivate let queue: DigestQueue
        /// The computation so far: of whole blocks.
        let hasher: Hasher256
        /// What follows: whole blocks each.
        let pieces: [UnsafeRawBufferPointer]

        /// Gives back how far the computation came.
        func giveBack(_ hasher: Hasher256? = nil) { queue.take(back: hasher ?? self.hasher) }
    }

    private let monitor = Monitor()
    /// Chunks that passed and are not hashed, in their order.
    private var waiting: [Chunk] = []
    private var free: [Chunk] = []
    /// Chunks that may still be made.
    private var rest: Int
    private let chunkSize: Int
    private let hasCompany: Bool
    private var hasher = Hasher256()
    /// Whether some thread is at work on it.
    private var isLent = false
    private var isClosed = false

    /// - Parameter hasCompany: Whether anybody will ever hash something beside it.
    private init(chunkSize: Int, chunkCount: Int, hasCompany: Bool) {
        (self.chunkSize, rest, self.hasCompany) = (chunkSize, chunkCount, hasCompany)
    }

    /// A new queue.
    ///
    /// - Parameters:
    ///   - hasher: What hashes other bytes meanwhile; `nil` where nothing does, and each chunk is hashed as it passes.
    ///   - chunkSize: Bytes of a chunk: whole blocks of SHA-256.
    ///   - chunkCount: Chunks that there are at most: at least two.
    public static func beside(_ hasher: MessageHasher?, chunkSize: Int, chunkCount: Int) -> DigestQueue {
        let hasCompany = hasher != nil && Message.canBeTogether
        let queue = DigestQueue(chunkSize: chunkSize, chunkCount: chunkCount, hasCompany: hasCompany)
        if hasCompany { hasher?.add(queue) }
        return queue
    }

    /// An empty chunk, once there is one; `nil` where the queue was closed.
    public func take() -> Chunk? {
        while true {
            let (chunk, oldest) = monitor.withLock { () -> (Chunk?, Chunk?) in
                while !isClosed {
                    if let chunk = free.popLast() { return (chunk, nil) }
                    if rest > 0 {
                        rest -= 1
                        return (Chunk(size: chunkSize), nil)
                    }
                    if !isLent, let oldest = waiting.first {
                        isLent = true
                        return (nil, oldest)
                    }
                    monitor.wait()
                }
                return (nil, nil)
            }
            guard let oldest else { return chunk }
            hash(oldest)
        }
    }

    /// The next bytes of the stream are in a chunk, and somebody looks at them yet.
    public func pass(_ chunk: Chunk) {
        // On the thread that reads, so that those that look at bytes need not.
        if !hasCompany { hasher.update(chunk.bytes) }
    }

    /// Nobody looks at a chunk that passed any more: chunks come in the stream's order.
    public func put(_ chunk: Chunk) {
        monitor.withLock {
            if hasCompany, !isClosed {
                waiting.append(chunk)
            } else {
                release(chunk)
            }
            monitor.broadcast()
        }
    }

    /// The next bytes of the stream are hashed at once.
    ///
    /// - Precondition: No chunks are used.
    public func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bytes) }

    /// The digest of all that passed.
    public func digest() -> Digest {
        while true {
            let oldest = monitor.withLock { () -> Chunk? in
                while isLent { monitor.wait() }
                isLent = true
                return waiting.first
            }
            guard let oldest else { break }
            hash(oldest)
        }
        defer { close() }
        var result = hasher
        return result.finalize()
    }

    /// Nobody asks for more: who waits for a chunk gets none.
    public func close() {
        monitor.withLock {
            isClosed = true
            // Memory is wanted elsewhere, however long somebody knows of the queue.
            free = []
            if !isLent { waiting = [] }
            monitor.broadcast()
        }
    }

    /// Hashes a chunk alone, and gives the queue back.
    private func hash(_ chunk: Chunk) {
        var hasher = hasher
        hasher.update(chunk.rest)
        take(back: hasher)
    }

    // MARK: Company

    /// Whether much waits: soon somebody will have to hash it alone.
    var isPressing: Bool { monitor.withLock { rest == 0 && waiting.count >= 2 * free.count } }

    /// Whether nothing will come of it any more.
    var isOver: Bool { monitor.withLock { isClosed } }

    /// What waits, unless that is nothing or somebody has it.
    func lend() -> Loan? {
        monitor.withLock {
            guard !isLent, !isClosed, hasher.count % 64 == 0 else { return nil }
            let pieces = waiting.map(\.rest).prefix { $0.count % 64 == 0 }
            guard !pieces.isEmpty else { return nil }
            isLent = true
            return Loan(queue: self, hasher: hasher, pieces: Array(pieces))
        }
    }

    private func take(back hasher: Hasher256) {
        monitor.withLock {
            var count = Int(hasher.count - self.hasher.count)
            self.hasher = hasher
            while let chunk = waiting.first, chunk.rest.count <= count {
                count -= chunk.rest.count
                release(waiting.removeFirst())
            }
            if count > 0 { waiting.first?.done += count }
            isLent = false
            if isClosed { waiting = [] }
            monitor.broadcast()
        }
    }

    private func release(_ chunk: Chunk) {
        (chunk.count, chunk.done) = (0, 0)
        if !isClosed { free.append(chunk) }
    }
}
