internal import Glibc

/// Contents of an image's files while it is imported: files of one directory.
///
/// Most are made where they belong, in a tree of directories that are made for them and nothing else: while contents come,
/// it has no link that could lead elsewhere. What cannot be made there, because something else has the name, is a numbered
/// file without a name of the image.
///
/// A content is written once. It may then be patched (same length) or replaced, and is known by size and digest. Digests of
/// what was patched are taken together, after all patches: ``hashPatched()``.
public final class Staging {
    // A class: the rooms of an import share it.

    /// One file's contents.
    public struct Content: Sendable {
        // An image has many: nothing here is a place in memory of its own, and what few have is elsewhere.

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
        /// The first bytes as they came.
        public let head: FileHead
        private let firstID: Int32
        private let fileNumber: Int32
        /// The number of its directory in the tree; -1 for a numbered file.
        fileprivate var home: Int32 = -1
        /// The name there, and how long it is.
        fileprivate var name = TextStore.Place()
        fileprivate var nameLength: UInt8 = 0
        /// The permission bits of the file, where it is what it will be in the store, times included.
        public fileprivate(set) var finishedMode: UInt16?
        /// Whether the bytes are the import's own, and may be changed: otherwise they are an object's of the store, of
        /// which the staging directory has another link.
        public let isStaged: Bool
        /// Whether the bytes were patched since they were hashed.
        fileprivate var isPatched = false
        /// Whether an absolute path may begin in the bytes as they came.
        public let hasPaths: Bool
        /// Whether paths past 4 GiB were not looked at.
        public let isTruncated: Bool
        /// Whether the bytes are no longer those that came.
        public fileprivate(set) var isRelocated = false

        /// The first identifier that it has.
        public var id: ContentID { ContentID(Int(firstID)) }
        /// The number that its file is called after.
        public var file: Int { Int(fileNumber) }
        /// Whether its file is where it belongs; others are numbered.
        public var isInTree: Bool { home >= 0 }

        fileprivate init(
            _ id: ContentID, file: Int, size: Int, digest: Digest, scanner: PathScanner, head: FileHead,
            isStaged: Bool, finishedMode: UInt16?
        ) {
            (firstID, fileNumber, self.size) = (Int32(id.number), Int32(file), size)
            (self.head, self.isStaged, self.finishedMode) = (head, isStaged, finishedMode)
            knownDigest = digest
            (hasPaths, isTruncated) = (scanner.hasHits, scanner.isTruncated)
        }
    }

    /// What only those contents have that relocation may change or has changed.
    private struct Details {
        /// Where absolute paths may begin in the bytes as they came; `nil` where it is to be looked for again.
        var pathOffsets: [UInt32]?
        /// The computation of the digest of the bytes as they came, at every step; empty where it was not kept.
        var hashStates: [Hasher256]
        /// How many of the first bytes are still those that came.
        var unchanged: Int
        /// Size and digest of the bytes as they came, where these are not what they are now.
        var original: (size: Int, digest: Digest)?
    }

    /// The directory.
    public let directory: Descriptor

    /// All contents, each once.
    private var known = SegmentedArray<Content>()

    /// By the place of each in ``known``.
    private var details: [Int32: Details] = [:]

    /// The place in ``known`` of each identifier: many files may have the same, and an image many files.
    private var places = SegmentedArray<Int32>()

    /// All contents, each once.
    public var contents: [Content] { (0..<known.count).map { known[$0] } }

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
    public private(set) subscript(id: ContentID) -> Content {
        _read { yield known[Int(places[id.number])] }
        _modify { yield &known[Int(places[id.number])] }
    }

    /// The computation of the digest of a content's bytes as they came, at every step; empty where it was not kept.
    public func hashStates(of id: ContentID) -> [Hasher256] { details[places[id.number]]?.hashStates ?? [] }

    /// Size and digest of a content as it came.
    public func original(_ id: ContentID) -> (size: Int, digest: Digest) {
        details[places[id.number]]?.original ?? (self[id].size, self[id].digest)
    }

    /// How many of a content's first bytes are still those that came.
    private func unchanged(of id: ContentID) -> Int { details[places[id.number]]?.unchanged ?? self[id].size }

    /// Notes that a content's bytes from some byte on are not those that came.
    private func note(_ id: ContentID, changedFrom first: Int) {
        let place = places[id.number]
        var noted =
            details[place]
            ?? Details(pathOffsets: [], hashStates: [], unchanged: self[id].size)
        noted.unchanged = min(noted.unchanged, first)
        if noted.original == nil { noted.original = (self[id].size, self[id].knownDigest) }
        details[place] = noted
    }

    // MARK: - Numbered files

    /// The number of a file that is yet to be made, as ``fileName(_:)`` in ``directory``.
    public func reserveFile() throws -> Int {
        defer { fileCount += 1 }
        try directory.makeDirectory(Self.directoryName(of: fileCount), mode: 0o700)
        return fileCount
    }

