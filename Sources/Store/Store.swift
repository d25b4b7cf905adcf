public import Files
internal import Glibc
internal import StoreLayout

/// A store: relocated trees, their index, and the profiles that show them.
///
/// Files are the truth and go first; the index follows; the switch of a profile is last. One process writes at a
/// time, under ``withWriterLock(command:onWait:_:)``; any number read meanwhile.
public final class Store {
    // A class: it holds an SQLite connection. Not Sendable; each thread opens its own.

    /// The root directory.
    public let root: Descriptor
    /// The root's path.
    public let path: String

    /// The user whom the root belongs to; `nil` where that cannot be asked.
    public var owner: Int? { (try? root.status()).map { Int($0.st_uid) } }

    let isWritable: Bool
    var database: Database
    /// The file that ``database`` was opened on; `nil` where that is not the root's index.
    private var indexFile: Inode?
    private var writerLock: Descriptor?

    init(root: Descriptor, path: String, isWritable: Bool, database: Database, indexFile: Inode? = nil) {
        self.root = root
        self.path = path
        self.isWritable = isWritable
        self.database = database
        self.indexFile = indexFile
    }

    /// Opens a store.
    ///
    /// - Parameters:
    ///   - path: The root. It is made, with all its parents, if the store is opened for writing.
    ///   - forWriting: Whether anything is to be changed.
    ///   - onFullDisk: Whether the reserve is given up first, so that it can be done on a full disk.
    /// - Throws: ``StoreError``, `SystemError`, ``DatabaseError``.
    public static func open(root path: String, forWriting: Bool, onFullDisk: Bool = false) throws -> Store {
        if forWriting { try makeDirectories(path) }
        let (root, isNew) = try openRoot(path, forWriting: forWriting)
        guard forWriting else {
            return Store(
                root: root, path: path, isWritable: false, database: try readableIndex(path, in: root))
        }
        if onFullDisk { try releaseReserve(in: root) }
        try makeDirectories(in: root, withFormat: isNew)
        let (database, file) = try writableIndex(path, in: root)
        let store = Store(root: root, path: path, isWritable: true, database: database, indexFile: file)
        try store.rebuildIndexIfEmpty()
        try store.enterHost()
        if !onFullDisk { store.makeReserve() }
        return store
    }

    /// Opens the root of a store, and finds out whether it has to become one.
    static func openRoot(_ path: String, forWriting: Bool) throws -> (root: Descriptor, isNew: Bool) {
        let root: Descriptor
        do {
            root = try Descriptor.directory(path)
        } catch let error as SystemError where error.code == ENOENT {
            throw StoreError.noStore(path: path)
        }
        // Asked beforehand, because SQLite opens what it may not write for reading, and says so only later.
        if forWriting { try checkOwner(of: root) }
        let version = try formatVersion(of: root)
        if let version, version > StoreLayout.formatVersion {
            throw StoreError.newerFormat(path: path, version: version)
        }
        if version == nil {
            guard try isFree(root) else { throw StoreError.notAStore(path: path) }
            guard forWriting else { throw StoreError.noStore(path: path) }
        }
        return (root, version == nil)
    }

    /// Makes the directories of a root, as far as they are missing, and then a store of it.
    static func makeDirectories(in root: Descriptor, withFormat isNew: Bool) throws {
        for (name, mode) in StoreLayout.directories where try root.status(of: name) == nil {
            try root.makeDirectory(name, mode: mode)
            // Whatever the umask: others read a system's store.
            try root.directory(beneath: name).setMode(mode)
        }
        if geteuid() == 0 { try openRootsToUsers(in: root) }
        guard isNew else { return }
        try root.replaceFile(
            StoreLayout.Name.format, contents: "\(StoreLayout.formatVersion)\n".utf8,
            through: root.directory(beneath: StoreLayout.Name.temporary), isDurable: true)
    }

