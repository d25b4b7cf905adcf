public import Files
private import Glibc
public import StoreLayout

/// A document whose signature was verified, or need not be.
public struct SignedDocument: Sendable {
    /// What was signed.
    public let bytes: Bytes
    /// Whose key signed it; `nil` where nobody had to.
    public let signer: String?
    /// When that was, in seconds since the epoch; `nil` where it is not known.
    public let signed: Int?
}

/// Reads the index and the files of one repository of a distribution.
public struct RepositoryReader: Sendable {
    /// Bytes that a signature may have.
    private static let longestSignature = 1 << 20
    /// Begins a text with its signature in it.
    private static let inlineMark = "-----BEGIN PGP SIGNED MESSAGE-----"

    private let remote: ConfiguredRemote
    private let places: [RemoteLocation]
    private let trust: RepositoryTrust
    private let root: String
    private let isOffline: Bool
    /// What is kept of it is called so, beside what is kept of the remote.
    private let name: String
    private let note: @Sendable (String) -> Void
    /// The time, in seconds since the epoch.
    var now: @Sendable () -> Int = { time(nil) }

    /// Reads a repository.
    ///
    /// - Parameters:
    ///   - remote: The remote that it is of.
    ///   - places: Where it is.
    ///   - title: What tells it from others of the remote.
    ///   - trust: Who may have signed it.
    ///   - note: Told of what is no error.
    public init(
        _ remote: ConfiguredRemote, places: [RemoteLocation], title: String, trust: RepositoryTrust,
        root: String, isOffline: Bool, note: @escaping @Sendable (String) -> Void
    ) {
        self.remote = remote
        self.places = places
        self.trust = remote.description.isInsecure ? .anybody : trust
        self.root = root
        self.isOffline = isOffline
        self.note = note
        name = remote.name + RemoteLayout.repositoryMark + Digest(hashing: title.utf8).hex.prefix(16)
    }

    /// A fetcher for a directory of the repository.
    private func fetcher(_ directory: String) -> Fetcher {
        var description = remote.description
        description.location = places.first.map { $0.descending(directory) } ?? description.location
        description.mirrors = (places.dropFirst() + remote.description.mirrors).map {
            $0.descending(directory)
        }
        return Fetcher(description, isOffline: isOffline)
    }

    private static func split(_ path: String) -> (directory: String, name: String) {
        let parts = path.split(separator: "/")
        return (parts.dropLast().joined(separator: "/"), String(parts.last ?? ""))
    }

    /// Whether it is on this host.
    private var isLocal: Bool {
        if case .path? = places.first { return true }
        return false
    }

    // MARK: - Documents

    /// A document, from the server if that has a newer one, with a signature that holds.
    ///
    /// - Parameters:
    ///   - inline: The path of the one that has its signature in it; `nil` where there is none of the kind.
    ///   - plain: The path of the one without.
    ///   - signatures: What is added to its name for its signature; the first that is there counts.
    ///   - isForced: Whether a server is asked for all of it, whatever is in the cache.
    /// - Throws: ``RemoteError``, `SystemError`.
    public func document(
        inline: String?, plain: String, signatures: [String], isForced: Bool = false
    ) throws -> SignedDocument {
        do {
            return try read(inline: inline, plain: plain, signatures: signatures, isForced: isForced)
        } catch let error as RemoteError {
            // Two files: a server may have been between the two.
            guard case .badSignature = error, !isOffline, !isForced, !isLocal else { throw error }
            return try read(inline: inline, plain: plain, signatures: signatures, isForced: true)
        }
    }

    private func read(
        inline: String?, plain: String, signatures: [String], isForced: Bool
    ) throws -> SignedDocument {
        let area = try ListingArea(root: root, remote: name)
        if trust == .anybody {
            note("\(places.first?.text ?? remote.name): what comes from there is not verified by a signature")
        }
        if let inline, trust == .anybody || SignatureCheck.canVerifyInline {
            do {
                return try read(inline, in: area, isInline: true, signatures: [], isForced: isForced)
            } catch RemoteError.notThere {}
        }
        return try read(plain, in: area, isInline: false, signatures: signatures, isForced: isForced)
    }

    private func read(
        _ path: String, in area: ListingArea, isInline: Bool, signatures: [String], isForced: Bool
    ) throws -> SignedDocument {
        let (directory, file) = Self.split(path)
        let fetcher = fetcher(directory)
        let url = fetcher.remote.location.appending(file)
        let cached = try area.cached(url)
        var found: (bytes: Bytes, signature: Bytes?, validators: Fetcher.Validators)?
        do {
            switch try fetcher.document(
                file, limit: ChecksumList.longest, known: isForced ? nil : cached?.validators)
            {
            case .missing: throw RemoteError.notThere(url: url)
            case .unchanged: found = cached
            case .found(let bytes, let validators):
                found = (
                    bytes, isInline ? nil : try signature(of: file, signatures, fetcher), validators
                )
            }
        } catch let error as RemoteError {
            switch error {
            case .offline where cached != nil: break
            case .failed where cached != nil && !isForced:
                note("\(url): what is known of it is taken, because it cannot be reached now\n\(error)")
            default: throw error
            }
            found = cached
        }
        guard let found else { throw RemoteError.notThere(url: url) }
        let document = try verified(found.bytes, found.signature, url, isInline: isInline, in: area)
        if found.bytes != cached?.bytes || found.signature != cached?.signature
            || found.validators != cached?.validators
        {
            try area.keep(found, url: url)
        }
        return document
    }

