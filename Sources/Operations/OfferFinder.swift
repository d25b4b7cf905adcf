internal import Activation
internal import Distributions
internal import Files
internal import Images
internal import Remotes
internal import StoreLayout

/// How names of packages are found in remotes.
///
/// Remotes are asked in their order (priority, then name), and the first that has a package of the name is the one that
/// counts, so that no other remote can put a newer version in its place.
final class OfferFinder {
    // A class: listings are read once.

    private let session: Session
    private let remotes: [ConfiguredRemote]
    private let architecture: Architecture
    /// The listings that were read, and why others were not.
    private var listings: [String: Result<RemoteListing, any Error>] = [:]
    /// Remotes that could not be reached, of which it was said: they are not asked for each name.
    private var unreachable: Set<String> = []
    /// Their files, by the names of packages.
    private var files: [String: [String: [Listed]]] = [:]
    /// The images of directories, by the names of packages.
    private var images: [String: [String: [Image]]] = [:]
    /// What reads the metadata of their files.
    private var readers: [String: MetadataReader] = [:]
    /// Distributions that were read.
    private var catalogues: [String: PackageCatalogue] = [:]
    /// Whether what packages of distributions recommend is wanted, too.
    var hasRecommended = false
    /// Whether what scripts of packages use is wanted, too.
    var runsScripts = false
    private lazy var host = HostMatch(root: hostRoot, progress: session.progress)
    private let hostRoot: String

    /// A file of a listing, with what its name says.
    private struct Listed {
        let file: ListedFile
        let version: PackageVersion?
    }

    /// A file of a directory, with what its name says.
    private struct Image {
        let fileName: String
        let version: PackageVersion?
    }

    /// - Parameters:
    ///   - architecture: That of the packages.
    ///   - host: The root directory of the host that they are for.
    init(
        _ session: Session, earlier: [RemoteDescription] = [], architecture: Architecture?, host: String = "/"
    ) throws {
        self.session = session
        hostRoot = host
        remotes = try session.configuredRemotes(earlier: earlier)
        self.architecture = architecture ?? .host
    }

    /// Names of all remotes.
    var names: [String] { remotes.map(\.name) }

    /// Whether there is a remote of a name.
    func has(_ name: String) -> Bool { remotes.contains { $0.name == name } }

    // MARK: - Finding

    /// The newest offer of a name that is for this host; `nil` where no remote has one.
    ///
    /// - Parameters:
    ///   - version: The version that is wanted; `nil` for the newest.
    ///   - remote: The remote that is wanted; `nil` for the first that has the name.
    ///   - passesOver: Whether a remote that is wanted and cannot be reached counts as one that does not have the name.
    ///   - ignoresHost: Whether offers for other hosts are taken, too.
    /// - Throws: ``OperationError/nothingFits(_:remote:image:reason:hint:)``, `RemoteError`, …
    func offer(
        of name: String, version: String? = nil, remote wanted: String? = nil, passesOver: Bool = false,
        ignoresHost: Bool = false
    ) throws -> Offer? {
        let asked = try wanted.map { wanted in
            guard let remote = remotes.first(where: { $0.name == wanted }) else {
                throw RemoteError.unknownRemote(wanted, known: names)
            }
            return [remote]
        }
        try readListings(asked ?? remotes)
        var chosen: Offer?
        for remote in asked ?? remotes {
            // A registry is asked for each name: not only to say that it has it, too.
            guard chosen == nil || remote.description.kind != .oci else { continue }
            let candidates = try candidates(
                named: name, version: version, in: remote, isNamed: wanted != nil && !passesOver)
            guard !candidates.isEmpty else { continue }
            if let chosen {
                session.note(
                    "\(name) is in remote '\(chosen.remote.name)' and in '\(remote.name)'; the first is taken, and \(remote.name)/\(name) names the other"
                )
                break
            }
            chosen = try fitting(candidates, ignoresHost: ignoresHost)
        }
        guard var chosen else { return nil }
        if case .tag(let registry, let tag) = chosen.place {
            guard let image = try registry.image(of: chosen.repository, tag: tag, architecture: architecture)
            else {
                return nil
            }
            chosen.place = .image(image)
        }
        if case .wish(let wish, let catalogue) = chosen.place {
            let set = try PackageSet(
                wish, hasRecommended: hasRecommended, runsScripts: runsScripts, from: catalogue)
            chosen.place = .packages(set)
            // Of several versions the one that goes with the rest is taken, not always the newest.
            chosen.version = set.main.flatMap { ImageNaming.packageVersion($0.version) }.flatMap {
                try? PackageVersion($0)
            }
        }
        return chosen
    }

