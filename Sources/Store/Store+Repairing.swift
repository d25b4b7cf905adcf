public import Files
internal import Glibc
internal import StoreLayout

extension Store {
    /// Times that a store path is looked at and put right, at most: what is below something that was damaged is seen
    /// only when that is whole.
    private static let roundLimit = 4

    /// Compares store paths with their manifests, and puts right what can be.
    ///
    /// Contents come from whole files of this store, then from sources, in their order. A damaged file is never written
    /// to: a whole one takes its place in every store path that shares it, so that a program that has it open goes on
    /// with what it has. Each step is whole by itself, so that after a crash the same repair ends what this one began.
    ///
    /// - Parameters:
    ///   - packages: The packages.
    ///   - sources: Where to look for what this store has no whole copy of.
    ///   - isDryRun: Whether nothing is to be changed, but found out what would be.
    ///   - command: What others that wait are told.
    ///   - onWait: Told who holds the lock, before waiting.
    public func repair(
        _ packages: [Package], from sources: [any RepairSource], isDryRun: Bool, command: String,
        onWait: (String) -> Void = { _ in }, progress: any Progress = NoProgress()
    ) throws -> RepairResult {
        var examined = try pair(packages, progress)
        guard !examined.isEmpty else { return RepairResult() }
        return try withWriterLock(command: command, onWait: onWait) {
            let temporary = try temporary()
            let (name, area) = try temporary.makeHeldDirectory()
            // Swept by the next writer if it cannot be removed now.
            defer { try? temporary.removeTree(name) }
            var result = RepairResult()
            let supply = ContentSupply(root: root, area: area, sources: sources, isDryRun: isDryRun)
            for round in 1...Self.roundLimit {
                for (package, _) in examined {
                    try repairManifest(of: package, supply, isDryRun, &result)
                }
                let trees = try sharing(examined) + examined.map { ($0, $1.tree) }
                supply.owners = try trees.map(\.0.baseName) + holders(examined)
                for (package, found) in trees {
                    try repairTree(of: package, found, supply, area, isDryRun, &result)
                }
                guard !isDryRun else { break }
                try root.synchronizeFileSystem()
                let before = examined.map(\.1.problems)
                examined = try pair(examined.map(\.0), progress)
                if examined.isEmpty || round > 1 && examined.map(\.1.problems) == before { break }
                // What could not be done is tried again, with what is whole by now.
                if round < Self.roundLimit { result.lost = [] }
            }
            try lose(examined, isDryRun, &result)
            for (source, reason) in supply.failures.sorted(by: { $0.key < $1.key }) {
                result.lose(source, reason)
            }
            return result
        }
    }

    /// Store paths with what is wrong with them, without those that are whole.
    private func pair(
        _ packages: [Package], _ progress: any Progress
    ) throws -> [(Package, Examined)] {
        try zip(packages, examine(packages, progress: progress)).compactMap { package, found in
            switch found {
            case .success(let found):
                let isFiled = try isRegistrationWhole(of: package)
                return found.problems.isEmpty && isFiled ? nil : (package, found)
            case .failure(let error):
                // Collected meanwhile; or its manifest is gone.
                guard try self.package(baseName: package.baseName) != nil else { return nil }
                let manifest = StoreLayout.Name.manifests + "/" + package.baseName
                guard try root.status(of: manifest) == nil else { throw error }
                return (
                    package, Examined(manifest: [Problem(path: StoreLayout.Name.listing, kind: .missing)])
                )
            }
        }
    }

    /// Names what is wrong still, unless it was said why.
    private func lose(
        _ examined: [(Package, Examined)], _ isDryRun: Bool, _ result: inout RepairResult
    ) throws {
        guard !isDryRun else { return }
        let known = Set(result.lost.map(\.path))
        for (package, found) in examined {
            for problem in found.manifest where problem.kind != .alias {
                let path = [StoreLayout.Name.manifests, package.baseName, problem.path].joined(separator: "/")
                if !known.contains(path) { result.lose(path, problem.kind.rawValue) }
            }
            for problem in found.tree {
                let path = [StoreLayout.Name.store, package.baseName, problem.path.description].joined(
                    separator: "/")
                if !known.contains(path) { result.lose(path, problem.kind.rawValue) }
            }
        }
    }

    // MARK: - Trees