    /// A number for a file that is rather made elsewhere: the directory of ``fileName(_:)`` may not be there.
    public func reserveNumber() -> Int {
        defer { fileCount += 1 }
        return fileCount
    }

    /// The highest number of a file, and one.
    public var numberLimit: Int { fileCount }

    /// Files that come after each other into one directory: the kernel looks through all of a block's names for each that
    /// comes and each that goes.
    private static let run = 64

    /// The name of a numbered file in ``directory``.
    public static func fileName(_ number: Int) -> String { "\(number / run)/\(number % run)" }

    /// The name of its directory in ``directory``.
    public static func directoryName(of number: Int) -> String { String(number / run) }

    // MARK: - Files where they belong

    /// The name of the tree in ``directory``.
    public static let treeName = "tree"

    /// The place of a file in the tree.
    public struct Place: Sendable {
        fileprivate let home: Int32
        /// Its path in the tree.
        public let path: TreePath

        /// Its path in ``Staging/directory``.
        public var name: Bytes { Staging.name(of: path) }
    }

    /// A directory of the tree, when files were first or again put into it.
    private struct Home: Sendable {
        let text: TextStore.Place
        let length: UInt16
        /// Whether it was made then.
        let isNew: Bool
    }

    /// In this order; what is in a directory comes after it.
    private var homes = SegmentedArray<Home>()
    /// The directory that a place was asked for in last, for the next is in the same, mostly; -1 where it could not be made.
    private var recentHome: (path: TreePath, number: Int32)?
    private var names = TextStore()

    /// Where a file at a path of the tree can be made, in a directory that is there; `nil` where a file is in the way.
    public func place(at path: TreePath) throws -> Place? {
        // The system takes no longer ones.
        guard Self.name(of: path).count <= TreePath.longestPath, let parent = path.parent else { return nil }
        if recentHome?.path != parent { recentHome = (parent, try makeHome(at: parent) ?? -1) }
        guard let number = recentHome?.number, number >= 0 else { return nil }
        return Place(home: number, path: path)
    }

    /// Makes the tree, with nothing in it.
    public func makeTree() throws { _ = try makeHome(at: .root) }

    /// Makes a directory of the tree, and those that it is in, as far as they are missing; `nil` where a file is in the way.
    private func makeHome(at path: TreePath) throws -> Int32? {
        var missing: [TreePath] = []
        var next: TreePath? = path
        climbing: while let path = next {
            do {
                try directory.makeDirectory(Self.name(of: path), mode: 0o700)
                add(path, isNew: true)
                break
            } catch let error as SystemError {
                switch error.code {
                case ENOENT:
                    missing.append(path)
                    next = path.parent
                case EEXIST:
                    let status = try directory.status(of: Self.name(of: path))
                    guard let status, status.st_mode & S_IFMT == S_IFDIR else { return nil }
                    if missing.isEmpty { add(path, isNew: false) }
                    break climbing
                case ENOTDIR: return nil
                default: throw error
                }
            }
        }
        for path in missing.reversed() {
            try directory.makeDirectory(Self.name(of: path), mode: 0o700)
            add(path, isNew: true)
        }
        return Int32(homes.count - 1)
    }

