internal import Files

/// A file whose bytes are hashed, scanned and written as they come, piece by piece.
///
/// Threads may have its pieces in any order; each is done after those before it, by one thread at a time.
final class LargeFile: @unchecked Sendable {
    // What is done with the bytes is done by one thread at a time; the rest is guarded by the monitor.

    /// What is known of a piece besides its bytes.
    struct Piece {
        let large: LargeFile
        /// Its place among the pieces, from 0.
        let number: Int
        /// Bytes of zeros behind its bytes.
        let hole: Int
        let isLast: Bool

        /// Does what there is to do with the piece.
        func take(_ bytes: UnsafeRawBufferPointer, _ work: ContentWork) throws {
            try large.append(bytes, work)
            try large.appendHole(hole, work)
            if isLast { try large.end(work) }
        }
    }

    private let file: ContentWriter.File
    private let descriptor: Descriptor
    private var size = 0
    /// `nil` where it is hashed together with others, when it is written.
    private var hasher: ResumableHasher?
    private var scanner = PathScanner()
    private var head: Bytes = []

    private let monitor = Monitor()
    /// Pieces that were made.
    private var made = 0
    /// The number of the piece that is done next, or by some thread now.
    private var next = 0
    private var isBusy = false
    /// Pieces that came before it was their turn.
    private var waiting: [Int: ContentBatch] = [:]

    private static let zeros = Bytes(repeating: 0, count: 64 << 10)

    /// Bytes that a file may have to be hashed when it is written: larger ones are rather not read again.
    private static let lateLimit = 128 << 20

    /// - Parameters:
    ///   - descriptor: Where the bytes go.
    ///   - size: Its size, if that is known.
    init(_ file: ContentWriter.File, _ descriptor: Descriptor, size: Int?) {
        (self.file, self.descriptor) = (file, descriptor)
        let isLate = Message.canBeTogether && size.map { $0 <= Self.lateLimit } ?? false
        hasher = isLate ? nil : ResumableHasher()
    }

    /// The next piece; called by the thread that the bytes come on.
    func piece(hole: Int, isLast: Bool) -> Piece {
        defer { made += 1 }
        return Piece(large: self, number: made, hole: hole, isLast: isLast)
    }

    /// Does something with a piece once those before it are done: on this thread, or on the one that does these.
    func take(_ batch: ContentBatch, number: Int, _ body: (ContentBatch) -> Void) {
        monitor.withLock { waiting[number] = batch }
        while let batch = takeTurn() {
            body(batch)
            monitor.withLock {
                next += 1
                isBusy = false
            }
        }
    }

    /// The piece whose turn it is, unless it is not there, or another thread is at work.
    private func takeTurn() -> ContentBatch? {
        monitor.withLock {
            guard !isBusy, let batch = waiting.removeValue(forKey: next) else { return nil }
            isBusy = true
            return batch
        }
    }

    /// Adds bytes.
    func append(_ bytes: UnsafeRawBufferPointer, _ work: ContentWork) throws {
        update(bytes, work)
        // A hole before leaves the file's offset behind.
        try descriptor.write(bytes, at: size)
        size += bytes.count
    }

    /// Adds zeros, which take no room.
    func appendHole(_ count: Int, _ work: ContentWork) throws {
        var rest = count
        while rest > 0 {
            let length = min(rest, Self.zeros.count)
            Self.zeros.withUnsafeBytes { update(UnsafeRawBufferPointer(rebasing: $0[..<length]), work) }
            rest -= length
        }
        size += count
    }

    private func update(_ bytes: UnsafeRawBufferPointer, _ work: ContentWork) {
        hasher?.update(bytes, beside: work.hasher)
        scanner.update(bytes)
        if head.count < FileHead.limit { head.append(contentsOf: bytes.prefix(FileHead.limit - head.count)) }
    }

    /// It is whole.
    func end(_ work: ContentWork) throws {
        scanner.finish()
        try descriptor.setSize(size)
        let file = ContentWriter.Scanned(file, size: size, scanner: scanner, head: FileHead(head))
        guard var hasher else { return try work.takeWritten(file, in: descriptor) }
        let digest = hasher.finalize()
        try work.takeWritten(file, Message.Hash(digest: digest, states: hasher.states), in: descriptor)
    }
}
