internal import Files
internal import StoreLayout

/// An object that a store path has, as far as planning a garbage collection needs it.
struct ObjectUse: Equatable {
    let fingerprint: UInt64
    /// Bytes of its contents.
    let size: Int
}

/// The objects of a store path as the index keeps them: 16 bytes each, fingerprint and size, the lowest byte first.
enum ObjectUses {
    /// Bytes of each.
    static let width = 16

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
        let rows = try database.query("SELECT id FROM package WHERE base_name = ?", [.text(baseName)]) {
            $0.integer(0)
        }
        guard let row = rows.first else { return }
        if let (base, changes) = try changes(uses, of: row) {
            try database.run(
                "INSERT OR REPLACE INTO package_changes (package, base, removed, added) VALUES (?, ?, ?, ?)",
                [
                    .integer(row), .integer(base), .blob(changes.encodedRemoved),
                    .blob(ObjectUses.encode(changes.added)),
                ])
        } else {
            try database.run(
                "INSERT OR REPLACE INTO package_objects (package, objects) VALUES (?, ?)",
                [.integer(row), .blob(ObjectUses.encode(uses))])
        }
    }

    /// The objects of a store path as changes of those of an earlier one with the same name; `nil` where these would be
    /// hardly shorter.
    private func changes(_ uses: [ObjectUse], of row: Int) throws -> (base: Int, ObjectChanges)? {
        guard uses.count >= ObjectChanges.least else { return nil }
        let sql = """
            SELECT coalesce(package_changes.base, package.id) FROM package
            LEFT JOIN package_changes ON package_changes.package = package.id
            WHERE package.name = (SELECT name FROM package WHERE id = ?1) AND package.id < ?1
            ORDER BY package.id DESC LIMIT 1
            """
        guard let base = try database.query(sql, [.integer(row)], { $0.integer(0) }).first else { return nil }
        let lists = try database.query(
            "SELECT objects FROM package_objects WHERE package = ?", [.integer(base)]
        ) {
            ObjectChanges(from: $0.bytes(0), to: uses)
        }
        return lists.first.flatMap { $0 }.map { (base, $0) }
    }

    /// Notes the objects of store paths of which that was not done: those from before, of a rebuilt index, and those
    /// whose objects were noted as changes of a store path's that is gone.
    func enterMissingObjectUses() throws {
        let sql = """
            SELECT base_name FROM package
            WHERE NOT EXISTS (SELECT 1 FROM package_objects WHERE package_objects.package = package.id)
                AND NOT EXISTS (SELECT 1 FROM package_changes WHERE package_changes.package = package.id)
            ORDER BY id
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

    /// What is noted of the objects of a store path by its row in the index; `nil` where nothing is.
    func notedObjectUses(of row: Int) throws -> Bytes? {
        let whole = try database.query(
            "SELECT objects FROM package_objects WHERE package = ?", [.integer(row)]
        ) { Array($0.bytes(0)) }
        if let whole = whole.first { return whole }
        let sql = "\(Self.changes) WHERE package_changes.package = ?"
        return try database.query(sql, [.integer(row)]) {
            ObjectChanges.applied(removed: $0.bytes(2), added: $0.bytes(3), to: $0.bytes(4))
        }.first
    }

    /// Reads what is noted of the objects of all store paths, each with its row in the index.
    func forEachObjectUses(_ body: (_ package: Int, _ uses: UnsafeRawBufferPointer) -> Void) throws {
        // An index that nobody wrote since the tables came has none.
        let version = try database.userVersion()
        guard version >= Self.objectsVersion else { return }
        try database.forEach("SELECT package, objects FROM package_objects") { row in
            body(row.integer(0), row.bytes(1))
        }
        guard version >= Self.changesVersion else { return }
        try database.forEach("\(Self.changes) ORDER BY package_changes.base") { row in
            let uses = ObjectChanges.applied(removed: row.bytes(2), added: row.bytes(3), to: row.bytes(4))
            uses.withUnsafeBytes { body(row.integer(0), $0) }
        }
    }

    private static let changes = """
        SELECT package_changes.package, package_changes.base, removed, added, objects
        FROM package_changes JOIN package_objects ON package_objects.package = package_changes.base
        """

    /// The version of the index from which on it has objects.
    private static let objectsVersion = 3
    /// The version of the index from which on it has changes of them.
    private static let changesVersion = 7
}
