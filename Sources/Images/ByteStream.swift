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
    private let report: ((Int) -> Void)?

    /// - Parameters:
    ///   - range: Where in the file.
    ///   - image: What errors call the file.
    ///   - hashing: Whether ``digest()`` will be asked for; skipping is then not possible.
    ///   - report: Told how many bytes of the range are done.
    init(
        _ file: Descriptor, range: Range<Int>, image: String, hashing: Bool = false,
        report: ((Int) -> Void)? = nil
    ) {
        self.file = file
        self.image = image
        self.report = report
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
        report?(position - start)
        return bytes
    }

    func skip(_ count: Int) throws -> Bool {
        guard hasher == nil, count <= end - position else { return false }
        position += count
        report?(position - start)
        return true
    }

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
