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
    /// Bytes per read.
    private static let bufferSize = 1 << 18

    private let file: Descriptor
    private let start: Int
    private let end: Int
    private var position: Int
    private let image: String
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 64)
    private var hasher: Hasher256?
    /// Guards ``done``, which others look at while one reads.
    private let monitor = Monitor()
    private var passed = 0

    /// - Parameters:
    ///   - range: Where in the file.
    ///   - image: What errors call the file.
    ///   - hashing: Whether ``digest()`` will be asked for; skipping is then not possible.
    init(_ file: Descriptor, range: Range<Int>, image: String, hashing: Bool = false) {
        self.file = file
        self.image = image
        start = range.lowerBound
        position = range.lowerBound
        end = range.upperBound
        hasher = hashing ? Hasher256() : nil
    }

    deinit { buffer.deallocate() }

    func next() throws -> UnsafeRawBufferPointer? {
        guard position < end else { return nil }
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, end - position)])
        let count = try file.read(into: part, at: position)
        guard count > 0 else {
            throw ImageError.truncated(image: image, detail: "it ends at byte \(position), not at \(end)")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        position += count
        hasher?.update(bytes)
        note()
        return bytes
    }

    func skip(_ count: Int) throws -> Bool {
        guard hasher == nil, count <= end - position else { return false }
        position += count
        note()
        return true
    }

    /// Bytes of the range that were given or passed over; also for threads other than the one that reads.
    var done: Int { monitor.withLock { passed } }

    private func note() { monitor.withLock { passed = position - start } }

    /// SHA-256 of the whole range: reads what is left of it.
    func digest() throws -> Digest {
        while try next() != nil {}
        var result = hasher ?? Hasher256()
        return result.finalize()
    }
}

/// A stream that is hashed as it passes.
final class HashingStream: ByteStream {
    private let base: any ByteStream
    private var hasher = Hasher256()

    init(_ base: any ByteStream) {
        self.base = base
    }

    func next() throws -> UnsafeRawBufferPointer? {
        let bytes = try base.next()
        if let bytes { hasher.update(bytes) }
        return bytes
    }

    func skip(_ count: Int) throws -> Bool { false }

    /// SHA-256 of the whole stream: reads what is left of it.
    func digest() throws -> Digest {
        while try next() != nil {}
        return hasher.finalize()
    }
}
