public import Files
internal import Glibc
public import StoreLayout

extension Store {
    /// Makes an import part of the store: its files, its manifest, its aliases, then its place in the index.
    ///
    /// A crash at any instant leaves nothing registered that is not whole; an error leaves nothing at all.
    /// Registering what is registered already changes nothing.
    ///
    /// - Parameters:
    ///   - area: Where the contents are.
    ///   - tree: The relocated tree.
    ///   - storePath: Its path.
    ///   - metadata: What is known of it; the listing's digest and the sizes are filled in.
    ///   - sourceListing: The canonical listing of the tree before relocation.
    ///   - report: What relocation did, as JSON; asked for on another thread.
    ///   - source: What was imported, so that importing it again need not read it; `nil` where that has no digest.
    ///   - location: Where the image is, for a repair; `nil` where nobody will find it there.
    ///   - label: The label of each of its paths; `nil` on hosts without labels. Objects of other store paths keep theirs.
    /// - Returns: The metadata as they are kept.
    /// - Throws: ``StoreError/aliasClash(name:owner:)`` before anything is changed, and others.
    @discardableResult
    public func register(
        _ area: ImportArea, tree: Tree, storePath: StorePath, metadata: Metadata,
        sourceListing: SourceListing,
        report: @escaping @Sendable () throws -> Bytes, source: ImportedSource? = nil,
        location: String? = nil, label: Labeller? = nil
    ) throws -> Metadata {
        try withWriterLock(command: "import of \(storePath.baseName)") {
            if try contains(storePath) { return try self.metadata(of: storePath.baseName) }
            try checkAliases(metadata.aliases, of: storePath.baseName)
            var metadata = metadata
            metadata.storePath = storePath.baseName
            let registration = Registration(
                number: try nextNumber(), registered: Timestamp.now, location: location,
                sources: source.map { [$0] } ?? [])

            try area.directory.makeDirectory("manifest", mode: 0o700, existing: false)
            let nodes = tree.sortedNodes
            let earlier = try earlierManifest(of: metadata)
            let writing = ManifestWriting(
                directory: try area.directory.directory(beneath: "manifest"), earlier: earlier,
                latest: try earlier ?? latestManifest(), nodes: nodes, staging: area.staging,
                sourceListing: sourceListing, report: report, registration: registration)
            let staging = area.staging.directory
            let top = try staging.directory(beneath: Staging.treeName)
            // Others may have registered something since the import began.
            let finder = area.isSharing ? try ObjectFinder(in: root) : nil
            let materializer = Materializer(nodes, staging: area.staging, finder: finder)
            try materializer.settle()
            let manifest = BackgroundTask { [metadata] in try writing.write(metadata) }
            // Nobody may write into a directory that is going to be removed.
            defer { _ = try? manifest.value() }
            try materializer.materialize(in: top)
            if let label {
                var labelling = TreeLabelling(
                    temporary: try temporary(), own: try materializer.newInodes(), label: label)
                try labelling.giveAll(to: Staging.name(of: .root), in: staging)
            }
            let uses: [ObjectUse]
            (metadata, uses) = try manifest.value()
            let objects = materializer.newObjects
            let contents = prepareContents(objects, of: registration.number, in: area.directory)
            try root.synchronizeFileSystem()
            try commit(
                area, top, tree[.root]?.storedMode ?? 0o555, storePath, metadata, registration, uses)
            enterContents(objects, of: registration.number, in: area.directory, contents)
            return metadata
        }
    }

    /// The manifest of the store path of the same name that was registered last: most of it may be the same.
    func earlierManifest(of metadata: Metadata) throws -> Descriptor? {
        let sql = "SELECT base_name FROM package WHERE name = ? AND base_name <> ? ORDER BY id DESC LIMIT 1"
        let name = try database.query(sql, [.text(metadata.name), .text(metadata.storePath)]) {
            $0.text(0)
        }.first
        // One that is damaged is of no use, and no reason to refuse another.
        return name.flatMap { try? root.directory(beneath: StoreLayout.Name.manifests + "/" + $0) }
    }

    /// The manifest of the store path that was registered last.
    private func latestManifest() throws -> Descriptor? {
        let sql = "SELECT base_name FROM package ORDER BY id DESC LIMIT 1"
        let name = try database.query(sql) { $0.text(0) }.first
        // As above.
        return name.flatMap { try? root.directory(beneath: StoreLayout.Name.manifests + "/" + $0) }
    }

