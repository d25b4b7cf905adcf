internal import Files
internal import Glibc
internal import StoreLayout

/// Hashes, scans and writes the contents of an image's files: small ones in batches, on as many threads as there are
/// processors, large ones on the thread that their bytes come on.
///
/// Contents get their identifiers in the order in which their files began, whatever is done first. Equal ones that nothing
/// will change become one file.
final class ContentWriter {
    /// What is known of a file before its bytes.
    struct File: Sendable {
        /// The identifier of its contents.
        let id: ContentID
        /// The number of its file in the staging directory.
        let number: Int
        /// Where that is rather made; `nil` for a numbered file.
        var place: Staging.Place?
        /// Permission bits that it will have in the store.
        let mode: UInt16
        let attributes: [ExtendedAttribute]
        /// Whether its name says that relocation may change it.
        let isVariable: Bool
    }

    /// What is known of a file's bytes.
    struct Findings: Sendable {
        let size: Int
        let digest: Digest
        let scanner: PathScanner
        let head: FileHead
        let hashStates: [Hasher256]

    }

    /// A file whose bytes were all looked at, and are not hashed.
    struct Scanned: Sendable {
        let file: File
        let size: Int
        let scanner: PathScanner
        let head: FileHead
        /// Whether relocation may change them, in a way that depends on the file's name.
        let isVariable: Bool

        /// - Parameter scanner: It has seen all bytes.
        init(_ file: File, size: Int, scanner: PathScanner, head: FileHead) {
            (self.file, self.size, self.scanner, self.head) = (file, size, scanner, head)
            isVariable =
                file.isVariable || scanner.hasHits || scanner.isTruncated
                || head.starts(with: [0x7f, 0x45, 0x4c, 0x46])
        }

        /// What is known when they are hashed, too.
        func findings(_ hash: Message.Hash) -> Findings {
            Findings(
                size: size, digest: hash.digest, scanner: scanner, head: head, hashStates: hash.states)
        }
    }

    private let staging: Staging
    private let work: ContentWork
    private let pool = BatchPool(limit: queueLimit + threadLimit + 2)
    private var queue: BoundedQueue<ContentBatch>?
    private var threads: [BackgroundTask<Void>] = []
    /// Whether threads may still be begun: a small image needs none.
    private var canStart = processorCount > 1
    /// The batch that small files go to.
    private var batch: ContentBatch?
    /// What came of the large file that is not whole, and was not handed on.
    private var piece: ContentBatch?
    /// Files that began and are not registered.
    private var begun = 0

    private static let threadLimit = min(processorCount, 8)
    /// Batches that wait at most.
    private static let queueLimit = 2

    /// Creates a writer.
    ///
    /// - Parameters:
    ///   - staging: Where contents go.
    ///   - finder: Finds contents that the store has; `nil` if every content is to be written.
    init(_ staging: Staging, finder: ObjectFinder?) {
        self.staging = staging
        work = ContentWork(staging.directory, finder)
    }

    deinit { abandon() }

    /// What hashes contents.
    var hasher: MessageHasher { work.hasher }

    /// Lets nothing go on: nobody asks for it any more.
    func abandon() {
        work.abandon()
        stop()
    }

