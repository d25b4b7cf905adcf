public import Files
public import StoreLayout

/// A registered store path, as the index has it.
public struct Package: Sendable, Equatable {
    /// The base name of its store path.
    public let baseName: String
    /// Its name.
    public let name: String
    /// Its version.
    public let version: String
    /// The architecture its programs are for.
    public let architecture: Architecture
    /// SHA-256 of its tree before relocation, in hexadecimal.
    public let tree: String
    /// SHA-256 of the listing of its relocated tree, in hexadecimal.
    public let listingDigest: String
    /// How often its aliases were named anew.
    public let aliasSalt: Int
    /// Bytes of its files.
    public let size: Int
    /// Number of its files.
    public let fileCount: Int
    /// Where its image came from.
    public let source: String
    /// The digest of its image.
    public let sourceDigest: String?
    /// One line on what it is.
    public let summary: String?
    /// When it was registered, in seconds since the epoch.
    public let registered: Int
}

extension Store {
    private static let columns = """
        base_name, name, version, architecture, tree, listing, alias_salt, size, file_count, source,
        source_digest, summary, registered
        """

    private func package(_ row: Row) -> Package {
        Package(
            baseName: row.text(0), name: row.text(1), version: row.text(2),
            architecture: Architecture(rawValue: row.text(3)) ?? .any, tree: row.text(4),
            listingDigest: row.text(5), aliasSalt: row.integer(6), size: row.integer(7),
            fileCount: row.integer(8), source: row.text(9), sourceDigest: row.optionalText(10),
            summary: row.optionalText(11), registered: row.integer(12))
    }

    /// All registered packages, by name and then in the order they were registered.
    public func packages() throws -> [Package] {
        try database.query("SELECT \(Self.columns) FROM package ORDER BY name, id", [], package)
    }

    /// The packages of one name, in the order they were registered.
    public func packages(named name: String) throws -> [Package] {
        let sql = "SELECT \(Self.columns) FROM package WHERE name = ? ORDER BY id"
        return try database.query(sql, [.text(name)], package)
    }

    /// The package of a store path; `nil` if it is not registered.
    public func package(baseName: String) throws -> Package? {
        let sql = "SELECT \(Self.columns) FROM package WHERE base_name = ?"
        return try database.query(sql, [.text(baseName)], package).first
    }

    /// Whether a store path is registered and its tree is there.
    public func contains(_ storePath: StorePath) throws -> Bool {
        guard try package(baseName: storePath.baseName) != nil else { return false }
        return try isTreeThere(storePath.baseName)
    }

    /// Whether the store path of a base name is registered and its tree is there, here or in a base.
    public func has(_ baseName: String) throws -> Bool {
        try package(baseName: baseName) != nil && isTreeThere(baseName)
    }

    /// Everything that is known of a registered store path.
    public func metadata(of baseName: String) throws -> Metadata {
        let directory = try manifest(of: baseName)
        return try JSON.metadata(in: directory)
    }

    /// The directory with the listings, metadata and report of a registered store path.
    public func manifest(of baseName: String) throws -> Descriptor {
        guard try package(baseName: baseName) != nil else { throw StoreError.unknownPackage(baseName) }
        return try root.directory(beneath: StoreLayout.Name.manifests + "/" + baseName)
    }

    /// The tree of a registered store path, in this store or in a base.
    ///
    /// - Throws: ``StoreError/lostTree(baseName:place:source:)`` where the base does not have it.
    public func tree(of baseName: String) throws -> Descriptor {
        guard try package(baseName: baseName) != nil else { throw StoreError.unknownPackage(baseName) }
        return try openTree(baseName)
    }

    /// The base name of the store path that has an alias; `nil` if the alias is free.
    public func aliasOwner(_ name: String) throws -> String? {
        let sql =
            "SELECT base_name FROM alias JOIN package ON package.id = alias.package WHERE alias.name = ?"
        return try database.query(sql, [.text(name)]) { $0.text(0) }.first
    }
}

/// What was imported: a digest, and what was asked for with it, empty where nothing was.
public struct ImportedSource: Codable, Sendable, Hashable {
    /// The digest of the image.
    public var digest: String
    /// The name that was asked for.
    public var name: String
    /// The version that was asked for.
    public var version: String
    /// The architecture that was asked for.
    public var architecture: String
    /// The digest of the hints there were.
    public var hints: String

    /// Describes a source.
    public init(
        digest: String, name: String? = nil, version: String? = nil, architecture: String? = nil,
        hints: String? = nil
    ) {
        self.digest = digest
        self.name = name ?? ""
        self.version = version ?? ""
        self.architecture = architecture ?? ""
        self.hints = hints ?? ""
    }

    /// What it consists of, in order.
    var fields: [String] { [digest, name, version, architecture, hints] }

    /// Reads ``fields``; `nil` for another number of them.
    init?(fields: [String]) {
        guard fields.count == 5 else { return nil }
        self.init(
            digest: fields[0], name: fields[1], version: fields[2], architecture: fields[3], hints: fields[4])
    }

    var values: [DatabaseValue] { fields.map { .text($0) } }
}

extension Store {
    /// The base name of the store path that importing `source` gave; `nil` if that is not known.
    public func package(from source: ImportedSource) throws -> String? {
        let sql = """
            SELECT base_name FROM source JOIN package ON package.id = source.package
            WHERE source.digest = ? AND source.name = ? AND source.version = ? AND source.architecture = ?
            AND source.hints = ?
            """
        return try database.query(sql, source.values) { $0.text(0) }.first
    }

    /// Notes which store path importing `source` gave, so that importing it again need not read it.
    public func record(_ source: ImportedSource, gave baseName: String) throws {
        try withWriterLock(command: "note of a source") {
            let earlier = try package(from: source)
            guard earlier != baseName, var registration = try registration(of: baseName) else { return }
            // Files first. One that a crash leaves in two files is that of the later registration.
            registration.sources.insert(source)
            try write(registration, of: baseName)
            if let earlier, var other = try self.registration(of: earlier) {
                other.sources.remove(source)
                try write(other, of: earlier)
            }
            try database.transaction { try enter(source, of: registration.number) }
        }
    }

    /// Notes in the index which package importing `source` gave.
    func enter(_ source: ImportedSource, of package: Int) throws {
        let sql = """
            INSERT OR REPLACE INTO source (digest, name, version, architecture, hints, package)
            VALUES (?, ?, ?, ?, ?, ?)
            """
        try database.run(sql, source.values + [.integer(package)])
    }
}
