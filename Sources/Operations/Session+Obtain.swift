internal import Files
private import Glibc
internal import Images
internal import Remotes
internal import Store
internal import StoreLayout

/// From what was asked for to a package of the store: found there, in a store that this one lies over, or in a remote.
extension Session {
    /// A request whose image, if it names one, is open.
    enum Wanted {
        case image(Image, source: String)
        case package(String, version: String?, remote: String?, text: String)
        case offer(Offer)
    }

    func want(_ text: String, options: ImportOptions) throws -> Wanted {
        if let (remote, rest) = try remoteName(in: text),
            case .package(let name, let version) = PackageRequest(parsing: rest)
        {
            return .package(name, version: version, remote: remote, text: text)
        }
        switch PackageRequest(parsing: text) {
        case .image(let source): return .image(try open(source, options: options), source: source)
        case .package(let name, let version):
            return .package(name, version: version, remote: nil, text: text)
        }
    }

    /// The remote and the package of `REMOTE/NAME`; `nil` for a path, also one that looks like it.
    func remoteName(in text: String) throws -> (remote: String, package: String)? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[1].isEmpty, access(text, F_OK) != 0 else { return nil }
        guard try configuredRemotes().contains(where: { $0.name == parts[0] }) else { return nil }
        return (parts[0], parts[1])
    }

    /// What a request comes to.
    enum Resolved {
        case image(Image, source: String)
        /// A package of the store.
        case known(Package, Wanted)
        /// A package of a store that this one lies over.
        case based(String, OpenBase, Wanted)
        case offer(Offer)

        /// What is to be fetched.
        var offer: Offer? {
            if case .offer(let offer) = self { return offer }
            return nil
        }
    }

    /// Finds what a request comes to: a package of the store, unless a remote has a newer one.
    func resolve(
        _ wanted: Wanted, options: ImportOptions, _ finder: OfferFinder, in store: Store
    ) throws -> Resolved {
        switch wanted {
        case .image(let image, let source): return .image(image, source: source)
        case .offer(let offer): return try known(offer, wanted, options: options, in: store) ?? .offer(offer)
        case .package(let name, let version, let remote, let text):
            // What is there may have come without its scripts having been run.
            let isStored = remote == nil && !options.packages.runsScripts
            let found = isStored ? try newestWhole(name, version: version, in: store) : nil
            let based =
                isStored ? try newestOfBases(name, version: version, beyond: found, in: store) : nil
            let newest = based?.package ?? found
            let offer: Offer?
            do {
                offer = try finder.offer(
                    of: name, version: version, remote: remote, ignoresHost: options.ignoresHost)
            } catch let error as OperationError where newest != nil {
                // What is in the store may be shown all the same.
                note("\(error)")
                offer = nil
            }
            if let offer, try newest.map({ try isNewer(offer, than: $0, in: store) }) ?? true {
                return try known(offer, wanted, options: options, in: store) ?? .offer(offer)
            }
            if let based { return .based(based.package.baseName, based.base, wanted) }
            guard let found else { throw finder.unknown(text, named: name, in: remote) }
            return .known(found, wanted)
        }
    }

    /// Whether an offer is taken in place of a package of the store.
    ///
    /// Of a distribution's package, one of the same version with other packages around it is newer, too.
    private func isNewer(_ offer: Offer, than package: Package, in store: Store) throws -> Bool {
        if try offer.isNewer(than: package.version) { return true }
        guard case .packages = offer.place, offer.version?.text == package.version,
            try store.package(baseName: package.baseName) != nil
        else { return false }
        return try store.metadata(of: package.baseName).resolution != nil
    }

    /// The package that an offer gave when it was imported; `nil` where it was not.
    func known(
        _ offer: Offer, _ wanted: Wanted, options: ImportOptions, in store: Store
    ) throws -> Resolved? {
        let options = try Self.options(options, for: offer)
        var digest = offer.digest
        if case .packages(let set) = offer.place { digest = set.key(options: options) }
        guard let digest else { return nil }
        let key = importKey(
            of: digest, options: options, hints: try options.packages.hints + userHints(in: store))
        guard let baseName = try store.package(from: key), let package = try store.package(baseName: baseName)
        else { return nil }
        return .known(package, wanted)
    }

    /// A package of the store, imported first if need be.
    ///
    /// - Parameters:
    ///   - files: What was fetched.
    ///   - accept: Asked before a new package is registered; what it throws stops that.
    func obtain(
        _ resolved: Resolved, _ files: [Digest: Descriptor], options: ImportOptions, _ finder: OfferFinder,
        from store: Store, _ lease: Lease, accept: (Metadata) throws -> Void
    ) throws -> Metadata {
        switch resolved {
        case .image(let image, let source):
            return try importImage(
                image, from: source, options: options, into: store, lease: lease, accept: accept
            ).metadata
        case .offer(let offer):
            let options = try Self.options(options, for: offer)
            return try importImage(
                open(offer, from: files, options: options), from: offer.location, options: options,
                into: store, lease: lease, accept: accept
            ).metadata
        case .based(let baseName, let base, let wanted):
            let package = try refer(to: baseName, in: base, from: store, accept: accept)
            return try kept(
                package?.storePath, wanted, options: options, finder, from: store, lease, accept: accept)
        case .known(let found, let wanted):
            return try kept(
                found.baseName, wanted, options: options, finder, from: store, lease, accept: accept)
        }
    }

    /// A package of the store that stays until there is a generation with it.
    ///
    /// - Parameter baseName: Its base name; `nil` for one that its base has no more. What is collected this moment is
    ///   looked for anew: there may be another one.
    private func kept(
        _ baseName: String?, _ wanted: Wanted, options: ImportOptions, _ finder: OfferFinder,
        from store: Store,
        _ lease: Lease, accept: (Metadata) throws -> Void
    ) throws -> Metadata {
        guard let baseName, try asWriter(of: store, { try store.keep(baseName, by: lease) }) else {
            let other = try resolve(wanted, options: options, finder, in: store)
            let files = try fetch([other.offer].compactMap { $0 })
            return try obtain(other, files, options: options, finder, from: store, lease, accept: accept)
        }
        let package = try store.metadata(of: baseName)
        try checkSoundness(of: package, options: options, in: store)
        return package
    }
}
