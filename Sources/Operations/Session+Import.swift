internal import Files
private import FoundationEssentials
public import Images
internal import Relocation
internal import Store
public import StoreLayout

/// What the user says about an image.
public struct ImportOptions: Sendable {
    /// The package's name; `nil` to take it from the image.
    public var name: PackageName?
    /// The package's version; `nil` to take it from the image.
    public var version: PackageVersion?
    /// The architecture wanted; `nil` for the host's.
    public var platform: Architecture?
    /// Commands to show; empty to choose.
    public var expose: [String]
    /// Whether a package is refused in which something severe was left or is missing.
    public var isStrict: Bool
    /// Bytes that stay free on the store's file system.
    public var minimumFree: Int
    /// Whether extensions of remotes are taken that are for other hosts.
    public var ignoresHost = false
    /// The root directory of the host that extensions of remotes have to be for.
    var host = "/"
    /// Whether what packages of distributions recommend is installed with them.
    public var hasRecommended = false
    /// How the packages of a distribution were chosen; `nil` where the user did.
    var resolution: ResolutionRecord?
    /// How large the image may be.
    public var limits: ImageLimits
    /// What is said of packages of distributions.
    public var packages = PackageOptions()

    /// Creates options.
    public init(
        name: PackageName? = nil, version: PackageVersion? = nil, platform: Architecture? = nil,
        expose: [String] = [], isStrict: Bool = false, minimumFree: Int = 0,
        limits: ImageLimits = ImageLimits()
    ) {
        self.name = name
        self.version = version
        self.platform = platform
        self.expose = expose
        self.isStrict = isStrict
        self.minimumFree = minimumFree
        self.limits = limits
    }
}

/// What an import came to.
public struct ImportResult: Encodable, Sendable {
    /// What the store knows of the package.
    public let metadata: Metadata
    /// Whether it was in the store before.
    public let wasKnown: Bool
}

/// An image that was unpacked into the store's temporary directory.
///
/// Contents that equal objects of the store are not copied to the staging area but read from there.
struct UnpackedTree {
    let area: ImportArea
    let tree: Tree
    let sortedNodes: Tree.SortedNodes
    let listing: SourceListing
    let identity: StorePath.Identity
    let source: String
    var facts: ImageFacts
    let packages: [ImagePackage]?
    /// The user's hints that say something of it.
    let hints: [Hint]
    /// The packages of distributions that it was made from, and what was done with them.
    var merged: UnpackedPackages?
    /// The package that it holds, if it is an extension that sxs exported.
    var exported: ExportedPackage?
}

extension Session {
    /// How often an image is relocated anew because an alias is taken.
    private static let saltLimit = 16

    /// Imports an image into the store: read, hashed, relocated, registered.
    ///
    /// No profile changes.
    public func importImage(_ source: String, options: ImportOptions) throws -> ImportResult {
        // Before the store, which is made where there is none.
        let image = try open(source, options: options)
        return try importImage(image, from: source, options: options, into: openStoreForWriting())
    }

    /// Opens an image for the platform that is wanted.
    func open(_ source: String, options: ImportOptions) throws -> Image {
        try Image.open(ImageReference(parsing: source), platform: options.platform, limits: options.limits)
    }

