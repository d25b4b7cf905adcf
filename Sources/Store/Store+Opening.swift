internal import CSQLite
internal import Files
internal import Glibc
internal import StoreLayout

/// Who may write, and how the index is opened for each.
extension Store {
    /// Refuses to write where that would fail halfway, or where somebody else could have prepared what is written to.
    ///
    /// Whoever writes is the owner of the root, and nobody else can make anything in it: so no link in it is another
    /// user's, and every file in it can be written. Root is no exception: see `sharing.md`.
    static func checkOwner(of root: Descriptor) throws {
        let status = try root.status()
        if try root.isOnReadOnlyMount() { throw StoreError.readOnlyMount(path: root.path) }
        guard status.st_uid == geteuid() else {
            throw StoreError.foreignStore(path: root.path, owner: Int(status.st_uid))
        }
        if status.st_mode & 0o002 != 0 {
            // Such as a new file system in memory: while nobody has put anything into it, it can be shut.
            let error = StoreError.openStore(path: root.path, mode: Int(status.st_mode & 0o7777))
            guard try root.list().isEmpty else { throw error }
            try root.setMode(UInt32(status.st_mode & 0o1755))
            guard try root.list().isEmpty else { throw error }
        }
        guard faccessat(root.number, ".", W_OK, 0) == 0 else {
            throw SystemError("write to the store", root.path)
        }
    }

    /// Lets users say which store paths of a store of root's they need: see ``registerRoots(in:adding:)``; and hosts.
    static func openRootsToUsers(in root: Descriptor) throws {
        for (name, mode) in StoreLayout.systemDirectories {
            if try root.status(of: name) == nil { try root.makeDirectory(name) }
            let directory = try root.directory(beneath: name)
            // A crash may have come between the two.
            if try UInt32(directory.status().st_mode & 0o7777) != mode { try directory.setMode(mode) }
        }
    }

    // MARK: - The index

    /// Opens the index for writing, and brings it to the newest version.
    ///
    /// - Returns: The index, and the file that had its name just before.
    static func writableIndex(_ path: String, in root: Descriptor) throws -> (Database, Inode?) {
        let name = StoreLayout.Name.index
        if try !isIndexThere(in: root) {
            // Made here, because the write-ahead log gets its mode from this file.
            let flags = O_WRONLY | O_CREAT | O_NOFOLLOW
            try root.open(beneath: name, flags: flags, mode: 0o644).setMode(0o644)
        }
        let file = try root.status(of: name).map(Inode.init)
        let database = try Database(path: path + "/" + name, mode: .writable)
        if try database.userVersion() < Schema.version {
            try database.migrate { preparation in
                switch preparation {
                case .remotesToFiles: try writeRemotes(of: database, in: root)
                }
            }
        } else {
            try check(database, path)
        }
        return (database, file)
    }

