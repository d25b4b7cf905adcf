internal import Files
internal import StoreLayout

/// The making of a new store path's manifest, on a thread of its own, while its files are put in their places.
struct ManifestWriting: @unchecked Sendable {
    // Nothing changes the staging area or the tree meanwhile.

    /// The new directory.
    let directory: Descriptor
    /// That of an earlier version.
    let earlier: Descriptor?
    /// That of some store path, whose report may be the same: of most images in which nothing was relocated it is.
    let latest: Descriptor?
    let tree: Tree
    /// The tree's ``Tree/sortedNodes``.
    let nodes: [(path: TreePath, node: Tree.Node)]
    let staging: Staging
    /// The listing of the tree as it came.
    let sourceListing: Bytes
    /// What relocation did, as JSON.
    let report: @Sendable () throws -> Bytes
    let registration: Registration

    /// Writes the manifest.
    ///
    /// - Returns: The metadata with what is found out here, and the objects that the tree needs.
    func write(_ known: Metadata) throws -> (Metadata, [ObjectUse]) {
        let listing = TreeListing.render(tree, sortedNodes: nodes, mode: \.storedMode) { id in
            (staging[id].size, staging[id].digest)
        }
        var metadata = known
        metadata.listingDigest = Digest(hashing: listing).hex
        (metadata.size, metadata.fileCount) = try measure()
        try ListingFiles.write(listing, source: sourceListing, in: directory, earlier: earlier)
        try ListingFiles.write(
            StoreLayout.Name.metadata,
            JSON.encode(RegisteredMetadata(metadata: metadata, registration: registration)), in: directory)
        let report = try report()
        if !ListingFiles.linkEqual(StoreLayout.Name.report, report, from: latest, to: directory) {
            try ListingFiles.write(StoreLayout.Name.report, report, in: directory)
        }
        try directory.setMode(0o755)
        return (metadata, uses())
    }

    private func measure() throws -> (size: Int, files: Int) {
        var size = 0
        var files = 0
        for (path, node) in nodes {
            guard case .file(let id) = node.kind else { continue }
            let (sum, overflow) = size.addingReportingOverflow(staging[id].size)
            guard !overflow else { throw StoreError.tooLarge(path, limit: .max) }
            size = sum
            files += 1
        }
        return (size, files)
    }

    private func uses() -> [ObjectUse] {
        ObjectUses.unique(
            nodes.lazy.compactMap { _, node in
                guard case .file(let id) = node.kind else { return nil }
                let key = ObjectKey(
                    digest: staging[id].digest, mode: node.storedMode, attributes: node.attributes)
                return (key, staging[id].size)
            })
    }
}
