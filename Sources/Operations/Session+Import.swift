internal import ELF
internal import Files
private import FoundationEssentials
internal import Images
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

    /// Creates options.
    public init(
        name: PackageName? = nil, version: PackageVersion? = nil, platform: Architecture? = nil,
        expose: [String] = []
    ) {
        self.name = name
        self.version = version
        self.platform = platform
        self.expose = expose
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
struct UnpackedTree {
    let area: ImportArea
    let tree: Tree
    let listing: Bytes
    let identity: StorePath.Identity
    let source: String
    let facts: ImageFacts
    let packages: [ImagePackage]?
}

extension Session {
    /// How often an image is relocated anew because an alias is taken.
    private static let saltLimit = 16

    /// Imports an image into the store: read, hashed, relocated, registered. No profile changes.
    public func importImage(_ source: String, options: ImportOptions) throws -> ImportResult {
        try importImage(source, options: options, into: openStoreForWriting())
    }

    func importImage(_ source: String, options: ImportOptions, into store: Store) throws -> ImportResult {
        let image = try Image.open(ImageReference(parsing: source), platform: options.platform)
        if let known = try knownImport(of: image, options: options, in: store) { return known }
        let unpacked = try unpack(image, source: source, options: options, into: store)
        defer { unpacked.area.discard() }
        if let known = try store.package(baseName: StorePath(unpacked.identity).baseName) {
            try remember(image, as: known, in: store)
            return ImportResult(metadata: known, wasKnown: true)
        }
        let relocated = try relocate(unpacked, in: store)
        let metadata = try register(unpacked, relocated, options: options, in: store)
        try remember(image, as: metadata, in: store)
        return ImportResult(metadata: metadata, wasKnown: false)
    }

    /// The import of the same manifest under the same name, without reading a layer.
    private func knownImport(of image: Image, options: ImportOptions, in store: Store) throws -> ImportResult? {
        guard let digest = image.facts.digest, let known = try store.package(importedFrom: digest),
            options.name.map({ $0.text == known.name }) ?? true,
            options.version.map({ $0.text == known.version }) ?? true, options.expose.isEmpty
        else { return nil }
        return ImportResult(metadata: known, wasKnown: true)
    }

    private func remember(_ image: Image, as metadata: Metadata, in store: Store) throws {
        guard let digest = image.facts.digest else { return }
        try asWriter(of: store) { try store.recordImport(of: digest, as: metadata.storePath) }
    }

    /// Reads the image into a tree, and finds out what it is.
    private func unpack(
        _ image: Image, source: String, options: ImportOptions, into store: Store
    ) throws -> UnpackedTree {
        let area = try store.makeImport()
        do {
            try image.read(into: area.builder, progress: progress)
            let tree = area.builder.tree
            let read = { (path: TreePath) in try area.contents(of: path, in: tree) }
            let packages = try PackageDatabase.packages(in: tree, read: read)
            let listing = TreeListing.render(tree) { (area.staging[$0].size, area.staging[$0].digest) }
            let identity = try identify(
                tree, staging: area.staging, listing: listing, facts: image.facts, packages: packages,
                source: source, options: options)
            for (omission, count) in area.builder.omissions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                note("\(identity.name): left out \(count) \(omission.rawValue)\(count == 1 ? "" : "s")")
            }
            return UnpackedTree(
                area: area, tree: tree, listing: listing, identity: identity, source: source,
                facts: image.facts, packages: packages)
        } catch {
            area.discard()
            throw error
        }
    }

    /// Relocates, with another salt each time an alias is taken by another store path of this store.
    private func relocate(_ unpacked: UnpackedTree, in store: Store) throws -> RelocatedTree {
        let given = unpacked.identity
        for salt in 0..<Self.saltLimit {
            let identity = StorePath.Identity(
                tree: given.tree, name: given.name, version: given.version, architecture: given.architecture,
                recipe: given.recipe, aliasSalt: salt)
            let storePath = StorePath(identity)
            do {
                return try Relocator.relocate(
                    unpacked.tree, staging: unpacked.area.staging, to: storePath, progress: progress,
                    isTaken: { alias in
                        let owner = try store.aliasOwner(alias.name)
                        return owner != nil && owner != storePath.baseName
                    })
            } catch is AliasTaken {
                continue
            }
        }
        throw OperationError.aliasesTaken(given.name.text)
    }

    /// Makes the relocated tree part of the store.
    private func register(
        _ unpacked: UnpackedTree, _ relocated: RelocatedTree, options: ImportOptions, in store: Store
    ) throws -> Metadata {
        let finder = ExposureFinder(
            tree: unpacked.tree, packages: unpacked.packages,
            isWholeSystem: relocated.report.loader != nil, hasSeeds: !relocated.seeds.isEmpty,
            entrypoint: unpacked.facts.entrypoint + unpacked.facts.command)
        let identity = unpacked.identity
        let metadata = Metadata(
            relocated.storePath, identity: identity,
            aliasSalt: relocated.storePath == StorePath(identity) ? 0 : nil,
            source: unpacked.source, sourceDigest: unpacked.facts.digest,
            summary: unpacked.facts.summary ?? finder.mainPackage(identity.name.text)?.summary,
            entrypoint: unpacked.facts.entrypoint,
            exposure: try finder.exposure(for: identity.name.text, wanted: options.expose),
            aliases: relocated.aliases.map { .init(name: $0.name, target: "\($0.target)") },
            launch: .init(
                searchPath: finder.searchPath.map { "\($0)" }, seeds: relocated.seeds.map { "\($0)" }),
            omissions: Dictionary(
                unpacked.area.builder.omissions.map { ($0.key.rawValue, $0.value) }, uniquingKeysWith: +))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let report = Array(try encoder.encode(relocated.report))
        return try asWriter(of: store) {
            try store.register(
                unpacked.area, tree: relocated.tree, storePath: relocated.storePath, metadata: metadata,
                sourceListing: unpacked.listing, report: report)
        }
    }
}
