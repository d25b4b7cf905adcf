internal import CSolv
public import Files
internal import Glibc
public import StoreLayout

/// The packages of some repositories of one kind, as libsolv holds them.
///
/// Repositories are added first; then it is asked.
public final class PackagePool {
    // A class: it owns libsolv's memory.

    let pool: UnsafeMutablePointer<Pool>
    /// Whose rules for versions and dependencies hold.
    public let kind: RemoteKind
    /// The repositories, in the order in which they were added.
    private(set) var repositories: [UnsafeMutablePointer<Repo>] = []
    private var isPrepared = false

    /// Creates an empty pool.
    ///
    /// - Parameters:
    ///   - kind: `debian`, `rpm` or `arch`.
    ///   - architecture: Whose packages count.
    public init(kind: RemoteKind, architecture: Architecture) {
        self.kind = kind
        pool = pool_create()
        let type =
            switch kind {
            case .debian: DISTTYPE_DEB
            case .arch: DISTTYPE_ARCH
            default: DISTTYPE_RPM
            }
        pool_setdisttype(pool, type)
        pool_setarch(pool, Self.name(of: architecture, kind: kind))
    }

    deinit { pool_free(pool) }

    /// What a distribution calls an architecture.
    public static func name(of architecture: Architecture, kind: RemoteKind) -> String {
        guard kind == .debian else {
            return switch architecture {
            case .x86_64: "x86_64"
            case .x86: "i686"
            case .arm64: "aarch64"
            case .arm: kind == .rpm ? "armv7hl" : "armv7h"
            case .ppc64le: "ppc64le"
            default: architecture.rawValue
            }
        }
        return switch architecture {
        case .x86_64: "amd64"
        case .x86: "i386"
        case .arm: "armhf"
        case .ppc64le: "ppc64el"
        case .loongarch64: "loong64"
        case .any: "all"
        default: architecture.rawValue
        }
    }

    // MARK: - Adding

    /// The version of the form in which ``cache(of:)`` writes, with libsolv's.
    public static let cacheVersion = "2-" + LIBSOLV_VERSION_STRING

    /// Adds a repository by the texts of its index.
    ///
    /// - Parameters:
    ///   - texts: `Packages` files, a `primary.xml` and what goes with it, or an unpacked database.
    ///   - title: What errors call it.
    ///   - isAutomatic: Whether its packages are chosen where others have the name, too.
    /// - Returns: Its number.
    @discardableResult
    public func add(_ texts: [Bytes], title: String, isAutomatic: Bool = true) throws -> Int {
        let repository = begin(title, isAutomatic)
        for text in texts {
            try Self.withStream(text) { stream in
                let code =
                    switch kind {
                    case .debian: repo_add_debpackages(repository, stream, 0)
                    case .arch: repo_add_arch_repo(repository, stream, 0)
                    default: repo_add_rpmmd(repository, stream, nil, 0)
                    }
                guard code == 0 else {
                    throw DistributionError.unreadable(
                        file: title, reason: String(cString: pool_errstr(pool)))
                }
            }
        }
        if kind == .debian { addSizes(texts, to: repository) }
        return repositories.count - 1
    }

    /// Adds the lengths of files, which libsolv does not read.
    private func addSizes(_ texts: [Bytes], to repository: UnsafeMutablePointer<Repo>) {
        var sizes: [Digest: UInt64] = [:]
        for text in texts { PackageSizes.read(text) { sizes[$0] = $1 } }
        let (key, checksum) = (Id(SOLVABLE_DOWNLOADSIZE.rawValue), Id(SOLVABLE_CHECKSUM.rawValue))
        for id in repository.pointee.start..<repository.pointee.end {
            var type: Id = 0
            let solvable = pool.pointee.solvables + Int(id)
            guard solvable.pointee.repo == repository,
                let bytes = solvable_lookup_bin_checksum(solvable, checksum, &type),
                type == Id(REPOKEY_TYPE_SHA256.rawValue),
                let digest = Digest(bytes: UnsafeBufferPointer(start: bytes, count: Digest.byteCount)),
                let size = sizes[digest]
            else { continue }
            repo_set_num(repository, id, key, size)
        }
        repo_internalize(repository)
    }

    /// Adds a repository by what ``cache(of:)`` gave of it.
    ///
    /// - Returns: Its number; `nil` where it cannot be read, and nothing is added.
    public func add(cache: Bytes, title: String, isAutomatic: Bool = true) -> Int? {
        let repository = begin(title, isAutomatic)
        let isRead = try? Self.withStream(cache) { repo_add_solv(repository, $0, 0) == 0 }
        guard isRead == true else {
            repositories.removeLast()
            repo_free(repository, 1)
            return nil
        }
        return repositories.count - 1
    }

    private func begin(_ title: String, _ isAutomatic: Bool) -> UnsafeMutablePointer<Repo> {
        let repository: UnsafeMutablePointer<Repo> = repo_create(pool, title)
        repository.pointee.priority = isAutomatic ? 0 : -1
        repositories.append(repository)
        isPrepared = false
        return repository
    }