    /// The remotes, in their order, their listings read.
    func readRemotes() throws -> [ConfiguredRemote] {
        try readListings(remotes)
        return remotes
    }

    /// The names of a distribution's packages, as they were read last; `nil` where it cannot be reached.
    func names(of remote: ConfiguredRemote) throws -> NameList? {
        if let known = catalogues[remote.name] { return known.names }
        if let list = try PackageCatalogue.names(session, remote, architecture: architecture) { return list }
        return try catalogue(of: remote, isNamed: false, isKnownEnough: true)?.names
    }

    /// That no remote has a package, with names of distributions' packages that may have been meant.
    ///
    /// - Parameter wanted: The remote that was named; `nil` for all.
    func unknown(_ text: String, named name: String, in wanted: String?) -> OperationError {
        // The first error is the one to report, whatever else is wrong with a remote.
        let lists = remotes.filter { $0.description.kind.isDistribution && wanted ?? $0.name == $0.name }.map
        {
            (try? names(of: $0)?.names(like: name)) ?? []
        }
        return .unknownPackage(text, remotes: names, like: Array(lists.joined()))
    }

    /// What the rules of systemd say of an offer; `nil` where the remote says nothing of the image.
    func match(of offer: Offer) throws -> ExtensionMatch? {
        try release(of: offer).flatMap { try host.match($0, fileName: offer.fileName) }
    }

    /// The newest that is for this host.
    private func fitting(_ candidates: [Offer], ignoresHost: Bool) throws -> Offer? {
        guard !ignoresHost else { return candidates.first }
        var refusal: (Offer, ExtensionMatch)?
        for offer in candidates {
            guard let match = try match(of: offer), match.refusal != nil else { return offer }
            refusal = refusal ?? (offer, match)
        }
        guard let (offer, match) = refusal, let rule = match.refusal else { return nil }
        throw OperationError.nothingFits(
            offer.name, remote: offer.remote.name, image: offer.fileName, reason: HostMatch.text(rule))
    }

    /// The fields of an offer's extension-release; `nil` where the remote says nothing of it.
    func release(of offer: Offer) throws -> [String: String]? {
        guard case .file(let file, _) = offer.place, offer.remote.description.kind == .sysext else {
            return nil
        }
        return try metadata(of: offer.remote)?.metadata(of: file)?.release
    }

    /// Reads what a sysext store says of its files; `nil` where its listing cannot be had.
    func metadata(of remote: ConfiguredRemote) throws -> MetadataReader? {
        if let known = readers[remote.name] { return known }
        guard case .success(let listing)? = listings[remote.name], remote.description.kind == .sysext else {
            return nil
        }
        let reader = MetadataReader(
            listing, files: try listing.files(), root: session.root, isOffline: session.isOffline)
        readers[remote.name] = reader
        return reader
    }