    /// A file begins.
    ///
    /// - Parameter path: Where it belongs.
    func begin(at path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], isVariable: Bool) throws
        -> File
    {
        defer { begun += 1 }
        return File(
            id: ContentID(staging.count + begun), number: staging.reserveNumber(),
            place: try staging.place(at: path), mode: mode, attributes: attributes, isVariable: isVariable)
    }

    // MARK: Small files

    /// The batch that the bytes of small files go to.
    func openBatch() -> ContentBatch {
        let current = batch ?? pool.take()
        batch = current
        return current
    }

    /// The file whose bytes went to the open batch is whole.
    func end(_ file: File) throws {
        let current = openBatch()
        current.end(file)
        if current.isFull { try flush() }
    }

    /// Hands the open batch on.
    private func flush() throws {
        guard let full = batch, !full.isEmpty else { return try work.check() }
        // A file that is not whole stays in a batch of its own: there is none where this is called.
        batch = nil
        try give(full)
    }

    // MARK: Large files

    /// Lets a file's bytes go to the staging directory as they come, those that came first, too.
    ///
    /// - Parameter size: Its size, if that is known.
    func spill(_ file: File, size: Int?) throws -> LargeFile {
        var file = file
        let descriptor = try work.makeFile(for: &file, flags: O_RDWR)
        let large = LargeFile(file, descriptor, size: size)
        guard let batch, !batch.pending.isEmpty else { return large }
        try append(batch.pending, to: large)
        batch.drop()
        return large
    }

    /// The next bytes of a large file.
    func append(_ bytes: UnsafeRawBufferPointer, to large: LargeFile) throws {
        guard processorCount > 1 else { return try large.append(bytes, work) }
        var rest = bytes
        while !rest.isEmpty {
            let current = piece ?? pool.take()
            piece = current
            rest = UnsafeRawBufferPointer(rebasing: rest[current.fill(with: rest)...])
            if current.isFull { try give(pieceOf: large) }
        }
    }

    /// The next bytes of a large file, all zeros.
    func appendHole(_ count: Int, to large: LargeFile) throws {
        guard processorCount > 1 else { return try large.appendHole(count, work) }
        try give(pieceOf: large)
        var rest = count
        while rest > 0 {
            // Not all of it at once: what is given meanwhile may not wait for long.
            let length = min(rest, 1 << 20)
            try give(pieceOf: large, hole: length)
            rest -= length
        }
    }

    /// A large file is whole.
    func end(_ large: LargeFile) throws {
        guard processorCount > 1 else { return try large.end(work) }
        try give(pieceOf: large, isLast: true)
    }

    private func give(pieceOf large: LargeFile, hole: Int = 0, isLast: Bool = false) throws {
        guard piece != nil || hole > 0 || isLast else { return }
        let current = piece ?? pool.take()
        piece = nil
        current.piece = large.piece(hole: hole, isLast: isLast)
        try give(current)
    }

    // MARK: Threads

    /// Registers all contents so far, once their bytes are written.
    func finish() throws {
        try flush()
        stop()
        try work.hashWaiting()
        begun -= try work.takeOutcomes(into: staging)
        guard begun == 0 else { throw StoreError.entryOrder("a file that began and did not end") }
    }

    /// Lets nothing go on; what waits is done first.
    private func stop() {
        queue?.close()
        // What went wrong is known to the work.
        for thread in threads { try? thread.value() }
        (queue, threads) = (nil, [])
    }

    /// Hands a batch on.
    private func give(_ batch: ContentBatch) throws {
        try work.check()
        if queue == nil, canStart, batch.isFull { start() }
        // Who would have to wait for room does it rather itself: to sleep and be woken takes as long.
        if queue?.offer(batch) != true { Self.take(batch, work, pool) }
        // Now and then, so that little waits for it.
        begun -= try work.takeOutcomes(into: staging)
    }

    private static func take(_ batch: ContentBatch, _ work: ContentWork, _ pool: BatchPool) {
        if let piece = batch.piece {
            piece.large.take(batch, number: piece.number) { next in
                work.take(next)
                pool.put(next)
            }
        } else {
            work.take(batch)
            pool.put(batch)
        }
    }

    private func start() {
        let queue = BoundedQueue<ContentBatch>(limit: Self.queueLimit)
        threads = (0..<Self.threadLimit).map { _ in
            BackgroundTask { [work, pool] in
                // All wait for the thread that reads: none of them takes its processor away.
                giveWayWhenWoken()
                while let batch = queue.take() { Self.take(batch, work, pool) }
            }
        }
        threads.removeAll { !$0.hasThread }
        if threads.isEmpty { canStart = false } else { self.queue = queue }
    }
}