    private func repairTree(
        of package: Package, _ problems: [TreeProblem], _ supply: ContentSupply, _ area: Descriptor,
        _ isDryRun: Bool, _ result: inout RepairResult
    ) throws {
        guard !problems.isEmpty else { return }
        let base = package.baseName
        let manifest = try root.directory(beneath: StoreLayout.Name.manifests + "/" + base)
        var ignored: [Problem] = []
        guard let listing = try Self.listing(of: package, in: manifest, &ignored) else { return }
        let entries = try TreeListing.parse(listing)
        let trees = try root.directory(beneath: StoreLayout.Name.store)
        var problems = problems
        if problems.contains(TreeProblem(path: .root, kind: .missing)) {
            result.note(StoreLayout.Name.store + "/" + base, "made again: a directory")
            guard !isDryRun else { return }
            if try trees.status(of: base) != nil { try trees.rename(base, to: area, as: "other-\(base)") }
            try trees.makeDirectory(base, mode: 0o755, existing: false)
            problems = entries.filter { $0.path.parent?.bytes.isEmpty == true }.map {
                TreeProblem(path: $0.path, kind: .missing)
            }
        }
        var repair = TreeRepair(
            base, top: try trees.directory(beneath: base), entries: entries, supply: supply, area: area,
            isDryRun: isDryRun)
        for problem in problems { try repair.mend(problem) }
        if problems.contains(where: { $0.path.parent?.bytes.isEmpty == true }) {
            // The top of a tree that was made again has its owner's permission to write, still.
            try repair.mend(TreeProblem(path: .root, kind: .mode), isNoted: false)
        }
        result.merge(repair.result)
    }

    /// Files of other store paths that share the contents of damaged ones: they are as damaged.
    ///
    /// They come before those that were asked for: a repair that was cut off finds its own damage again, and so ends this.
    private func sharing(_ examined: [(Package, Examined)]) throws -> [(Package, [TreeProblem])] {
        var inodes: [ObjectKey: Set<Inode>] = [:]
        for (package, found) in examined {
            let damaged = Set(found.tree.filter { $0.kind == .content || $0.kind == .unreadable }.map(\.path))
            guard !damaged.isEmpty else { continue }
            for (entry, inode) in try files(of: package, where: { damaged.contains($0.path) }) {
                entry.objectKey.map { _ = inodes[$0, default: []].insert(inode) }
            }
        }
        guard !inodes.isEmpty else { return [] }
        let fingerprints = Set(inodes.keys.map(\.fingerprint))
        var rows: Set<Int> = []
        var noted: Set<Int> = []
        try forEachObjectUses { row, bytes in
            noted.insert(row)
            ObjectUses.forEach(in: bytes) { if fingerprints.contains($0.fingerprint) { rows.insert(row) } }
        }
        let chosen = Set(examined.map(\.0.baseName))
        return try packages().compactMap { package -> (Package, [TreeProblem])? in
            guard !chosen.contains(package.baseName),
                let row = try registration(of: package.baseName, readsFile: false)?.number,
                rows.contains(row) || !noted.contains(row)
            else { return nil }
            // One whose listing cannot be read is for a repair of its own.
            let found = (try? files(of: package) { $0.objectKey.map { inodes[$0] != nil } ?? false }) ?? []
            let problems = found.filter { entry, inode in
                entry.objectKey.map { inodes[$0]?.contains(inode) ?? false } ?? false
            }
            return problems.isEmpty
                ? nil : (package, problems.map { TreeProblem(path: $0.0.path, kind: .content) })
        }
    }

    /// Store paths that have objects which others have lost.
    private func holders(_ examined: [(Package, Examined)]) throws -> [String] {
        var fingerprints: Set<UInt64> = []
        for (package, found) in examined where !found.tree.isEmpty {
            let lost = Set(found.tree.map(\.path))
            let manifest = try root.directory(beneath: StoreLayout.Name.manifests + "/" + package.baseName)
            var ignored: [Problem] = []
            guard let listing = try Self.listing(of: package, in: manifest, &ignored) else { continue }
            for entry in try TreeListing.parse(listing) {
                guard let key = entry.objectKey else { continue }
                var path: TreePath? = entry.path
                while let place = path, !lost.contains(place) { path = place.parent }
                if path != nil { fingerprints.insert(key.fingerprint) }
            }
        }
        guard !fingerprints.isEmpty else { return [] }
        var rows: Set<Int> = []
        try forEachObjectUses { row, bytes in
            ObjectUses.forEach(in: bytes) { if fingerprints.contains($0.fingerprint) { rows.insert(row) } }
        }
        let damaged = Set(examined.map(\.0.baseName))
        return try rows.sorted().flatMap { row in
            try database.query("SELECT base_name FROM package WHERE id = ?", [.integer(row)]) { $0.text(0) }
        }.filter { !damaged.contains($0) }
    }

    /// Files of a store path, with what is there.
    private func files(
        of package: Package, where isWanted: (ListedEntry) -> Bool
    ) throws -> [(ListedEntry, Inode)] {
        let manifest = try root.directory(beneath: StoreLayout.Name.manifests + "/" + package.baseName)
        var ignored: [Problem] = []
        guard let listing = try Self.listing(of: package, in: manifest, &ignored) else { return [] }
        let top = try root.directory(beneath: StoreLayout.Name.store + "/" + package.baseName)
        return try TreeListing.parse(listing).filter(isWanted).compactMap { entry in
            guard let status = try? top.status(of: entry.path.bytes), status.st_mode & S_IFMT == S_IFREG
            else { return nil }
            return (entry, Inode(status))
        }
    }
}

extension ListedEntry {
    /// The object that a file is; `nil` for what is no file, or has no contents.
    var objectKey: ObjectKey? {
        guard case .file(let size, let digest) = kind, size > 0 else { return nil }
        return ObjectKey(digest: digest, mode: mode, attributes: attributes)
    }
}
