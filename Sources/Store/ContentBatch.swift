internal import Files

/// Bytes on their way to a thread: small files, each whole, or a piece of a large one.
final class ContentBatch: @unchecked Sendable {
    // One thread at a time has it.

    /// Bytes and files after which it is handed on; the last file may lie beyond.
    private static let fullSize = 1 << 20
    private static let fullCount = 512
    /// Bytes that a file may have to be small.
    static let fileLimit = 256 << 10

    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: fullSize + fileLimit, alignment: 64)
    private var used = 0
    /// Where the file begins that is not whole yet.
    private var start = 0
    /// The files that are whole, and where.
    private(set) var files: [(file: ContentWriter.File, range: Range<Int>)] = []
    /// What it is a piece of, if it is one.
    var piece: LargeFile.Piece?

    deinit { buffer.deallocate() }

    var isEmpty: Bool { files.isEmpty }
    var isFull: Bool { used >= Self.fullSize || files.count >= Self.fullCount }

    /// The bytes that belong to no whole file: all those of a piece.
    var pending: UnsafeRawBufferPointer { bytes(start..<used) }

    /// Adds bytes to a small file.
    func append(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: bytes)
        used += bytes.count
    }

    /// Adds zeros to a small file.
    func append(zeros count: Int) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[used..<(used + count)]).initializeMemory(
            as: UInt8.self, repeating: 0)
        used += count
    }

    /// Adds bytes to a piece until it is full; how many.
    func fill(with bytes: UnsafeRawBufferPointer) -> Int {
        let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.fullSize - used))
        append(part)
        return part.count
    }

    /// Forgets the bytes of the file that is not whole.
    func drop() { used = start }

    /// The file is whole.
    func end(_ file: ContentWriter.File) {
        files.append((file, start..<used))
        start = used
    }

    /// The bytes of a whole file.
    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[range])
    }

    /// Makes it as if it were new.
    fileprivate func clear() {
        (used, start, piece) = (0, 0, nil)
        files.removeAll(keepingCapacity: true)
    }
}

/// Batches that nobody has: their memory is used again, and there are never more than so many.
final class BatchPool: @unchecked Sendable {
    // A class: threads share it. Everything in it is guarded by the monitor.

    private let monitor = Monitor()
    private var free: [ContentBatch] = []
    /// Batches that may still be made.
    private var rest: Int

    /// Creates a pool.
    ///
    /// - Parameter limit: Batches at most.
    init(limit: Int) { rest = limit }

    /// An empty batch, once there is one.
    func take() -> ContentBatch {
        monitor.withLock {
            while free.isEmpty {
                if rest > 0 {
                    rest -= 1
                    return ContentBatch()
                }
                monitor.wait()
            }
            return free.removeLast()
        }
    }

    /// Takes a batch back.
    func put(_ batch: ContentBatch) {
        batch.clear()
        monitor.withLock {
            free.append(batch)
            monitor.signal()
        }
    }
}
