internal import Files
private import FoundationEssentials
internal import StoreLayout

/// What a server says of an image beside it: mkosi's manifest or the extension's fields.
///
/// It helps to choose; what counts is what the image says of itself.
///
/// Source: mkosi(1), "manifest"; sysextmgrcli(1), `create-json`, `merge-json`.
public struct ImageMetadata: Sendable, Equatable {
    /// Bytes that it may have.
    static let longest = 32 << 20

    /// The name of what is in it; `nil` where nothing says so.
    public let name: String?
    /// Its version; `nil` where nothing says so.
    public let version: String?
    /// The fields of its extension-release, by name.
    public let release: [String: String]

    private struct Manifest: Decodable {
        struct Configuration: Decodable {
            let name: String?
            let version: String?
        }

        let config: Configuration?
        let `extension`: [String: Field]?
    }

    private struct Record: Decodable {
        let image_name: String?
        let sysext: [String: Field]?
    }

    /// A value that should be text; others are passed over.
    private struct Field: Decodable {
        let text: String?

        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)
        }
    }

    private static func fields(_ fields: [String: Field]?) -> [String: String] {
        (fields ?? [:]).compactMapValues { field in
            // As a release file's line: no line ends.
            field.text.flatMap { text in text.utf8.allSatisfy { $0 >= 0x20 } ? text : nil }
        }
    }

    /// Reads a manifest of mkosi, compressed with gzip or not; `nil` for anything else.
    init?(manifest bytes: Bytes) {
        let plain = bytes.starts(with: [0x1f, 0x8b]) ? Self.inflated(bytes) : bytes
        guard let plain, let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(plain)) else {
            return nil
        }
        name = manifest.config?.name
        version = manifest.config?.version
        release = Self.fields(manifest.extension)
    }

    /// Reads the record of an image, or a list of records that has one of it; `nil` for anything else.
    init?(json bytes: Bytes, image: String) {
        let decoder = JSONDecoder()
        let data = Data(bytes)
        let records =
            (try? decoder.decode([Record].self, from: data))
            ?? (try? decoder.decode(Record.self, from: data)).map { [$0] }
        guard let records else { return nil }
        // Beside the image, one record without a name is its own.
        guard
            let record = records.first(where: { $0.image_name == image })
                ?? records.first(where: { records.count == 1 && $0.image_name == nil })
        else { return nil }
        name = nil
        release = Self.fields(record.sysext)
        version = release["SYSEXT_VERSION_ID"]
    }

    private static func inflated(_ bytes: Bytes) -> Bytes? {
        guard let inflater = Inflater(.gzip) else { return nil }
        return bytes.withUnsafeBytes { input in
            inflater.input = input
            var result: Bytes = []
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
            defer { buffer.deallocate() }
            while true {
                let (count, outcome) = inflater.inflate(into: buffer)
                result += UnsafeRawBufferPointer(rebasing: buffer[..<count])
                guard result.count <= longest else { return nil }
                if outcome == .end { return result }
                guard outcome == .some, !inflater.needsInput else { return nil }
            }
        }
    }
}

/// The metadata of images of a store.
public struct MetadataReader: Sendable {
    private let listing: RemoteListing
    private let files: [String: ListedFile]
    private let fetcher: Fetcher
    private let root: String
    /// Whether documents count that the listing does not name: not where somebody between could put others in their
    /// place, to make an older image look like the newest that fits.
    private let takesUnlisted: Bool

    /// Creates a reader.
    public init(_ listing: RemoteListing, files: [ListedFile], root: String, isOffline: Bool) {
        self.listing = listing
        self.files = Dictionary(files.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let description = listing.remote.description
        fetcher = Fetcher(description, isOffline: isOffline)
        self.root = root
        takesUnlisted =
            description.isInsecure
            || !([description.location] + description.mirrors).contains { $0.text.hasPrefix("http:") }
    }

    /// What is said of an image; `nil` where nothing is, or it cannot be had: it is no more than a help.
    public func metadata(of image: ListedFile) -> ImageMetadata? {
        var stem = image.name
        for suffix in [".xz", ".zst", ".gz", ".raw", ".sysext"] where stem.hasSuffix(suffix) {
            stem.removeLast(suffix.count)
        }
        let plain = [".xz", ".zst", ".gz"].reduce(image.name) {
            $0.hasSuffix($1) ? String($0.dropLast($1.count)) : $0
        }
        let manifest = stem + RemoteLayout.manifestSuffix
        if let bytes = try? document(manifest, of: image), let found = ImageMetadata(manifest: bytes) {
            return found
        }
        let json = plain + RemoteLayout.jsonSuffix
        guard let bytes = try? document(json, of: image) else { return nil }
        return ImageMetadata(json: bytes, image: plain) ?? ImageMetadata(json: bytes, image: image.name)
    }

    /// What the remote says of all its images, where its listing names that; `nil` where it says nothing.
    ///
    /// - Throws: ``RemoteError`` where it cannot be had, is another one than the listing names, or is damaged; `SystemError`.
    public func index() throws -> RepositoryIndex? {
        guard let file = files[RemoteLayout.index] else { return nil }
        let url = fetcher.location(of: file)
        guard let bytes = try document(file.name, of: file) else { throw RemoteError.notThere(url: url) }
        return try RepositoryIndex(parsing: bytes, url: url)
    }

    /// The collection of a name; `nil` where the listing names none.
    ///
    /// - Throws: ``RemoteError``, ``RepositoryError/badCollection(_:reason:)``, `SystemError`.
    public func collection(named name: String) throws -> PackageCollection? {
        guard let file = files[name + RemoteLayout.collectionSuffix] else { return nil }
        guard let bytes = try document(file.name, of: file) else {
            throw RemoteError.notThere(url: fetcher.location(of: file))
        }
        return try PackageCollection(parsing: bytes, file: file.name)
    }

    private func document(_ name: String, of image: ListedFile) throws -> Bytes? {
        guard takesUnlisted || files[name] != nil else { return nil }
        let area = try ListingArea(root: root, remote: listing.remote.name)
        // By the digest of the image: that of another version is another document. An empty one says that there is none.
        let kept = image.digest.hex + (name.hasSuffix(RemoteLayout.jsonSuffix) ? RemoteLayout.jsonSuffix : "")
        if let bytes = try area.document(kept) {
            guard let listed = files[name] else { return bytes.isEmpty ? nil : bytes }
            // Nothing is trusted for being in the cache.
            if Digest(hashing: bytes) == listed.digest { return bytes }
        }
        switch try fetcher.document(name, limit: ImageMetadata.longest) {
        case .found(let bytes, _):
            if let listed = files[name], case let actual = Digest(hashing: bytes), actual != listed.digest {
                throw RemoteError.wrongDigest(
                    url: fetcher.location(of: listed), expected: listed.digest, actual: actual)
            }
            try area.keep(bytes, as: kept)
            return bytes
        case .missing, .unchanged:
            // What the listing names is only not there yet.
            if files[name] == nil { try area.keep([], as: kept) }
            return nil
        }
    }
}

extension RemoteListing {
    /// The files of a sysext store.
    public func files() throws -> [ListedFile] {
        try ChecksumList(
            parsing: bytes, url: remote.description.location.appending(RemoteLayout.checksums)
        ).files
    }
}
