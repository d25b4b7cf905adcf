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
        /// The number that is the name of its file in the staging directory.
        let number: Int
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
        var scanner: PathScanner
        /// The first bytes, at most 64.
        let head: Bytes
        var hashStates: [Hasher256]

        /// Whether relocation may change them, in a way that depends on the file's name.
        var isVariable: Bool {
            scanner.hasHits || scanner.isTruncated || head.starts(with: [0x7f, 0x45, 0x4c, 0x46])
        }
    }

    private let staging: Staging
    private let work: ContentWork
    private var queue: BoundedQueue<ContentBatch>?
    private var threads: [BackgroundTask<Void>] = []
    private var batch: ContentBatch?
    /// Files that began and are not registered.
    private var begun = 0

    /// Creates a writer.
    ///
    /// - Parameters:
    ///   - staging: Where contents go.
    ///   - objects: The store's objects; `nil` if every content is to be written.
    init(_ staging: Staging, objects: Descriptor?) {
        self.staging = staging
        work = ContentWork(staging.directory, objects)
    }

    deinit {
        // What nobody asked for any more.
        queue?.close(droppingItems: true)
        stop()
    }

    /// A file begins.
    func begin(mode: UInt16, attributes: [ExtendedAttribute], isVariable: Bool) throws -> File {
        defer { begun += 1 }
        return File(
            id: ContentID(staging.count + begun), number: try staging.reserveFile(), mode: mode,
            attributes: attributes, isVariable: isVariable)
    }

    /// The batch that the bytes of small files go to.
    func openBatch() -> ContentBatch {
        let current = batch ?? ContentBatch()
        batch = current
        return current
    }

    /// A file of the open batch is whole.
    func end(_ file: File) throws {
        guard let batch else { return }
        batch.end(file)
        if batch.isFull { try flush() }
    }

    /// A file whose bytes were written is whole.
    func end(_ file: File, _ findings: Findings, in descriptor: Descriptor) throws {
        try work.takeWritten(file, findings, descriptor)
    }

    /// Registers all contents so far, once their bytes are written.
    func finish() throws {
        defer { batch = nil }
        try flush()
        stop()
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

    /// Hands the open batch on.
    private func flush() throws {
        try work.check()
        guard let full = batch, !full.isEmpty else { return }
        // A file that is not whole stays in a batch of its own: there is none where this is called.
        batch = nil
        if queue == nil, processorCount > 1, full.isFull { start() }
        if let queue { queue.put(full) } else { try work.take(full) }
        // Now and then, so that little waits for it.
        begun -= try work.takeOutcomes(into: staging)
    }

    private func start() {
        let queue = BoundedQueue<ContentBatch>(limit: 4)
        threads = (0..<min(processorCount, 8)).map { _ in
            BackgroundTask { [work] in
                while let batch = queue.take() { work.takeCatching(batch) }
            }
        }
        threads.removeAll { !$0.hasThread }
        if !threads.isEmpty { self.queue = queue }
    }
}

/// Small files whose bytes are in memory.
final class ContentBatch: @unchecked Sendable {
    // One thread at a time has it.

    /// Bytes and files after which it is handed on; the last file may lie beyond.
    private static let fullSize = 256 << 10
    private static let fullCount = 256
    /// Bytes that a file may have to be in one.
    static let fileLimit = 128 << 10

    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: fullSize + fileLimit, alignment: 64)
    private var used = 0
    /// Where the file begins that is not whole yet.
    private var start = 0
    fileprivate private(set) var files: [(file: ContentWriter.File, range: Range<Int>)] = []

    deinit { buffer.deallocate() }

    var isEmpty: Bool { files.isEmpty }
    var isFull: Bool { used >= Self.fullSize || files.count >= Self.fullCount }

    /// The bytes of the file that is not whole yet.
    var pending: UnsafeRawBufferPointer { bytes(start..<used) }

    /// Adds bytes to it, of which there may be no more than ``fileLimit``.
    func append(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: bytes)
        used += bytes.count
    }

    /// Adds zeros to it.
    func append(zeros count: Int) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[used..<(used + count)]).initializeMemory(
            as: UInt8.self, repeating: 0)
        used += count
    }

    /// Forgets its bytes: it is too large.
    func drop() { used = start }

    /// It is whole.
    fileprivate func end(_ file: ContentWriter.File) {
        files.append((file, start..<used))
        start = used
    }

    fileprivate func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[range])
    }
}

