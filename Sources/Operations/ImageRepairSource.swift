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
    private let open: (ImportOptions) throws -> Image
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
    ///   - open: Opens it; by default from where `reference` says.
    init(
        _ reference: String, isNamed: Bool, session: Session, store: Store,
        open: ((ImportOptions) throws -> Image)? = nil
    ) {
        name = "image \(reference)"
        (self.reference, self.isNamed) = (reference, isNamed)
        (self.session, self.store) = (session, store)
        self.open = open ?? { try session.open(reference, options: $0) }
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
        let image = try open(options)
        // Where its digest is another than that of the import, there is no need to read it.
        if !isNamed, let digest = package.sourceDigest {
            try FileRecognition(image, in: store, isRead: false)?.finish()
            guard image.facts.digest?.hex == digest else { return nil }
        }
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
            // What cannot be removed now is swept by the next writer.
            try? unpacked.area.discard()
            mismatch = .otherStorePath(reference, gives: storePath.path, wanted: package.baseName)
            return nil
        }
        let relocated = try Relocator.relocate(
            unpacked.tree, sortedNodes: unpacked.sortedNodes, staging: unpacked.area.staging, to: storePath,
            progress: session.progress, hints: unpacked.hints + Hint.builtIn, isTaken: { _ in false })
        return Copy(
            area: unpacked.area, contents: contents(of: relocated.tree, unpacked.area),
            files: [
                StoreLayout.Name.sourceListing: try unpacked.listing.text(),
                StoreLayout.Name.listing: listing(of: relocated.tree, unpacked.area),
                StoreLayout.Name.metadata: try session.encode(
                    session.metadata(of: unpacked, relocated, options: options)),
                StoreLayout.Name.report: try session.report(of: unpacked, relocated).encoded(),
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