    /// Offers of a name in one remote for the architecture, the newest first.
    func candidates(
        named name: String, version: String?, in remote: ConfiguredRemote, isNamed: Bool
    ) throws -> [Offer] {
        let offers: [Offer]
        switch remote.description.kind {
        case .oci: offers = try registryOffers(of: name, version: version, in: remote, isNamed: isNamed)
        case .directory: offers = try directoryOffers(of: name, in: remote)
        case .debian, .rpm, .arch:
            guard let catalogue = try catalogue(of: remote, isNamed: isNamed) else { return [] }
            // By the distribution's order of versions; the solver takes another where that does not go with the rest.
            return catalogue.pool.packages(named: name).prefix(1).map {
                Self.offer(of: $0, version: version, in: catalogue)
            }
        case .catalog:
            guard let listing = try listing(of: remote, isNamed: isNamed) else { return [] }
            return try catalogOffers(of: name, version: version, in: listing)
        case .sysext:
            guard let listing = try listing(of: remote, isNamed: isNamed) else { return [] }
            let fetcher = Fetcher(remote.description, isOffline: session.isOffline)
            offers = try listed(listing)[name, default: []].map {
                Offer(
                    name: name, version: $0.version, remote: remote, fileName: $0.file.name,
                    place: .file($0.file, fetcher))
            }
        }
        return offers.filter { offer in version.map { Self.isVersion($0, offer.version) } ?? true }
            .enumerated().sorted { left, right in
                guard let first = left.element.version, let second = right.element.version, first != second
                else {
                    if (left.element.version == nil) == (right.element.version == nil) {
                        return left.offset < right.offset
                    }
                    return right.element.version == nil
                }
                return first > second
            }.map(\.element)
    }

    private static func offer(
        of package: AvailablePackage, version: String?, in catalogue: PackageCatalogue
    ) -> Offer {
        var offer = Offer(
            name: package.name,
            version: ImageNaming.packageVersion(package.version).flatMap { try? PackageVersion($0) },
            remote: catalogue.remote, fileName: package.name,
            place: .wish(PackageWish(name: package.name, version: version), catalogue))
        offer.summary = package.summary
        return offer
    }

    /// The packages of a distribution's remote; `nil` for one that cannot be reached, unless it was asked for by name.
    ///
    /// - Parameter isKnownEnough: Whether what was read another time will do.
    private func catalogue(
        of remote: ConfiguredRemote, isNamed: Bool, isKnownEnough: Bool = false
    ) throws -> PackageCatalogue? {
        if let known = catalogues[remote.name] { return known }
        guard isNamed || !unreachable.contains(remote.name) else { return nil }
        do {
            let catalogue = try PackageCatalogue(
                session, remote, architecture: architecture, isKnownEnough: isKnownEnough || session.isOffline
            )
            catalogues[remote.name] = catalogue
            return catalogue
        } catch let error as RemoteError {
            try passOver(remote, error, isNamed: isNamed)
            return nil
        }
    }

    /// Notes, once, that a remote cannot be reached.
    ///
    /// - Throws: The error, where the remote was asked for by name, or where it says that the remote is not to be trusted:
    ///   another is not taken in its place.
    private func passOver(_ remote: ConfiguredRemote, _ error: RemoteError, isNamed: Bool) throws {
        guard !isNamed else { throw error }
        switch error {
        case .failed, .notThere, .offline, .noCurl:
            guard unreachable.insert(remote.name).inserted else { return }
            session.note("remote '\(remote.name)' is passed over: \(error)")
        default: throw error
        }
    }

