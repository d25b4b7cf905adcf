internal import Files
internal import Glibc
internal import StoreLayout

/// What threads do with contents, and what they have to know of each other.
final class ContentWork: @unchecked Sendable {
    typealias File = ContentWriter.File
    typealias Findings = ContentWriter.Findings
    typealias Scanned = ContentWriter.Scanned

    /// What became of a file's contents.
    private enum Outcome {
        case content(File, Findings, isStaged: Bool, finishedMode: UInt16?)
        /// They are those of another.
        case same(ContentID)
    }

    let hasher = MessageHasher()
    private let staging: Descriptor
    private let finder: ObjectFinder?
    /// Guards all that follows.
    private let monitor = Monitor()
    private var failure: (any Error)?
    /// What became of contents, since that was asked for last, and of how many more it is not registered yet.
    private var news: [(id: ContentID, outcome: Outcome)] = []
    private var unregistered = 0
    /// Of contents that nothing will change, the first: by digest those that are written, by object those that may be in
    /// the store.
    private var written = DigestTable()
    private var stored: [ObjectKey: ContentID] = [:]
    /// Whether files that are made with these permission bits get them: umask(2) and access control lists may say otherwise.
    private var modes: [UInt16: Bool] = [:]
    /// What became of contents that are not registered, because one before them is not known yet; only for the thread that
    /// registers them.
    private var outcomes: [ContentID: Outcome] = [:]

    init(_ staging: Descriptor, _ finder: ObjectFinder?) {
        (self.staging, self.finder) = (staging, finder)
    }

    private struct Abandoned: Error {}

    /// Lets nothing more be done: nobody asks for it.
    func abandon() { monitor.withLock { failure = failure ?? Abandoned() } }

    /// Throws what a thread ran into.
    func check() throws {
        if let failure = monitor.withLock({ failure }) { throw failure }
    }

    /// Does what there is to do with a batch, unless something failed; keeps the reason why it cannot be done.
    func take(_ batch: ContentBatch) {
        do {
            try check()
            if let piece = batch.piece {
                try piece.take(batch.pending, self)
            } else {
                try takeFiles(of: batch)
            }
            try hashSome()
        } catch {
            monitor.withLock { failure = failure ?? error }
        }
    }

    private func takeFiles(of batch: ContentBatch) throws {
        let files = batch.files.map { file, range in Self.scan(file, batch.bytes(range)) }
        let hashes = hasher.hash(
            zip(files, batch.files).map { Message(batch.bytes($1.range), keepsStates: $0.isVariable) })
        let findings = zip(files, hashes).map { $0.findings($1) }
        // Once for all: to look at each under the lock, threads would wait for each other all the time.
        var others: [ContentID?] = []
        others.reserveCapacity(files.count)
        let modes = monitor.withLock {
            for (scanned, findings) in zip(files, findings) {
                others.append(scanned.isVariable ? nil : claim(scanned.file, findings))
            }
            return self.modes
        }
        var done: [(ContentID, Outcome)] = []
        done.reserveCapacity(files.count)
        for (number, scanned) in files.enumerated() {
            let outcome: Outcome
            if let other = others[number] {
                outcome = .same(other)
            } else {
                let bytes = batch.bytes(batch.files[number].range)
                outcome = try take(scanned, findings[number], bytes, modes)
            }
            done.append((scanned.file.id, outcome))
        }
        monitor.withLock { news += done }
    }

    private static func scan(_ file: File, _ bytes: UnsafeRawBufferPointer) -> Scanned {
        var scanner = PathScanner()
        scanner.update(bytes)
        scanner.finish()
        return Scanned(file, size: bytes.count, scanner: scanner, head: FileHead(bytes))
    }

    // MARK: Large files

    /// A large file that is written and not hashed: it is read once more, but from memory, where it was just put.
    private final class Waiting: @unchecked Sendable {
        // One thread at a time has it.
        let file: Scanned
        let descriptor: Descriptor
        let mapping: MappedFile
        let message: PendingMessage

        init(_ file: Scanned, _ descriptor: Descriptor) throws {
            (self.file, self.descriptor) = (file, descriptor)
            mapping = try MappedFile(descriptor)
            message = PendingMessage(Message(mapping.bytes, keepsStates: file.isVariable))
        }
    }

    /// Large files that wait to be hashed together, but for those that some thread has.
    private var waiting: [Waiting] = []
    private var isHashing = false

    /// Bytes that wait at most, and files, which are open meanwhile, and what else waits to be registered after them.
    private static let waitingSizeLimit = 192 << 20
    private static let waitingCountLimit = 128
    private static let waitingLimit = 4096