    /// The steps that others see, each undone if a later one fails.
    private func commit(
        _ area: ImportArea, _ top: Descriptor, _ mode: UInt16, _ storePath: StorePath, _ metadata: Metadata,
        _ registration: Registration, _ uses: [ObjectUse]
    ) throws {
        let base = storePath.baseName
        let trees = try root.directory(beneath: StoreLayout.Name.store)
        let manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        // Undoing is best effort: the error that made it necessary is the one to report, and what stays is
        // replaced by the next import or swept.
        var undo: [() -> Void] = []
        do {
            try setAside(base, in: manifests, as: "old-manifest", area.directory)
            try area.directory.rename("manifest", to: manifests, as: base)
            undo.append { try? manifests.rename(base, to: area.directory, as: "manifest") }

            // Before the tree: where that is in its place, all of the store path is.
            for alias in metadata.aliases {
                let target = Self.target(of: alias, in: base)
                if try aliases.readSymlink(alias.name) == target { continue }
                // A link that is there belongs to nobody: it was checked.
                try aliases.replaceSymlink(alias.name, target: target, through: area.directory)
                undo.append { try? aliases.unlink(alias.name) }
            }
            try setAside(base, in: trees, as: "old-tree", area.directory)
            try area.staging.directory.rename(Staging.treeName, to: trees, as: base)
            undo.append {
                try? top.setMode(0o755)
                try? trees.rename(base, to: area.staging.directory, as: Staging.treeName)
            }
            // Only now: to move a directory, its owner must be able to write to it.
            try top.setMode(UInt32(mode))

            for directory in [top, trees, manifests, aliases] { try directory.synchronize() }
            // Next to all this it costs nothing.
            database.emptiesLog = true
            try database.transaction {
                try insert(metadata, registration)
                try enter(uses, of: base)
            }
        } catch {
            for step in undo.reversed() { step() }
            throw error
        }
    }

    /// Moves what an interrupted import left at `name` into a directory below `tmp`, or a reference to a lost tree.
    func setAside(
        _ name: String, in directory: Descriptor, as newName: String, _ area: Descriptor
    ) throws {
        guard let status = try directory.status(of: name) else { return }
        if status.st_mode & S_IFMT == S_IFDIR { try directory.directory(beneath: name).setMode(0o755) }
        try directory.rename(name, to: area, as: newName)
    }

    /// Refuses names that are not allowed, and aliases that another registered store path has.
    func checkAliases(_ records: [AliasRecord], of base: String) throws {
        for alias in records {
            let isAllowed = alias.name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
            }
            guard isAllowed, (1...TreePath.longestComponent).contains(alias.name.utf8.count),
                (try? TreePath(parsing: alias.target.utf8)) != nil
            else { throw StoreError.invalidExposure(package: base, what: "alias \(alias.name)") }
            if let owner = try aliasOwner(alias.name), owner != base {
                throw StoreError.aliasClash(name: alias.name, owner: owner)
            }
        }
    }

    static func target(of alias: AliasRecord, in baseName: String) -> Bytes {
        let path = StoreLayout.storeDirectory + "/" + baseName
        return Array((alias.target.isEmpty ? path : path + "/" + alias.target).utf8)
    }

    /// Enters a store path into the index, in place of an older entry of it.
    func insert(_ metadata: Metadata, _ registration: Registration) throws {
        let sql = """
            INSERT INTO package (id, base_name, name, version, architecture, tree, listing, alias_salt, size,
                file_count, source, source_digest, summary, registered, location)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        try database.run("DELETE FROM package WHERE base_name = ?", [.text(metadata.storePath)])
        let values: [DatabaseValue] = [
            .integer(registration.number), .text(metadata.storePath), .text(metadata.name),
            .text(metadata.version),
            .text(metadata.architecture.rawValue), .text(metadata.tree), .text(metadata.listingDigest),
            .integer(metadata.aliasSalt), .integer(metadata.size), .integer(metadata.fileCount),
            .text(metadata.source), .optional(metadata.sourceDigest), .optional(metadata.summary),
            .integer(registration.registered), .optional(registration.location),
        ]
        try database.run(sql, values)
        for alias in metadata.aliases {
            try database.run(
                "INSERT INTO alias (name, package, target) VALUES (?, ?, ?)",
                [.text(alias.name), .integer(registration.number), .text(alias.target)])
        }
        for source in registration.sources { try enter(source, of: registration.number) }
    }

    /// The row that the next registration gets; known before it is in the index, because it is in its file, too.
    func nextNumber() throws -> Int {
        try database.query("SELECT coalesce(max(id), 0) + 1 FROM package") { $0.integer(0) }.first ?? 1
    }
}
