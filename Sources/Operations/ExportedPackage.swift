internal import Files
private import FoundationEssentials
internal import StoreLayout

/// A package as an exported extension holds it, checked against what the extension says of it.
struct ExportedPackage {
    /// What is known of it.
    let metadata: Metadata
    /// Its store path.
    let storePath: StorePath
    /// What the hash of the store path is made from.
    let identity: StorePath.Identity
    /// The relocated tree.
    let tree: Tree
    /// The listing of the tree before relocation.
    let sourceListing: Bytes
    /// What relocation did.
    let report: Bytes

    /// Finds the package in the tree of an image; `nil` where that is no exported extension.
    ///
    /// The store path has to be the one that its description names, and every byte of it the one listed.
    ///
    /// - Parameters:
    ///   - image: What messages call the image.
    ///   - tree: The image's tree.
    ///   - staging: The contents of its files.
    /// - Throws: ``ExportError/damagedExtension(_:reason:)``.
    init?(in image: String, tree: Tree, staging: Staging) throws {
        let names = tree.names(in: ExtensionLayout.manifests)
        guard let name = names.first else { return nil }
        func damaged(_ reason: String) -> ExportError { .damagedExtension(image, reason: reason) }
        guard names.count == 1 else {
            throw damaged("it holds \(names.count) packages, where one is expected")
        }
        func read(_ file: String) throws -> Bytes {
            let path = ExtensionLayout.manifests.appending(name).appending(Array(file.utf8))
            guard case .file(let id) = tree[path]?.kind else { throw damaged("\(path) is missing") }
            return try staging.open(id).readAll(limit: .max)
        }
        let text = Data(try read(StoreLayout.Name.metadata))
        guard let metadata = try? JSONDecoder().decode(Metadata.self, from: text) else {
            throw damaged("\(StoreLayout.Name.metadata) cannot be read")
        }
        let base = String(decoding: name, as: UTF8.self)
        guard metadata.formatVersion <= StoreLayout.formatVersion else {
            throw damaged("a newer sxs exported it")
        }
        guard let identity = metadata.identity, case let path = StorePath(identity), path.baseName == base,
            metadata.storePath == base
        else { throw damaged("the description is not that of \(base.utf8.displayed)") }
        sourceListing = try read(StoreLayout.Name.sourceListing)
        guard Digest(hashing: sourceListing) == identity.tree else {
            throw damaged("the listing of the image it was made from is not that of \(base)")
        }
        let listing = try read(StoreLayout.Name.listing)
        let relocated = Self.subtree(ExtensionLayout.store.appending(name), of: tree)
        let found = TreeListing.render(relocated, mode: \.storedMode) {
            (staging[$0].size, staging[$0].digest)
        }
        guard Digest(hashing: listing).hex == metadata.listingDigest, found == listing else {
            throw damaged("files of \(base) are not those that are listed")
        }
        report = try read(StoreLayout.Name.report)
        (self.metadata, storePath, self.identity, self.tree) = (metadata, path, identity, relocated)
    }

    /// What is below a directory, as a tree of its own.
    private static func subtree(_ top: TreePath, of tree: Tree) -> Tree {
        var result = Tree()
        var pending = [(top, TreePath.root)]
        while let (path, place) = pending.popLast() {
            guard let node = tree[path] else { continue }
            result.insert(node, at: place)
            guard node.kind == .directory else { continue }
            pending += tree.names(in: path).map { (path.appending($0), place.appending($0)) }
        }
        return result
    }
}