    /// Tags of a repository: those that are versions and nothing else, or the one that was asked for.
    private func registryOffers(
        of name: String, version: String?, in remote: ConfiguredRemote, isNamed: Bool
    ) throws -> [Offer] {
        guard isNamed || !unreachable.contains(remote.name) else { return [] }
        let registry = Registry(remote, isOffline: session.isOffline)
        let tags: [String]
        do {
            guard let found = try registry.tags(of: name) else { return [] }
            tags = found
        } catch let error as RemoteError {
            try passOver(remote, error, isNamed: isNamed)
            return []
        }
        let isPlain = { (tag: String) in
            tag.drop { $0 == "v" }.split(separator: ".", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) }
            }
        }
        let plain = tags.filter(isPlain)
        // Where no tag is a plain version, any that begins as one may be; else only the one that moves is left.
        let digits = tags.filter { $0.drop { $0 == "v" }.first.map { ("0"..."9").contains($0) } ?? false }
        let latest = tags.filter { $0 == "latest" }
        let chosen = version == nil ? [plain, digits, latest].first { !$0.isEmpty } ?? [] : tags
        return chosen.map { tag in
            let version = tag == "latest" ? nil : try? PackageVersion(tag)
            return Offer(
                name: name, version: version, remote: remote, fileName: "\(name):\(tag)",
                place: .tag(registry, tag))
        }
    }

    /// Whether a version is the one that was asked for; a `v` before its digits makes no other of it.
    private static func isVersion(_ wanted: String, _ version: PackageVersion?) -> Bool {
        guard let text = version?.text else { return false }
        return text == wanted || text == "v" + wanted || "v" + text == wanted
    }

    private func isForUs(_ naming: ImageNaming) -> Bool {
        naming.architecture.map { $0 == architecture || $0 == .any || architecture == .any } ?? true
    }

    private func directoryOffers(of name: String, in remote: ConfiguredRemote) throws -> [Offer] {
        try images(in: remote)[name, default: []].map {
            Offer(
                name: name, version: $0.version, remote: remote, fileName: $0.fileName,
                place: .path(remote.description.location.appending($0.fileName)))
        }
    }

    /// The images of a directory, for the architecture, by the names of packages.
    private func images(in remote: ConfiguredRemote) throws -> [String: [Image]] {
        if let known = images[remote.name] { return known }
        let read = try naming(in: remote)
        var result: [String: [Image]] = [:]
        for fileName in names(in: remote) ?? [] {
            guard let naming = read(fileName) else { continue }
            result[naming.name, default: []].append(Image(fileName: fileName, version: naming.version))
        }
        images[remote.name] = result
        return result
    }

    /// How a remote's file names are read: by its patterns, or as people name images; `nil` for what is none for us.
    private func naming(
        in remote: ConfiguredRemote
    ) throws -> (_ fileName: String) -> (name: String, version: PackageVersion?)? {
        if let package = remote.description.package {
            let specifiers = Specifiers(architecture: architecture)
            let patterns = try remote.description.patterns.map { text in
                guard let pattern = MatchPattern(parsing: try specifiers.expand(text)) else {
                    throw RemoteDescriptionError.value(
                        remote.file, "Patterns", text, "what MatchPattern= may be in sysupdate.d(5)")
                }
                return pattern
            }
            return { fileName in
                let version = patterns.lazy.compactMap { $0.version(of: fileName) }.first
                return version.flatMap { try? PackageVersion($0) }.map { (package, $0) }
            }
        }
        let takes = remote.description.makeFilter()
        return { [self] fileName in
            guard ImageNaming.isImage(fileName: fileName), takes(fileName) else { return nil }
            let naming = ImageNaming(fileName: fileName)
            guard let name = naming.name, isForUs(naming) else { return nil }
            return (name, naming.version.flatMap { try? PackageVersion($0) })
        }
    }

    private func names(in remote: ConfiguredRemote) -> [String]? {
        do {
            return try Descriptor.directory(remote.description.location.text).list().map(\.text)
        } catch {
            session.note(
                "remote '\(remote.name)': \(remote.description.location.text) cannot be read; it is passed over"
            )
            return nil
        }
    }

    private func catalogOffers(of name: String, version: String?, in listing: RemoteListing) throws -> [Offer]
    {
        let remote = listing.remote
        let catalog = try Catalog(parsing: listing.bytes, file: remote.description.location.text)
        guard let entry = catalog.entries.first(where: { $0.name == name }) else { return [] }
        let wanted = version ?? entry.version
        if let version, let pinned = entry.version, version != pinned { return [] }
        let found: [Offer]
        switch entry.place {
        case .remote(let other):
            guard let other = remotes.first(where: { $0.name == other }) else {
                throw RemoteError.unknownRemote(other, known: names)
            }
            // A catalog that leads to another could lead back.
            guard other.description.kind != .catalog else {
                throw CatalogError.entry(
                    remote.description.location.text, name, "Remote= leads to another catalog")
            }
            try readListings([other])
            found = try candidates(named: entry.package, version: wanted, in: other, isNamed: true)
        case .store(let location):
            var description = RemoteDescription(
                name: remote.name + "+" + entry.name, kind: .sysext, location: location)
            description.isInsecure = remote.description.isInsecure
            description.keyring = remote.description.keyring
            description.timeout = remote.description.timeout
            description.attempts = remote.description.attempts
            let store = ConfiguredRemote(description, file: remote.file, isOfRoot: remote.isOfRoot)
            try readListings([store])
            found = try candidates(named: entry.package, version: wanted, in: store, isNamed: true)
        case .file(let location, let digest):
            let parts = location.text.split(separator: "/", omittingEmptySubsequences: false)
            let fileName = String(parts.last ?? "")
            var description = RemoteDescription(
                name: remote.name, kind: .sysext,
                location: try RemoteLocation(parts.dropLast().joined(separator: "/")))
            description.timeout = remote.description.timeout
            description.attempts = remote.description.attempts
            let naming = ImageNaming(fileName: fileName)
            guard isForUs(naming) else { return [] }
            return [
                Offer(
                    name: name, version: try (entry.version ?? naming.version).map { try PackageVersion($0) },
                    remote: remote, fileName: fileName,
                    place: .file(
                        ListedFile(name: fileName, digest: digest),
                        Fetcher(description, isOffline: session.isOffline)))
            ]
        }
        return found.map {
            Offer(
                name: name, version: $0.version, remote: $0.remote, fileName: $0.fileName, place: $0.place,
                other: entry.package)
        }
    }

    /// Names of all packages of a remote.
    func packages(in remote: ConfiguredRemote) throws -> [String] {
        switch remote.description.kind {
        // Registries do not have to say what they have, and large ones do not.
        case .oci, .debian, .rpm, .arch: return []
        case .directory:
            return try images(in: remote).keys.sorted()
        case .sysext:
            guard let listing = try listing(of: remote, isNamed: false) else { return [] }
            return try listed(listing).keys.sorted()
        case .catalog:
            guard let listing = try listing(of: remote, isNamed: false) else { return [] }
            return try Catalog(parsing: listing.bytes, file: remote.description.location.text).entries.map(
                \.name)
        }
    }

    // MARK: - Listings

    /// The images that a listing names, for the architecture, by the names of packages.
    private func listed(_ listing: RemoteListing) throws -> [String: [Listed]] {
        if let known = files[listing.remote.name] { return known }
        let read = try naming(in: listing.remote)
        var result: [String: [Listed]] = [:]
        for file in try listing.files() {
            guard let naming = read(file.name) else { continue }
            result[naming.name, default: []].append(Listed(file: file, version: naming.version))
        }
        files[listing.remote.name] = result
        return result
    }

    /// The listing of a remote; `nil` for one that cannot be reached, unless it was asked for by name.
    ///
    /// - Throws: What says that a remote is not to be trusted: another is not taken in its place.
    private func listing(of remote: ConfiguredRemote, isNamed: Bool) throws -> RemoteListing? {
        do {
            return try listings[remote.name]?.get()
        } catch let error as RemoteError {
            try passOver(remote, error, isNamed: isNamed)
            return nil
        }
    }

    /// Reads the listings of remotes that have one, and that were not read, at the same time.
    private func readListings(_ remotes: [ConfiguredRemote]) throws {
        let missing = remotes.filter { $0.description.hasListing && listings[$0.name] == nil }
        for (name, result) in try session.listings(of: missing) { listings[name] = result }
    }
}