/// What threads do with contents, and what they have to know of each other.
private final class ContentWork: @unchecked Sendable {
    typealias File = ContentWriter.File
    typealias Findings = ContentWriter.Findings

    /// What became of a file's contents.
    private enum Outcome {
        case content(File, Findings, object: String?, finishedMode: UInt16?)
        /// They are those of another.
        case same(ContentID)
    }

    private let staging: Descriptor
    private let objects: Descriptor?
    /// Guards all that follows.
    private let monitor = Monitor()
    private var failure: (any Error)?
    private var outcomes: [ContentID: Outcome] = [:]
    /// Of contents that nothing will change, the first: by digest those that are written, by object those that may be in
    /// the store.
    private var written: [Digest: ContentID] = [:]
    private var stored: [ObjectKey: ContentID] = [:]
    /// Offsets of paths that are kept.
    private var offsetCount = 0
    /// Whether files that are made with these permission bits get them: umask(2) and access control lists may say otherwise.
    private var modes: [UInt16: Bool] = [:]

    init(_ staging: Descriptor, _ objects: Descriptor?) {
        (self.staging, self.objects) = (staging, objects)
    }

    /// Throws what a thread ran into.
    func check() throws {
        if let failure = monitor.withLock({ failure }) { throw failure }
    }

    /// Does what there is to do with a batch, or keeps the reason why it cannot be done.
    func takeCatching(_ batch: ContentBatch) {
        do {
            try check()
            try take(batch)
        } catch {
            monitor.withLock { failure = failure ?? error }
        }
    }

    func take(_ batch: ContentBatch) throws {
        var done: [(ContentID, Outcome)] = []
        done.reserveCapacity(batch.files.count)
        for (file, range) in batch.files { done.append((file.id, try take(file, batch.bytes(range)))) }
        monitor.withLock {
            for (id, outcome) in done { outcomes[id] = outcome }
        }
    }

    /// Takes a large file, whose bytes are in the staging directory already.
    func takeWritten(_ file: File, _ findings: Findings, _ descriptor: Descriptor) throws {
        var findings = findings
        let isVariable = file.isVariable || findings.isVariable
        let other = monitor.withLock { () -> ContentID? in
            limitOffsets(&findings)
            guard !isVariable else { return nil }
            if let other = written[findings.digest] { return other }
            written[findings.digest] = file.id
            return nil
        }
        var outcome = Outcome.same(other ?? file.id)
        if other == nil {
            let mode = isVariable ? nil : try finish(file, descriptor, hasMode: false)
            outcome = .content(file, findings, object: nil, finishedMode: mode)
        } else {
            try staging.unlink(Staging.fileName(file.number))
        }
        monitor.withLock { outcomes[file.id] = outcome }
    }

    /// Gives outcomes to the staging area, in the order in which files began, as far as they are known.
    ///
    /// Of contents that several files have, the first of these in that order gives its identifier, which need not be the one
    /// that was written.
    ///
    /// - Returns: How many.
    func takeOutcomes(into staging: Staging) throws -> Int {
        try check()
        let first = staging.count
        monitor.withLock {
            while true {
                let id = ContentID(staging.count)
                var source = id
                while case .same(let other) = outcomes[source] { source = other }
                switch outcomes[source] {
                case .content(let file, let findings, let object, let mode):
                    _ = staging.add(
                        file.number, size: findings.size, digest: findings.digest, scanner: findings.scanner,
                        head: findings.head, object: object, hashStates: findings.hashStates,
                        finishedMode: mode)
                    if source != id { outcomes[source] = .same(id) }
                case nil:
                    // It is registered, or it is not known yet.
                    guard source.number < id.number else { return }
                    staging.add(sameAs: source)
                case .same: return
                }
                outcomes[id] = nil
            }
        }
        return staging.count - first
    }

    // MARK: One file

