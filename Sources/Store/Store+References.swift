public import Files
internal import Glibc
public import StoreLayout

/// Store paths whose trees are in a base: `store/<base>` is a symbolic link to the tree there, and all else is here.
extension Store {
    /// Where the tree of a store path is, if that is in another store; `nil` where it is in this one, or nowhere.
    public func reference(_ baseName: String) throws -> String? {
        try Self.reference(baseName, in: root)
    }

    /// The same where only the root's descriptor is at hand, as in threads.
    static func reference(_ baseName: String, in root: Descriptor) throws -> String? {
        let name = StoreLayout.Name.store + "/" + baseName
        guard let status = try root.status(of: name), status.st_mode & S_IFMT == S_IFLNK else { return nil }
        return try root.readSymlink(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether there is a tree of that base name, also in a base.
    func isTreeThere(_ baseName: String) throws -> Bool {
        let name = StoreLayout.Name.store + "/" + baseName
        guard let status = try root.status(of: name) else { return false }
        return try status.st_mode & S_IFMT == S_IFLNK ? Self.isReached(reference(baseName)) : true
    }

    private static func isReached(_ place: String?) -> Bool {
        var status = stat()
        return place.map { stat($0, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    /// Those of some store paths whose trees may have something at one of some paths: names are followed, wherever links
    /// lead, and nothing is opened.
    ///
    /// - Parameters:
    ///   - paths: Where caches for desktops are made from files; the same in every call, for what is found is kept.
    ///   - baseNames: The store paths.
    ///   - generation: One of which that is known: it is not asked again.
    /// - Throws: ``StoreError/lostTree(baseName:place:source:)`` where a base does not have a tree.
    public func cacheSources(
        in paths: [TreePath], among baseNames: [String], like generation: Generation?
    ) throws -> Set<String> {
        let hasBases = try !bases().isEmpty
        // What is in a base may be lost at any time, and is always asked for.
        var known = hasBases ? nil : try generation.flatMap(knownCacheSources)
        var found: Set<String> = []
        var name = Array("\(StoreLayout.Name.store)/".utf8)
        let start = name.count
        for baseName in baseNames {
            if known?.packages.take(baseName) == true {
                if known?.sources.contains(baseName) == true { found.insert(baseName) }
                continue
            }
            name.removeSubrange(start...)
            name += baseName.utf8
            name.append(UInt8(ascii: "/"))
            let top = name.count
            let isSource = try paths.contains { path in
                name.removeSubrange(top...)
                name += path.bytes
                return try root.status(of: name) != nil
            }
            if isSource {
                found.insert(baseName)
            } else if hasBases, try !isTreeThere(baseName) {
                _ = try openTree(baseName)
            }
        }
        return found
    }

    /// The packages of a generation, and those of them that caches are made from; `nil` where that was not noted.
    private func knownCacheSources(
        of generation: Generation
    ) throws -> (packages: PackageNameList, sources: Set<String>)? {
        let sql = """
            SELECT base_names, cache_sources FROM generation_list
            WHERE profile = ? AND number = ? AND cache_sources IS NOT NULL
            """
        let key: [DatabaseValue] = [.text(generation.profile.text), .integer(generation.number)]
        guard
            let (packages, sources) = try database.query(sql, key, { (Bytes($0.bytes(0)), $0.text(1)) }).first
        else { return nil }
        return (
            PackageNameList(packages),
            sources == Self.jsonList([])
                ? []
                : Set(
                    try database.query("SELECT value FROM json_each(?)", [.text(sources)]) { $0.text(0) })
        )
    }

    /// Opens the tree of a base name that is registered or was.
    func openTree(_ baseName: String) throws -> Descriptor {
        if let tree = try Self.openTree(baseName, in: root) { return tree }
        throw StoreError.lostTree(
            baseName: baseName, place: try reference(baseName) ?? "",
            source: try package(baseName: baseName)?.source ?? baseName)
    }

    /// Opens the tree of a base name, here or in a base; `nil` where the base does not have it.
    static func openTree(_ baseName: String, in root: Descriptor) throws -> Descriptor? {
        do {
            return try root.directory(beneath: StoreLayout.Name.store + "/" + baseName)
        } catch let error as SystemError where [ELOOP, ENOTDIR].contains(error.code) {
            // Nearly all are here.
            guard let place = try reference(baseName, in: root) else { throw error }
            return isReached(place) ? try Descriptor.directory(place) : nil
        }
    }

    /// Base names of all store paths that are in other stores, with where they are, sorted.
    public func references() throws -> [(baseName: String, place: String)] {
        try root.directory(beneath: StoreLayout.Name.store).list().filter {
            $0.type == UInt8(DT_LNK) && StorePath.isBaseName($0.text)
        }.compactMap { entry in try reference(entry.text).map { (entry.text, $0) } }
    }

    /// Base names of those that are in a base, sorted.
    public func references(to base: StoreBase) throws -> [String] {
        let place = Self.place("", in: base)
        return try references().filter { $0.place.hasPrefix(place) }.map(\.baseName)
    }

    /// References whose tree is not there.
    public func lostReferences() throws -> [(baseName: String, place: String)] {
        try references().filter { !Self.isReached($0.place) }
    }

    private static func place(_ baseName: String, in base: StoreBase) -> String {
        [base.path, StoreLayout.Name.store, baseName].joined(separator: "/")
    }

    /// Makes a store path of a base one of this store, without copying its files.
    ///
    /// What it consists of is as in ``register(_:tree:storePath:metadata:sourceListing:report:label:)``, in the same order.
    ///
    /// - Parameters:
    ///   - baseName: The base name of the store path.
    ///   - entry: The base.
    ///   - base: The same, open.
    /// - Returns: Its metadata, and whether the base will keep it; `nil` if it is not there, or one of its aliases is taken
    ///   here: then it has to be imported.
    public func refer(
        to baseName: String, in entry: StoreBase, _ base: Store
    ) throws -> (metadata: Metadata, registration: BaseRegistration)? {
        try withWriterLock(command: "reference to \(baseName)") {
            // First of all: a collection there that has not seen it looks once more, after it moved the tree aside.
            let registration = registerRoots(in: entry, adding: [baseName])
            guard let package = try base.package(baseName: baseName), try base.isTreeThere(baseName) else {
                registerRoots(in: entry)
                return nil
            }
            let metadata = try base.metadata(of: baseName)
            guard metadata.storePath == baseName, metadata.listingDigest == package.listingDigest,
                metadata.identity.map({ StorePath($0).baseName }) == baseName
            else {
                throw StoreError.damagedDescription(
                    path: base.root.path(of: StoreLayout.Name.manifests + "/" + baseName),
                    reason: "it is not of this store path")
            }
            do {
                try checkAliases(metadata.aliases, of: baseName)
            } catch StoreError.aliasClash {
                registerRoots(in: entry)
                return nil
            }
            try commit(metadata, of: base, tree: Self.place(baseName, in: entry))
            return (metadata, registration)
        }
    }

    private func commit(_ metadata: Metadata, of base: Store, tree: String) throws {
        let baseName = metadata.storePath
        let temporary = try temporary()
        let (name, area) = try temporary.makeHeldDirectory()
        // Swept by the next writer if it cannot be removed now.
        defer { try? temporary.removeTree(name) }
        let source = try base.manifest(of: baseName)
        try area.makeDirectory("manifest", mode: 0o700, existing: false)
        let manifest = try area.directory(beneath: "manifest")
        let listing = try ListingFiles.readPresent(StoreLayout.Name.listing, in: source)
        let sourceListing = try ListingFiles.readPresent(
            StoreLayout.Name.sourceListing, in: source, listing: listing, digest: metadata.tree)
        try ListingFiles.write(
            listing.withUnsafeBytes, source: sourceListing.withUnsafeBytes, in: manifest,
            earlier: earlierManifest(of: metadata))
        let registration = Registration(number: try nextNumber(), registered: Timestamp.now)
        try ListingFiles.write(
            StoreLayout.Name.metadata,
            JSON.encode(RegisteredMetadata(metadata: metadata, registration: registration)), in: manifest)
        let report = try manifest.open(
            beneath: StoreLayout.Name.report, flags: O_WRONLY | O_CREAT | O_EXCL)
        try report.copyContents(of: source.open(beneath: StoreLayout.Name.report))
        try report.setMode(0o444)
        try manifest.setMode(0o755)
        try area.makeSymlink("tree", target: tree.utf8)
        try root.synchronizeFileSystem()

        let trees = try root.directory(beneath: StoreLayout.Name.store)
        let manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        try setAside(baseName, in: manifests, as: "old-manifest", area)
        try area.rename("manifest", to: manifests, as: baseName)
        var made: [String] = []
        do {
            for alias in metadata.aliases {
                let target = Self.target(of: alias, in: baseName)
                if try aliases.readSymlink(alias.name) == target { continue }
                try aliases.replaceSymlink(alias.name, target: target, through: area)
                made.append(alias.name)
            }
            try setAside(baseName, in: trees, as: "old-tree", area)
            try area.rename("tree", to: trees, as: baseName)
            for directory in [trees, manifests, aliases] { try directory.synchronize() }
            try database.transaction {
                try insert(metadata, registration)
                // Its objects are the base's: nothing is freed here when it goes.
                try enter([], of: baseName)
            }
            enterContents([], of: registration.number, in: area)
        } catch {
            // The first error is the one to report; what stays is replaced by the next import, or collected.
            try? trees.unlink(baseName)
            for alias in made { try? aliases.unlink(alias) }
            try? manifests.rename(baseName, to: area, as: "manifest")
            throw error
        }
    }

    /// Leads references whose tree is gone to a base that has the same one.
    func findAgain(in entry: StoreBase, _ base: Store) throws -> Int {
        let lost = try lostReferences().map(\.baseName).filter { baseName in
            try base.package(baseName: baseName).map(\.listingDigest)
                == package(baseName: baseName)?.listingDigest
                && base.isTreeThere(baseName)
        }
        guard !lost.isEmpty else { return 0 }
        registerRoots(in: entry, adding: lost)
        let trees = try root.directory(beneath: StoreLayout.Name.store)
        for baseName in lost {
            try trees.replaceSymlink(
                baseName, target: Self.place(baseName, in: entry).utf8, through: temporary())
        }
        try trees.synchronize()
        return lost.count
    }
}

/// Base names of a generation's packages, as the index has them, beside those of another one in the same order.
private struct PackageNameList {
    /// What ``Store/jsonList(_:)`` made.
    private let list: Bytes
    /// Where the next name begins, with its quotation mark.
    private var place = 1

    /// Names that are passed over for one that is asked for: what has gone.
    private static let mostGone = 8

    init(_ list: Bytes) { self.list = list }

    /// Whether a name is the next, or one of the next; then those before it are not asked for any more.
    ///
    /// - Returns: `false` for one that comes elsewhere, too.
    mutating func take(_ name: String) -> Bool {
        let quotation = UInt8(ascii: "\"")
        return list.withUnsafeBytes { list in
            var start = place
            for _ in 0..<Self.mostGone {
                guard start < list.count, list[start] == quotation, let all = list.baseAddress,
                    let end = memchr(all + start + 1, Int32(quotation), list.count - start - 1)
                else { return false }
                let found = UnsafeRawBufferPointer(
                    rebasing: list[(start + 1)..<(UnsafeRawPointer(end) - all)])
                // The mark, and a comma.
                start += found.count + 3
                if found.equals(name) {
                    place = start
                    return true
                }
            }
            return false
        }
    }
}