    /// Takes a file whose bytes are all in the staging directory, and are not hashed.
    func takeWritten(_ file: Scanned, in descriptor: Descriptor) throws {
        let next = try Waiting(file, descriptor)
        monitor.withLock { waiting.append(next) }
    }

    /// Hashes something of what waits: where that is much, or where what waits in queues would have company.
    private func hashSome() throws {
        var (isMuch, isAll) = (false, false)
        var rest = monitor.withLock { () -> [Waiting] in
            guard !isHashing, !waiting.isEmpty else { return [] }
            isAll = unregistered + news.count >= Self.waitingLimit
            isMuch = isAll || Self.isMuch(waiting, share: 1)
            guard isMuch || waiting.count >= 2 && hasher.isPressed else { return [] }
            isHashing = true
            defer { waiting = [] }
            return waiting
        }
        guard !rest.isEmpty else { return }
        defer {
            monitor.withLock {
                waiting = rest + waiting
                isHashing = false
            }
        }
        // The longest are gone on with first, so that several are left to the end.
        repeat {
            rest = try advance(rest)
        } while isAll ? !rest.isEmpty : isMuch && Self.isMuch(rest, share: 2)
    }

    private static func isMuch(_ files: [Waiting], share: Int) -> Bool {
        files.count >= waitingCountLimit / share
            || files.reduce(0) { $0 + $1.message.count } >= waitingSizeLimit / share
    }

    /// Hashes some of the bytes of files.
    ///
    /// - Returns: Those that are not done.
    private func advance(_ files: [Waiting]) throws -> [Waiting] {
        hasher.advance(files.map(\.message))
        return try files.filter { next in
            guard let hash = next.message.hash else { return true }
            try takeWritten(next.file, hash, in: next.descriptor)
            return false
        }
    }

    /// Hashes what waits for it, on all processors, when no other thread gives or takes anything any more.
    func hashWaiting() throws {
        try check()
        let files = waiting.sorted { $0.message.count > $1.message.count }
        waiting = []
        let groupCount = min(processorCount, max(1, files.count / 4))
        let groups = (0..<groupCount).map { group in
            stride(from: group, to: files.count, by: groupCount).map { files[$0] }
        }
        try inParallel(groups, threads: groupCount) { group in
            var rest = group
            while !rest.isEmpty { rest = try self.advance(rest) }
        }
    }

    /// Makes a content's file where it belongs, or as a numbered one where something has that place.
    ///
    /// - Parameters:
    ///   - file: Told which it is.
    ///   - mode: Its permission bits.
    func makeFile(for file: inout File, flags: Int32, mode: UInt32 = 0o600) throws -> Descriptor {
        if let place = file.place {
            do {
                return try staging.open(beneath: place.name, flags: flags | O_CREAT | O_EXCL, mode: mode)
            } catch let error as SystemError where error.code == EEXIST {
                file.place = nil
            }
        }
        try staging.makeDirectory(Staging.directoryName(of: file.number), mode: 0o700)
        return try staging.open(
            beneath: Staging.fileName(file.number), flags: flags | O_CREAT | O_EXCL, mode: mode)
    }

    /// Takes a file whose bytes are all in the staging directory.
    func takeWritten(_ scanned: Scanned, _ hash: Message.Hash, in descriptor: Descriptor) throws {
        let (file, isVariable) = (scanned.file, scanned.isVariable)
        let other = monitor.withLock { () -> ContentID? in
            guard !isVariable else { return nil }
            if let other = written[hash.digest] { return other }
            written.set(file.id, for: hash.digest)
            return nil
        }
        var outcome = Outcome.same(other ?? file.id)
        if other == nil {
            let mode = isVariable ? nil : try finish(file, descriptor, isMade: false, [:])
            outcome = .content(file, scanned.findings(hash), isStaged: true, finishedMode: mode)
        } else {
            try staging.unlink(file.place?.name ?? Bytes(Staging.fileName(file.number).utf8))
        }
        monitor.withLock { news.append((file.id, outcome)) }
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
        let news = monitor.withLock {
            defer { self.news = [] }
            // They count as not registered until they are looked at.
            unregistered += self.news.count
            return self.news
        }
        for (id, outcome) in news { outcomes[id] = outcome }
        while try register(ContentID(staging.count), in: staging) {}
        monitor.withLock { unregistered = outcomes.count }
        return staging.count - first
    }

