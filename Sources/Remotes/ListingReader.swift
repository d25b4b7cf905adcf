public import Files
private import Glibc
internal import StoreLayout

/// What a remote offers, as its listing says, which was verified.
public struct RemoteListing: Sendable {
    /// The remote.
    public let remote: ConfiguredRemote
    /// The listing itself.
    public let bytes: Bytes
    /// Whose key signed it; `nil` where nobody did.
    public let signer: String?
    /// When that was, in seconds since the epoch; `nil` where it is not known.
    public let signed: Int?
    /// The number of the listing, where its signature has one.
    public let serial: Int?
}

/// Reads the listings of remotes: from the server if it has a newer one, else from the cache.
public struct ListingReader: Sendable {
    /// Bytes that a signature may have.
    private static let longestSignature = 1 << 20

    let root: String
    let isOffline: Bool
    /// Told of what is no error.
    let note: @Sendable (String) -> Void
    /// The time, in seconds since the epoch.
    var now: @Sendable () -> Int = { time(nil) }

    /// Creates a reader.
    public init(root: String, isOffline: Bool, note: @escaping @Sendable (String) -> Void) {
        self.root = root
        self.isOffline = isOffline
        self.note = note
    }

    /// The listing of a remote.
    ///
    /// - Parameter isForced: Whether a server is asked for all of it, whatever is in the cache.
    /// - Throws: ``RemoteError``, `SystemError`.
    public func listing(of remote: ConfiguredRemote, isForced: Bool = false) throws -> RemoteListing {
        let area = try ListingArea(root: root, remote: remote.name)
        if remote.description.isInsecure {
            note("remote '\(remote.name)' is insecure: what comes from it is not verified by a signature")
        }
        do {
            return try listing(of: remote, in: area, isForced: isForced)
        } catch let error as RemoteError {
            // The listing and its signature are two files: a server may have been between the two; and keys that are
            // trusted now may be those of another signature over the same listing.
            switch error {
            case .badSignature, .noKeys:
                guard !isOffline, !isForced, case .url = remote.description.location else { throw error }
                return try listing(of: remote, in: area, isForced: true)
            default: throw error
            }
        }
    }

    private func listing(
        of remote: ConfiguredRemote, in area: ListingArea, isForced: Bool
    ) throws -> RemoteListing {
        let fetcher = Fetcher(remote.description, isOffline: isOffline)
        let isFile = remote.description.kind == .catalog
        let keys = try TrustedKeys(of: remote, root: root)
        let name = isFile ? "" : RemoteLayout.checksums
        let url = isFile ? remote.description.location.text : remote.description.location.appending(name)
        let cached = try area.cached(url)
        var found: (bytes: Bytes, signature: Bytes?, validators: Fetcher.Validators)?
        do {
            switch try fetcher.document(
                name, limit: ChecksumList.longest, known: isForced ? nil : cached?.validators)
            {
            case .missing: throw RemoteError.notThere(url: url)
            case .unchanged: found = cached
            case .found(let bytes, let validators):
                found = (bytes, try signature(of: remote, name: name, keys, fetcher), validators)
            }
        } catch let error as RemoteError {
            switch error {
            case .offline where cached != nil: break
            case .failed where cached != nil && !isForced:
                note(
                    "remote '\(remote.name)': its last known listing is taken, because it cannot be reached now\n\(error)"
                )
            default: throw error
            }
            found = cached
        }
        guard let found else { throw RemoteError.notThere(url: url) }
        let listing = try verified(found.bytes, found.signature, remote, keys, url, in: area)
        if found.bytes != cached?.bytes || found.signature != cached?.signature
            || found.validators != cached?.validators
        {
            try area.keep(found, url: url)
        }
        return listing
    }