    /// Imports an image that is open.
    ///
    /// - Parameters:
    ///   - lease: Keeps the package from garbage collection from the moment that it is registered.
    ///   - accept: Asked before a new package is registered; what it throws stops that.
    func importImage(
        _ image: Image, from source: String, options: ImportOptions, into store: Store, lease: Lease? = nil,
        accept: (Metadata) throws -> Void = { _ in }
    ) throws -> ImportResult {
        let hints = try options.packages.hints + userHints(in: store)
        // A file's name may be all that says what is in it.
        let named = options.named(like: image)
        let recognition = try FileRecognition(image, in: store, isRead: true)
        var key = importKey(of: image, options: named, hints: hints)
        // False where garbage collection has taken it away this moment.
        let isKept = { (package: Metadata) in
            guard let lease else { return true }
            return try asWriter(of: store) { try store.keep(package.storePath, by: lease) }
        }
        if let known = try knownImport(key, options: options, in: store), try isKept(known.metadata) {
            try checkSoundness(of: known.metadata, options: options, in: store)
            recognition?.remember(in: store)
            return known
        }
        if let shared = try knownImportOfBase(key, options: options, in: store, accept: accept),
            try isKept(shared.metadata)
        {
            return shared
        }
        // Rather than after all that does fit was written.
        try store.checkRoom(for: source, minimumFree: options.minimumFree) {
            try image.expectedSize(above: $0)
        }
        var unpacked = try unpack(image, source: source, options: options, hints: hints, into: store)
        // What cannot be removed now is swept by the next writer.
        defer { try? unpacked.area.discard() }
        try recognition?.finish()
        unpacked.facts.digest = image.facts.digest
        key = importKey(of: image, options: named, hints: hints)
        let result: ImportResult
        if let exported = unpacked.exported {
            // Relocated already: its files name its own store path.
            if try !store.contains(exported.storePath),
                let shared = try referred(to: [exported.storePath.baseName], in: store, accept: accept),
                try isKept(shared)
            {
                return ImportResult(metadata: shared, wasKnown: true)
            }
            let isKnown = try store.contains(exported.storePath)
            if !isKnown { try accept(exported.metadata) }
            let metadata = try asWriter(of: store) {
                let metadata = try register(exported, unpacked.area, from: source, in: store)
                if let lease { _ = try store.keep(metadata.storePath, by: lease) }
                if let key { try store.record(key, gave: metadata.storePath) }
                return metadata
            }
            try checkSoundness(of: metadata, options: options, in: store)
            recognition?.remember(in: store)
            return ImportResult(metadata: metadata, wasKnown: isKnown)
        }
        if let known = try registered(unpacked.identity, in: store), try isKept(known) {
            try checkSoundness(of: known, options: options, in: store)
            result = ImportResult(metadata: known, wasKnown: true)
        } else if let shared = try referred(
            to: (0..<Self.saltLimit).map { StorePath(unpacked.identity.salted($0)).baseName }, in: store,
            accept: accept), try isKept(shared)
        {
            try checkSoundness(of: shared, options: options, in: store)
            result = ImportResult(metadata: shared, wasKnown: true)
        } else {
            let relocated = try relocate(unpacked, in: store)
            if let merged = unpacked.merged {
                try Self.checkSlimming(
                    merged.slimmed, relocated.report, kinds: merged.finishing.slimming?.kinds ?? [])
            }
            try checkSoundness(relocated.report, of: unpacked.identity.name.text, options: options)
            let metadata = try register(
                unpacked, relocated, options: options, in: store, key: key, lease: lease, accept: accept)
            result = ImportResult(metadata: metadata, wasKnown: false)
        }
        // Again, if another import of the same was faster.
        if let key, try store.package(from: key) != result.metadata.storePath {
            try asWriter(of: store) { try store.record(key, gave: result.metadata.storePath) }
        }
        recognition?.remember(in: store)
        return result
    }

    /// Where an image is, as it could be typed in any directory; `nil` for what is no path.
    static func location(of source: String) -> String? {
        guard !source.contains("://"), let reference = try? ImageReference(parsing: source),
            let path = try? absolutePath(reference.path)
        else { return nil }
        return ImageReference(path: path, format: reference.format, name: reference.name).description
    }

    /// Throws, where the options are strict, if a package of the store has something severe in its report.
    func checkSoundness(of package: Metadata, options: ImportOptions, in store: Store) throws {
        guard options.isStrict else { return }
        try checkSoundness(
            relocationReport(of: package, in: store), of: package.name, options: options)
    }

    /// Throws, where the options are strict, if something severe was left or is missing.
    private func checkSoundness(
        _ report: RelocationReport, of name: String, options: ImportOptions
    ) throws {
        let files = report.severeFiles
        guard options.isStrict, let file = files.first else { return }
        let finding = file.findings.sorted { $0.key.rawValue < $1.key.rawValue }.first { !$0.value.isEmpty }
        let left = file.left.first { $0.severity == .severe }
        let problem =
            finding.map { "\($0.key.rawValue): \($0.value.joined(separator: ", "))" }
            ?? left.map { "\($0.reason.rawValue): \($0.path)" } ?? ""
        throw OperationError.unsound(
            name, file: file.path, problem: problem, others: files.count - 1)
    }

    /// What the index calls an import: the manifest's digest and what the user said; `nil` without a digest.
    private func importKey(of image: Image, options: ImportOptions, hints: [Hint]) -> ImportedSource? {
        let digest = image.packages.map { Self.key(of: $0, options: options) } ?? image.facts.digest
        return digest.map { importKey(of: $0, options: options, hints: hints) }
    }

    /// What the index calls an import of a digest.
    func importKey(of digest: Digest, options: ImportOptions, hints: [Hint]) -> ImportedSource {
        ImportedSource(
            digest: digest.hex, name: options.name?.text, version: options.version?.text,
            architecture: options.platform?.rawValue,
            hints: hints.isEmpty ? nil : Digest(hashing: hints.flatMap(\.digest.bytes)).hex)
    }