    private func signature(of file: String, _ suffixes: [String], _ fetcher: Fetcher) throws -> Bytes? {
        guard trust != .anybody else { return nil }
        for suffix in suffixes {
            if case .found(let bytes, _) = try fetcher.document(file + suffix, limit: Self.longestSignature) {
                return bytes
            }
        }
        return nil
    }

    private func verified(
        _ bytes: Bytes, _ signature: Bytes?, _ url: String, isInline: Bool, in area: ListingArea
    ) throws -> SignedDocument {
        guard trust != .anybody else {
            return SignedDocument(
                bytes: isInline ? Self.withoutSignature(bytes) : bytes, signer: nil, signed: nil)
        }
        guard isInline || signature != nil else { throw RemoteError.unsigned(remote: remote.name, url: url) }
        let (result, text) = try area.withFiles(bytes, signature ?? []) { data, signature, home in
            let check = SignatureCheck(
                remote: remote.name, keyring: try Keyring(trust, of: remote, in: home))
            guard isInline else { return (try check.verify(signature, of: data, home: home.path), bytes) }
            return try check.verifyInline(data, home: home)
        }
        if case .fingerprints(let wanted) = trust {
            let keys = [result.fingerprint, result.primary ?? result.fingerprint].map { $0.uppercased() }
            guard keys.contains(where: wanted.contains) else {
                throw RemoteError.badSignature(
                    remote: remote.name,
                    reason: "\(url) is signed with the key \(keys[0]), and another one is named",
                    hint: "check Signed-By in the configuration")
            }
        }
        guard let signed = result.date else {
            throw RemoteError.badSignature(
                remote: remote.name, reason: "the signature of \(url) does not say when it was made",
                hint: "ask who keeps the server to sign it with a current program")
        }
        try SeenListing(
            location: places.first?.text ?? "", signed: signed, digest: Digest(hashing: text).hex, serial: nil
        ).check(of: name, root: root, now: now())
        return SignedDocument(bytes: text, signer: result.fingerprint, signed: signed)
    }

    /// The text of one with its signature in it, which is not looked at.
    ///
    /// Source: RFC 9580, 7.
    static func withoutSignature(_ bytes: Bytes) -> Bytes {
        let lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        guard lines.first == inlineMark[...] else { return bytes }
        let body = lines.drop { !$0.isEmpty }.dropFirst().prefix { $0 != "-----BEGIN PGP SIGNATURE-----" }
        return Bytes(body.map { $0.hasPrefix("- ") ? $0.dropFirst(2) : $0 }.joined(separator: "\n").utf8) + [
            0x0a
        ]
    }

    // MARK: - Files

    /// Fetches a file of the repository, or finds it in the cache.
    ///
    /// - Parameters:
    ///   - path: Its path; of several the first that the server has as it should be.
    ///   - digest: What it has.
    ///   - limit: Bytes that it may have; `nil` where nothing says so.
    ///   - cache: Where it is kept.
    ///   - progress: Told how much is there.
    ///   - isCancelled: Asked now and then.
    /// - Throws: ``RemoteError``, `SystemError`.
    public func fetch(
        _ paths: [String], digest: Digest, limit: Int? = nil, into cache: BlobCache,
        progress: FetchProgress.Part, isCancelled: @escaping @Sendable () -> Bool
    ) throws -> Descriptor {
        for (index, path) in paths.enumerated() {
            let (directory, file) = Self.split(path)
            var fetcher = fetcher(directory)
            fetcher.isCancelled = isCancelled
            if let limit { fetcher.limit = limit }
            do {
                return try fetcher.fetch(
                    ListedFile(name: file, digest: digest), into: cache, progress: progress, onWait: {})
            } catch let error as RemoteError {
                switch error {
                case .notThere, .wrongDigest:
                    guard index + 1 < paths.count else { throw error }
                default: throw error
                }
            }
        }
        throw RemoteError.notThere(url: paths.first ?? "")
    }

    /// Fetches files of a directory of the repository, from its place, with its mirrors and names; `nil` for a directory that is
    /// not in it.
    public func fetcher(ofFilesIn directory: RemoteLocation) -> Fetcher? {
        let known = places + remote.description.mirrors
        for place in known where (directory.text + "/").hasPrefix(place.text + "/") {
            let rest = String(directory.text.dropFirst(place.text.count + 1))
            if case .path = directory { return fetcher(rest) }
            return fetcher(RemoteLocation.unescaped(rest))
        }
        return nil
    }

    /// Where a file is.
    public func location(of path: String) -> String {
        let (directory, file) = Self.split(path)
        return fetcher(directory).remote.location.appending(file)
    }
}
