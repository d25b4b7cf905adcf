internal import Files
private import Glibc
internal import Images
internal import Relocation
internal import Store
internal import StoreLayout

/// An image that damaged packages may have come from: imported anew, into a temporary directory, when something is
/// wanted of it.
///
/// What comes of it is believed only where the same store path does.
final class ImageRepairSource: RepairSource {
    // A class: it remembers what it has read.

    let name: String

    private let reference: String
    private let session: Session
    private let store: Store
    /// Whether the user named it: then it is read whatever its digest says.
    private let isNamed: Bool
    private var copies: [String: Copy?] = [:]
    /// The digests of its trees, by the architecture that was asked for.
    private var trees: [Architecture: String] = [:]
    /// The store paths that it gave, and not the ones that were wanted.
    private(set) var mismatch: OperationError?

    /// A package as the image gives it.
    private struct Copy {
        let area: ImportArea
        let contents: [Digest: ContentID]
        let files: [String: Bytes]
    }

    /// Prepares a source.
    ///
    /// - Parameters:
    ///   - reference: The image.
    ///   - isNamed: Whether the user named it, rather than an import.
    init(_ reference: String, isNamed: Bool, session: Session, store: Store) {
        name = "image \(reference)"
        (self.reference, self.isNamed) = (reference, isNamed)
        (self.session, self.store) = (session, store)
    }

    deinit {
        // What cannot be removed now is swept by the next writer.
        for copy in copies.values { try? copy?.area.discard() }
    }

    func content(_ digest: Digest, of baseName: String) throws -> Descriptor? {
        guard let copy = try copy(of: baseName), let id = copy.contents[digest] else { return nil }
        return try copy.area.staging.open(id)
    }

    func manifestFile(_ name: String, of baseName: String) throws -> Bytes? {
        try copy(of: baseName)?.files[name]
    }

    /// The package, imported anew; `nil` where this image gives another one.
    private func copy(of baseName: String) throws -> Copy? {
        if let known = copies[baseName] { return known }
        guard let package = try store.package(baseName: baseName),
            trees[package.architecture].map({ $0 == package.tree }) ?? true
        else { return nil }
        let copy = try makeCopy(of: package)
        copies[baseName] = .some(copy)
        return copy
    }

    private func makeCopy(of package: Package) throws -> Copy? {
        var options = ImportOptions(platform: package.architecture == .any ? nil : package.architecture)
        options.name = try PackageName(package.name)
        options.version = try PackageVersion(package.version)
        let image = try session.open(reference, options: options)
        // Where its digest is another than that of the import, there is no need to read it.
        if !isNamed, let digest = package.sourceDigest, image.facts.digest?.hex != digest { return nil }
        let records = (try? store.metadata(of: package.baseName))?.hints ?? []
        let hints = try session.userHints(in: store).filter { hint in
            records.isEmpty || records.contains { $0.digest == hint.digest.hex }
        }
        let unpacked = try session.unpack(
            image, source: reference, options: options, hints: hints, into: store, isSharing: false)
        trees[package.architecture] = unpacked.identity.tree.hex
        if let exported = unpacked.exported {
            guard exported.storePath.baseName == package.baseName else {
                mismatch = .otherStorePath(
                    reference, gives: exported.storePath.path, wanted: package.baseName)
                return nil
            }
            return Copy(
                area: unpacked.area, contents: contents(of: exported.tree, unpacked.area),
                files: [
                    StoreLayout.Name.sourceListing: exported.sourceListing,
                    StoreLayout.Name.listing: listing(of: exported.tree, unpacked.area),
                    StoreLayout.Name.metadata: try session.encode(exported.metadata),
                    StoreLayout.Name.report: exported.report,
                ])
        }
        let storePath = StorePath(unpacked.identity.salted(package.aliasSalt))
        guard storePath.baseName == package.baseName else {
            try unpacked.area.discard()
            mismatch = .otherStorePath(reference, gives: storePath.path, wanted: package.baseName)
            return nil
        }
        let relocated = try Relocator.relocate(
            unpacked.tree, sortedPaths: unpacked.sortedPaths, staging: unpacked.area.staging, to: storePath,
            progress: session.progress, hints: unpacked.hints + Hint.builtIn, isTaken: { _ in false })
        return Copy(
            area: unpacked.area, contents: contents(of: relocated.tree, unpacked.area),
            files: [
                StoreLayout.Name.sourceListing: unpacked.listing,
                StoreLayout.Name.listing: listing(of: relocated.tree, unpacked.area),
                StoreLayout.Name.metadata: try session.encode(
                    session.metadata(of: unpacked, relocated, options: options)),
                StoreLayout.Name.report: try session.report(of: unpacked, relocated),
            ])
    }

    private func contents(of tree: Tree, _ area: ImportArea) -> [Digest: ContentID] {
        var contents: [Digest: ContentID] = [:]
        for node in tree.nodes.values {
            guard case .file(let id) = node.kind else { continue }
            contents[area.staging[id].digest] = id
        }
        return contents
    }

    private func listing(of tree: Tree, _ area: ImportArea) -> Bytes {
        TreeListing.render(tree, mode: \.storedMode) { (area.staging[$0].size, area.staging[$0].digest) }
    }
}

/// The images that packages were imported from, as far as they are still where they were.
final class RecordedImages: RepairSource {
    // A class: it remembers the images that it has read.

    let name = "the images of the import"

    private let session: Session
    private let store: Store
    private var images: [String: ImageRepairSource] = [:]
    private var failed: Set<String> = []

    init(session: Session, store: Store) { (self.session, self.store) = (session, store) }

    func origin(of baseName: String) -> String { image(of: baseName)?.name ?? name }

    func content(_ digest: Digest, of baseName: String) throws -> Descriptor? {
        try asking(baseName) { try $0.content(digest, of: baseName) }
    }

    func manifestFile(_ name: String, of baseName: String) throws -> Bytes? {
        try asking(baseName) { try $0.manifestFile(name, of: baseName) }
    }

    private func image(of baseName: String) -> ImageRepairSource? {
        guard let location = try? store.location(of: baseName), !failed.contains(location),
            let reference = try? ImageReference(parsing: location), access(reference.path, R_OK) == 0
        else { return nil }
        if let known = images[location] { return known }
        let image = ImageRepairSource(location, isNamed: false, session: session, store: store)
        images[location] = image
        return image
    }

    private func asking<Found>(
        _ baseName: String, _ body: (ImageRepairSource) throws -> Found?
    ) throws -> Found? {
        guard let image = image(of: baseName) else { return nil }
        do {
            return try body(image)
        } catch {
            // That of another package may be whole.
            failed.insert(String(image.name.dropFirst("image ".count)))
            session.note("\(image.name) is of no use: \("\(error)".firstLine)")
            return nil
        }
    }
}
