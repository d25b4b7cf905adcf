public import Files
private import FoundationEssentials
internal import Glibc
public import StoreLayout

/// A directory of images that is published: sxs, systemd-sysupdate and sysextmgr read it.
///
///     emacs-28.2.x86-64.raw         an image
///     emacs-28.2.x86-64.manifest.gz what it says of the hosts that it is for, as mkosi writes it
///     emacs-28.2.x86-64.raw.json    the same for sysextmgr; not listed
///     debug.collection              a name that stands for several packages
///     SHA256SUMS  SHA256SUMS.gpg  SHA256SUMS.minisig  index.json
///                                   links through .sxs/current
///     .sxs/repository.conf          what its keeper decided
///          lock                     locked by the one writer
///          listing-<n>/             the listing, its signatures and the index
///          current -> listing-<n>   THE switch: replaced by rename(2), nothing else is
///          removed                  files that go once the listing does not name them
///          known.json               what is known of files that did not change: saves time, and nothing else
///
/// A file is whole, and on the disk, before the listing names it, and is removed after. So whoever reads finds a listing
/// with the signatures over it, and all files that it names, whenever the writer was killed.
public final class Repository {
    // A class: it holds the lock.

    /// What was found out about an image.
    public struct Facts: Sendable {
        /// What it is called.
        public var name: String
        /// Its version.
        public var version: String
        /// Its architecture; `any` where it has none.
        public var architecture: Architecture
        /// What it is for.
        public var summary: String?
        /// The commands it has.
        public var commands: [String]
        /// The fields of its extension-release.
        public var release: [String: String]
        /// The end of its file's name, which says how it is compressed.
        public var suffix: String

        /// Describes an image.
        public init(
            name: String, version: String, architecture: Architecture, summary: String?, commands: [String],
            release: [String: String], suffix: String = ExtensionLayout.imageSuffix
        ) {
            self.name = name
            self.version = version
            self.architecture = architecture
            self.summary = summary
            self.commands = commands
            self.release = release
            self.suffix = suffix
        }

        /// The name of its file in a repository: `NAME-VERSION.ARCHITECTURE.raw`.
        public var fileName: String {
            "\(name)-\(version)" + (architecture == .any ? "" : ".\(architecture)") + suffix
        }
    }

    static let current = "current"
    static let listingPrefix = "listing-"
    static let known = "known.json"
    private static let format = "repository.conf"
    private static let lock = "lock"
    private static let removed = "removed"
    /// What the names of unfinished work begin with.
    private static let unfinished = "new."

    /// Its path.
    public let path: String
    /// What its keeper decided.
    public private(set) var description: RepositoryDescription

    let directory: Descriptor
    let own: Descriptor
    private let held: Descriptor

    /// Opens a repository, for its one writer.
    ///
    /// - Parameters:
    ///   - path: Its path.
    ///   - onWait: Told once if there is another writer.
    /// - Throws: ``RepositoryError/none(_:)``, `SystemError`.
    public init(_ path: String, onWait: () -> Void = {}) throws {
        directory = try Descriptor.directory(path)
        guard try directory.status(of: RepositoryDescription.file) != nil else {
            throw RepositoryError.none(path)
        }
        self.path = path
        own = try directory.directory(beneath: RepositoryDescription.directory)
        held = try own.open(beneath: Self.lock, flags: O_RDWR | O_CREAT, mode: 0o644)
        if try !held.tryLock() {
            onWait()
            try held.lock()
        }
        description = try Self.description(in: own, of: path)
        try own.sweepHeldDirectories(prefix: Self.unfinished)
        try finishRemoval()
    }

    private static func description(in own: Descriptor, of path: String) throws -> RepositoryDescription {
        try RepositoryDescription(
            parsing: own.open(beneath: Self.format).readAll(limit: RepositoryDescription.longest),
            file: path + "/" + RepositoryDescription.file)
    }

    /// Makes a repository of a directory, which may have images in it.
    ///
    /// - Throws: ``RepositoryError/exists(_:)``, `SystemError`.
    public static func make(_ path: String, _ description: RepositoryDescription) throws {
        if mkdir(path, 0o755) != 0, errno != EEXIST { throw SystemError("create directory", path) }
        let directory = try Descriptor.directory(path)
        try directory.makeDirectory(RepositoryDescription.directory, mode: 0o755)
        guard try directory.status(of: RepositoryDescription.file) == nil else {
            throw RepositoryError.exists(path)
        }
        let own = try directory.directory(beneath: RepositoryDescription.directory)
        // Whatever the umask: a web server goes through it.
        try own.setMode(0o755)
        let (name, area) = try own.makeHeldDirectory(prefix: unfinished)
        try own.replaceFile(format, contents: description.text.utf8, through: area, isDurable: true)
        try own.removeTree(name)
    }

    /// Makes a directory of images that was none before no repository again.
    public static func unmake(_ path: String) throws {
        try Descriptor.directory(path).removeTree(RepositoryDescription.directory)
    }

    /// Changes what its keeper decided.
    public func describe(_ change: (inout RepositoryDescription) -> Void) throws {
        var wanted = description
        change(&wanted)
        try replace(Self.format, in: own, with: Bytes(wanted.text.utf8))
        description = wanted
    }

    /// What the listing of a repository names, and what its keeper decided; needs no lock.
    ///
    /// - Throws: ``RepositoryError``, `SystemError`.
    public static func read(_ path: String) throws -> (RepositoryDescription, RepositoryIndex) {
        let directory = try Descriptor.directory(path)
        guard try directory.status(of: RepositoryDescription.file) != nil else {
            throw RepositoryError.none(path)
        }
        let own = try directory.directory(beneath: RepositoryDescription.directory)
        return (try description(in: own, of: path), try index(in: own, of: path))
    }

