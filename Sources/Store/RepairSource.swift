public import Files
internal import Glibc
internal import StoreLayout

/// Where a repair may find what a store has lost.
///
/// Nothing that it gives is trusted: contents and listings have digests, and are compared with them.
public protocol RepairSource: AnyObject {
    /// What it is called when something was taken from it.
    var name: String { get }

    /// What a file or listing comes from that it gave for a store path, for people.
    func origin(of baseName: String) -> String

    /// A file that should have certain contents; `nil` where it has none.
    ///
    /// - Parameters:
    ///   - digest: The digest of the contents.
    ///   - baseName: The store path that lost them.
    func content(_ digest: Digest, of baseName: String) throws -> Descriptor?

    /// A file of a store path's manifest; `nil` where it has none.
    func manifestFile(_ name: String, of baseName: String) throws -> Bytes?
}

extension RepairSource {
    /// Its own name.
    public func origin(of baseName: String) -> String { name }
}

/// Another store on this machine.
public final class OtherStore: RepairSource {
    // A class: a source has an identity.

    /// What it is called.
    public var name: String { "the store at \(root.path)" }

    private let root: Descriptor
    /// The files of the store path that was asked for last.
    private var listed: (baseName: String, files: ListedFiles?)?
    /// By the first bytes of their digests, which store path has contents; once the one that was asked for had not.
    private var owners: [UInt64: String]?

    /// Opens a store; only files that others may read are needed, and no index.
    ///
    /// - Throws: ``StoreError/notAStore(path:)``, `SystemError`.
    public init(root path: String) throws {
        root = try Descriptor.directory(path)
        guard try root.status(of: StoreLayout.Name.format) != nil else {
            throw StoreError.notAStore(path: path)
        }
    }

    /// A file of the same store path, or of another that has the contents, whatever its permissions.
    public func content(_ digest: Digest, of baseName: String) throws -> Descriptor? {
        if let file = try file(digest, in: baseName) { return file }
        guard let other = try owner(of: digest), other != baseName else { return nil }
        return try file(digest, in: other)
    }

    private func file(_ digest: Digest, in baseName: String) throws -> Descriptor? {
        if listed?.baseName != baseName { listed = (baseName, files(of: baseName)) }
        return try listed?.files?.first(with: digest) { entry in
            let path = Bytes((StoreLayout.Name.store + "/" + baseName + "/").utf8) + entry.path.bytes
            return try? root.open(beneath: path)
        }
    }

    private func owner(of digest: Digest) throws -> String? {
        if let owners { return owners[digest.start] }
        var owners: [UInt64: String] = [:]
        for entry in try root.directory(beneath: StoreLayout.Name.manifests).list()
        where StorePath.isBaseName(entry.text) {
            guard let files = files(of: entry.text) else { continue }
            for digest in files.digests where owners[digest] == nil { owners[digest] = entry.text }
        }
        self.owners = owners
        return owners[digest.start]
    }

    /// The files of a store path; `nil` where it has none, or its listing is damaged, which is of no use here.
    private func files(of baseName: String) -> ListedFiles? {
        let manifest = try? root.directory(beneath: StoreLayout.Name.manifests + "/" + baseName)
        // In memory: what belongs to others may become shorter meanwhile.
        let listing = try? manifest.map { try ListingFiles.readPresent(StoreLayout.Name.listing, in: $0) }
        return listing.flatMap { try? ListedFiles(SpilledText($0)) }
    }

    /// The same file of its own manifest of the same store path.
    public func manifestFile(_ name: String, of baseName: String) throws -> Bytes? {
        // What is damaged there is of no use here.
        let manifest = try? root.directory(beneath: StoreLayout.Name.manifests + "/" + baseName)
        guard [StoreLayout.Name.listing, StoreLayout.Name.sourceListing].contains(name) else {
            return try? manifest?.open(beneath: name).readAll(limit: .max)
        }
        return try? manifest.map { try ListingFiles.readPresent(name, in: $0) }
    }
}

/// What a repair did, or would do, and what it could not.
public struct RepairResult: Sendable, Equatable {
    /// Something at a path.
    public struct Item: Sendable, Equatable {
        /// The path, in the root.
        public let path: String
        /// What was done, or why it is lost.
        public let what: String
    }

    /// What was put right.
    public internal(set) var repaired: [Item] = []
    /// What is not as it should be, still.
    public internal(set) var lost: [Item] = []

    /// Nothing done.
    public init() {}

    /// Adds what another part did.
    public mutating func merge(_ other: RepairResult) {
        repaired += other.repaired
        lost += other.lost
    }

    mutating func note(_ path: String, _ what: String) { repaired.append(Item(path: path, what: what)) }

    mutating func lose(_ path: String, _ what: String) { lost.append(Item(path: path, what: what)) }

    /// Notes what cannot be put right because of an error; throws one that would end all other attempts, too.
    mutating func lose(_ path: String, _ error: any Error) throws {
        if let error = error as? SystemError, error.isWant { throw error }
        lose(path, String("\(error)".prefix { $0 != "\n" }))
    }
}
