internal import Files

/// A stream that a thread of its own reads, some way ahead of whoever takes its bytes, and that is hashed as it passes.
///
/// Decompressing is then done while what came out is looked at and written.
final class ReadAheadStream: ByteStream {
    /// What the thread reads, and what is handed to and fro.
    private final class Work: @unchecked Sendable {
        // While the thread runs, it alone has the stream.
        let stream: any ByteStream
        let queue: DigestQueue
        let full = BoundedQueue<DigestQueue.Chunk>(limit: ReadAheadStream.chunkCount)

        init(_ stream: any ByteStream, _ queue: DigestQueue) {
            (self.stream, self.queue) = (stream, queue)
        }

        func run() throws {
            defer { full.close() }
            var chunk: DigestQueue.Chunk?
            while let bytes = try stream.next() {
                var rest = bytes
                while !rest.isEmpty {
                    guard let current = chunk ?? queue.take() else { return }
                    rest = UnsafeRawBufferPointer(rebasing: rest[current.append(rest)...])
                    chunk = current
                    if current.isFull {
                        guard give(current) else { return }
                        chunk = nil
                    }
                }
            }
            if let chunk { _ = give(chunk) }
        }

        private func give(_ chunk: DigestQueue.Chunk) -> Bool {
            queue.pass(chunk)
            return full.put(chunk)
        }
    }

    /// Bytes of a chunk, and chunks that are read ahead, or wait to be hashed, at most.
    private static let chunkSize = 1 << 18
    private static let chunkCount = 8

    private let work: Work
    private let task: BackgroundTask<Void>?
    private var current: DigestQueue.Chunk?
    private var isOver = false

    /// Begins to read.
    ///
    /// - Parameters:
    ///   - stream: Nobody else uses it until ``stop()``.
    ///   - hasher: What hashes other bytes meanwhile.
    init(_ stream: any ByteStream, beside hasher: MessageHasher?) {
        let work = Work(
            stream, .beside(hasher, chunkSize: Self.chunkSize, chunkCount: Self.chunkCount))
        self.work = work
        let task = processorCount > 1 ? BackgroundTask { try work.run() } : nil
        // Where there can be no thread, the one that takes the bytes reads them.
        self.task = task?.hasThread == true ? task : nil
    }

    deinit { stop() }

    func next() throws -> UnsafeRawBufferPointer? {
        guard !isOver else { return nil }
        if let current { work.queue.put(current) }
        current = nil
        guard let task else {
            guard let bytes = try work.stream.next() else { return nil }
            work.queue.update(bytes)
            return bytes
        }
        current = work.full.take()
        guard let current else {
            isOver = true
            try task.value()
            return nil
        }
        return current.bytes
    }

    func skip(_ count: Int) throws -> Bool { false }

    /// SHA-256 of the whole stream: reads what is left of it.
    func digest() throws -> Digest {
        while try next() != nil {}
        return work.queue.digest()
    }

    /// Lets the thread end, whatever is left to be read.
    func stop() {
        isOver = true
        work.queue.close()
        guard let task, task.hasThread else { return }
        work.full.close(droppingItems: true)
        // What it ran into no longer matters to anyone.
        try? task.value()
    }
}

/// The bytes of an archive without its compression, and their digest if it is asked for.
///
/// Where both are wanted, a thread of its own decompresses.
final class PlainArchive: ByteStream {
    private let file: FileStream
    private let budget: ImageBudget
    private let isCompressed: Bool
    private let ahead: ReadAheadStream?
    private let stream: any ByteStream
    private let report: ((Int) -> Void)?

    /// Opens an archive.
    ///
    /// - Parameters:
    ///   - image: What errors call it.
    ///   - budget: What decompressed bytes count against.
    ///   - hashing: Whether ``digest()`` will be asked for.
    ///   - hasher: What hashes other bytes meanwhile.
    ///   - report: Told how many bytes of the file are done, on the thread that takes the bytes.
    init(
        _ file: FileStream, image: String, budget: ImageBudget, hashing: Bool = false,
        beside hasher: MessageHasher? = nil, report: ((Int) -> Void)? = nil
    ) throws {
        self.file = file
        self.budget = budget
        self.report = report
        let (plain, isCompressed) = try Decompressor.plain(file, image: image)
        self.isCompressed = isCompressed
        // Where there is more to do than to decompress: to hand bytes from thread to thread has its price.
        ahead = hashing ? ReadAheadStream(plain, beside: hasher) : nil
        stream = ahead ?? plain
    }

    func next() throws -> UnsafeRawBufferPointer? {
        let bytes = try stream.next()
        if let bytes, isCompressed { try budget.count(streamed: bytes.count) }
        report?(file.done)
        return bytes
    }

    func skip(_ count: Int) throws -> Bool {
        defer { report?(file.done) }
        return try stream.skip(count)
    }

    /// Lets nothing go on behind: the file can be read by others again.
    func stop() { ahead?.stop() }

    /// SHA-256 of the bytes without compression: reads what is left of them.
    ///
    /// - Precondition: It was asked for at the start.
    func digest() throws -> Digest {
        guard let ahead else { preconditionFailure("what passed by was not hashed") }
        while try next() != nil {}
        defer { stop() }
        return try ahead.digest()
    }
}
