internal import Files
internal import StoreLayout

/// An object that a store path has, as far as planning a garbage collection needs it.
struct ObjectUse {
    let fingerprint: UInt64
    /// Bytes of its contents.
    let size: Int
}

/// The objects of a store path as the index keeps them: 16 bytes each, fingerprint and size, the lowest byte first.
enum ObjectUses {
    private static let width = 16

    static func encode(_ uses: [ObjectUse]) -> Bytes {
        Bytes(unsafeUninitializedCapacity: uses.count * width) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for (index, use) in uses.enumerated() {
                raw.storeBytes(of: use.fingerprint.littleEndian, toByteOffset: index * width, as: UInt64.self)
                raw.storeBytes(
                    of: UInt64(use.size).littleEndian, toByteOffset: index * width + 8, as: UInt64.self)
            }
            count = uses.count * width
        }
    }

    static func forEach(in bytes: UnsafeRawBufferPointer, _ body: (ObjectUse) -> Void) {
        for start in stride(from: 0, through: bytes.count - width, by: width) {
            let fingerprint = bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)
            let size = bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
            body(
                ObjectUse(
                    fingerprint: UInt64(littleEndian: fingerprint),
                    size: Int(clamping: UInt64(littleEndian: size))))
        }
    }

    /// What the files of a tree are, each once; empty files are no objects.
    static func unique(_ files: some Sequence<(key: ObjectKey, size: Int)>) -> [ObjectUse] {
        var seen: Set<UInt64> = []
        return files.compactMap { file in
            let fingerprint = file.key.fingerprint
            guard file.size > 0, seen.insert(fingerprint).inserted else { return nil }
            return ObjectUse(fingerprint: fingerprint, size: file.size)
        }.sorted { $0.fingerprint < $1.fingerprint }
    }

    /// The objects of a tree with this listing.
    static func inListing(_ listing: Bytes) throws -> [ObjectUse] {
        unique(
            try TreeListing.parse(listing).lazy.compactMap { entry in
                guard case .file(let size, let digest) = entry.kind else { return nil }
                return (ObjectKey(digest: digest, mode: entry.mode, attributes: entry.attributes), size)
            })
    }
}

extension Store {
    /// Notes the objects of a registered store path.
    func enter(_ uses: [ObjectUse], of baseName: String) throws {
        try database.run(
            "INSERT OR REPLACE INTO package_objects (package, objects) SELECT id, ? FROM package WHERE base_name = ?",
            [.blob(ObjectUses.encode(uses)), .text(baseName)])
    }

    /// Notes the objects of store paths of which that was not done: those from before, and of a rebuilt index.
    func enterMissingObjectUses() throws {
        let sql = """
            SELECT base_name FROM package
            WHERE NOT EXISTS (SELECT 1 FROM package_objects WHERE package_objects.package = package.id)
            """
        let missing = try database.query(sql, []) { $0.text(0) }
        guard !missing.isEmpty else { return }
        do {
            try database.transaction {
                for baseName in missing {
                    // Without a listing that can be read, all there is to lose is a forecast: what goes is what has no
                    // link.
                    guard let uses = try? objectUsesFromListing(of: baseName) else { continue }
                    try enter(uses, of: baseName)
                }
            }
        } catch let error as DatabaseError where error.isFull {
            // The same is to lose where the disk is full; the collection that makes room must not fail for it.
        }
    }

    /// The objects of a store path, as its listing has them.
    func objectUsesFromListing(of baseName: String) throws -> [ObjectUse] {
        // Those of a reference are another store's.
        guard try reference(baseName) == nil else { return [] }
        let manifest = try root.directory(beneath: StoreLayout.Name.manifests + "/" + baseName)
        return try ObjectUses.inListing(
            ListingFiles.readPresent(StoreLayout.Name.listing, in: manifest))
    }

    /// Reads what is noted of the objects of all store paths, in the order of their rows in the index.
    func forEachObjectUses(_ body: (_ package: Int, _ uses: UnsafeRawBufferPointer) -> Void) throws {
        // An index that nobody wrote since the table came has none.
        guard try database.userVersion() >= Self.objectsVersion else { return }
        try database.forEach("SELECT package, objects FROM package_objects ORDER BY package") { row in
            body(row.integer(0), row.bytes(1))
        }
    }

    /// The version of the index from which on it has objects.
    private static let objectsVersion = 3
}