    /// The import of the same manifest under the same name, without reading a layer.
    private func knownImport(
        _ key: ImportedSource?, options: ImportOptions, in store: Store
    ) throws -> ImportResult? {
        guard options.expose.isEmpty, let key, let baseName = try store.package(from: key),
            // In a base that is gone it is imported again.
            try store.has(baseName)
        else { return nil }
        return ImportResult(metadata: try store.metadata(of: baseName), wasKnown: true)
    }

    /// The store path of an identity, under any salt it was relocated with.
    private func registered(_ identity: StorePath.Identity, in store: Store) throws -> Metadata? {
        for salt in 0..<Self.saltLimit {
            let path = StorePath(identity.salted(salt))
            if try store.contains(path) { return try store.metadata(of: path.baseName) }
        }
        return nil
    }

    /// Reads the image into a tree, and finds out what it is.
    ///
    /// - Parameter isSharing: Whether contents that the store has are taken from there.
    func unpack(
        _ image: Image, source: String, options: ImportOptions, hints: [Hint], into store: Store,
        isSharing: Bool = true
    ) throws -> UnpackedTree {
        let area = try store.makeImport(minimumFree: options.minimumFree, isSharing: isSharing)
        do {
            if options.packages.runsScripts, image.packages == nil { throw PackageError.noScripts(source) }
            let merged = try image.packages.map { try unpack(image, $0, options: options, into: area) }
            if merged == nil { try image.read(into: area.builder, progress: progress) }
            let facts = image.packages.map { Self.facts(of: image, $0, options: options) } ?? image.facts
            let tree = area.builder.tree
            if merged == nil,
                let exported = try ExportedPackage(in: source, tree: tree, staging: area.staging)
            {
                try check(exported, source: source, options: options)
                return UnpackedTree(
                    area: area, tree: exported.tree, sortedNodes: exported.tree.sortedNodes,
                    listing: SourceListing(exported.sourceListing),
                    identity: exported.identity, source: source, facts: image.facts, packages: nil, hints: [],
                    exported: exported)
            }
            let read = { (path: TreePath) -> Bytes? in
                guard let place = tree.resolve(path.bytes), case .file(let id) = tree[place]?.kind else {
                    return nil
                }
                return try area.staging.open(id).readAll()
            }
            let packages = try merged?.packages ?? PackageDatabase.packages(in: tree, read: read)
            let sortedNodes = tree.sortedNodes
            let listing = SourceListing(sortedNodes, area.staging)
            let identity = try identify(
                tree, area: area, listing: listing, facts: facts, packages: packages,
                source: source, options: options)
            for (omission, count) in area.builder.omissions.sorted(by: { $0.key.rawValue < $1.key.rawValue })
            {
                note("\(identity.name): left out \(omission.text(count: count))")
            }
            if let merged {
                if let slimming = merged.finishing.slimming {
                    note("\(identity.name): slimmed: \(slimming.text)")
                }
                noteScripts(merged.finishing, of: identity.name.text)
            }
            let files = TreeFiles(tree)
            let applied = hints.filter { $0.applies(to: identity.name, with: files) }
            return UnpackedTree(
                area: area, tree: tree, sortedNodes: sortedNodes, listing: listing,
                identity: identity.with(hints: applied.map(\.digest)), source: source, facts: facts,
                packages: packages, hints: applied, merged: merged)
        } catch {
            // What cannot be removed now is swept by the next writer; the first error is the one to report.
            try? area.discard()
            switch error {
            case let error as StoreError where error.isAboutImage:
                throw OperationError.badImage(source, reason: error.description)
            case let error as PathError: throw OperationError.badImage(source, reason: error.description)
            default: throw error
            }
        }
    }

    /// Throws if an exported package is not what was asked for.
    private func check(_ exported: ExportedPackage, source: String, options: ImportOptions) throws {
        let metadata = exported.metadata
        guard options.name.map({ $0.text == metadata.name }) ?? true,
            options.version.map({ $0.text == metadata.version }) ?? true
        else { throw ExportError.named(source, storePath: exported.storePath.path) }
        let wanted = options.platform ?? .host
        guard [.any, wanted].contains(metadata.architecture) else {
            throw OperationError.otherArchitecture(
                source, image: metadata.architecture.rawValue, wanted: wanted.rawValue)
        }
    }

