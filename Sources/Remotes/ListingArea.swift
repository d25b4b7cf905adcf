internal import Files
private import Glibc
internal import StoreLayout

/// Where the listing of a remote is kept: below the root's cache, or nowhere for those who only read the root.
struct ListingArea {
    private static let section = "Listing"
    private let directory: Descriptor?

    /// Opens it, making it where there is none.
    init(root: String, remote: String) throws {
        do {
            let cache = try Descriptor.directory(root + "/" + StoreLayout.Name.cache)
            try cache.makeDirectory(RemoteLayout.listings, mode: 0o755)
            let listings = try cache.directory(beneath: RemoteLayout.listings)
            try listings.makeDirectory(remote, mode: 0o755)
            directory = try listings.directory(beneath: remote)
        } catch let error as SystemError where Self.isNotOurs(error) {
            directory = try? Descriptor.directory(
                [root, StoreLayout.Name.cache, RemoteLayout.listings, remote].joined(separator: "/"))
        }
    }

    /// Whether an error says that the root is another's.
    static func isNotOurs(_ error: SystemError) -> Bool {
        [EACCES, EPERM, EROFS, ENOENT].contains(error.code)
    }

    /// The listing that is there, if it is of a place.
    func cached(_ url: String) throws -> (bytes: Bytes, signature: Bytes?, validators: Fetcher.Validators)? {
        guard let directory, try directory.status(of: RemoteLayout.listingFacts) != nil else { return nil }
        let facts = ConfigurationFile(
            parsing: String(
                decoding: try directory.open(beneath: RemoteLayout.listingFacts).readAll(limit: 64 << 10),
                as: UTF8.self))
        guard facts.value("Location", in: Self.section) == url,
            try directory.status(of: RemoteLayout.checksums) != nil
        else { return nil }
        let bytes = try directory.open(beneath: RemoteLayout.checksums).readAll(limit: ChecksumList.longest)
        // A crash may have come between the two files, or taken the contents of one.
        guard Digest(hashing: bytes).hex == facts.value("Digest", in: Self.section) else { return nil }
        let hasSignature = try directory.status(of: RemoteLayout.signature) != nil
        return (
            bytes, hasSignature ? try directory.open(beneath: RemoteLayout.signature).readAll() : nil,
            Fetcher.Validators(
                etag: facts.value("ETag", in: Self.section),
                date: facts.value("LastModified", in: Self.section))
        )
    }

    /// Keeps a listing; nothing for those who only read the root.
    func keep(
        _ found: (bytes: Bytes, signature: Bytes?, validators: Fetcher.Validators), url: String
    ) throws {
        guard let directory else { return }
        do {
            try directory.unlink(RemoteLayout.listingFacts)
            try directory.replaceFile(RemoteLayout.checksums, contents: found.bytes)
            if let signature = found.signature {
                try directory.replaceFile(RemoteLayout.signature, contents: signature)
            } else {
                try directory.unlink(RemoteLayout.signature)
            }
            var text = "[\(Self.section)]\nLocation=\(url)\nDigest=\(Digest(hashing: found.bytes).hex)\n"
            if let etag = found.validators.etag { text += "ETag=\(etag)\n" }
            if let date = found.validators.date { text += "LastModified=\(date)\n" }
            try directory.replaceFile(RemoteLayout.listingFacts, contents: text.utf8)
        } catch let error as SystemError where Self.isNotOurs(error) {
            return
        }
    }

    /// A document that was kept of an image, by a name of ours.
    func document(_ name: String) throws -> Bytes? {
        guard let directory, try directory.status(of: RemoteLayout.metadata + "/" + name) != nil else {
            return nil
        }
        return try directory.open(beneath: RemoteLayout.metadata + "/" + name).readAll(
            limit: ImageMetadata.longest)
    }

    /// Keeps a document of an image.
    func keep(_ bytes: Bytes, as name: String) throws {
        guard let directory else { return }
        do {
            try directory.makeDirectory(RemoteLayout.metadata, mode: 0o755)
            try directory.directory(beneath: RemoteLayout.metadata).replaceFile(name, contents: bytes)
        } catch let error as SystemError where Self.isNotOurs(error) {
            return
        }
    }

    /// Calls a closure with the paths of a file and its signature, and an empty directory.
    func withFiles<Result>(
        _ bytes: Bytes, _ signature: Bytes, _ body: (String, String, Descriptor) throws -> Result
    ) throws -> Result {
        let place = try Descriptor.directory(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")
        let (name, directory) = try place.makeHeldDirectory(prefix: "sxs-verify-")
        // Small files in a directory for such; a crash before it is removed does no harm.
        defer { try? place.removeTree(name) }
        try directory.replaceFile("data", contents: bytes)
        try directory.replaceFile("signature", contents: signature)
        return try body(directory.path(of: "data"), directory.path(of: "signature"), directory)
    }
}