    /// Whether there is an index.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)`` for anything else of that name: SQLite would follow a link
    ///   and write wherever it leads, and wait for a pipe.
    private static func isIndexThere(in root: Descriptor) throws -> Bool {
        let name = StoreLayout.Name.index
        guard let status = try root.status(of: name) else { return false }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw StoreError.damagedDescription(path: root.path(of: name), reason: "it is no regular file")
        }
        return true
    }

    static func readableIndex(_ path: String, in root: Descriptor) throws -> Database {
        let name = StoreLayout.Name.index
        guard try isIndexThere(in: root) else { throw StoreError.noIndex(path: path) }
        // Shared memory is not shared between machines.
        if try root.isOnSharedFileSystem() { return try lyingIndex(path, in: root) }
        let isOwn = try root.status().st_uid == geteuid()
        for attempt in 0... {
            do {
                let database = try Database(path: path + "/" + name, mode: isOwn ? .readOnly : .guest)
                try check(database, path)
                if !isOwn { database.reopen = { try readableIndex(path, in: root) } }
                return database
            } catch let error as DatabaseError
                where [SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_IOERR].contains(error.primaryCode)
            {
                // A writer's first change, until it reads again, is not for those who cannot write; else what SQLite
                // keeps beside the index is missing, and cannot be made.
                let isPassing = try StoreLayout.indexFiles.allSatisfy { try root.status(of: $0) != nil }
                guard isPassing, attempt < passingLimit, try !root.isOnReadOnlyMount() else { break }
                usleep(10_000)
            }
        }
        return try lyingIndex(path, in: root)
    }

    /// How often an index is opened again that a writer has just begun to write.
    private static let passingLimit = 100

    /// The index as it lies there, without what processes have in shared memory.
    ///
    /// `immutable` ignores the log: it is right only where there is none. A log that has something in it, as a killed
    /// writer leaves it, is written into a copy.
    private static func lyingIndex(_ path: String, in root: Descriptor) throws -> Database {
        let name = StoreLayout.Name.index
        let database: Database
        if try root.isOnReadOnlyMount(), try logSize(in: root) == 0, try !root.isOnSharedFileSystem() {
            database = try Database(path: path + "/" + name, mode: .immutable)
        } else {
            database = try copyOfIndex(path, in: root)
        }
        try check(database, path)
        return database
    }

    private static var logName: String { StoreLayout.indexFiles[1] }

    private static func logSize(in root: Descriptor) throws -> Int {
        Int(try root.status(of: logName)?.st_size ?? 0)
    }

    /// How often a copy is made anew because the index was written meanwhile.
    private static let copyLimit = 20

    private static func copyOfIndex(_ path: String, in root: Descriptor) throws -> Database {
        let (parent, held, place) = try privateDirectory()
        // Once open it needs no name; what cannot be removed is swept by the next one.
        defer { try? parent.removeTree(held) }
        let name = StoreLayout.Name.index
        for _ in 0..<copyLimit {
            let before = try versions(in: root)
            for file in [name, logName] {
                try place.unlink(file)
                guard try root.status(of: file) != nil else { continue }
                try place.open(beneath: file, flags: O_WRONLY | O_CREAT | O_EXCL).copyContents(
                    of: root.open(beneath: file))
            }
            guard try versions(in: root) == before else {
                usleep(50_000)
                continue
            }
            return try Database(
                path: place.path + "/" + name, mode: .copy, displayed: path + "/" + name)
        }
        throw DatabaseError(
            path: path + "/" + name, code: SQLITE_BUSY, message: "it is written all the time",
            statement: "copy")
    }

    /// What changes when the index or its log are written.
    private static func versions(in root: Descriptor) throws -> [Int] {
        try [StoreLayout.Name.index, logName].flatMap { name -> [Int] in
            guard let status = try root.status(of: name) else { return [] }
            return [
                // Overlays give inode numbers of 64 bits.
                Int(truncatingIfNeeded: status.st_ino), Int(status.st_size), status.st_mtim.tv_sec,
                status.st_mtim.tv_nsec,
            ]
        }
    }

    /// A directory that nobody else can enter, outside of the store.
    private static func privateDirectory() throws -> (Descriptor, String, Descriptor) {
        let prefix = ".sxs-index."
        var first: (any Error)?
        for path in HostLayout.temporaryDirectories {
            do {
                let parent = try Descriptor.directory(path)
                // Others' cannot be removed, and are not in the way.
                try? parent.sweepHeldDirectories(prefix: prefix)
                let (name, place) = try parent.makeHeldDirectory(prefix: prefix)
                return (parent, name, place)
            } catch {
                first = first ?? error
            }
        }
        throw first ?? SystemError("find", "a directory for temporary files", code: ENOENT)
    }

    private static func check(_ database: Database, _ path: String) throws {
        let version = try database.userVersion()
        guard version <= Schema.version else { throw StoreError.newerFormat(path: path, version: version) }
        guard version > 0 else { throw StoreError.noIndex(path: path) }
    }
}
