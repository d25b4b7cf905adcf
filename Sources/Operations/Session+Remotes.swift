internal import Distributions
internal import Files
private import Glibc
internal import Remotes
internal import Store
public import StoreLayout

/// A place that packages come from.
public struct RemoteSummary: Encodable, Sendable {
    /// Its name.
    public let name: String
    /// Its kind: `directory`, `sysext`, `catalog` or `oci`.
    public let kind: String
    /// Where it is.
    public let location: String
    /// Suites or databases of a distribution; `nil` for what has none.
    public let suites: [String]?
    /// Components of the suites.
    public let components: [String]?
    /// Where the same is, too.
    public let mirrors: [String]
    /// Of several remotes with a package, the highest counts.
    public let priority: Int
    /// Whether nothing of it is verified by a signature.
    public let isInsecure: Bool
    /// The keyring that is trusted for it alone.
    public let keyring: String?
    /// Its file.
    public let file: String

    init(_ remote: ConfiguredRemote) {
        let description = remote.description
        name = description.name
        kind = description.kind.rawValue
        location = description.location.text
        suites = description.suites.isEmpty ? nil : description.suites
        components = description.components.isEmpty ? nil : description.components
        mirrors = description.mirrors.map(\.text)
        priority = description.priority
        isInsecure = description.isInsecure
        keyring = description.keyring
        file = remote.file
    }
}

/// What a remote's listing came to.
public struct RemoteState: Encodable, Sendable {
    /// The remote.
    public let remote: RemoteSummary
    /// How many images it names for any architecture; `nil` for a directory.
    public let files: Int?
    /// Whose key signed it.
    public let signer: String?
    /// When, in seconds since the epoch.
    public let signed: Int?
    /// The number of the listing, where its signature says it.
    public let serial: Int?
    /// Why it is not known.
    public let problem: String?
}

/// What is said of a remote that is added.
public struct RemoteOptions: Sendable {
    /// Suites or databases of a distribution.
    public var suites: [String] = []
    /// Components of a distribution's suites.
    public var components: [String] = []
    /// Its kind; `nil` to look.
    public var kind: RemoteKind?
    /// Further places with the same files.
    public var mirrors: [String] = []
    /// Whether its listing needs no signature.
    public var isInsecure = false
    /// Of several remotes with a package, the highest counts.
    public var priority = 0
    /// A file with the key that signs its listing.
    public var key: String?
    /// A netrc file with names and passwords.
    public var credentials: String?
    /// Seconds without an answer until a server is given up; `nil` for the usual.
    public var timeout: Int?

    /// Nothing is said.
    public init() {}
}

extension Session {
    /// Listings that are read at the same time.
    private static let listingTransfers = 8

    /// All remotes in the order in which they are asked.
    ///
    /// - Parameter earlier: Those of an index that nobody has written since remotes are files.
    func configuredRemotes(earlier: [RemoteDescription] = []) throws -> [ConfiguredRemote] {
        let known = try RemoteConfiguration(root: root).remotes().map(withSettings)
        let more = earlier.filter { remote in !known.contains { $0.name == remote.name } }.map {
            ConfiguredRemote($0, file: root + "/" + StoreLayout.Name.index, isOfRoot: true)
        }
        return known + more
    }

    /// A remote, of which the configuration says what its own file does not.
    func withSettings(_ remote: ConfiguredRemote) throws -> ConfiguredRemote {
        var description = remote.description
        description.timeout = try description.timeout ?? settings.number(.timeout)
        description.attempts = try description.attempts ?? settings.number(.attempts)
        return ConfiguredRemote(description, file: remote.file, isOfRoot: remote.isOfRoot)
    }

    /// The remotes, in the order in which they are asked.
    public func remotes() throws -> [RemoteSummary] {
        try configuredRemotes(earlier: openStore().earlierRemotes()).map(RemoteSummary.init)
    }

    /// One remote, and what its listing is.
    public func remote(_ name: String) throws -> RemoteState {
        let remote = try withSettings(RemoteConfiguration(root: root).remote(name))
        return try states(of: [remote], isAsked: false)[0]
    }

