internal import CSolv
public import Files
private import Glibc

/// What a `repomd.xml` says of one file of an RPM repository.
public struct RepositoryMetadata: Sendable, Equatable {
    /// Its path from the repository.
    public let path: String
    /// What it has.
    public let digest: Digest

    /// Reads it.
    ///
    /// - Parameters:
    ///   - text: The `repomd.xml`.
    ///   - type: Which file: `primary` or `filelists`.
    ///   - repository: What errors call it.
    public init(parsing text: Bytes, type: String, repository: String) throws {
        let file = repository + " repomd.xml"
        guard let pool = pool_create() else { throw SystemError("read", file, code: ENOMEM) }
        defer { pool_free(pool) }
        let repo: UnsafeMutablePointer<Repo> = repo_create(pool, "metadata")
        try PackagePool.withStream(text) { stream in
            guard repo_add_repomdxml(repo, stream, 0) == 0 else {
                throw DistributionError.unreadable(file: file, reason: String(cString: pool_errstr(pool)))
            }
        }
        var iterator = Dataiterator()
        dataiterator_init(
            &iterator, pool, repo, SOLVID_META, Id(REPOSITORY_REPOMD_TYPE.rawValue), type, SEARCH_STRING)
        defer { dataiterator_free(&iterator) }
        dataiterator_prepend_keyname(&iterator, Id(REPOSITORY_REPOMD.rawValue))
        guard dataiterator_step(&iterator) != 0 else {
            throw DistributionError.noIndex(repository: repository, wanted: type, available: [])
        }
        dataiterator_setpos_parent(&iterator)
        var kind: Id = 0
        let location = pool_lookup_str(pool, SOLVID_POS, Id(REPOSITORY_REPOMD_LOCATION.rawValue))
        let checksum = pool_lookup_checksum(pool, SOLVID_POS, Id(REPOSITORY_REPOMD_CHECKSUM.rawValue), &kind)
        guard let checksum, kind == Id(REPOKEY_TYPE_SHA256.rawValue),
            let digest = Digest(hex: String(cString: checksum))
        else { throw DistributionError.noDigest(package: type) }
        let path = location.map { String(cString: $0) } ?? ""
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != ".." && $0 != "." }),
            path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else { throw DistributionError.badPlace(package: type, place: path) }
        self.path = path
        self.digest = digest
    }
}
