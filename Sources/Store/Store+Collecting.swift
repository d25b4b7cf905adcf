internal import Files
internal import Glibc
internal import StoreLayout

/// What a garbage collection did.
public struct Collection: Sendable {
    /// What was decided on.
    public let plan: CollectionPlan
    /// Bytes of the contents that are gone: those of store paths that only they had.
    public var freed: Int { plan.doomed.reduce(0) { $0 + $1.freed } }
    /// How many contents are gone.
    public var objectCount: Int { plan.doomed.reduce(0) { $0 + $1.objectCount } }
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
    ///   - hostName: What people know this host by.
    ///   - onWait: Told who holds the lock, before waiting.
    ///   - outside: Looks for roots that are not the store's own; asked when nobody else can write.
    public func collectGarbage(
        command: String, retention: Retention, limit: Int?, hostName: String = "",
        onWait: (String) -> Void,
        outside: () throws -> FoundRoots
    ) throws -> Collection {
        let temporary = try temporary()
        let (name, area) = try temporary.makeHeldDirectory()
        // Swept by the next writer if it cannot be removed now.
        defer { try? temporary.removeTree(name) }
        let plan = try withWriterLock(command: command, onWait: onWait) {
            try enterMissingObjectUses()
            let found = try outside()
            var plan = try planCollection(retention: retention, outside: found, limit: limit)
            try condemn(plan.waiting, name: hostName, found: found)
            for (profile, generations) in Dictionary(grouping: plan.generations, by: \.profile) {
                try moveGenerations(generations.map(\.number), of: profile, to: area)
            }
            try carryOut(&plan, to: area, outside: outside)
            // What was noted as changes of something that is gone now.
            if !plan.doomed.isEmpty {
                try enterMissingObjectUses()
                makeContents()
            }
            // Of a store from before contents were found by a table.
            _ = try moveAside(
                StoreLayout.Name.earlierObjects, in: root, to: area, as: StoreLayout.Name.earlierObjects)
            try dropDanglingRoots(plan.dangling)
            try renewRegistrations()
            database.emptiesLog = true
            return plan
        }
        try area.removeContents()
        try removeDescriptions(of: plan.doomed.map(\.baseName), command, onWait)
        makeReserve()
        return Collection(plan: plan)
    }

    /// Store paths that leave the index in one transaction: its log has to fit the reserve.
    private static let transactionSize = 256

    /// Takes store paths out of the index; gives the names of their aliases, by base name.
    private func unregister(_ doomed: [CollectionPlan.Doomed]) throws -> [String: [String]] {
        var aliases: [String: [String]] = [:]
        for start in stride(from: 0, to: doomed.count, by: Self.transactionSize) {
            try database.transaction {
                for path in doomed[start..<min(start + Self.transactionSize, doomed.count)] {
                    guard let row = path.row else { continue }
                    let names = try database.query(
                        "SELECT name FROM alias WHERE package = ?", [.integer(row)]
                    ) {
                        $0.text(0)
                    }
                    // Also where there are none: nobody need look for them in its manifest.
                    aliases[path.baseName] = names
                    try database.run("DELETE FROM package WHERE id = ?", [.integer(row)])
                }
            }
        }
        return aliases
    }

    /// Moves trees that go to where nobody sees them, and removes the aliases that lead to them.
    ///
    /// A program that was started since the look for roots takes its store path back out of the plan.
    private func carryOut(
        _ plan: inout CollectionPlan, to area: Descriptor, outside: () throws -> FoundRoots
    ) throws {
        let trees = try root.directory(beneath: StoreLayout.Name.store)
        let manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        if !plan.doomed.isEmpty {
            let hosts = Set(try otherHosts().map(\.id))
            let registeredAliases = try unregister(plan.doomed)
            var moved: [Aside?] = []
            var used: RootsByStorePath
            do {
                for path in plan.doomed {
                    moved.append(try moveAside(path.baseName, in: trees, to: area, as: "tree"))
                }
                // Also by roots that users made meanwhile, who have no lock; and by hosts that nobody knew.
                used = try outside().roots
                used.merge(try fileRoots().roots) { $0 + $1 }
                if try otherHosts().contains(where: { !hosts.contains($0.id) }) {
                    for path in plan.doomed { used[path.baseName] = used[path.baseName] ?? [] }
                }
            } catch {
                // Nobody knows whether a program uses them by now. What cannot be brought back is not in the index, as
                // after a crash.
                moved += [Aside?](repeating: nil, count: plan.doomed.count - moved.count)
                for (path, tree) in zip(plan.doomed, moved) {
                    try? bringBack(path, tree, from: area, to: trees)
                }
                throw error
            }
            for (path, tree) in zip(plan.doomed, moved) where used[path.baseName] != nil {
                try bringBack(path, tree, from: area, to: trees)
            }
            plan.spared += plan.doomed.map(\.baseName).filter { used[$0] != nil }
            plan.doomed.removeAll { used[$0.baseName] != nil }
            // An alias must not be missing before what it leads to is, even after a loss of power.
            try trees.synchronize()
            for path in plan.doomed {
                let names = registeredAliases[path.baseName] ?? leftAliases(of: path.baseName, in: manifests)
                try removeAliases(names, of: path.baseName)
            }
            try root.directory(beneath: StoreLayout.Name.aliases).synchronize()
        }
        guard !plan.derived.isEmpty else { return }
        let derived = try root.directory(
            beneath: StoreLayout.Name.cache + "/" + StoreLayout.Name.derived)
        for name in plan.derived { _ = try moveAside(name, in: derived, to: area, as: "derived") }
    }

