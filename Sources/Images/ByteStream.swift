internal import Files

/// Bytes in order, chunk by chunk.
protocol ByteStream: AnyObject {
    /// The next bytes, at least one, valid until the next call; `nil` at the end.
    func next() throws -> UnsafeRawBufferPointer?

    /// Passes over `count` bytes without giving them; `false`, and nothing done, where that is not possible.
    func skip(_ count: Int) throws -> Bool
}

/// A range of a file, hashed as it is read if asked to.
final class FileStream: ByteStream {
    /// Bytes per read, and how many such are there at most where they are hashed.
    private static let chunkSize = 1 << 17
    private static let chunkCount = 16

    private let file: Descriptor
    private let start: Int
    private let end: Int
    private var position: Int
    private let image: String
    /// Where bytes go that are not hashed.
    private var buffer: UnsafeMutableRawBufferPointer?
    /// What hashes the bytes if that was asked for, and those that were given last.
    private let queue: DigestQueue?
    private var current: DigestQueue.Chunk?
    /// Guards ``done``, which others look at while one reads.
    private let monitor = Monitor()
    private var passed = 0

    /// - Parameters:
    ///   - range: Where in the file.
    ///   - image: What errors call the file.
    ///   - hashing: Whether ``digest()`` will be asked for; skipping is then not possible.
    ///   - hasher: What hashes other bytes meanwhile.
    init(
        _ file: Descriptor, range: Range<Int>, image: String, hashing: Bool = false,
        beside hasher: MessageHasher? = nil
    ) {
        self.file = file
        self.image = image
        start = range.lowerBound
        position = range.lowerBound
        end = range.upperBound
        queue = hashing ? .beside(hasher, chunkSize: Self.chunkSize, chunkCount: Self.chunkCount) : nil
    }

    deinit {
        queue?.close()
        buffer?.deallocate()
    }

    func next() throws -> UnsafeRawBufferPointer? {
        if let current { queue?.put(current) }
        current = nil
        guard position < end else { return nil }
        let chunk = queue?.take()
        let part = UnsafeMutableRawBufferPointer(rebasing: room(chunk).prefix(end - position))
        let count = try file.read(into: part, at: position)
        guard count > 0 else {
            throw ImageError.truncated(image: image, detail: "it ends at byte \(position), not at \(end)")
        }
        position += count
        note()
        guard let chunk else { return UnsafeRawBufferPointer(rebasing: part[..<count]) }
        chunk.fill(count)
        queue?.pass(chunk)
        current = chunk
        return chunk.bytes
    }

    private func room(_ chunk: DigestQueue.Chunk?) -> UnsafeMutableRawBufferPointer {
        if let chunk { return chunk.buffer }
        let room = buffer ?? .allocate(byteCount: Self.chunkSize, alignment: 64)
        buffer = room
        return room
    }

    func skip(_ count: Int) throws -> Bool {
        guard queue == nil, count <= end - position else { return false }
        position += count
        note()
        return true
    }

    /// Bytes of the range that were given or passed over; also for threads other than the one that reads.
    var done: Int { monitor.withLock { passed } }

    private func note() { monitor.withLock { passed = position - start } }

    /// SHA-256 of the whole range: reads what is left of it.
    ///
    /// - Precondition: It was asked for at the start, and was not asked for since.
    func digest() throws -> Digest {
        guard let queue else { preconditionFailure("what passed by was not hashed") }
        while try next() != nil {}
        return queue.digest()
    }
}
