private import Glibc

/// Contents of an image's files while it is imported: numbered files in one directory, without the image's names.
///
/// A content is written once. It may then be patched (same length) or replaced, and is known by size and digest. Digests of
/// what was patched are taken together, after all patches: ``hashPatched()``.
public final class Staging {
    // A class: the rooms of an import share it.

    /// One file's contents.
    public final class Content {
        // A class: to look at one does not copy it.

        /// Size in bytes.
        public fileprivate(set) var size: Int
        /// SHA-256 of the bytes as they are now.
        ///
        /// - Precondition: ``Staging/hashPatched()`` came after the last patch.
        public var digest: Digest {
            precondition(!isPatched, "the digest of a patched content is not known yet")
            return knownDigest
        }
        /// The digest of the bytes as they were last hashed.
        fileprivate var knownDigest: Digest
        /// Whether the bytes were patched since.
        fileprivate var isPatched = false
        /// How many of the first bytes are still those that came.
        fileprivate var unchanged: Int
        /// Whether an absolute path may begin in the bytes as they came.
        public let hasPaths: Bool
        /// Where; `nil` where it is to be looked for again.
        fileprivate let pathOffsets: [UInt32]?
        /// Whether paths past 4 GiB were not looked at.
        public let isTruncated: Bool
        /// The first bytes as they came, at most 64: enough to tell a format.
        public let head: Bytes
        /// The first identifier that it has.
        public let id: ContentID
        /// The number that its file is called after.
        public let file: Int
        /// The permission bits of the file, where it is what it will be in the store, times included.
        public fileprivate(set) var finishedMode: UInt16?
        /// The equal object there was, by its path in the store's directory of them, of which the staging directory has
        /// another link; `nil` where the bytes are the import's own.
        public let object: String?
        /// Whether the bytes are the import's own, and may be changed.
        public var isStaged: Bool { object == nil }
        /// The computation of the digest of the bytes as they came, at every step; empty where it was not kept.
        public let hashStates: [Hasher256]
        /// Whether the bytes are no longer those that came.
        public fileprivate(set) var isRelocated = false

        fileprivate init(
            _ id: ContentID, file: Int, size: Int, digest: Digest, scanner: PathScanner, keepsOffsets: Bool,
            head: Bytes, object: String?, hashStates: [Hasher256], finishedMode: UInt16?
        ) {
            (self.id, self.file, self.size, self.head) = (id, file, size, head)
            (self.object, self.hashStates, self.finishedMode) = (object, hashStates, finishedMode)
            (knownDigest, unchanged) = (digest, size)
            (hasPaths, isTruncated) = (scanner.hasHits, scanner.isTruncated)
            pathOffsets = keepsOffsets ? scanner.offsets : nil
        }
    }

    /// The directory.
    public let directory: Descriptor

    /// All contents, each once.
    public private(set) var contents: [Content] = []

    /// The place in ``contents`` of each identifier: many files may have the same, and an image many files.
    private var places: [Int32] = []

    /// How many offsets of paths are kept of all contents together, of which usual images have a tenth.
    ///
    /// An image of lists of paths may not fill the memory.
    public static let offsetLimit = 1 << 21

    private var offsetCount = 0

    /// Files that have a name in the directory, or had one.
    private var fileCount = 0

    /// Contents whose digests are not known.
    private var patched: [ContentID] = []

    /// Creates a staging area in an empty directory.
    public init(_ directory: Descriptor) {
        self.directory = directory
    }

    /// The content of an identifier that this staging area gave out.
    public subscript(id: ContentID) -> Content {
        contents[Int(places[id.number])]
    }

    /// The number of a file that is yet to be made, as ``fileName(_:)`` in ``directory``.
    public func reserveFile() throws -> Int {
        defer { fileCount += 1 }
        if fileCount % Self.run == 0 {
            try directory.makeDirectory(String(fileCount / Self.run), mode: 0o700)
        }
        return fileCount
    }

    /// Files that come after each other into one directory: threads that make files in one wait for each other, and the
    /// kernel looks through all of a block's names for each that comes and each that goes.
    private static let run = 64

    /// The name of a file in ``directory``.
    public static func fileName(_ number: Int) -> String { "\(number / run)/\(number % run)" }

    /// Registers contents whose bytes are in a file of the directory.
    ///
    /// - Parameters:
    ///   - file: The file's number, from ``reserveFile()``.
    ///   - scanner: Where paths begin; it has seen all bytes.
    ///   - finishedMode: The permission bits that it has got already, with the times.
    public func add(
        _ file: Int, size: Int, digest: Digest, scanner: PathScanner, head: Bytes, object: String? = nil,
        hashStates: [Hasher256] = [], finishedMode: UInt16? = nil
    ) -> ContentID {
        let keepsOffsets = offsetCount + scanner.offsets.count <= Self.offsetLimit
        if keepsOffsets { offsetCount += scanner.offsets.count }
        let id = ContentID(places.count)
        places.append(Int32(contents.count))
        contents.append(
            Content(
                id, file: file, size: size, digest: digest, scanner: scanner, keepsOffsets: keepsOffsets,
                head: head, object: object, hashStates: hashStates, finishedMode: finishedMode))
        return id
    }