    /// What relocation may change stays a content of its own, for the change depends on the file's name.
    private func take(_ file: File, _ bytes: UnsafeRawBufferPointer) throws -> Outcome {
        var scanner = PathScanner()
        scanner.update(bytes)
        scanner.finish()
        var hasher = ResumableHasher()
        hasher.update(bytes)
        let digest = hasher.finalize()
        var findings = Findings(
            size: bytes.count, digest: digest, scanner: scanner, head: Bytes(bytes.prefix(64)),
            hashStates: hasher.states)
        if file.isVariable || findings.isVariable {
            monitor.withLock { limitOffsets(&findings) }
            return .content(
                file, findings, object: nil, finishedMode: try write(bytes, of: file, isWhole: false))
        }
        findings.hashStates = []
        let key = ObjectKey(digest: digest, mode: file.mode, attributes: file.attributes)
        if let other = monitor.withLock({ claim(file, findings, key) }) { return .same(other) }
        if let objects, findings.size > 0 {
            if try borrow(key, from: objects, for: file) {
                let object = key.directoryName + "/" + key.fileName()
                return .content(file, findings, object: object, finishedMode: nil)
            }
            let other = monitor.withLock { () -> ContentID? in
                stored[key] = nil
                return claim(file, findings, nil)
            }
            if let other { return .same(other) }
        }
        return .content(file, findings, object: nil, finishedMode: try write(bytes, of: file, isWhole: true))
    }

    /// Says whose the contents are, if another has them; otherwise they are this file's from now on.
    ///
    /// - Parameter key: The object that may be in the store; `nil` where it is not, so that they will be written.
    private func claim(_ file: File, _ findings: Findings, _ key: ObjectKey?) -> ContentID? {
        if let other = written[findings.digest] { return other }
        if let key, objects != nil, findings.size > 0 {
            if let other = stored[key] { return other }
            stored[key] = file.id
        } else {
            written[findings.digest] = file.id
        }
        return nil
    }

    /// Gives a file the bytes of an equal object, if there is one: by a further link, so that whoever collects garbage
    /// meanwhile leaves it.
    private func borrow(_ key: ObjectKey, from objects: Descriptor, for file: File) throws -> Bool {
        do {
            try objects.link(
                key.directoryName + "/" + key.fileName(), to: staging, as: Staging.fileName(file.number))
            return true
        } catch let error as SystemError where [ENOENT, EMLINK].contains(error.code) {
            // One with all the links it can have is written like a new one, and becomes the next of its key.
            return false
        }
    }

    /// Writes contents to a new file.
    ///
    /// - Parameter isWhole: Whether nothing will change them, so that the file can be made what it will be in the store.
    /// - Returns: The permission bits, where it is.
    private func write(_ bytes: UnsafeRawBufferPointer, of file: File, isWhole: Bool) throws -> UInt16? {
        let hasMode = isWhole && file.attributes.isEmpty
        let descriptor = try staging.open(
            beneath: Staging.fileName(file.number), flags: O_WRONLY | O_CREAT | O_EXCL,
            mode: hasMode ? UInt32(file.mode) : 0o600)
        try descriptor.write(bytes)
        return isWhole ? try finish(file, descriptor, hasMode: hasMode) : nil
    }

    /// Gives a file the times and permission bits that it will have in the store; `nil` where that comes later.
    private func finish(_ file: File, _ descriptor: Descriptor, hasMode: Bool) throws -> UInt16? {
        // To set attributes, its owner must be able to write to it.
        guard file.attributes.isEmpty else { return nil }
        if try !hasMode || !comesOut(file.mode, of: descriptor) {
            try descriptor.setMode(UInt32(file.mode))
        }
        try descriptor.setTimes(StoreLayout.modificationTime)
        return file.mode
    }

    /// Whether files get the permission bits that they are made with: known from the first of each.
    private func comesOut(_ mode: UInt16, of descriptor: Descriptor) throws -> Bool {
        if let known = monitor.withLock({ modes[mode] }) { return known }
        let isSame = UInt16(truncatingIfNeeded: try descriptor.status().st_mode & 0o7777) == mode
        monitor.withLock { modes[mode] = isSame }
        return isSame
    }

    /// An image of lists of paths may not fill the memory.
    private func limitOffsets(_ findings: inout Findings) {
        offsetCount += findings.scanner.offsets.count
        if offsetCount > Staging.offsetLimit { findings.scanner.forget() }
    }
}
