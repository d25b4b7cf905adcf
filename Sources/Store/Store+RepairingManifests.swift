internal import Files
internal import Glibc
internal import StoreLayout

/// Manifests and aliases of store paths, put right.
extension Store {
    /// Whether the registration in a manifest is what the index says.
    func isRegistrationWhole(of package: Package) throws -> Bool {
        let place = StoreLayout.Name.manifests + "/" + package.baseName
        guard let manifest = try? root.directory(beneath: place),
            let row = try registration(of: package.baseName, readsFile: false),
            let file = Registration.read(in: manifest)
        else { return false }
        return file.isSame(asIndexed: row)
    }

    /// Puts the manifest and the aliases of a store path right.
    func repairManifest(
        of package: Package, _ supply: ContentSupply, _ isDryRun: Bool, _ result: inout RepairResult
    ) throws {
        let base = package.baseName
        let place = StoreLayout.Name.manifests + "/" + base
        if try root.status(of: place) == nil {
            result.note(place, "made again: a directory")
            if isDryRun { return }
            try root.makeDirectory(place, mode: 0o755)
            try root.directory(beneath: place).setMode(0o755)
        }
        let manifest = try root.directory(beneath: place)
        func put(_ name: String, _ contents: (Bytes, origin: String)?) throws {
            guard let (text, origin) = contents else {
                return result.lose(place + "/" + name, "no source has it")
            }
            result.note(place + "/" + name, "from \(origin)")
            if isDryRun { return }
            try manifest.replaceFile(
                name, contents: text, mode: 0o444, through: temporary(), isDurable: true)
        }
        func isMissing(_ name: String) throws -> Bool { try manifest.status(of: name) == nil }
        /// A listing is put in its place whole, whatever it was before.
        func putListing(_ name: String, _ contents: (Bytes, origin: String)?) throws {
            try put(name, contents)
            guard contents != nil, !isDryRun else { return }
            try ListingFiles.removeDifference(name, in: manifest)
        }
        let name = StoreLayout.Name.listing
        var ignored: [Problem] = []
        var listing = try Self.listing(of: package, in: manifest, &ignored)
        if listing == nil {
            let own = try listingOfTree(package).map { ($0, origin: "the tree itself") }
            let found =
                try own
                ?? supply.manifestFile(name, of: base) { text in
                    Digest(hashing: text).hex == package.listingDigest ? text : nil
                }
            // Before it: the source's may be a difference from it, and is whole again then.
            listing = found?.0
            try putListing(name, found)
        }
        let source = StoreLayout.Name.sourceListing
        let sourceText = try ListingFiles.readWhole(
            source, in: manifest, listing: listing, digest: package.tree
        ).text
        let isSourceWhole = sourceText.map { Digest(hashing: $0).hex } == package.tree
        if !isSourceWhole, let listing, ListingFiles.isSourceListing(package.tree, of: listing) {
            result.note(place + "/" + source, "removed: the other listing says all")
            if !isDryRun { try ListingFiles.remove(source, in: manifest) }
        } else if !isSourceWhole {
            try putListing(
                source,
                supply.manifestFile(source, of: base) { text in
                    Digest(hashing: text).hex == package.tree ? text : nil
                })
        }
        let metadata = StoreLayout.Name.metadata
        let known = try? JSON.metadata(in: manifest)
        let registration = try registration(of: base)
        if known?.isOf(package) != true {
            try put(
                metadata,
                supply.manifestFile(metadata, of: base) {
                    try Self.metadata($0, of: package, registration)
                })
        } else if let registration, try !isRegistrationWhole(of: package) {
            result.note(place + "/" + metadata, "its registration from the index")
            if !isDryRun { try write(registration, of: base) }
        }
        let report = StoreLayout.Name.report
        if try isMissing(report) {
            try put(
                report, supply.manifestFile(report, of: base) { $0.first == UInt8(ascii: "{") ? $0 : nil })
        }
        guard let kept = try? JSON.metadata(in: manifest), kept.isOf(package)
        else {
            return
        }
        try repairAliases(of: kept, isDryRun, &result)
    }

