internal import Files
internal import Glibc
internal import StoreLayout

/// What making an index anew came to.
public struct RebuiltIndex: Sendable, Equatable {
    /// Something that could not be taken into the index.
    public struct LeftOut: Sendable, Equatable {
        /// Its path, in the root.
        public let path: String
        /// Why.
        public let reason: String
    }

    /// Store paths that are in it.
    public var packageCount = 0
    /// Generations that are in it.
    public var generationCount = 0
    /// What is not in it, although it is on disk.
    public var leftOut: [LeftOut] = []

    /// Notes that something is not in it.
    mutating func leaveOut(_ path: String, _ error: any Error) {
        let text = "\(error)"
        leftOut.append(
            LeftOut(path: path, reason: text.split(separator: "\n").first.map(String.init) ?? text))
    }
}

extension Store {
    /// Fills an index without packages and generations from what is on disk.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)`` for what ``rebuildIndex(root:command:onWait:)`` leaves out.
    func rebuildIndexIfEmpty() throws {
        guard try isIndexEmpty() else { return }
        let manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
        guard try !(manifests.list().isEmpty && profiles.list().isEmpty) else { return }
        try withWriterLock(command: "rebuilding the index") {
            try database.transaction {
                guard try isIndexEmpty(), let wrong = try fillIndex().leftOut.first else { return }
                throw StoreError.damagedDescription(
                    path: root.path(of: wrong.path), reason: wrong.reason)
            }
            // Rows may be others.
            makeContents()
        }
    }