    /// Removes the launchers and manifests of store paths whose trees and aliases are gone: manifests last, since those tell
    /// a later collection of what is left of an interrupted one.
    ///
    /// Where they are: to move a directory takes as long as to remove two files. An import that brought a store path back
    /// has registered it.
    private func removeDescriptions(
        of baseNames: [String], _ command: String, _ onWait: (String) -> Void
    ) throws {
        for start in stride(from: 0, to: baseNames.count, by: Self.descriptionSlice) {
            try withWriterLock(command: command, onWait: onWait) {
                let names = try baseNames[start..<min(start + Self.descriptionSlice, baseNames.count)].filter
                {
                    try package(baseName: $0) == nil
                }
                for place in [StoreLayout.Name.shims, StoreLayout.Name.manifests] {
                    try root.directory(beneath: place).removeTrees(names)
                }
            }
        }
    }

    /// Store paths whose launchers and manifests go before other writers have a chance.
    private static let descriptionSlice = 128

    /// The name that something of a kind has where it was moved to.
    ///
    /// No directory for each kind: there may be no inode for one.
    private static func nameAside(_ name: String, _ kind: String) -> String { "\(kind)-\(name)" }

    /// Something that was moved out of sight.
    private struct Aside {
        /// The permissions that it had, if it has others since.
        var mode: mode_t?
    }

    /// Moves an entry; `nil` where there was none.
    private func moveAside(
        _ name: String, in directory: Descriptor, to area: Descriptor, as kind: String
    ) throws -> Aside? {
        do {
            try directory.rename(name, to: area, as: Self.nameAside(name, kind))
            return Aside()
        } catch let error as SystemError where error.code == ENOENT {
            return nil
        } catch let error as SystemError where [EACCES, EPERM].contains(error.code) {
            // To move a directory, its owner must be able to write to it, unless that is root.
            let moved = try directory.directory(beneath: name)
            let mode = try moved.status().st_mode & 0o777
            try moved.setMode(0o755)
            try directory.rename(name, to: area, as: Self.nameAside(name, kind))
            return Aside(mode: mode)
        }
    }

    /// Puts a store path back that a program has begun to use, with its place in the index.
    private func bringBack(
        _ path: CollectionPlan.Doomed, _ tree: Aside?, from area: Descriptor, to trees: Descriptor
    ) throws {
        if let tree {
            try area.rename(Self.nameAside(path.baseName, "tree"), to: trees, as: path.baseName)
            if let mode = tree.mode { try trees.directory(beneath: path.baseName).setMode(UInt32(mode)) }
        }
        guard path.row != nil, try trees.status(of: path.baseName) != nil else { return }
        let manifest = try root.directory(
            beneath: StoreLayout.Name.manifests + "/" + path.baseName)
        let metadata = try JSON.metadata(in: manifest)
        let uses = try? objectUsesFromListing(of: path.baseName)
        let next = try nextNumber()
        var registration =
            Registration.read(in: manifest) ?? Registration(number: next, registered: Timestamp.now)
        registration.number = path.row ?? registration.number
        try database.transaction {
            try insert(metadata, registration)
            if let uses { try enter(uses, of: path.baseName) }
        }
    }

    /// The aliases of a store path that is not registered, as its manifest has them.
    private func leftAliases(of baseName: String, in manifests: Descriptor) -> [String] {
        // One that cannot be read is what an interrupted import left, before it made any alias.
        guard let manifest = try? manifests.directory(beneath: baseName),
            let metadata = try? JSON.metadata(in: manifest)
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
}