    /// Metadata of another origin as this store keeps them; `nil` for those of another store path.
    private static func metadata(
        _ text: Bytes, of package: Package, _ registration: Registration?
    ) throws -> Bytes? {
        guard var metadata = try? JSON.metadata(text) else { return nil }
        metadata.listingDigest =
            metadata.listingDigest.isEmpty ? package.listingDigest : metadata.listingDigest
        guard metadata.isOf(package) else { return nil }
        // What depends on where it was imported from.
        (metadata.source, metadata.sourceDigest) = (package.source, package.sourceDigest)
        (metadata.size, metadata.fileCount) = (package.size, package.fileCount)
        metadata.summary = package.summary
        return try JSON.encode(RegisteredMetadata(metadata: metadata, registration: registration))
    }

    private func repairAliases(
        of metadata: Metadata, _ isDryRun: Bool, _ result: inout RepairResult
    ) throws {
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        let wrong = Set(Self.problems(ofAliases: metadata, in: aliases).map(\.path))
        for alias in metadata.aliases where wrong.contains(alias.name) {
            let path = StoreLayout.Name.aliases + "/" + alias.name
            if let owner = try aliasOwner(alias.name), owner != metadata.storePath {
                result.lose(path, "it is \(owner)'s")
                continue
            }
            result.note(path, "made again: a link")
            guard !isDryRun else { continue }
            if let status = try aliases.status(of: alias.name), status.st_mode & S_IFMT == S_IFDIR {
                let name = ".alias.\(getpid())"
                try aliases.rename(alias.name, to: temporary(), as: name)
                try temporary().removeTree(name)
            }
            try aliases.replaceSymlink(
                alias.name, target: Self.target(of: alias, in: metadata.storePath), through: temporary())
        }
    }

    /// The listing of a tree as it lies there, if that is the one that was registered; `nil` for any other.
    private func listingOfTree(_ package: Package) throws -> Bytes? {
        let name = StoreLayout.Name.store + "/" + package.baseName
        guard let status = try root.status(of: name), status.st_mode & S_IFMT == S_IFDIR else { return nil }
        var tree = Tree()
        var contents: [(size: Int, digest: Digest)] = []
        let top = try root.directory(beneath: name)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
        defer { buffer.deallocate() }
        let seen = ReadContents()
        var topAttributes: [ExtendedAttribute] = []
        var pending: [(TreePath, Descriptor)] = [(.root, top)]
        do {
            topAttributes = try top.attributes().filter(\.counts)
            while let (path, directory) = pending.popLast() {
                for entry in try directory.list() {
                    guard let status = try directory.status(of: entry.name) else { return nil }
                    let child = path.appending(entry.name)
                    let mode = UInt16(status.st_mode & 0o777)
                    switch status.st_mode & S_IFMT {
                    case S_IFLNK:
                        let target = try directory.readSymlink(entry.name)
                        tree.insert(Tree.Node(kind: .symlink(target: target), mode: 0o777), at: child)
                    case S_IFDIR:
                        let opened = try directory.open(beneath: entry.name, flags: O_RDONLY | O_DIRECTORY)
                        let attributes = try opened.attributes().filter(\.counts)
                        tree.insert(
                            Tree.Node(kind: .directory, mode: mode, attributes: attributes), at: child)
                        pending.append((child, opened))
                    case S_IFREG:
                        let file = try directory.open(beneath: entry.name)
                        contents.append((Int(status.st_size), try seen.digest(of: file, status, buffer)))
                        tree.insert(
                            Tree.Node(
                                kind: .file(ContentID(contents.count - 1)), mode: mode,
                                attributes: try file.attributes().filter(\.counts)), at: child)
                    default: return nil
                    }
                }
            }
        } catch is SystemError {
            return nil
        }
        tree.insert(Tree.Node(kind: .directory, mode: 0o755, attributes: topAttributes), at: .root)
        // As it is registered, nothing has the right to write, the top included.
        let listing = TreeListing.render(tree, mode: \.storedMode) { contents[$0.number] }
        return Digest(hashing: listing).hex == package.listingDigest ? listing : nil
    }
}
