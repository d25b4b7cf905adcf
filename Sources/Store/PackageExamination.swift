internal import Files
internal import Glibc
internal import StoreLayout

/// What the index says of a store path, to be compared with its files.
struct IndexedPackage: Sendable {
    let package: Package
    /// Its row, when it was registered, and its sources.
    let registration: Registration
    let aliases: [AliasRecord]
    /// The objects that it has; `nil` where the next garbage collection notes them.
    let objects: Bytes?
    /// Whether the file of its registration has yet to be written.
    let isUnfiled: Bool
}

/// Compares a registered store path with its manifest and its tree.
struct PackageExamination {
    private(set) var found: [Inconsistency] = []

    private let indexed: IndexedPackage
    private let root: Descriptor
    private let owner: uid_t
    private let contents: ReadContents?

    /// Prepares the comparison.
    ///
    /// - Parameters:
    ///   - contents: What was read of all store paths; `nil` to read no contents.
    init(_ indexed: IndexedPackage, in root: Descriptor, owner: uid_t, contents: ReadContents?) {
        (self.indexed, self.root, self.owner, self.contents) = (indexed, root, owner, contents)
    }

    private var package: Package { indexed.package }
    private var base: String { indexed.package.baseName }

    private mutating func report(
        _ code: String, _ path: String, _ what: String, _ severity: Inconsistency.Severity = .error,
        _ remedy: Inconsistency.Remedy? = nil
    ) {
        found.append(Inconsistency(severity, code, path, what, remedy ?? .repair(base)))
    }

    /// Compares everything.
    mutating func run() throws {
        let place = StoreLayout.Name.manifests + "/" + base
        guard let status = try root.status(of: place), status.st_mode & S_IFMT == S_IFDIR else {
            return report("manifest", place, "the manifest of a registered store path is missing")
        }
        let manifest = try root.directory(beneath: place)
        checkSafety(status, place)
        for name in StoreLayout.manifestFiles {
            guard let status = try manifest.status(of: name), status.st_mode & S_IFMT == S_IFREG else {
                continue
            }
            checkSafety(status, place + "/" + name)
        }
        let extra = Locked<[Inconsistency]>([])
        var examined = Store.Examined()
        let tree = try Store.begin(
            package, in: root, try root.directory(beneath: StoreLayout.Name.aliases), &examined
        ) { [indexed, owner, contents] entry, file, status, buffer in
            let (kind, more) = try Self.compare(
                entry, file, status, buffer, indexed.package.baseName, owner: owner, contents)
            if let more { extra.withLock { $0.append(more) } }
            return kind
        }
        for problem in examined.manifest {
            let isAlias = problem.kind == .alias
            report(
                isAlias ? "alias" : "manifest",
                (isAlias ? StoreLayout.Name.aliases : place) + "/" + problem.path, problem.kind.rawValue)
        }
        for problem in examined.tree { report(problem) }
        if let metadata = try? JSON.metadata(in: manifest),
            metadata.isOf(package)
        {
            compareRows(metadata, at: place)
            compareRegistration(Registration.read(in: manifest), at: place)
        }
        guard let tree else { return }
        for piece in tree.pieces { _ = tree.look(at: piece) }
        for problem in tree.problems { report(problem) }
        found += extra.withLock { $0 }
        try compareObjects(tree.entries, at: place)
    }

    private mutating func report(_ problem: TreeProblem) {
        let path = [StoreLayout.Name.store, base, problem.path.description].joined(separator: "/")
        report("tree", path, problem.kind.rawValue, problem.kind.isDamage ? .error : .note)
    }

    private mutating func checkSafety(_ status: stat, _ path: String) {
        guard status.st_mode & 0o6022 != 0 || status.st_uid != owner else { return }
        report("unsafe", path, Store.unsafe(status, owner), .error, .byHand("chown and chmod it"))
    }

    /// Compares a file of the tree with its entry.
    private static func compare(
        _ entry: ListedEntry, _ file: Descriptor, _ status: stat, _ buffer: UnsafeMutableRawBufferPointer,
        _ base: String, owner: uid_t, _ contents: ReadContents?
    ) throws -> (Problem.Kind?, Inconsistency?) {
        guard case .file(let size, let digest) = entry.kind else { return (nil, nil) }
        if status.st_uid != owner {
            let path = [StoreLayout.Name.store, base, entry.path.description].joined(separator: "/")
            return (
                nil, Inconsistency(.error, "unsafe", path, Store.unsafe(status, owner), .byHand("chown it"))
            )
        }
        guard size > 0, let contents else { return (nil, nil) }
        return (try contents.digest(of: file, status, buffer) == digest ? nil : .content, nil)
    }

    private mutating func compareRegistration(_ file: Registration?, at place: String) {
        guard !indexed.isUnfiled else { return }
        let path = place + "/" + StoreLayout.Name.metadata
        guard let file else {
            return report("manifest", path, "it does not say when and from what it was registered")
        }
        guard !file.isSame(asIndexed: indexed.registration) else { return }
        report(
            "index", path, "the index says something else of the registration", .error, .rebuildIndex)
    }

    private mutating func compareRows(_ metadata: Metadata, at place: String) {
        let isSame =
            metadata.name == package.name && metadata.version == package.version
            && metadata.architecture == package.architecture && metadata.tree == package.tree
            && metadata.aliasSalt == package.aliasSalt && metadata.size == package.size
            && metadata.fileCount == package.fileCount && metadata.source == package.source
            && metadata.sourceDigest == package.sourceDigest && metadata.summary == package.summary
        let path = place + "/" + StoreLayout.Name.metadata
        if !isSame { report("index", path, "the index says something else", .error, .rebuildIndex) }
        if metadata.aliases.sorted(by: { $0.name < $1.name }) != indexed.aliases {
            report("index", path, "the index has other aliases", .error, .rebuildIndex)
        }
    }

    private mutating func compareObjects(_ entries: [ListedEntry], at place: String) throws {
        guard let noted = indexed.objects else { return }
        let uses = ObjectUses.unique(
            entries.lazy.compactMap { entry in
                guard case .file(let size, let digest) = entry.kind else { return nil }
                return (ObjectKey(digest: digest, mode: entry.mode, attributes: entry.attributes), size)
            })
        guard ObjectUses.encode(uses) != noted else { return }
        report(
            "index", place + "/" + StoreLayout.Name.listing, "the index has other objects", .error,
            .rebuildIndex)
    }
}
