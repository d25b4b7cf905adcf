internal import Files
internal import Glibc
internal import StoreLayout

/// The file `registration` of a manifest: what the index says of a store path and neither its image nor its relocation
/// does.
///
/// A text of lines, each a word, a space and fields between tabs:
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

    private static let heading = "sxs-registration 1"

    /// The words that lines begin with.
    private enum Word {
        static let number = "number"
        static let registered = "registered"
        static let location = "location"
        static let source = "source"
    }

    init(number: Int, registered: Int, location: String? = nil, sources: Set<ImportedSource> = []) {
        self.number = number
        self.registered = registered
        // What no line can hold is left out: only a repair looks for it.
        self.location = location.flatMap { text in
            text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f } ? text : nil
        }
        self.sources = sources
    }

    /// The text of the file.
    var text: Bytes {
        var lines = [
            Self.heading, "\(Word.number) \(number)", "\(Word.registered) \(Timestamp.text(registered))",
        ]
        if let location { lines.append("\(Word.location) \(location)") }
        lines += sources.map { "\(Word.source) " + $0.fields.joined(separator: "\t") }.sorted()
        return Bytes(lines.joined(separator: "\n").utf8) + [UInt8(ascii: "\n")]
    }

    /// Reads what ``text`` gave; `nil` for anything else.
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

    /// Reads the file of a manifest; `nil` where there is none, as in stores of older programs, or it is damaged.
    static func read(in manifest: Descriptor) -> Registration? {
        (try? manifest.open(beneath: StoreLayout.Name.registration).readAll(limit: 64 << 20)).flatMap(
            Registration.init(parsing:))
    }
}

extension Store {
    /// What the index says of a registered store path, with the location that its file names.
    ///
    /// - Parameter readsFile: Whether to look for the location, too.
    func registration(of baseName: String, readsFile: Bool = true) throws -> Registration? {
        let rows = try database.query(
            "SELECT id, registered FROM package WHERE base_name = ?", [.text(baseName)]
        ) { ($0.integer(0), $0.integer(1)) }
        guard let (number, registered) = rows.first else { return nil }
        let sql = "SELECT digest, name, version, architecture, hints FROM source WHERE package = ?"
        let sources = try database.query(sql, [.integer(number)]) { row in
            ImportedSource(
                digest: row.text(0), name: row.text(1), version: row.text(2), architecture: row.text(3),
                hints: row.text(4))
        }
        let place = StoreLayout.Name.manifests + "/" + baseName
        let file = !readsFile ? nil : (try? root.directory(beneath: place)).flatMap(Registration.read)
        return Registration(
            number: number, registered: registered, location: file?.location, sources: Set(sources))
    }

    /// Where the image of a registered store path was when it was imported; `nil` where that is not known.
    public func location(of baseName: String) throws -> String? {
        let place = StoreLayout.Name.manifests + "/" + baseName
        return (try? root.directory(beneath: place)).flatMap(Registration.read)?.location
    }

    /// Writes a registration into its manifest, in place of an earlier one.
    func write(_ registration: Registration, of baseName: String) throws {
        let manifest = try root.directory(beneath: StoreLayout.Name.manifests + "/" + baseName)
        try manifest.replaceFile(
            StoreLayout.Name.registration, contents: registration.text, mode: 0o444, through: temporary())
    }

    /// Writes the registrations of store paths that a program from before these files registered.
    func writeMissingRegistrations() throws {
        let missing = try database.query(
            "SELECT base_name FROM package JOIN unfiled ON unfiled.package = package.id", []
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