    /// What is known of a package that was relocated.
    func metadata(
        of unpacked: UnpackedTree, _ relocated: RelocatedTree, options: ImportOptions
    ) throws -> Metadata {
        var finder = ExposureFinder(
            tree: unpacked.tree, packages: unpacked.packages,
            isWholeSystem: relocated.report.loader != nil, needsSetup: false,
            entrypoint: unpacked.facts.entrypoint + unpacked.facts.command)
        finder.wanted = options.packages.wanted
        finder.isOfPackages = unpacked.merged != nil
        let (seeds, rules) = launchRules(
            unpacked.hints + Hint.builtIn, tree: unpacked.tree, commands: finder.commandPaths)
        finder.needsSetup = !seeds.isEmpty || !rules.isEmpty
        let identity = unpacked.identity.salted(
            (0..<Self.saltLimit).first { StorePath(unpacked.identity.salted($0)) == relocated.storePath } ?? 0
        )
        var metadata = Metadata(
            storePath: relocated.storePath, identity: identity, source: unpacked.source,
            sourceDigest: unpacked.facts.digest?.hex,
            summary: unpacked.facts.summary ?? finder.mainPackage(identity.name.text)?.summary,
            entrypoint: unpacked.facts.entrypoint,
            exposure: try finder.exposure(for: identity.name.text, wanted: options.expose),
            aliases: relocated.aliases.map { AliasRecord(name: $0.name, target: "\($0.target)") },
            launch: LaunchFacts(
                searchPath: finder.searchPath.map { "\($0)" }, dataPath: finder.dataPath.map { "\($0)" },
                seeds: seeds.map { "\($0)" }, rules: rules),
            omissions: Dictionary(
                unpacked.area.builder.omissions.map { ($0.key.rawValue, $0.value) }, uniquingKeysWith: +),
            hints: unpacked.hints.map { HintRecord(name: $0.name.text, digest: $0.digest.hex) })
        metadata.packages = unpacked.merged?.records
        metadata.resolution = options.resolution
        metadata.finishing = unpacked.merged?.finishing
        return metadata
    }

    /// What relocation did.
    func report(of unpacked: UnpackedTree, _ relocated: RelocatedTree) -> RelocationReport {
        var relocation = relocated.report
        relocation.dropped = Dictionary(
            uniqueKeysWithValues: unpacked.area.builder.stripped.map { omission, paths in
                (omission.rawValue, paths.map { "\($0)" })
            })
        return relocation
    }

    /// Relocates, with another salt each time an alias is taken by another store path of this store.
    private func relocate(_ unpacked: UnpackedTree, in store: Store) throws -> RelocatedTree {
        for salt in 0..<Self.saltLimit {
            let storePath = StorePath(unpacked.identity.salted(salt))
            do {
                return try Relocator.relocate(
                    unpacked.tree, sortedNodes: unpacked.sortedNodes, staging: unpacked.area.staging,
                    to: storePath, progress: progress, hints: unpacked.hints + Hint.builtIn,
                    isTaken: { alias in
                        let owner = try store.aliasOwner(alias.name)
                        return owner != nil && owner != storePath.baseName
                    })
            } catch is AliasTaken {
                continue
            }
        }
        throw OperationError.aliasesTaken(unpacked.identity.name.text)
    }

    /// Makes the relocated tree part of the store.
    private func register(
        _ unpacked: UnpackedTree, _ relocated: RelocatedTree, options: ImportOptions, in store: Store,
        key: ImportedSource?, lease: Lease?, accept: (Metadata) throws -> Void
    ) throws -> Metadata {
        let metadata = try self.metadata(of: unpacked, relocated, options: options)
        try accept(metadata)
        let report = report(of: unpacked, relocated)
        return try asWriter(of: store) {
            let metadata = try store.register(
                unpacked.area, tree: relocated.tree, storePath: relocated.storePath, metadata: metadata,
                sourceListing: unpacked.listing, report: { try report.encoded() }, source: key,
                // Several files are no place to go back to.
                location: unpacked.merged.map { $0.records.count == 1 } == false
                    ? nil : Self.location(of: unpacked.source),
                label: labeller(for: relocated.storePath, tree: relocated.tree, in: store))
            if let lease { _ = try store.keep(metadata.storePath, by: lease) }
            return metadata
        }
    }
}

extension StorePath.Identity {
    /// The same with another alias salt.
    func salted(_ salt: Int) -> StorePath.Identity {
        StorePath.Identity(
            tree: tree, name: name, version: version, architecture: architecture, recipe: recipe,
            hints: hints,
            aliasSalt: salt)
    }

    /// The same with digests of hints.
    func with(hints: [Digest]) -> StorePath.Identity {
        StorePath.Identity(
            tree: tree, name: name, version: version, architecture: architecture, recipe: recipe,
            hints: hints,
            aliasSalt: aliasSalt)
    }
}

extension RelocationReport {
    /// The report as JSON, as a manifest has it.
    func encoded() throws -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }
}