    /// Gives the outcome of a file's contents to the staging area; `false` where it is not known yet.
    private func register(_ id: ContentID, in staging: Staging) throws -> Bool {
        var source = id
        while case .same(let other) = outcomes[source] { source = other }
        switch outcomes[source] {
        case .content(let file, let findings, let isStaged, let mode):
            _ = staging.add(
                file.number, size: findings.size, digest: findings.digest, scanner: findings.scanner,
                head: findings.head, isStaged: isStaged, hashStates: findings.hashStates,
                finishedMode: mode, place: file.place)
            if source != id { outcomes[source] = .same(id) }
        case nil:
            // It is registered, or it is not known yet.
            guard source.number < id.number else { return false }
            staging.add(sameAs: source)
        case .same: return false
        }
        outcomes[id] = nil
        return true
    }

    // MARK: One file

    /// What relocation may change stays a content of its own, for the change depends on the file's name.
    ///
    /// - Parameters:
    ///   - scanned: Nobody else has claimed its bytes.
    ///   - modes: As much of ``modes`` as is known.
    private func take(
        _ scanned: Scanned, _ findings: Findings, _ bytes: UnsafeRawBufferPointer, _ modes: [UInt16: Bool]
    ) throws -> Outcome {
        var file = scanned.file
        if scanned.isVariable {
            let mode = try write(bytes, of: &file, isWhole: false, modes)
            return .content(file, findings, isStaged: true, finishedMode: mode)
        }
        if let finder, isSought(findings) {
            let key = Self.key(file, findings)
            // What has attributes may get others yet, and the object may not.
            if !file.attributes.isEmpty { file.place = nil }
            if try borrow(key, size: findings.size, from: finder, for: &file) {
                return .content(file, findings, isStaged: false, finishedMode: file.mode)
            }
            let other = monitor.withLock { () -> ContentID? in
                stored[key] = nil
                return claim(file, findings, isStored: false)
            }
            if let other { return .same(other) }
        }
        let mode = try write(bytes, of: &file, isWhole: true, modes)
        return .content(file, findings, isStaged: true, finishedMode: mode)
    }

    /// Says whose the contents are, if another has them; otherwise they are this file's from now on.
    ///
    /// - Parameter isStored: Whether an object may be in the store; otherwise they will be written.
    private func claim(_ file: File, _ findings: Findings, isStored: Bool = true) -> ContentID? {
        if let other = written[findings.digest] { return other }
        if isStored, isSought(findings) {
            let key = Self.key(file, findings)
            if let other = stored[key] { return other }
            stored[key] = file.id
        } else {
            written.set(file.id, for: findings.digest)
        }
        return nil
    }

    private static func key(_ file: File, _ findings: Findings) -> ObjectKey {
        ObjectKey(digest: findings.digest, mode: file.mode, attributes: file.attributes)
    }

    /// Whether the store may have an equal object.
    private func isSought(_ findings: Findings) -> Bool { finder != nil && findings.size > 0 }

    /// Gives a file the bytes of an equal object, if there is one: by a further link, so that whoever collects garbage
    /// meanwhile leaves it.
    private func borrow(
        _ key: ObjectKey, size: Int, from finder: ObjectFinder, for file: inout File
    ) throws -> Bool {
        if let place = file.place {
            do {
                return try finder.link(key, size: size, to: staging, as: place.name)
            } catch let error as SystemError where error.code == EEXIST {
                file.place = nil
            }
        }
        try staging.makeDirectory(Staging.directoryName(of: file.number), mode: 0o700)
        return try finder.link(key, size: size, to: staging, as: Bytes(Staging.fileName(file.number).utf8))
    }

    /// Writes contents to a new file.
    ///
    /// - Parameter isWhole: Whether nothing will change them, so that the file can be made what it will be in the store.
    /// - Returns: The permission bits, where it is.
    private func write(
        _ bytes: UnsafeRawBufferPointer, of file: inout File, isWhole: Bool, _ modes: [UInt16: Bool]
    ) throws -> UInt16? {
        let hasMode = isWhole && file.attributes.isEmpty
        let descriptor = try makeFile(for: &file, flags: O_WRONLY, mode: hasMode ? UInt32(file.mode) : 0o600)
        try descriptor.write(bytes)
        return isWhole ? try finish(file, descriptor, isMade: hasMode, modes) : nil
    }

    /// Gives a file the times and permission bits that it will have in the store; `nil` where that comes later.
    ///
    /// - Parameter isMade: Whether it was made with these.
    private func finish(
        _ file: File, _ descriptor: Descriptor, isMade: Bool, _ modes: [UInt16: Bool]
    ) throws -> UInt16? {
        // To set attributes, its owner must be able to write to it.
        guard file.attributes.isEmpty else { return nil }
        if try !isMade || !(modes[file.mode] ?? comesOut(file.mode, of: descriptor)) {
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
}
