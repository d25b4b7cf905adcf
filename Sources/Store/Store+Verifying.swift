public import Files
internal import Glibc
internal import StoreLayout
internal import Synchronization

/// Something in a store path that is not as it was registered.
public struct Problem: Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Kind: String, Sendable, CaseIterable {
        /// The listing or metadata are not those that were registered.
        case manifest = "the manifest was changed"
        /// It is not there.
        case missing = "missing"
        /// It is there, and should not be.
        case extra = "not part of the package"
        /// It is a file, link or directory, and should be another of these.
        case type = "of another type"
        /// Its permission bits.
        case mode = "other permissions"
        /// Its contents.
        case content = "other contents"
        /// Where it leads.
        case target = "leads elsewhere"
        /// Its extended attributes.
        case attributes = "other extended attributes"
        /// An alias that is missing or leads elsewhere.
        case alias = "the alias is missing or leads elsewhere"
        /// It cannot be read.
        case unreadable = "cannot be read"
        /// Another user may not read it: no damage, but not compared.
        case shut = "may be read by its owner only"
        /// Python keeps what it has compiled beside the source wherever it may write: as root, in the store, too.
        case bytecode = "compiled by Python, which ran as root"

        /// Whether anything of the package is wrong.
        public var isDamage: Bool { self != .shut && self != .bytecode }
    }

    /// The path it concerns, in the tree; of an alias its name.
    public let path: String
    /// What is wrong.
    public let kind: Kind

    /// Describes a problem.
    public init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
    }

    /// What is wrong, for people.
    public var description: String { "\(path): \(kind.rawValue)" }
}

extension Store {
    /// Reads all of a registered store path and compares it with its listing.
    ///
    /// - Returns: What is wrong, by path; nothing if all is well.
    public func verify(_ package: Package, progress: any Progress = NoProgress()) throws -> [Problem] {
        try verify([package], progress: progress)[0].get()
    }

    /// Reads all of registered store paths, on all processors, and compares them with their listings.
    ///
    /// Contents that several files share are read once.
    ///
    /// - Returns: For each store path what is wrong, by path; an error where it could not be looked at.
    public func verify(
        _ packages: [Package], progress: any Progress = NoProgress()
    ) throws -> [Result<[Problem], any Error>] {
        try examine(packages, progress: progress).map { result in
            result.map { $0.problems }
        }
    }

    /// What is wrong with a store path, and where.
    struct Examined: Sendable {
        /// What is wrong with its manifest and aliases.
        var manifest: [Problem] = []
        /// What is wrong with its tree.
        var tree: [TreeProblem] = []
        /// All of it, for people.
        var problems: [Problem] {
            manifest + tree.map { Problem(path: $0.path.description, kind: $0.kind) }
        }
    }

    /// A piece of the work on store paths.
    private enum Piece: Sendable {
        case package(Int)
        case part(Int, TreeVerification, Range<Int>)
    }

    /// Reads all of registered store paths.
    func examine(
        _ packages: [Package], progress: any Progress
    ) throws -> [Result<Examined, any Error>] {
        let contents = ReadContents()
        let size = packages.reduce(0) { $0 + $1.size }
        let title = packages.count == 1 ? "verifying \(packages[0].name)" : "verifying"
        progress.begin(title, total: size)
        defer { progress.end() }
        // Whoever has no other index to ask than this one: SQLite's connection is this thread's.
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        let root = root
        let results = Locked<[Result<Examined, any Error>?]>(Array(repeating: nil, count: packages.count))
        // The last is taken first.
        let queue = WorkQueue(packages.indices.reversed().map { Piece.package($0) }, threadLimit: .max)
        let reporter = ThreadProgress(progress)
        try queue.run { piece in
            switch piece {
            case .package(let index):
                var examined = Examined()
                let tree = Result {
                    try Self.begin(packages[index], in: root, aliases, &examined) {
                        entry, file, status, buffer in
                        guard case .file(_, let digest) = entry.kind else { return nil }
                        return try contents.digest(of: file, status, buffer) == digest ? nil : .content
                    }
                }
                // What one thread does in one go is not handed to another.
                if case .success(let tree?) = tree, tree.pieces.count <= 1 {
                    for piece in tree.pieces { _ = tree.look(at: piece) }
                    examined.tree += tree.problems
                }
                let begun = examined
                results.withLock { $0[index] = tree.map { _ in begun } }
                guard case .success(let tree?) = tree, tree.pieces.count > 1 else { break }
                for part in tree.pieces.reversed() { queue.add(.part(index, tree, part)) }
            case .part(let index, let tree, let range):
                // What is known of one tree is dropped before that of many others is there.
                guard tree.look(at: range) else { break }
                let problems = tree.problems
                results.withLock { results in
                    results[index] = results[index]?.map { examined in
                        var examined = examined
                        examined.tree += problems
                        return examined
                    }
                }
            }
            reporter.advance(to: contents.count.load(ordering: .relaxed))
        }
        return results.withLock { $0 }.map { $0 ?? .success(Examined()) }
    }

