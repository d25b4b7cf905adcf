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
    /// The tree's ``Tree/sortedNodes``.
    let nodes: Tree.SortedNodes
    let staging: Staging
    /// The listing of the tree as it came.
    let sourceListing: SourceListing
    /// What relocation did, as JSON.
    let report: @Sendable () throws -> Bytes
    let registration: Registration

    /// Writes the manifest.
    ///
    /// - Returns: The metadata with what is found out here, and the objects that the tree needs.
    func write(_ known: Metadata) throws -> (Metadata, [ObjectUse]) {
        var metadata = known
        (metadata.size, metadata.fileCount) = try measure()
        metadata.listingDigest = try ListingFiles.write(
            { write in
                try TreeListing.render(
                    nodes, mode: \.storedMode, content: { (staging[$0].size, staging[$0].digest) },
                    write: write)
            }, source: sourceListing.write, in: directory, earlier: earlier
        ).hex
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
        for index in nodes.indices {
            guard case .file(let id) = nodes.node(at: index).kind else { continue }
            let (sum, overflow) = size.addingReportingOverflow(staging[id].size)
            guard !overflow else { throw StoreError.tooLarge(nodes.path(at: index), limit: .max) }
            size = sum
            files += 1
        }
        return (size, files)
    }

    private func uses() -> [ObjectUse] {
        ObjectUses.unique(
            nodes.indices.lazy.compactMap { index in
                let node = nodes.node(at: index)
                guard case .file(let id) = node.kind else { return nil }
                let key = ObjectKey(
                    digest: staging[id].digest, mode: node.storedMode, attributes: node.attributes)
                return (key, staging[id].size)
            })
    }
}
