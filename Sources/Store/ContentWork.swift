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
    private var written = DigestTable()
    private var stored: [ObjectKey: ContentID] = [:]
    /// Whether files that are made with these permission bits get them: umask(2) and access control lists may say otherwise.
    private var modes: [UInt16: Bool] = [:]
    /// The directories of objects that the store has: in a new one, no object need be looked for.
    private let directories: Set<String>

    init(_ staging: Descriptor, _ objects: Descriptor?) {
        (self.staging, self.objects) = (staging, objects)
        // Where they cannot be listed, there is nothing to be shared either.
        let entries = objects.flatMap { try? $0.list() } ?? []
        directories = Set(entries.map(\.text))
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
        } catch {
            monitor.withLock { failure = failure ?? error }
        }
    }

    private func takeFiles(of batch: ContentBatch) throws {
        var done: [(ContentID, Outcome)] = []
        done.reserveCapacity(batch.files.count)
        let files = batch.files.map { file, range in Self.scan(file, batch.bytes(range)) }
        let hashes = Message.hash(
            zip(files, batch.files).map { Message(batch.bytes($1.range), keepsStates: $0.isVariable) })
        for (number, hash) in hashes.enumerated() {
            let bytes = batch.bytes(batch.files[number].range)
            done.append((files[number].file.id, try take(files[number], hash, bytes)))
        }
        let isMuch = monitor.withLock {
            for (id, outcome) in done { outcomes[id] = outcome }
            return outcomes.count >= Self.waitingLimit
        }
        if isMuch { try hashWaiting() }
    }

    private static func scan(_ file: File, _ bytes: UnsafeRawBufferPointer) -> Scanned {
        var scanner = PathScanner()
        scanner.update(bytes)
        scanner.finish()
        return Scanned(file, size: bytes.count, scanner: scanner, head: FileHead(bytes))
    }

    // MARK: Large files

    /// Large files that are written and not hashed, and are hashed together: read once more, but from memory, where they
    /// were just put.
    private var waiting: [(file: Scanned, descriptor: Descriptor)] = []
    private var waitingSize = 0

    /// Bytes that wait at most, and files that are open meanwhile, and what else waits to be registered after them.
    private static let waitingSizeLimit = 96 << 20
    private static let waitingCountLimit = 128
    private static let waitingLimit = 4096

    /// Takes a file whose bytes are all in the staging directory, and are not hashed.
    func takeWritten(_ file: Scanned, in descriptor: Descriptor) throws {
        let isMuch = monitor.withLock {
            waiting.append((file, descriptor))
            waitingSize += file.size
            return waitingSize >= Self.waitingSizeLimit || waiting.count >= Self.waitingCountLimit
        }
        if isMuch { try hashWaiting() }
    }

    /// Hashes what waits for it.
    func hashWaiting() throws {
        let files = monitor.withLock {
            defer { (waiting, waitingSize) = ([], 0) }
            return waiting
        }
        guard !files.isEmpty else { return }
        let mappings = try files.map { try MappedFile($0.descriptor) }
        let hashes = withExtendedLifetime(mappings) {
            Message.hash(zip(files, mappings).map { Message($1.bytes, keepsStates: $0.file.isVariable) })
        }
        for ((file, descriptor), hash) in zip(files, hashes) {
            try takeWritten(file, hash, in: descriptor)
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
            let mode = isVariable ? nil : try finish(file, descriptor, hasMode: false)
            outcome = .content(file, scanned.findings(hash), object: nil, finishedMode: mode)
        } else {
            try staging.unlink(file.place?.name ?? Bytes(Staging.fileName(file.number).utf8))
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
                        finishedMode: mode, place: file.place)
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
    private func take(
        _ scanned: Scanned, _ hash: Message.Hash, _ bytes: UnsafeRawBufferPointer
    ) throws -> Outcome {
        var file = scanned.file
        let findings = scanned.findings(hash)
        if scanned.isVariable {
            let mode = try write(bytes, of: &file, isWhole: false)
            return .content(file, findings, object: nil, finishedMode: mode)
        }
        let key = ObjectKey(digest: hash.digest, mode: file.mode, attributes: file.attributes)
        if let other = monitor.withLock({ claim(file, findings, key) }) { return .same(other) }
        if let objects, isSought(findings, key) {
            // What has attributes may get others yet, and the object may not.
            if !file.attributes.isEmpty { file.place = nil }
            if try borrow(key, from: objects, for: &file) {
                return .content(file, findings, object: key.path(), finishedMode: file.mode)
            }
            let other = monitor.withLock { () -> ContentID? in
                stored[key] = nil
                return claim(file, findings, nil)
            }
            if let other { return .same(other) }
        }
        let mode = try write(bytes, of: &file, isWhole: true)
        return .content(file, findings, object: nil, finishedMode: mode)
    }

    /// Says whose the contents are, if another has them; otherwise they are this file's from now on.
    ///
    /// - Parameter key: The object that may be in the store; `nil` where it is not, so that they will be written.
    private func claim(_ file: File, _ findings: Findings, _ key: ObjectKey?) -> ContentID? {
        if let other = written[findings.digest] { return other }
        if let key, isSought(findings, key) {
            if let other = stored[key] { return other }
            stored[key] = file.id
        } else {
            written.set(file.id, for: findings.digest)
        }
        return nil
    }

    /// Whether the store may have an equal object.
    private func isSought(_ findings: Findings, _ key: ObjectKey) -> Bool {
        findings.size > 0 && directories.contains(key.directoryName)
    }

    /// Gives a file the bytes of an equal object, if there is one: by a further link, so that whoever collects garbage
    /// meanwhile leaves it.
    private func borrow(_ key: ObjectKey, from objects: Descriptor, for file: inout File) throws -> Bool {
        do {
            if let place = file.place {
                do {
                    try objects.link(key.path(), to: staging, as: place.name)
                    return true
                } catch let error as SystemError where error.code == EEXIST {
                    file.place = nil
                }
            }
            try staging.makeDirectory(Staging.directoryName(of: file.number), mode: 0o700)
            try objects.link(key.path(), to: staging, as: Staging.fileName(file.number))
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
    private func write(_ bytes: UnsafeRawBufferPointer, of file: inout File, isWhole: Bool) throws -> UInt16?
    {
        let hasMode = isWhole && file.attributes.isEmpty
        let descriptor = try makeFile(for: &file, flags: O_WRONLY, mode: hasMode ? UInt32(file.mode) : 0o600)
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
}