    /// Looks at the manifest and aliases of a store path.
    ///
    /// - Returns: Its tree, the directories of which have been looked at; `nil` where there is nothing to compare.
    static func begin(
        _ package: Package, in root: Descriptor, _ aliases: Descriptor, _ examined: inout Examined,
        _ check: @escaping TreeVerification.ContentCheck
    ) throws -> TreeVerification? {
        let base = package.baseName
        let manifest = try root.directory(beneath: StoreLayout.Name.manifests + "/" + base)
        guard let listing = try self.listing(of: package, in: manifest, &examined.manifest) else {
            return nil
        }
        let metadata = try? JSON.metadata(in: manifest)
        if let metadata, metadata.isOf(package) {
            examined.manifest += problems(ofAliases: metadata, in: aliases)
        } else {
            examined.manifest.append(Problem(path: StoreLayout.Name.metadata, kind: .manifest))
        }
        let sourceName = StoreLayout.Name.sourceListing
        let source = try ListingFiles.readWhole(
            sourceName, in: manifest, listing: listing, digest: package.tree)
        if source.text.map({ Digest(hashing: $0).hex }) != package.tree {
            examined.manifest.append(Problem(path: sourceName, kind: source.isThere ? .manifest : .missing))
        }
        if try manifest.status(of: StoreLayout.Name.report) == nil {
            examined.manifest.append(Problem(path: StoreLayout.Name.report, kind: .missing))
        }
        guard let top = try openTreeIfThere(base, in: root) else {
            examined.tree.append(TreeProblem(path: .root, kind: .missing))
            return nil
        }
        return try TreeVerification(
            top: top, entries: try TreeListing.parse(listing),
            checkContent: check)
    }

    private static func openTreeIfThere(_ base: String, in root: Descriptor) throws -> Descriptor? {
        do {
            return try openTree(base, in: root)
        } catch let error as SystemError where [ENOENT, ENOTDIR].contains(error.code) {
            return nil
        }
    }

    /// The listing of a store path, if it is the one that was registered.
    static func listing(
        of package: Package, in manifest: Descriptor, _ problems: inout [Problem]
    ) throws -> Bytes? {
        let name = StoreLayout.Name.listing
        let (isThere, listing) = try ListingFiles.readWhole(name, in: manifest)
        guard let listing, Digest(hashing: listing).hex == package.listingDigest else {
            problems.append(Problem(path: name, kind: isThere ? .manifest : .missing))
            return nil
        }
        return listing
    }

    static func problems(ofAliases metadata: Metadata, in aliases: Descriptor) -> [Problem] {
        metadata.aliases.compactMap { alias in
            // A file in the place of a link cannot be read as one: that is a problem too.
            let target = try? aliases.readSymlink(alias.name)
            let isRight = target == Self.target(of: alias, in: metadata.storePath)
            return isRight ? nil : Problem(path: alias.name, kind: .alias)
        }
    }
}

extension Metadata {
    /// Whether they are those of a registered package.
    func isOf(_ package: Package) -> Bool {
        storePath == package.baseName && listingDigest == package.listingDigest
            && identity.map { StorePath($0).baseName } == package.baseName
    }
}

/// Hands on what one thread reports, and nothing of the others: they are no business of who shows it.
final class ThreadProgress: @unchecked Sendable {
    private let progress: any Progress
    private let thread = pthread_self()

    init(_ progress: any Progress) { self.progress = progress }

    func advance(to bytes: Int) {
        if pthread_equal(thread, pthread_self()) != 0 { progress.advance(to: bytes) }
    }
}