    static func index(in own: Descriptor, of path: String) throws -> RepositoryIndex {
        guard let target = try own.readSymlink(current) else { return RepositoryIndex() }
        let listing = try own.directory(beneath: String(decoding: target, as: UTF8.self))
        let bytes = try listing.open(beneath: RemoteLayout.index).readAll(limit: RepositoryIndex.longest)
        let name = [path, RemoteLayout.index].joined(separator: "/")
        do {
            return try RepositoryIndex(parsing: bytes, url: name)
        } catch {
            // Its keeper can do more about it than who reads it.
            throw RepositoryError.badIndex(name)
        }
    }

    // MARK: - Unfinished work

    /// Gives a directory for unfinished work, which is gone afterwards.
    ///
    /// - Parameter body: Given the directory, and its path.
    public func withArea<Result>(_ body: (_ area: Descriptor, _ path: String) throws -> Result) throws
        -> Result
    {
        let (held, area) = try own.makeHeldDirectory(prefix: Self.unfinished)
        defer {
            // What is left goes with the next command.
            try? own.removeTree(held)
        }
        return try withExtendedLifetime(area) {
            try body(area, [path, RepositoryDescription.directory, held].joined(separator: "/"))
        }
    }

    func replace(_ name: String, in place: Descriptor, with bytes: Bytes) throws {
        try withArea { area, _ in
            try place.replaceFile(name, contents: bytes, through: area, isDurable: true)
        }
    }

    // MARK: - Images

    /// The files that are images, sorted.
    func images() throws -> [String] {
        try directory.list().map(\.text).filter { name in
            !name.hasPrefix(".") && RemoteLayout.imageSuffixes.contains { name.hasSuffix($0) && name != $0 }
        }.sorted()
    }

    /// Copies an image into the repository; the listing is to be written then.
    ///
    /// - Returns: The name of its file, and whether it was not there before.
    /// - Throws: ``RepositoryError/taken(_:in:)`` if another image is there by that name, `SystemError`.
    public func add(_ source: Descriptor, _ facts: Facts) throws -> (file: String, isNew: Bool) {
        let name = facts.fileName
        return try withArea { area, _ in
            let copy = try area.open(beneath: "image", flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
            try copy.copyContents(of: source)
            try copy.setMode(0o644)
            try copy.synchronize()
            if try directory.status(of: name) != nil {
                guard
                    try Digest(hashing: directory.open(beneath: name))
                        == Digest(hashing: area.open(beneath: "image"))
                else {
                    throw RepositoryError.taken(name, in: path)
                }
                return (name, false)
            }
            try area.rename("image", to: directory, asNew: name)
            try directory.synchronize()
            return (name, true)
        }
    }

    /// Takes back images that were added, if the listing does not name them.
    public func discard(_ files: [String]) throws {
        let named = Set(try Self.index(in: own, of: path).packages.map(\.file))
        for file in files where !named.contains(file) { try directory.unlink(file) }
    }

    /// Removes files that the listing does not name any more.
    ///
    /// - Parameters:
    ///   - files: The files.
    ///   - write: Writes the listing without them.
    func remove(_ files: [String], _ write: () throws -> Void) throws {
        // A crash after the listing was written is not to bring them back with the next one.
        if !files.isEmpty {
            try replace(Self.removed, in: own, with: Bytes(files.map { $0 + "\n" }.joined().utf8))
        }
        try write()
        if !files.isEmpty { try finishRemoval() }
    }

    private func finishRemoval() throws {
        guard try own.status(of: Self.removed) != nil else { return }
        let text = String(decoding: try own.open(beneath: Self.removed).readAll(), as: UTF8.self)
        let index = try Self.index(in: own, of: path)
        // Two forms of one image have their manifest in common.
        let named = Set(
            index.packages.flatMap { Self.files(of: $0.file) }
                + index.collections.keys.map { $0 + RemoteLayout.collectionSuffix })
        for file in text.split(separator: "\n").map(String.init)
        where !named.contains(file) && !file.contains("/") {
            for name in Self.files(of: file) where !named.contains(name) { try directory.unlink(name) }
        }
        // Else a crash could bring back images, with nothing left that says they go.
        try directory.synchronize()
        try own.unlink(Self.removed)
    }

    /// A file and those beside it.
    private static func files(of file: String) -> [String] {
        let names = companions(of: file)
        return [file, names.record, names.manifest]
    }

    /// A path by which an image can be opened.
    public func path(of file: String) -> String { path + "/" + file }

    // MARK: - Collections

    /// The collections, by name, with their files.
    func collections() throws -> [(file: String, bytes: Bytes, collection: PackageCollection)] {
        try directory.list().map(\.text).filter {
            $0.hasSuffix(RemoteLayout.collectionSuffix) && !$0.hasPrefix(".")
        }.sorted().map { file in
            let bytes = try directory.open(beneath: file).readAll(limit: PackageCollection.longest + 1)
            return (file, bytes, try PackageCollection(parsing: bytes, file: path(of: file)))
        }
    }

    /// Writes a collection, and then the listing; where that fails, the collection is what the listing names.
    ///
    /// - Parameter write: Writes the listing.
    public func set<Result>(_ collection: PackageCollection, _ write: () throws -> Result) throws -> Result {
        let name = collection.name + RemoteLayout.collectionSuffix
        let before =
            try directory.status(of: name) == nil
            ? nil : directory.open(beneath: name).readAll(limit: PackageCollection.longest)
        try replace(name, in: directory, with: Bytes(collection.text.utf8))
        do {
            return try write()
        } catch {
            // The first error is the one to report.
            if let before {
                try? replace(name, in: directory, with: before)
            } else {
                try? directory.unlink(name)
            }
            throw error
        }
    }
}