    /// The signature that counts: of minisign if it is by a key that is known, else the first of OpenPGP.
    private func signature(
        of remote: ConfiguredRemote, name: String, _ keys: TrustedKeys, _ fetcher: Fetcher
    ) throws -> Bytes? {
        guard !remote.description.isInsecure else { return nil }
        let fetch = { (suffix: String) -> Bytes? in
            let document =
                name.isEmpty
                ? try fetcher.sibling(suffix, limit: Self.longestSignature)
                : try fetcher.document(name + suffix, limit: Self.longestSignature)
            guard case .found(let bytes, _) = document else { return nil }
            return bytes
        }
        var other: Bytes?
        if !keys.minisign.isEmpty {
            other = try fetch(RemoteLayout.minisignSuffix)
            if let other, keys.have(other) { return other }
        }
        if keys.takesOpenPGP {
            for suffix in RemoteLayout.signatureSuffixes {
                if let bytes = try fetch(suffix) { return bytes }
            }
        }
        // So that an error can say whose it is.
        return try other ?? (keys.minisign.isEmpty ? fetch(RemoteLayout.minisignSuffix) : nil)
    }

    /// Checks signature and dates.
    private func verified(
        _ bytes: Bytes, _ signature: Bytes?, _ remote: ConfiguredRemote, _ keys: TrustedKeys, _ url: String,
        in area: ListingArea
    ) throws -> RemoteListing {
        let isFile = remote.description.kind == .catalog
        let checksums = isFile ? nil : try ChecksumList(parsing: bytes, url: url)
        // A catalog of this host is trusted as the rest of its configuration is.
        var isTrusted = remote.description.isInsecure
        if isFile, case .path = remote.description.location { isTrusted = true }
        guard !isTrusted else {
            if let date = checksums?.bestBefore, Self.isOver(date, now()) {
                note("remote '\(remote.name)': its listing was good until \(date) only")
            }
            return RemoteListing(remote: remote, bytes: bytes, signer: nil, signed: nil, serial: nil)
        }
        guard let signature else { throw RemoteError.unsigned(remote: remote.name, url: url) }
        let verified = try verify(signature, of: bytes, remote, keys, in: area)
        guard let signed = verified.date else {
            throw RemoteError.badSignature(
                remote: remote.name, reason: "the signature does not say when it was made",
                hint: "ask who keeps the server to sign it with a current program")
        }
        try SeenListing(
            location: remote.description.location.text, signed: signed, digest: Digest(hashing: bytes).hex,
            serial: verified.serial
        ).check(of: remote.name, root: root, now: now())
        if let date = checksums?.bestBefore, Self.isOver(date, now()) {
            throw RemoteError.expired(remote: remote.name, date: date)
        }
        return RemoteListing(
            remote: remote, bytes: bytes, signer: verified.fingerprint, signed: verified.date,
            serial: verified.serial)
    }

    private func verify(
        _ signature: Bytes, of bytes: Bytes, _ remote: ConfiguredRemote, _ keys: TrustedKeys,
        in area: ListingArea
    ) throws -> VerifiedSignature {
        if let signature = Minisign(parsing: signature) {
            return try keys.verify(signature, of: bytes, remote: remote.name)
        }
        guard keys.takesOpenPGP else {
            throw RemoteError.badSignature(
                remote: remote.name, reason: "it has no signature of minisign, and its key is of that kind",
                hint: "ask who keeps the server")
        }
        return try area.withFiles(bytes, signature) { data, signature, home in
            try SignatureCheck(remote: remote.name, keyring: Keyring(of: remote, in: home)).verify(
                signature, of: data, home: home.path)
        }
    }

    /// Whether a day is over, in UTC.
    private static func isOver(_ date: String, _ now: Int) -> Bool { date < CivilTime(now).date }
}

extension Fetcher {
    /// Fetches a file whose name is that of the remote's own file and a suffix.
    func sibling(_ suffix: String, limit: Int) throws -> Document {
        var other = remote
        let suffixed = { (place: RemoteLocation) -> RemoteLocation in
            switch place {
            case .path(let text): .path(text + suffix)
            case .url(let text): .url(text + suffix)
            }
        }
        other.location = suffixed(remote.location)
        other.mirrors = remote.mirrors.map(suffixed)
        return try Fetcher(other, isOffline: isOffline).document("", limit: limit)
    }
}