    /// Registers contents that are the same file as others, and never change.
    public func add(sameAs id: ContentID) {
        places.append(places[id.number])
    }

    /// Identifiers that were given out.
    public var count: Int { places.count }

    /// Where absolute paths may begin in a content, ascending.
    ///
    /// - Parameter bytes: The content as it came.
    public func pathOffsets(of id: ContentID, in bytes: UnsafeRawBufferPointer) -> [UInt32] {
        if let known = self[id].pathOffsets { return known }
        var scanner = PathScanner()
        scanner.update(bytes)
        scanner.finish()
        return scanner.offsets
    }

    /// The name of a content's file in ``directory``.
    public func fileName(of id: ContentID) -> String { Self.fileName(self[id].file) }

    /// Gives a staged content's file other permission bits for now.
    public func setMode(_ mode: UInt32, of id: ContentID) throws {
        precondition(self[id].isStaged, "an object is never changed")
        self[id].finishedMode = nil
        try open(id).setMode(mode)
    }

    /// Opens a content for reading.
    public func open(_ id: ContentID) throws -> Descriptor {
        try directory.open(beneath: fileName(of: id))
    }

    /// Overwrites ranges of a staged content; its size stays.
    ///
    /// Its digest is not known until ``hashPatched()``.
    ///
    /// - Parameters:
    ///   - patches: Bytes to put at offsets, each within the file.
    ///   - id: The content.
    public func patch(_ id: ContentID, with patches: [(offset: Int, bytes: Bytes)]) throws {
        precondition(self[id].isStaged, "an object is never written")
        guard let first = patches.map(\.offset).min() else { return }
        let file = try directory.open(beneath: fileName(of: id), flags: O_WRONLY)
        if !self[id].isPatched { patched.append(id) }
        self[id].isPatched = true
        self[id].isRelocated = true
        self[id].unchanged = min(self[id].unchanged, first)
        for patch in patches {
            precondition(
                patch.offset >= 0 && patch.offset + patch.bytes.count <= self[id].size
            )
            try file.write(patch.bytes, at: patch.offset)
        }
    }

    /// Bytes that ``hashPatched()`` has to hash.
    public var patchedSize: Int {
        patched.reduce(0) { total, id in
            let content = self[id]
            return total
                + ResumableHasher.length(
                    of: content.size, after: content.hashStates, common: content.unchanged)
        }
    }

    /// Takes the digests of what was patched, on as many threads as there are processors.
    public func hashPatched() throws {
        let monitor = Monitor()
        let digests = Digests()
        let items = patched.map { id in
            let content = self[id]
            return (id: id, name: fileName(of: id), states: content.hashStates, common: content.unchanged)
        }
        // So many that those of a group can be hashed together, and few enough that all threads have some.
        let groups = stride(from: 0, to: items.count, by: Self.groupSize).map {
            items[$0..<min($0 + Self.groupSize, items.count)]
        }
        try inParallel(groups) { [directory] group in
            let files = try group.map { try MappedFile(directory.open(beneath: $0.name), isBrief: true) }
            let hashes = withExtendedLifetime(files) {
                Message.hash(
                    zip(group, files).map { Message($1.bytes, after: $0.states, common: $0.common) })
            }
            monitor.withLock { digests.known += zip(group, hashes).map { ($0.id, $1.digest) } }
        }
        for (id, digest) in digests.known {
            self[id].knownDigest = digest
            self[id].isPatched = false
        }
        patched = []
    }

    private static let groupSize = 64

    /// What threads found out; guarded by a monitor.
    private final class Digests: @unchecked Sendable {
        var known: [(id: ContentID, digest: Digest)] = []
    }

    /// Replaces the bytes of a staged content.
    public func replace(_ id: ContentID, with bytes: Bytes) throws {
        precondition(self[id].isStaged, "an object is never written")
        let file = try directory.open(beneath: fileName(of: id), flags: O_RDWR | O_TRUNC)
        try file.write(bytes, at: 0)
        self[id].size = bytes.count
        self[id].knownDigest = Digest(hashing: bytes)
        self[id].isPatched = false
        self[id].isRelocated = true
        self[id].unchanged = 0
        patched.removeAll { $0 == id }
    }

    /// Adds a content that no image had, such as a generated loader cache.
    public func make(_ bytes: Bytes) throws -> ContentID {
        let number = try reserveFile()
        let file = try directory.open(beneath: Self.fileName(number), flags: O_WRONLY | O_CREAT | O_EXCL)
        try file.write(bytes, at: 0)
        return add(
            number, size: bytes.count, digest: Digest(hashing: bytes), scanner: PathScanner(),
            head: Array(bytes.prefix(64)))
    }
}