    private func add(_ home: TreePath, isNew: Bool) {
        let text = home.bytes.withUnsafeBytes { names.add($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
        homes.append(Home(text: text, length: UInt16(home.bytes.count), isNew: isNew))
    }

    private func path(ofHome number: Int) -> TreePath {
        let home = homes[number]
        return TreePath(copying: names.bytes(home.text, count: Int(home.length)))
    }

    /// Removes directories of the tree for which `stays` is false; they are empty.
    public func removeHomes(unless stays: (TreePath) -> Bool) throws {
        for number in (0..<homes.count).reversed() where homes[number].isNew {
            let path = path(ofHome: number)
            if !stays(path) { try directory.removeDirectory(Self.name(of: path)) }
        }
    }

    /// The path in ``directory`` of what is at a path of the tree.
    public static func name(of path: TreePath) -> Bytes {
        var name = Bytes(treeName.utf8)
        guard !path.bytes.isEmpty else { return name }
        name.reserveCapacity(name.count + 1 + path.bytes.count)
        name.append(UInt8(ascii: "/"))
        name += path.bytes
        return name
    }

    private func setPlace(_ place: Place, of id: ContentID) {
        let length = Int(homes[Int(place.home)].length)
        let start = length == 0 ? 0 : length + 1
        place.path.bytes.withUnsafeBytes { path in
            let name = UnsafeRawBufferPointer(rebasing: path[start...])
            self[id].name = names.add(name, UnsafeRawBufferPointer(start: nil, count: 0))
            self[id].nameLength = UInt8(name.count)
        }
        self[id].home = place.home
    }

    /// The path of a content's file in the tree; `nil` for a numbered one.
    public func path(of id: ContentID) -> TreePath? {
        let content = self[id]
        guard content.isInTree else { return nil }
        return path(ofHome: Int(content.home)).appending(
            names.bytes(content.name, count: Int(content.nameLength)))
    }

    /// Whether a content's file is at a path of the tree.
    public func isFile(of id: ContentID, at path: UnsafeRawBufferPointer) -> Bool {
        let content = self[id]
        guard content.isInTree else { return false }
        let home = homes[Int(content.home)]
        let start = home.length == 0 ? 0 : Int(home.length) + 1
        guard path.count == start + Int(content.nameLength) else { return false }
        return Tree.isEqual(
            UnsafeRawBufferPointer(rebasing: path[..<Int(home.length)]),
            names.bytes(home.text, count: Int(home.length)))
            && (start == 0 || path[start - 1] == UInt8(ascii: "/"))
            && Tree.isEqual(
                UnsafeRawBufferPointer(rebasing: path[start...]),
                names.bytes(content.name, count: Int(content.nameLength)))
    }

    /// Makes numbered files of those in the tree for which `stays` is false.
    public func takeOut(unless stays: (Content) -> Bool) throws {
        for place in 0..<known.count where known[place].isInTree && !stays(known[place]) {
            let (id, number) = (known[place].id, known[place].file)
            try directory.makeDirectory(Self.directoryName(of: number), mode: 0o700)
            try directory.rename(fileName(of: id), to: directory, as: Self.fileName(number))
            known[place].home = -1
        }
    }

    /// Registers contents whose bytes are in a file of the directory.
    ///
    /// - Parameters:
    ///   - file: The file's number, from ``reserveFile()``.
    ///   - scanner: Where paths begin; it has seen all bytes.
    ///   - isStaged: Whether the bytes are the import's own; otherwise they are those of an equal object there was.
    ///   - finishedMode: The permission bits that it has got already, with the times.
    ///   - place: Where the file is; `nil` for a numbered one.
    public func add(
        _ file: Int, size: Int, digest: Digest, scanner: PathScanner, head: FileHead, isStaged: Bool = true,
        hashStates: [Hasher256] = [], finishedMode: UInt16? = nil, place given: Place? = nil
    ) -> ContentID {
        let keepsOffsets = offsetCount + scanner.offsets.count <= Self.offsetLimit
        if keepsOffsets { offsetCount += scanner.offsets.count }
        let id = ContentID(places.count)
        let place = Int32(known.count)
        places.append(place)
        if !scanner.offsets.isEmpty || !hashStates.isEmpty {
            details[place] = Details(
                pathOffsets: keepsOffsets ? scanner.offsets : nil, hashStates: hashStates, unchanged: size)
        }
        known.append(
            Content(
                id, file: file, size: size, digest: digest, scanner: scanner, head: head,
                isStaged: isStaged, finishedMode: finishedMode))
        if let given { setPlace(given, of: id) }
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
        let known = details[places[id.number]]
        if let offsets = known == nil ? [] : known?.pathOffsets { return offsets }
        var scanner = PathScanner()
        scanner.update(bytes)
        scanner.finish()
        return scanner.offsets
    }

    /// The path of a content's file in ``directory``.
    public func fileName(of id: ContentID) -> Bytes {
        let content = self[id]
        guard content.isInTree else { return Bytes(Self.fileName(content.file).utf8) }
        // At once: it is asked for with each object.
        let home = homes[Int(content.home)]
        var name = Bytes(Self.treeName.utf8)
        name.reserveCapacity(name.count + Int(home.length) + Int(content.nameLength) + 2)
        name.append(UInt8(ascii: "/"))
        if home.length > 0 {
            name.append(contentsOf: names.bytes(home.text, count: Int(home.length)))
            name.append(UInt8(ascii: "/"))
        }
        name.append(contentsOf: names.bytes(content.name, count: Int(content.nameLength)))
        return name
    }

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
        note(id, changedFrom: first)
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
                    of: content.size, after: hashStates(of: id), common: unchanged(of: id))
        }
    }

    /// Takes the digests of what was patched, on as many threads as there are processors.
    public func hashPatched() throws {
        let monitor = Monitor()
        let digests = Digests()
        let items = patched.map { id in
            (id: id, name: fileName(of: id), states: hashStates(of: id), common: unchanged(of: id))
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
        note(id, changedFrom: 0)
        self[id].size = bytes.count
        self[id].knownDigest = Digest(hashing: bytes)
        self[id].isPatched = false
        self[id].isRelocated = true
        patched.removeAll { $0 == id }
    }

    /// Adds a content that no image had, such as a generated loader cache.
    public func make(_ bytes: Bytes) throws -> ContentID {
        let number = try reserveFile()
        let file = try directory.open(beneath: Self.fileName(number), flags: O_WRONLY | O_CREAT | O_EXCL)
        try file.write(bytes, at: 0)
        return add(
            number, size: bytes.count, digest: Digest(hashing: bytes), scanner: PathScanner(),
            head: FileHead(bytes))
    }
}
