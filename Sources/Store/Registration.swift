internal import Files
internal import Glibc
internal import StoreLayout

/// What the index says of a store path and neither its image nor its relocation does: the member `registration` of the
/// manifest's `metadata.json`.
///
/// Stores of older programs have it in a file of its own, a text of lines, each a word, a space and fields between tabs:
///
/// ```
/// sxs-registration 1
/// number 7
/// registered 2026-11-21T10:00:00Z
/// location oci-archive:/srv/images/emacs.oci.tar
/// source <digest> <name> <version> <architecture> <digest of hints>
/// ```
struct Registration: Equatable {
    /// The row of the index, which grows with each registration.
    var number: Int
    /// When it was registered, in seconds since the epoch.
    var registered: Int
    /// Where the image was, so that another command in another directory finds it; `nil` where that is not known.
    var location: String?
    /// What was imported when this store path came of it.
    var sources: Set<ImportedSource> = []

    init(number: Int, registered: Int, location: String? = nil, sources: Set<ImportedSource> = []) {
        (self.number, self.registered) = (number, registered)
        (self.location, self.sources) = (location, sources)
    }

    /// Whether the index says the same; that of a store path from an older program has no location.
    func isSame(asIndexed row: Registration) -> Bool {
        var own = self
        if row.location == nil { own.location = nil }
        return own == row
    }

    /// Reads that of a manifest; `nil` where there is none, as in stores of much older programs, or it is damaged.
    static func read(in manifest: Descriptor) -> Registration? {
        struct Part: Decodable { let registration: Registration? }
        // Damage is found by who compares metadata with the index.
        let part = try? JSON.decode(Part.self, from: StoreLayout.Name.metadata, in: manifest)
        if let registration = part?.registration { return registration }
        return (try? manifest.open(beneath: StoreLayout.Name.registration).readAll(limit: 64 << 20)).flatMap(
            Registration.init(parsing:))
    }

    // MARK: - The text of older programs

    private static let heading = "sxs-registration 1"

    /// The words that lines begin with.
    private enum Word {
        static let number = "number"
        static let registered = "registered"
        static let location = "location"
        static let source = "source"
    }

    /// Reads the file of an older program; `nil` for anything else.
    init?(parsing text: Bytes) {
        let newline = UInt8(ascii: "\n")
        // Every line is ended: a file that was cut off is not taken for a whole one.
        guard text.last == newline else { return nil }
        let lines = text.dropLast().split(separator: newline, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard lines.first == Self.heading else { return nil }
        var (number, registered): (Int?, Int?)
        (location, sources) = (nil, [])
        for line in lines.dropFirst() {
            guard let space = line.firstIndex(of: " ") else { return nil }
            let rest = String(line[line.index(after: space)...])
            switch line[..<space] {
            case Word.number: number = Int(rest)
            case Word.registered: registered = Timestamp.seconds(rest)
            case Word.location: location = rest
            case Word.source:
                let fields = rest.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
                guard let source = ImportedSource(fields: fields) else { return nil }
                sources.insert(source)
            default: return nil
            }
        }
        guard let number, let registered, number > 0 else { return nil }
        (self.number, self.registered) = (number, registered)
    }
}

extension Registration: Codable {
    private enum CodingKeys: String, CodingKey { case number, registered, location, sources }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        number = try container.decode(Int.self, forKey: .number)
        let text = try container.decode(String.self, forKey: .registered)
        guard let time = Timestamp.seconds(text), number > 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .registered, in: container, debugDescription: "no time, or no row")
        }
        registered = time
        location = try container.decodeIfPresent(String.self, forKey: .location)
        sources = try Set(container.decodeIfPresent([ImportedSource].self, forKey: .sources) ?? [])
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(number, forKey: .number)
        try container.encode(Timestamp.text(registered), forKey: .registered)
        try container.encodeIfPresent(location, forKey: .location)
        guard !sources.isEmpty else { return }
        // Sorted, so that equal values are equal bytes.
        let sorted = sources.sorted { $0.fields.lexicographicallyPrecedes($1.fields) }
        try container.encode(sorted, forKey: .sources)
    }
}

/// What `metadata.json` has in a store: the metadata, and how the store path was registered there.
struct RegisteredMetadata: Encodable {
    let metadata: Metadata
    let registration: Registration?

    private enum CodingKeys: String, CodingKey { case registration }

    func encode(to encoder: any Encoder) throws {
        try metadata.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(registration, forKey: .registration)
    }
}

extension Store {
    /// What the index says of a registered store path.
    ///
    /// - Parameter readsFile: Whether to look for the location in its manifest where the index has none.
    func registration(of baseName: String, readsFile: Bool = true) throws -> Registration? {
        let rows = try database.query(
            "SELECT id, registered, location FROM package WHERE base_name = ?", [.text(baseName)]
        ) { ($0.integer(0), $0.integer(1), $0.optionalText(2)) }
        guard let (number, registered, location) = rows.first else { return nil }
        let sql = "SELECT digest, name, version, architecture, hints FROM source WHERE package = ?"
        let sources = try database.query(sql, [.integer(number)]) { row in
            ImportedSource(
                digest: row.text(0), name: row.text(1), version: row.text(2), architecture: row.text(3),
                hints: row.text(4))
        }
        return Registration(
            number: number, registered: registered,
            location: location ?? (readsFile ? locationInFile(of: baseName) : nil), sources: Set(sources))
    }

    /// Where the image of a registered store path was when it was imported; `nil` where that is not known.
    public func location(of baseName: String) throws -> String? {
        // Also in an index of an older program that nobody has written to since.
        try locationInFile(of: baseName) ?? registration(of: baseName, readsFile: false)?.location
    }

    private func locationInFile(of baseName: String) -> String? {
        let place = StoreLayout.Name.manifests + "/" + baseName
        // A manifest that is damaged or missing names none.
        return (try? root.directory(beneath: place)).flatMap(Registration.read)?.location
    }

    /// Writes a registration into its manifest, in place of an earlier one; a repair does where the metadata are damaged.
    func write(_ registration: Registration, of baseName: String) throws {
        let manifest = try root.directory(beneath: StoreLayout.Name.manifests + "/" + baseName)
        guard
            let metadata = try? JSON.metadata(in: manifest)
        else { return }
        try manifest.replaceFile(
            StoreLayout.Name.metadata,
            contents: JSON.encode(RegisteredMetadata(metadata: metadata, registration: registration)),
            mode: 0o444, through: temporary(), isDurable: true)
        try manifest.unlink(StoreLayout.Name.registration)
    }

    /// Writes the registrations of store paths that a program from before these files registered.
    func writeMissingRegistrations() throws {
        // In this order: there are many packages, and nearly always none of these.
        let missing = try database.query(
            "SELECT base_name FROM unfiled CROSS JOIN package ON package.id = unfiled.package", []
        ) { $0.text(0) }
        guard !missing.isEmpty else { return }
        do {
            for baseName in missing {
                let place = StoreLayout.Name.manifests + "/" + baseName
                // Damage, for repair to see to.
                guard try root.status(of: place) != nil else { continue }
                try registration(of: baseName).map { try write($0, of: baseName) }
            }
            try root.synchronizeFileSystem()
            try database.transaction { try database.run("DELETE FROM unfiled") }
        } catch let error as SystemError where [ENOSPC, EDQUOT].contains(error.code) {
            // There is another time; the collection that makes room must not fail for it.
        } catch let error as DatabaseError where error.isFull {
            // The same.
        }
    }
}