    /// Reads listings anew.
    ///
    /// - Parameter names: The remotes; none for all.
    public func refreshRemotes(_ names: [String]) throws -> [RemoteState] {
        let configuration = RemoteConfiguration(root: root)
        let all = try configuration.remotes()
        return try states(
            of: (names.isEmpty ? all : names.map { try configuration.remote($0) }).map(withSettings))
    }

    /// - Parameter isAsked: Whether distributions are asked for what is newer than what is known.
    private func states(of remotes: [ConfiguredRemote], isAsked: Bool = true) throws -> [RemoteState] {
        let listings = try listings(of: remotes.filter(\.description.hasListing))
        return remotes.map { remote in
            let summary = RemoteSummary(remote)
            do {
                guard let listing = try listings[remote.name]?.get() else {
                    if remote.description.kind.isDistribution {
                        let catalogue = try PackageCatalogue(
                            self, remote, architecture: .host, isKnownEnough: isOffline || !isAsked)
                        return RemoteState(
                            remote: summary, files: catalogue.pool.count, signer: catalogue.signer,
                            signed: catalogue.signed, serial: nil, problem: nil)
                    }
                    if remote.description.kind == .oci {
                        if !isOffline { try Registry(remote, isOffline: false).check() }
                        return RemoteState(
                            remote: summary, files: nil, signer: nil, signed: nil, serial: nil, problem: nil)
                    }
                    _ = try Descriptor.directory(remote.description.location.text)
                    return RemoteState(
                        remote: summary, files: nil, signer: nil, signed: nil, serial: nil, problem: nil)
                }
                let count = remote.description.kind == .sysext ? try listing.files().count : nil
                return RemoteState(
                    remote: summary, files: count, signer: listing.signer, signed: listing.signed,
                    serial: listing.serial, problem: nil)
            } catch {
                return RemoteState(
                    remote: summary, files: nil, signer: nil, signed: nil, serial: nil, problem: "\(error)")
            }
        }
    }

    /// Listings of remotes, read at the same time, and why others cannot be had.
    func listings(of remotes: [ConfiguredRemote]) throws -> [String: Result<RemoteListing, any Error>] {
        let box = ListingBox()
        let reader = ListingReader(
            root: root, isOffline: isOffline, note: { text in box.state.withLock { $0.notes.append(text) } })
        try inParallel(remotes, threads: Self.listingTransfers) { remote in
            let result = Result<RemoteListing, any Error> { try reader.listing(of: remote) }
            box.state.withLock { $0.listings[remote.name] = result }
        }
        let (listings, notes) = box.state.withLock { ($0.listings, $0.notes) }
        for text in notes.sorted() { note(text) }
        return listings
    }

