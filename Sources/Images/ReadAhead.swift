internal import Files

/// A stream that a thread of its own reads, some way ahead of whoever takes its bytes.
///
/// Decompressing and hashing are then done while what came out is looked at and written.
final class ReadAheadStream: ByteStream {
    /// Some bytes of the stream.
    private final class Chunk: @unchecked Sendable {
        // Whoever took it out of a queue has it alone.
        static let size = 1 << 18
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        var count = 0

        deinit { buffer.deallocate() }

        /// Takes as many bytes as there is room for; how many.
        func append(_ bytes: UnsafeRawBufferPointer) -> Int {
            let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(buffer.count - count))
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: part)
            count += part.count
            return part.count
        }
    }

    /// What the thread reads, and what is handed to and fro.
    private final class Work: @unchecked Sendable {
        // While the thread runs, it alone has the stream.
        let stream: any ByteStream
        let full = BoundedQueue<Chunk>(limit: ReadAheadStream.chunkCount)
        let empty = BoundedQueue<Chunk>(limit: ReadAheadStream.chunkCount)

        init(_ stream: any ByteStream) {
            self.stream = stream
            for _ in 0..<ReadAheadStream.chunkCount { empty.put(Chunk()) }
        }

        func run() throws {
            defer { full.close() }
            var chunk: Chunk?
            while let bytes = try stream.next() {
                var rest = bytes
                while !rest.isEmpty {
                    guard let current = chunk ?? empty.take() else { return }
                    rest = UnsafeRawBufferPointer(rebasing: rest[current.append(rest)...])
                    chunk = current
                    if current.count == Chunk.size {
                        guard full.put(current) else { return }
                        chunk = nil
                    }
                }
            }
            if let chunk { full.put(chunk) }
        }
    }

    /// Chunks that are read ahead at most.
    private static let chunkCount = 8

    private let work: Work
    private let task: BackgroundTask<Void>
    private var current: Chunk?
    private var isOver = false

    /// Begins to read.
    ///
    /// - Parameter stream: Nobody else uses it until ``stop()``.
    init(_ stream: any ByteStream) {
        let work = Work(stream)
        self.work = work
        task = BackgroundTask { try work.run() }
    }

    deinit { stop() }

    func next() throws -> UnsafeRawBufferPointer? {
        guard !isOver else { return nil }
        // Where there can be no thread.
        guard task.hasThread else { return try work.stream.next() }
        if let current {
            current.count = 0
            work.empty.put(current)
        }
        current = work.full.take()
        guard let current else {
            isOver = true
            try task.value()
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: current.buffer[..<current.count])
    }

    func skip(_ count: Int) throws -> Bool { false }

    /// Lets the thread end, whatever is left to be read.
    func stop() {
        isOver = true
        guard task.hasThread else { return }
        work.empty.close(droppingItems: true)
        work.full.close(droppingItems: true)
        // What it ran into no longer matters to anyone.
        try? task.value()
    }
}

/// The bytes of an archive without its compression, and their digest if it is asked for.
///
/// Where both are wanted, they are done by a thread of their own.
final class PlainArchive: ByteStream {
    private let file: FileStream
    private let budget: ImageBudget
    private let isCompressed: Bool
    private let hashed: HashingStream?
    private let ahead: ReadAheadStream?
    private let stream: any ByteStream
    private let report: ((Int) -> Void)?

    /// Opens an archive.
    ///
    /// - Parameters:
    ///   - image: What errors call it.
    ///   - budget: What decompressed bytes count against.
    ///   - hashing: Whether ``digest()`` will be asked for.
    ///   - report: Told how many bytes of the file are done, on the thread that takes the bytes.
    init(
        _ file: FileStream, image: String, budget: ImageBudget, hashing: Bool = false,
        report: ((Int) -> Void)? = nil
    ) throws {
        self.file = file
        self.budget = budget
        self.report = report
        let (plain, isCompressed) = try Decompressor.plain(file, image: image)
        self.isCompressed = isCompressed
        hashed = hashing ? HashingStream(plain) : nil
        let whole: any ByteStream = hashed ?? plain
        // Where there is more to do than to decompress: to hand bytes from thread to thread has its price.
        ahead = processorCount > 1 && hashing ? ReadAheadStream(whole) : nil
        stream = ahead ?? whole
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
        guard let hashed else { preconditionFailure("what passed by was not hashed") }
        while try next() != nil {}
        stop()
        return try hashed.digest()
    }
}
