public import Files
private import FoundationEssentials
private import Glibc

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

    /// Reads an index.
    ///
    /// - Parameter url: Where it is from, for errors.
    /// - Throws: ``RemoteError/badIndex(url:reason:)``.
    public init(parsing bytes: Bytes, url: String) throws(RemoteError) {
        struct Format: Decodable {
            let format: Int?
        }
        guard bytes.count <= Self.longest else {
            throw .badIndex(url: url, reason: "it is longer than \(Self.longest) bytes")
        }
        let decoder = JSONDecoder()
        let format = (try? decoder.decode(Format.self, from: Data(bytes)))?.format
        if let format, format > Self.format {
            throw .badIndex(url: url, reason: "its format is \(format), and this sxs knows \(Self.format)")
        }
        do {
            self = try decoder.decode(RepositoryIndex.self, from: Data(bytes))
        } catch {
            throw .badIndex(url: url, reason: Self.reason(error))
        }
        guard self.format == Self.format else {
            throw .badIndex(url: url, reason: "its format is \(self.format)")
        }
    }

    private static func reason(_ error: any Error) -> String {
        let path = { (path: [any CodingKey]) in
            path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".").utf8.displayed
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): return "it has no '\(path(context.codingPath + [key]))'"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "its '\(path(context.codingPath))' is of another kind"
        default: return "it is no JSON"
        }
    }

    /// Its text.
    func text() throws -> Bytes { try Self.text(self) }

    static func text(_ value: some Encodable) throws -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return Bytes(try encoder.encode(value)) + [0x0a]
    }
}

/// What is beside an image for sysextmgr: `<image>.json`.
///
/// Source: sysextmgrcli(1), `create-json`.
struct ImageRecord: Encodable {
    let image_name: String
    let sysext: [String: String]
}

/// The same as mkosi has it: `<image>.manifest.gz`, which is read first, and is listed.
///
/// Source: mkosi(1), "manifest"; sysextmgr 1.3, `src/images-list.c`.
struct ImageManifest: Encodable {
    struct Configuration: Encodable {
        let name: String
        let architecture: String?
        let version: String
    }

    var manifest_version = 1
    let config: Configuration
    let `extension`: [String: String]
    var packages: [String] = []

    init(_ package: RepositoryIndex.Package) {
        config = Configuration(
            name: package.name, architecture: package.architecture, version: package.version)
        `extension` = package.release
    }

    /// Its text, compressed.
    ///
    /// Source: RFC 1952.
    func compressed() throws -> Bytes {
        let text = try RepositoryIndex.text(self)
        guard let packed = Deflate.deflated(text) else {
            throw SystemError("compress", config.name, code: ENOMEM)
        }
        let head: Bytes = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
        let numbers = [Deflate.checksum(text), UInt32(truncatingIfNeeded: text.count)]
        return head + packed
            + numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32($0 * 8)) }
            }
    }
}