    /// A repository in libsolv's own form, which is read faster than its index.
    public func cache(of number: Int) throws -> Bytes {
        var address: UnsafeMutablePointer<CChar>?
        var count = 0
        guard let stream = open_memstream(&address, &count) else { throw SystemError("write", "an index") }
        let code = repo_write_filtered(repositories[number], stream, keepsForCache, nil, nil)
        fclose(stream)
        defer { free(address) }
        guard code == 0, let address else {
            throw DistributionError.unreadable(file: "an index", reason: String(cString: pool_errstr(pool)))
        }
        return Bytes(UnsafeRawBufferPointer(start: address, count: count))
    }

    static func withStream<Result>(
        _ bytes: Bytes, _ body: (UnsafeMutablePointer<FILE>) throws -> Result
    ) throws -> Result {
        // An empty buffer is none for fmemopen.
        let bytes = bytes.isEmpty ? [0x0a] : bytes
        return try bytes.withUnsafeBytes { buffer in
            guard
                let stream = fmemopen(
                    UnsafeMutableRawPointer(mutating: buffer.baseAddress), buffer.count, "r")
            else { throw SystemError("read", "an index") }
            defer { fclose(stream) }
            return try body(stream)
        }
    }

    /// What was added is made searchable anew.
    func invalidate() { isPrepared = false }

    /// Makes what was added searchable.
    func prepare() {
        guard !isPrepared else { return }
        pool_addfileprovides(pool)
        pool_createwhatprovides(pool)
        isPrepared = true
    }

    // MARK: - Asking

    /// The number of all packages.
    public var count: Int { repositories.reduce(0) { $0 + Int($1.pointee.nsolvables) } }

    func name(_ id: Id) -> String { pool_id2str(pool, id).map { String(cString: $0) } ?? "" }

    /// Whether a package may be installed on the architecture.
    private func isInstallable(_ id: Id) -> Bool {
        pool_installable(pool, pool.pointee.solvables + Int(id)) != 0
    }

    /// Identifiers of all packages of the repositories.
    private var all: some Sequence<Id> {
        repositories.lazy.flatMap { repository in
            (repository.pointee.start..<repository.pointee.end).lazy.filter {
                self.pool.pointee.solvables[Int($0)].repo == repository
            }
        }
    }

    /// The packages whose name has some text in it, the best of each name, sorted by name.
    public func search(_ text: String) -> [AvailablePackage] {
        var best: [Id: Id] = [:]
        // Each name once: there may be several versions.
        var answers: [Id: Bool] = [:]
        for id in all {
            let name = pool.pointee.solvables[Int(id)].name
            if answers[name] == nil {
                answers[name] = text.isEmpty || strstr(pool_id2str(pool, name), text) != nil
            }
            guard answers[name] == true, isInstallable(id) else { continue }
            if let known = best[name], !isBetter(id, than: known) { continue }
            best[name] = id
        }
        return best.values.map(available).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// Packages of a name, the best first.
    public func packages(named name: String) -> [AvailablePackage] {
        ids(named: name).map(available)
    }

    /// Whether there is a package of a name.
    public func has(_ name: String) -> Bool { !ids(named: name).isEmpty }

    func ids(named name: String) -> [Id] {
        let wanted = pool_str2id(pool, name, 0)
        guard wanted != 0 else { return [] }
        return all.filter { pool.pointee.solvables[Int($0)].name == wanted && isInstallable($0) }
            .sorted { isBetter($0, than: $1) }
    }

    /// Whether a package goes before another of its name: by its repository's rank, its version, its repository's place.
    private func isBetter(_ left: Id, than right: Id) -> Bool {
        let (one, other) = (pool.pointee.solvables[Int(left)], pool.pointee.solvables[Int(right)])
        let (rank, otherRank) = (one.repo.pointee.priority, other.repo.pointee.priority)
        guard rank == otherRank else { return rank > otherRank }
        let order = pool_evrcmp(pool, one.evr, other.evr, EVRCMP_COMPARE)
        return order == 0 ? left < right : order > 0
    }

    private func available(_ id: Id) -> AvailablePackage {
        let solvable = pool.pointee.solvables + Int(id)
        return AvailablePackage(
            name: name(solvable.pointee.name), version: name(solvable.pointee.evr),
            summary: solvable_lookup_str(solvable, Id(SOLVABLE_SUMMARY.rawValue)).map { String(cString: $0) },
            repository: number(of: solvable))
    }

    func number(of solvable: UnsafeMutablePointer<Solvable>) -> Int {
        repositories.firstIndex { $0 == solvable.pointee.repo } ?? 0
    }

    /// The order of two versions by the distribution's rules: below zero, zero, above zero.
    public func order(_ left: String, _ right: String) -> Int {
        Int(pool_evrcmp_str(pool, left, right, EVRCMP_COMPARE))
    }
}

/// What the cache has: all but long descriptions and other texts that nothing here asks for.
private let keepsForCache:
    @convention(c) (
        UnsafeMutablePointer<Repo>?, UnsafeMutablePointer<Repokey>?, UnsafeMutableRawPointer?
    ) -> Int32 = { repository, key, data in
        guard let key else { return 0 }
        let unwanted = [SOLVABLE_DESCRIPTION, SOLVABLE_URL, SOLVABLE_KEYWORDS, SOLVABLE_AUTHORS].map {
            Id($0.rawValue)
        }
        if unwanted.contains(key.pointee.name) { return Int32(KEY_STORAGE_DROPPED) }
        return repo_write_stdkeyfilter(repository, key, data)
    }
