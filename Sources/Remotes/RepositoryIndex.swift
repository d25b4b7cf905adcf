public import Files
private import FoundationEssentials

/// What a repository says of its images, for those who look for something: `index.json`.
public struct RepositoryIndex: Codable, Sendable, Equatable {
    /// Bytes that it may have.
    static let longest = 64 << 20
    /// The version of its format.
    static let format = 1

    /// An image.
    public struct Package: Codable, Sendable, Equatable {
        /// What it is called.
        public var name: String
        /// Its version.
        public var version: String
        /// Its architecture, as systemd names it; `nil` for any.
        public var architecture: String?
        /// The file.
        public var file: String
        /// Bytes of the file.
        public var size: Int
        /// The SHA-256 of the file, in hexadecimal.
        public var digest: String
        /// What it is for, in one line.
        public var summary: String?
        /// The commands it has.
        public var commands: [String]
        /// The fields of its extension-release.
        public var release: [String: String]

        /// Describes one.
        public init(
            name: String, version: String, architecture: String?, file: String, size: Int, digest: Digest,
            summary: String?, commands: [String], release: [String: String]
        ) {
            self.name = name
            self.version = version
            self.architecture = architecture
            self.file = file
            self.size = size
            self.digest = digest.hex
            self.summary = summary
            self.commands = commands
            self.release = release
        }
    }

    /// A name that stands for several packages.
    public struct Collection: Codable, Sendable, Equatable {
        /// What it is for.
        public var summary: String?
        /// The packages.
        public var packages: [String]
    }

    /// See ``format``.
    private var format = Self.format
    /// Counts the listings that were written.
    public var serial: Int
    /// When this one was, in seconds since the epoch.
    public var updated: Int
    /// What the repository is called.
    public var title: String?
    /// The images, by name, the newest version first.
    public var packages: [Package]
    /// Collections, by name.
    public var collections: [String: Collection]

    /// Creates an index.
    init(
        serial: Int = 0, updated: Int = 0, title: String? = nil, packages: [Package] = [],
        collections: [String: Collection] = [:]
    ) {
        self.serial = serial
        self.updated = updated
        self.title = title
        self.packages = packages
        self.collections = collections
    }

    /// Reads an index; `nil` for anything else, and for one of a newer format.
    public init?(parsing bytes: Bytes) {
        guard bytes.count <= Self.longest,
            let index = try? JSONDecoder().decode(RepositoryIndex.self, from: Data(bytes)),
            index.format == Self.format
        else { return nil }
        self = index
    }

    /// Its text.
    func text() throws -> Bytes { try Self.text(self) }

    static func text(_ value: some Encodable) throws -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return Bytes(try encoder.encode(value)) + [0x0a]
    }
}

/// What sysextmgr reads of an image: `<image>.json`.
///
/// Source: sysextmgrcli(1), `create-json`.
struct ImageRecord: Encodable {
    let image_name: String
    let sysext: [String: String]
}