    private func isIndexEmpty() throws -> Bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM package) OR EXISTS (SELECT 1 FROM generation)"
        return try database.query(sql) { $0.integer(0) }.first == 0
    }

    /// Makes the index anew from the files alone, whatever became of the one there is.
    ///
    /// Whoever reads it meanwhile sees the old one or the new one. A crash leaves either.
    ///
    /// - Parameters:
    ///   - path: The root.
    ///   - command: What others that wait are told.
    ///   - onWait: Told who holds the lock, before waiting.
    /// - Throws: ``StoreError``, `SystemError`, ``DatabaseError``.
    public static func rebuildIndex(
        root path: String, command: String, onWait: (String) -> Void = { _ in }
    ) throws -> RebuiltIndex {
        let (root, isNew) = try openRoot(path, forWriting: true)
        guard !isNew else { throw StoreError.noStore(path: path) }
        try makeDirectories(in: root, withFormat: false)
        let temporary = try root.directory(beneath: StoreLayout.Name.temporary)
        let (name, area) = try temporary.makeHeldDirectory()
        // Swept by the next writer if it cannot be removed now.
        defer { try? temporary.removeTree(name) }
        let index = StoreLayout.Name.index
        // The write-ahead log gets its mode from this file.
        try area.open(beneath: index, flags: O_WRONLY | O_CREAT | O_EXCL).setMode(0o644)
        let new = try Database(path: area.path + "/" + index, mode: .writable)
        try new.migrate()
        let store = Store(root: root, path: path, isWritable: true, database: new)
        return try store.withWriterLock(command: command, onWait: onWait) {
            var result = try new.transaction { try store.fillIndex() }
            try store.install(new, from: area, &result)
            store.makeContents()
            return result
        }
    }

    /// Puts a new index in the old one's place.
    ///
    /// Where the old one is a database, its contents are replaced, not its file: a reader that has opened it, and finds
    /// another file's log beside it, would read a mixture. What is no database has no such readers.
    private func install(
        _ new: Database, from area: Descriptor, _ result: inout RebuiltIndex
    ) throws {
        let index = StoreLayout.Name.index
        if try root.status(of: index) != nil {
            do {
                let old = try Database(path: path + "/" + index, mode: .writable)
                let version = try old.userVersion()
                guard version <= Schema.version else {
                    throw StoreError.newerFormat(path: path, version: version)
                }
                do {
                    try Self.writeRemotes(of: old, in: root)
                } catch {
                    result.leaveOut("\(index): remotes", error)
                }
                try old.replaceContents(with: new)
                try openIndex()
                return
            } catch let error as DatabaseError where error.isDamaged {
                // A new file it is.
            }
        }
        try new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try area.open(beneath: index).synchronize()
        // A log that is left of another file must not meet the new one.
        for name in StoreLayout.indexFiles where name != index { try root.unlink(name) }
        try root.synchronize()
        try area.rename(index, to: root, as: index)
        try root.synchronize()
        try openIndex()
    }

    /// Enters everything that is on disk into an index without packages and generations; part of a transaction.
    private func fillIndex() throws -> RebuiltIndex {
        var result = RebuiltIndex()
        try enterPackages(&result)
        try enterGenerations(&result)
        return result
    }

    // MARK: - Packages

    /// A manifest with a tree, and which row it gets.
    private struct Found {
        let baseName: String
        let mode: mode_t
        let changed: timespec
        let registration: Registration?
    }

    private func enterPackages(_ result: inout RebuiltIndex) throws {
        let manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        var found: [Found] = []
        for entry in try manifests.list() where StorePath.isBaseName(entry.text) {
            // A manifest without a tree is what a crash left between the two renames.
            guard let status = try root.status(of: "\(StoreLayout.Name.store)/\(entry.text)"),
                [S_IFDIR, S_IFLNK].contains(status.st_mode & S_IFMT)
            else { continue }
            let manifest = try? manifests.directory(beneath: entry.text)
            found.append(
                Found(
                    baseName: entry.text, mode: status.st_mode, changed: status.st_ctim,
                    registration: manifest.flatMap(Registration.read)))
        }
        // In the order they were registered; those that say nothing of it come last, as they were made.
        found.sort { left, right in
            let key = { (found: Found) in
                (
                    found.registration?.number ?? .max, found.changed.tv_sec, found.changed.tv_nsec,
                    found.baseName
                )
            }
            return key(left) < key(right)
        }
        var last = 0
        for package in found {
            var registration =
                package.registration ?? Registration(number: 0, registered: package.changed.tv_sec)
            if registration.number <= last { registration.number = last + 1 }
            do {
                try enter(package, registration, manifests)
                last = registration.number
                result.packageCount += 1
            } catch {
                if let error = error as? DatabaseError, !error.isConstraint { throw error }
                result.leaveOut("\(StoreLayout.Name.manifests)/\(package.baseName)", error)
            }
        }
    }

    private func enter(
        _ package: Found, _ registration: Registration, _ manifests: Descriptor
    ) throws {
        let base = package.baseName
        let directory = try manifests.directory(beneath: base)
        let metadata = try JSON.metadata(in: directory)
        guard metadata.storePath == base else {
            throw StoreError.damagedDescription(
                path: directory.path(of: StoreLayout.Name.metadata), reason: "it is of \(metadata.storePath)")
        }
        try finishTree("\(StoreLayout.Name.store)/\(base)", mode: package.mode, in: directory)
        let uses = try? objectUsesFromListing(of: base)
        try database.savepoint {
            try insert(metadata, registration)
            // Without them a collection knows less of what it frees.
            if let uses { try enter(uses, of: base) }
            guard registration != package.registration else { return }
            // The next writer brings its file in line.
            try database.run("INSERT INTO unfiled (package) VALUES (?)", [.integer(registration.number)])
        }
    }

    /// Takes away the right to write to a tree's top, which it has until it is in its place.
    private func finishTree(_ tree: String, mode: mode_t, in manifest: Descriptor) throws {
        // A reference has no mode of its own.
        guard mode & S_IFMT == S_IFDIR, mode & 0o222 != 0 else { return }
        let listing = try ListingFiles.readPresent(StoreLayout.Name.listing, in: manifest)
        let newline = UInt8(ascii: "\n")
        let lines = listing.split(separator: newline, maxSplits: 3, omittingEmptySubsequences: false)
        // The top is the first entry, after two lines.
        let head = Bytes(lines.prefix(3).joined(separator: [newline])) + [newline]
        let top = try TreeListing.parse(head).first
        try root.directory(beneath: tree).setMode(UInt32(top?.mode ?? 0o555))
    }

    // MARK: - Generations

    private func enterGenerations(_ result: inout RebuiltIndex) throws {
        let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
        for entry in try profiles.list() {
            guard let profile = try? ProfileName(entry.text) else { continue }
            let directory = try profiles.directory(beneath: entry.text)
            for generation in try directory.list() {
                guard let number = Self.generationNumber(generation.text) else { continue }
                do {
                    let (generation, packages) = try read(number, of: profile, in: directory)
                    try insert(generation, packages)
                    result.generationCount += 1
                } catch let error where !(error is DatabaseError) {
                    result.leaveOut(
                        "\(StoreLayout.Name.profiles)/\(entry.text)/\(generation.text)", error)
                }
            }
        }
    }
}
