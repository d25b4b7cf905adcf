internal import Activation
internal import Files
private import Glibc
internal import Remotes
internal import Store
internal import StoreLayout

/// What is wanted of a garbage collection.
public struct CollectionOptions: Sendable {
    /// Whether it is only planned.
    public var isDryRun = false
    /// How many of the newest generations of each profile stay; `nil` for all, or all that are young enough.
    public var kept: Int?
    /// Seconds from which on a generation goes; `nil` for never, or as soon as it is not among the newest.
    public var age: Int?
    /// Bytes after which no more store paths go; `nil` for all.
    public var limit: Int?
    /// Bytes that are free on the file system when no more store paths go; `nil` for all.
    public var wantedFree: Int?

    /// Everything that nothing needs goes, and no generation.
    public init() {}

    /// Bytes after which no more store paths go, on a file system where some are free.
    func limit(free: Int) -> Int? {
        guard let wantedFree else { return limit }
        return min(limit ?? .max, max(0, wantedFree - free))
    }

    var retention: Retention { Retention(count: kept, age: age) }
}

extension Session {
    /// Removes what nothing needs: store paths without a root, and all that is left of them.
    ///
    /// Works on a full disk. `garbage.md` says what the roots are.
    public func collectGarbage(_ options: CollectionOptions) throws -> CollectionReport {
        guard !options.isDryRun else {
            let store = try openStore()
            let plan = try store.planCollection(
                retention: options.retention, outside: outsideRoots(),
                limit: options.limit(free: store.root.freeSpace()))
            return CollectionReport(
                plan, isDryRun: true, freed: plan.freed, fetched: try collectFetched(isDryRun: true))
        }
        // Not made where there is none: nothing is there to be collected.
        do {
            _ = try openStore()
        } catch StoreError.noIndex {
            // Made again from the files by whoever writes.
        }
        if geteuid() == 0 { umask(0o022) }
        let store = try Store.openForCollection(root: root)
        var isTold = false
        let collection = try store.collectGarbage(
            command: command, retention: options.retention,
            // The reserve was given up, and is made again.
            limit: options.limit(free: max(0, store.root.freeSpace() - StoreLayout.reserveSize)),
            hostName: Self.hostName(),
            onWait: { holder in
                // The lock is taken several times; one message is enough.
                if !isTold { note("waiting for \(holder) to finish with the store") }
                isTold = true
            }, outside: outsideRoots)
        return CollectionReport(
            collection.plan, isDryRun: false, freed: collection.freed,
            fetched: try collectFetched(isDryRun: false))
    }

    /// What is wanted of a collection for which nothing is said.
    ///
    /// - Throws: `SettingError`.
    public func usualCollection() throws -> CollectionOptions {
        var options = CollectionOptions()
        options.kept = try settings.number(.keptGenerations)
        options.age = try settings.number(.keptDays).map { $0 * Self.day }
        options.wantedFree = try settings.number(.wantedFree)
        return options
    }

    /// Seconds of a day.
    private static let day = 86400

    /// Removes fetched images after some time without use: what was imported is in the store.
    private func collectFetched(isDryRun: Bool) throws -> (bytes: Int, count: Int) {
        try BlobCache.collect(
            root: root, before: time(nil) - (settings.number(.cachedDays) ?? 0) * Self.day,
            limit: settings.number(.cacheSize), isDryRun: isDryRun)
    }

    /// What keeps a store path, or all of a package's.
    ///
    /// - Parameter name: A package, a base name, or a path in a store path.
    /// - Throws: ``OperationError/unknownPackage(_:remotes:)``.
    public func whyAlive(_ name: String) throws -> [Liveness] {
        let store = try openStore()
        // A base name by itself is no path.
        let mentioned = StorePathMention.baseNames(in: Array("/\(name)".utf8))
        var found = try mentioned.compactMap { try store.package(baseName: $0) }
        if found.isEmpty {
            found = try store.packages(named: name)
        }
        guard !found.isEmpty else { throw OperationError.unknownPackage(name, remotes: []) }
        let roots = try store.roots(of: found.map(\.baseName), outside: outsideRoots())
        return found.map { Liveness(package: $0, roots: roots[$0.baseName] ?? []) }
    }

    /// Deletes generations of the profile; the active one cannot be deleted.
    public func deleteGenerations(_ numbers: [Int]) throws {
        let store = try openStore()
        let known = try store.generations(of: profile).map(\.number)
        for number in numbers where !known.contains(number) {
            throw OperationError.unknownGeneration(number, profile: profile.text, known: known)
        }
        let writer = try openStoreForWriting()
        try asWriter(of: writer) { try writer.deleteGenerations(numbers, of: profile) }
    }

    /// Roots that are not the store's own: running programs and, for the system's store, what its host may boot.
    func outsideRoots() throws -> FoundRoots {
        var found = FoundRoots()
        let running = try RunningPrograms()
        for user in running.users {
            found.add(
                CollectionRoot(
                    kind: .process, chain: ["process \(user.process) (\(user.name)), which \(user.use) it"]),
                of: user.baseName)
        }
        // Programs of other users, who cannot be running those of a store that only its owner may enter.
        if !running.unseen.isEmpty, try isOpenToOthers() {
            let processes = running.unseen
            found.unseen.append(
                processes.count == 1 ? "process \(processes[0])" : "\(processes.count) processes of others")
        }
        guard root == StoreLayout.systemRoot else { return found }
        for (baseName, files) in try HostReferences(Host("/")).files {
            for file in files { found.add(CollectionRoot(kind: .host, chain: [file]), of: baseName) }
        }
        return found
    }

    /// Whether other users reach the store.
    private func isOpenToOthers() throws -> Bool {
        var path = root
        while !path.isEmpty, path != "/" {
            var status = stat()
            guard stat(path, &status) == 0 else { throw SystemError("look at", path) }
            if status.st_mode & 0o011 == 0 { return false }
            path = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        }
        return true
    }
}
