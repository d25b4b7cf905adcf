internal import Files
internal import Glibc
internal import StoreLayout

/// What a garbage collection did.
public struct Collection: Sendable {
    /// What was decided on.
    public let plan: CollectionPlan
    /// Bytes of the objects that are gone.
    public internal(set) var freed = 0
    /// How many objects are gone.
    public internal(set) var objectCount = 0
}

extension Store {
    /// Opens a store for garbage collection, also on a full disk: the reserve is given up for it.
    public static func openForCollection(root path: String) throws -> Store {
        try Store.open(root: path, forWriting: true, onFullDisk: true)
    }

    /// Collects garbage.
    ///
    /// Others read meanwhile, and write but for moments: store paths are taken out of the index, moved to `tmp` and only
    /// then emptied, without the writer's lock. A crash at any instant leaves what the next collection or writer removes.
    ///
    /// - Parameters:
    ///   - command: What others that wait are told.
    ///   - retention: Which generations stay.
    ///   - limit: Bytes after which no more store paths go; `nil` for all.
    ///   - onWait: Told who holds the lock, before waiting.
    ///   - outside: Looks for roots that are not the store's own; asked when nobody else can write.
    public func collectGarbage(
        command: String, retention: Retention, limit: Int?, onWait: (String) -> Void,
        outside: () throws -> FoundRoots
    ) throws -> Collection {
        let temporary = try temporary()
        let (name, area) = try ImportArea.makeHeldDirectory(in: temporary)
        // Swept by the next writer if it cannot be removed now.
        defer { try? temporary.removeTree(name) }
        let plan = try withWriterLock(command: command, onWait: onWait) {
            try enterMissingObjectUses()
            let plan = try planCollection(retention: retention, outside: outside(), limit: limit)
            for (profile, generations) in Dictionary(grouping: plan.generations, by: \.profile) {
                try moveGenerations(generations.map(\.number), of: profile, to: area)
            }
            let aliases = try unregister(plan.doomed)
            try moveAside(plan, aliases, to: area)
            try dropDanglingRoots(plan.dangling)
            return plan
        }
        try area.removeContents()
        var collection = Collection(plan: plan)
        try removeObjects(without: plan.counts, command, onWait, &collection)
        makeReserve()
        return collection
    }

    /// Takes store paths out of the index; gives the names of their aliases, by base name.
    private func unregister(_ doomed: [CollectionPlan.Doomed]) throws -> [String: [String]] {
        var aliases: [String: [String]] = [:]
        try database.transaction {
            for path in doomed {
                guard let row = path.row else { continue }
                let names = try database.query("SELECT name FROM alias WHERE package = ?", [.integer(row)]) {
                    $0.text(0)
                }
                if !names.isEmpty { aliases[path.baseName] = names }
                try database.run("DELETE FROM package WHERE id = ?", [.integer(row)])
            }
        }
        return aliases
    }

    /// Moves what goes to where nobody sees it: the tree first, then what leads to it, the manifest last, since that
    /// tells a later collection of what is left of an interrupted one.
    private func moveAside(
        _ plan: CollectionPlan, _ registeredAliases: [String: [String]], to area: Descriptor
    ) throws {
        guard !(plan.doomed.isEmpty && plan.derived.isEmpty) else { return }
        let trees = try root.directory(beneath: StoreLayout.Name.store)
        let manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        let shims = try root.directory(beneath: StoreLayout.Name.shims)
        for path in plan.doomed { try moveAside(path.baseName, in: trees, to: area, "tree") }
        // An alias must not be missing before what it leads to is, even after a loss of power.
        try trees.synchronize()
        for path in plan.doomed {
            let names = registeredAliases[path.baseName] ?? leftAliases(of: path.baseName, in: manifests)
            try removeAliases(names, of: path.baseName)
            try moveAside(path.baseName, in: shims, to: area, "shims")
        }
        try root.directory(beneath: StoreLayout.Name.aliases).synchronize()
        for path in plan.doomed { try moveAside(path.baseName, in: manifests, to: area, "manifest") }
        guard !plan.derived.isEmpty else { return }
        let derived = try root.directory(
            beneath: StoreLayout.Name.cache + "/" + StoreLayout.Name.derived)
        for key in plan.derived { try moveAside(key, in: derived, to: area, "derived") }
    }

    private func moveAside(
        _ name: String, in directory: Descriptor, to area: Descriptor, _ kind: String
    ) throws {
        guard let status = try directory.status(of: name) else { return }
        if status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o200 == 0 {
            // To move a directory, its owner must be able to write to it.
            try directory.directory(beneath: name).setMode(0o755)
        }
        try directory.rename(name, to: area, as: "\(kind)-\(name)")
    }

    /// The aliases of a store path that is not registered, as its manifest has them.
    private func leftAliases(of baseName: String, in manifests: Descriptor) -> [String] {
        // One that cannot be read is what an interrupted import left, before it made any alias.
        guard let manifest = try? manifests.directory(beneath: baseName),
            let metadata = try? JSON.decode(Metadata.self, from: StoreLayout.Name.metadata, in: manifest)
        else { return [] }
        return metadata.aliases.map(\.name)
    }

    /// Removes aliases that lead into a store path; one that has become another's stays.
    private func removeAliases(_ names: [String], of baseName: String) throws {
        guard !names.isEmpty else { return }
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        let own = Array((StoreLayout.storeDirectory + "/" + baseName).utf8)
        for name in names where name.utf8.allSatisfy({ $0 != UInt8(ascii: "/") }) {
            // What is no link is nobody's alias.
            guard let target = (try? aliases.readSymlink(name)) ?? nil,
                target.starts(with: own), target.count == own.count || target[own.count] == UInt8(ascii: "/")
            else { continue }
            try aliases.unlink(name)
        }
    }

    // MARK: - Objects

    /// Directories of objects that are looked through before other writers have a chance.
    private static let slice = 32

    /// Removes the objects without another link, those of a crashed import among them.
    ///
    /// - Parameter counts: Objects that need not be looked at, because a store path has them.
    private func removeObjects(
        without counts: ObjectCounts, _ command: String, _ onWait: (String) -> Void,
        _ collection: inout Collection
    ) throws {
        let objects = try root.directory(beneath: StoreLayout.Name.objects)
        var names: [String] = []
        try objects.forEachEntry { name, _, _ in names.append(String(decoding: name, as: UTF8.self)) }
        names.sort()
        for start in stride(from: 0, to: names.count, by: Self.slice) {
            // An import that is about to link to an object has this lock.
            let removal = try withWriterLock(command: command, onWait: onWait) {
                try ObjectRemoval(in: objects, counts).run(
                    names[start..<min(start + Self.slice, names.count)])
            }
            collection.freed += removal.bytes
            collection.objectCount += removal.count
        }
    }
}
