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

    /// Opens a store; only files that others may read are needed, and no index.
    ///
    /// - Throws: ``StoreError/notAStore(path:)``, `SystemError`.
    public init(root path: String) throws {
        root = try Descriptor.directory(path)
        guard try root.status(of: StoreLayout.Name.format) != nil else {
            throw StoreError.notAStore(path: path)
        }
    }

    /// An object with the contents, whatever its permissions.
    public func content(_ digest: Digest, of baseName: String) throws -> Descriptor? {
        try Store.objects(of: digest, in: root).first.flatMap { try? root.open(beneath: $0) }
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

extension Store {
    /// Paths of the objects that are named for certain contents, whatever their permissions and attributes.
    static func objects(of digest: Digest, in root: Descriptor) throws -> [String] {
        let place = StoreLayout.Name.objects + "/" + ObjectKey(digest: digest, mode: 0).directoryName
        guard try root.status(of: place) != nil else { return [] }
        let prefix = Array(digest.hex.utf8) + [UInt8(ascii: "-")]
        var names: [String] = []
        try root.directory(beneath: place).forEachEntry { name, _, _ in
            if name.starts(with: prefix) { names.append(place + "/" + String(decoding: name, as: UTF8.self)) }
        }
        return names.sorted()
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