    /// Makes a directory and its parents, as `mkdir -p` does.
    private static func makeDirectories(_ path: String) throws {
        // Nearly always it is there.
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        var prefix = path.utf8.first == UInt8(ascii: "/") ? "/" : ""
        for component in path.split(separator: "/") {
            prefix += String(component)
            if mkdir(prefix, 0o755) != 0, errno != EEXIST {
                let code = errno
                // What is there already may refuse for another reason, such as a read-only parent.
                var status = stat()
                guard stat(prefix, &status) == 0 else {
                    throw SystemError("create directory", prefix, code: code)
                }
            }
            prefix += "/"
        }
    }

    private static func formatVersion(of root: Descriptor) throws -> Int? {
        guard try root.status(of: StoreLayout.Name.format) != nil else { return nil }
        let text = try root.open(beneath: StoreLayout.Name.format).readAll(limit: 4096)
        guard let version = Int(String(decoding: text.prefix { $0 != 0x0a }, as: UTF8.self)) else {
            throw StoreError.notAStore(path: root.path)
        }
        return version
    }

    /// Whether a directory that is to become a store has nothing in it but what an interrupted start left.
    private static func isFree(_ root: Descriptor) throws -> Bool {
        let known = Set(
            StoreLayout.directories.map(\.name) + [StoreLayout.Name.earlierObjects, StoreLayout.Name.setup])
        return try root.list().allSatisfy { known.contains($0.text) }
    }

    // MARK: - The index

    /// Opens the index again if another file has its name: whoever had the lock before made it anew.
    private func reopenIndexIfReplaced() throws {
        guard let indexFile, try root.status(of: StoreLayout.Name.index).map(Inode.init) != indexFile else {
            return
        }
        try openIndex()
        try rebuildIndexIfEmpty()
    }

    /// Opens the root's index, for writing, in place of what was open.
    func openIndex() throws {
        (database, indexFile) = try Self.writableIndex(path, in: root)
    }

    // MARK: - The writer

    /// Runs `body` as the one writer of this store.
    ///
    /// - Parameters:
    ///   - command: What others that wait are told, such as `sxs install emacs`.
    ///   - onWait: Told once who holds the lock, before waiting.
    ///   - body: What to do; may itself ask for the lock again.
    public func withWriterLock<Result>(
        command: String, onWait: (_ holder: String) -> Void = { _ in }, _ body: () throws -> Result
    ) throws -> Result {
        guard isWritable else { throw StoreError.readOnly(path: path) }
        guard writerLock == nil else { return try body() }
        let lock = try root.open(beneath: StoreLayout.Name.lock, flags: O_RDWR | O_CREAT, mode: 0o600)
        // Who can open it can hold it, and keep every writer waiting.
        if try lock.status().st_mode & 0o077 != 0 { try lock.setMode(0o600) }
        if !(try lock.tryLock()) {
            let text = try lock.readAll(limit: 64 << 10)
            onWait(text.isEmpty ? "another sxs" : text.filter { $0 != 0x0a }.displayed)
            try lock.lock()
        }
        try lock.setSize(0)
        try lock.write("\(getpid()) \(command)\n".utf8, at: 0)
        writerLock = lock
        defer {
            // A stale name in an unlocked file does no harm.
            try? lock.setSize(0)
            writerLock = nil
        }
        try reopenIndexIfReplaced()
        try ImportArea.sweep(try temporary())
        try sweepGenerations()
        try writeMissingRegistrations()
        return try body()
    }

    /// Begins an import: a place for an image's contents, outside everything that others see.
    ///
    /// - Parameters:
    ///   - minimumFree: Bytes that stay free on the file system.
    ///   - isSharing: Whether contents that the store has are taken from there: not where those may be damaged.
    /// - Throws: ``StoreError/tooLittleSpace(path:free:wanted:)`` here, or while it is filled.
    public func makeImport(minimumFree: Int = 0, isSharing: Bool = true) throws -> ImportArea {
        guard isWritable else { throw StoreError.readOnly(path: path) }
        if isSharing { try completeContents() }
        return try ImportArea(
            in: try temporary(), isSharing: isSharing, finder: isSharing ? try ObjectFinder(in: root) : nil,
            minimumFree: minimumFree)
    }

    func temporary() throws -> Descriptor { try root.directory(beneath: StoreLayout.Name.temporary) }
}
