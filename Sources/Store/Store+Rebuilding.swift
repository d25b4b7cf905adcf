internal import Files
internal import Glibc
internal import StoreLayout

extension Store {
    /// Fills an index without packages and generations from what is on disk.
    ///
    /// Remotes and sources are lost.
    func rebuildIndexIfEmpty() throws {
        guard try isIndexEmpty() else { return }
        let manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
        guard try !(manifests.list().isEmpty && profiles.list().isEmpty) else { return }
        try withWriterLock(command: "rebuilding the index") {
            guard try isIndexEmpty() else { return }
            for entry in try manifests.list() {
                // A manifest without a tree is what a crash left between the two renames.
                let tree = "\(StoreLayout.Name.store)/\(entry.text)"
                guard let status = try root.status(of: tree) else { continue }
                let directory = try manifests.directory(beneath: entry.text)
                let metadata = try JSON.decode(
                    Metadata.self, from: StoreLayout.Name.metadata, in: directory)
                guard metadata.storePath == entry.text else {
                    throw StoreError.damagedDescription(
                        path: directory.path(of: StoreLayout.Name.metadata),
                        reason: "it is of \(metadata.storePath)")
                }
                try finishTree(tree, mode: status.st_mode, in: directory)
                try database.transaction {
                    try insert(metadata, registered: Int(status.st_ctim.tv_sec))
                }
            }
            for entry in try profiles.list() {
                guard let profile = try? ProfileName(entry.text) else { continue }
                let directory = try profiles.directory(beneath: entry.text)
                for generation in try directory.list() {
                    guard let number = Self.generationNumber(generation.text) else { continue }
                    try adopt(number, of: profile, in: directory)
                }
            }
        }
    }

    /// Takes away the right to write to a tree's top, which it has until it is in its place.
    private func finishTree(_ tree: String, mode: mode_t, in manifest: Descriptor) throws {
        // A reference has no mode of its own.
        guard mode & S_IFMT == S_IFDIR, mode & 0o222 != 0 else { return }
        let listing = try manifest.open(beneath: StoreLayout.Name.listing).readAll(limit: .max)
        let newline = UInt8(ascii: "\n")
        let lines = listing.split(separator: newline, maxSplits: 3, omittingEmptySubsequences: false)
        // The top is the first entry, after two lines.
        let head = Bytes(lines.prefix(3).joined(separator: [newline])) + [newline]
        let top = try TreeListing.parse(head).first
        try root.directory(beneath: tree).setMode(UInt32(top?.mode ?? 0o555))
    }

    private func isIndexEmpty() throws -> Bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM package) OR EXISTS (SELECT 1 FROM generation)"
        return try database.query(sql) { $0.integer(0) }.first == 0
    }
}