    /// Adds a remote, in which `install NAME` looks.
    ///
    /// What it has is looked at first: a place that cannot be used is not added.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - place: A directory, a catalog file, or the URL of either.
    ///   - options: What is said of it.
    public func addRemote(
        _ name: String, place: String, options: RemoteOptions = RemoteOptions()
    ) throws -> RemoteState {
        let checked = try PackageName(name).text
        var options = options
        var place = place
        let registry = "docker://"
        if place.hasPrefix(registry) {
            options.kind = options.kind ?? .oci
            place = "https://" + place.dropFirst(registry.count)
        }
        let isURL = place.contains("://")
        let location = try RemoteLocation(isURL ? place : Session.absolutePath(place))
        let kind = try options.kind ?? Self.kind(of: location, name: name)
        var description = RemoteDescription(name: checked, kind: kind, location: location)
        description.suites = options.suites
        description.components = options.components
        description.mirrors = try options.mirrors.map { text in
            let isRegistry = kind == .oci && text.hasPrefix(registry)
            return try RemoteLocation(isRegistry ? "https://" + text.dropFirst(registry.count) : text)
        }
        if kind == .directory, let mirror = description.mirrors.first {
            throw RemoteDescriptionError.value(
                checked, "Mirrors", mirror.text, "there for other kinds only: a directory is read as it is")
        }
        description.isInsecure = options.isInsecure
        description.priority = options.priority
        description.credentials = try options.credentials.map { try Session.absolutePath($0) }
        if let timeout = options.timeout { description.timeout = timeout }
        let store = try openStoreForWriting()
        let configuration = RemoteConfiguration(root: root)
        if let known = try configuration.remotes().first(where: { $0.name == checked }) {
            throw RemoteError.exists(checked, file: known.file)
        }
        let temporary = try Descriptor.directory(root + "/" + StoreLayout.Name.temporary)
        do {
            if let key = options.key {
                description.keyring = try asWriter(of: store) {
                    try configuration.keep(key: key, of: checked, through: temporary)
                }
            }
            let file = [root, RemoteLayout.remotes, checked + RemoteLayout.suffix].joined(separator: "/")
            let remote = try withSettings(ConfiguredRemote(description, file: file, isOfRoot: true))
            var listing: RemoteListing?
            if description.hasListing, !isOffline { listing = try listings(of: [remote])[checked]?.get() }
            if kind == .oci, !isOffline { try Registry(remote, isOffline: false).check() }
            var state: (count: Int?, signer: String?, signed: Int?) = (nil, listing?.signer, listing?.signed)
            if kind == .sysext { state.count = try listing?.files().count }
            if kind.isDistribution {
                // Also to see that there is something.
                let catalogue = try PackageCatalogue(
                    self, remote, architecture: .host, isKnownEnough: isOffline)
                state = (catalogue.pool.count, catalogue.signer, catalogue.signed)
            }
            try asWriter(of: store) { try configuration.add(description, through: temporary) }
            return RemoteState(
                remote: RemoteSummary(remote), files: state.count, signer: state.signer, signed: state.signed,
                serial: listing?.serial, problem: nil)
        } catch {
            // The key and what was read go, too; the first error is the one to report.
            try? asWriter(of: store) { try configuration.forget(checked) }
            throw error
        }
    }

    /// What is at a place.
    private static func kind(of location: RemoteLocation, name: String) throws -> RemoteKind {
        guard case .path(let path) = location else {
            return location.text.hasSuffix(".conf") || location.text.hasSuffix(".catalog")
                ? .catalog : .sysext
        }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG { return .catalog }
        let names: [String]
        do {
            names = try Descriptor.directory(path).list().map(\.text)
        } catch is SystemError {
            throw OperationError.badRemote(name, location: path)
        }
        let sums = RemoteLayout.checksums
        let suffixes = RemoteLayout.signatureSuffixes + [RemoteLayout.minisignSuffix]
        let isSigned = suffixes.contains { names.contains(sums + $0) }
        return names.contains(sums) && isSigned ? .sysext : .directory
    }

    /// Adds a remote that is what the host's own package manager is configured with.
    ///
    /// - Parameter name: Its name.
    /// - Throws: ``OperationError/noHostRepositories`` on a host of another kind.
    public func addHostRemote(_ name: String, options: RemoteOptions = RemoteOptions()) throws -> RemoteState
    {
        var options = options
        let places: [(RemoteKind, String)] = [
            (.debian, AptLayout.directory), (.rpm, AptLayout.yumRepositories),
        ]
        let isThere = { (path: String) in access(path, R_OK) == 0 }
        let found = places.first { kind, path in
            isThere(path) && (options.kind.map { $0 == kind } ?? true)
                && (kind != .debian || isThere(path + "/" + AptLayout.sourceList)
                    || isThere(path + "/" + AptLayout.sourceParts))
        }
        guard let (kind, place) = found else { throw OperationError.noHostRepositories }
        options.kind = kind
        return try addRemote(name, place: place, options: options)
    }

    /// Forgets a remote; packages that came from it stay.
    public func removeRemote(_ name: String) throws {
        let store = try openStoreForWriting()
        try asWriter(of: store) { try RemoteConfiguration(root: root).remove(name) }
    }
}

/// Listings as they come from several threads.
private final class ListingBox: Sendable {
    struct State {
        var listings: [String: Result<RemoteListing, any Error>] = [:]
        var notes: [String] = []
    }

    let state = Locked(State())
}
