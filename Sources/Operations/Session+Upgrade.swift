internal import Distributions
internal import Files
internal import Remotes
internal import Store
internal import StoreLayout

/// A package of a profile of which a remote has a newer version.
public struct PackageUpgrade: Encodable, Sendable {
    /// Its name.
    public let name: String
    /// The version in the profile.
    public let installed: String
    /// The newest there is for this host.
    public let available: String
    /// The remote that has it.
    public let remote: String
    /// Whether it stays at its version, also where it is named.
    public let isPinned: Bool
    /// Whether it is passed over unless it is named.
    public let isHeld: Bool

    /// Whether an upgrade of all packages leaves it alone.
    public var isPassedOver: Bool { isPinned || isHeld }

    /// A sentence that says that it is left alone.
    public var passedOver: String {
        let way = isPinned ? "'sxs unpin \(name)' lets it go on" : "'sxs upgrade \(name)' takes it"
        return
            "\(name) stays at \(installed): it is \(isPinned ? "pinned" : "held"); remote '\(remote)' has \(available), \(way)"
    }
}

extension Session {
    /// Packages of the profile of which a remote has a newer version, also those that are held.
    public func outdated() throws -> [PackageUpgrade] { try upgrades(of: [], ignoresHost: false) }

    /// What an upgrade would bring; of all packages also those that it would leave alone.
    ///
    /// - Parameter names: The packages; none for all.
    /// - Throws: ``OperationError/pinned(_:version:)`` where one that is named is pinned.
    public func upgrades(of names: [String], ignoresHost: Bool) throws -> [PackageUpgrade] {
        let store = try openStore()
        let finder = try OfferFinder(self, earlier: store.earlierRemotes(), architecture: nil)
        return try newer(names, finder, in: store, ignoresHost: ignoresHost).map(\.upgrade)
    }

    /// Brings packages to their newest versions, all in one new generation, or none.
    ///
    /// - Parameter names: The packages; none for all that are neither held nor pinned.
    /// - Throws: ``OperationError/pinned(_:version:)`` where one that is named is pinned.
    public func upgrade(_ names: [String], ignoresHost: Bool) throws -> GenerationChange {
        let store = try openStoreForWriting()
        let finder = try OfferFinder(self, architecture: nil)
        let newer = try newer(names, finder, in: store, ignoresHost: ignoresHost)
        let wanted = newer.filter { !names.isEmpty || !$0.upgrade.isPassedOver }
        if names.isEmpty {
            for found in newer where found.upgrade.isPassedOver { note(found.upgrade.passedOver) }
        }
        var options = try usualImport()
        options.ignoresHost = ignoresHost
        return try install(
            try wanted.map { (.offer($0.offer), try exposed(of: $0.member, in: store)) }, options: options,
            finder, into: store)
    }

    /// The commands that the user chose to see of a package; none where these are its own choice.
    func exposed(of member: Member, in store: Store) throws -> [String] {
        let own = try store.metadata(of: member.shown.baseName).exposure
        let shown = member.shown.exposure.commands.map(\.name)
        return own.commands.map(\.name) == shown ? [] : shown
    }

    private func newer(
        _ names: [String], _ finder: OfferFinder, in store: Store, ignoresHost: Bool
    ) throws -> [(member: Member, offer: Offer, upgrade: PackageUpgrade)] {
        let members =
            try store.currentGeneration(of: profile).map { try self.members(of: $0, in: store) } ?? []
        for name in names where !members.contains(where: { $0.name == name }) {
            throw OperationError.notInstalled(name, profile: profile.text)
        }
        let kept = try holdings()
        for name in names {
            if case .pinned(let version)? = kept[name] { throw OperationError.pinned(name, version: version) }
        }
        return try members.compactMap { member in
            guard names.isEmpty || names.contains(member.name) else { return nil }
            var found: Offer?
            let metadata = try store.metadata(of: member.shown.baseName)
            finder.hasRecommended = metadata.resolution?.hasRecommended ?? false
            finder.runsScripts = metadata.resolution?.runsScripts ?? false
            do {
                // What was chosen from a distribution stays with it.
                let remote = metadata.resolution.map(\.remote).flatMap { finder.has($0) ? $0 : nil }
                found = try finder.offer(
                    of: metadata.resolution?.name ?? member.name, remote: remote, passesOver: names.isEmpty,
                    ignoresHost: ignoresHost)
            } catch let error as OperationError where names.isEmpty {
                // One that is for other hosts only keeps the others from nothing.
                note("\(error)")
                return nil
            }
            found?.packages = metadata.resolution.map(PackageOptions.init(like:))
            guard let offer = found, let version = offer.version,
                try isUpgrade(offer, of: metadata, version: member.version)
            else { return nil }
            var options = ImportOptions()
            options.ignoresHost = ignoresHost
            // Other packages with the same files gave the same store path when they came.
            if case .known(let package, _) = try known(offer, .offer(offer), options: options, in: store),
                package.baseName == member.shown.baseName
            {
                return nil
            }
            return (
                member, offer,
                PackageUpgrade(
                    name: member.name, installed: member.version, available: version.text,
                    remote: offer.remote.name, isPinned: kept[member.name]?.isPinned ?? false,
                    isHeld: kept[member.name] == .held)
            )
        }
    }

    /// Whether an offer is newer than what a profile has; of a distribution's package also one of the same version with
    /// newer packages around it.
    private func isUpgrade(_ offer: Offer, of metadata: Metadata, version: String) throws -> Bool {
        guard case .packages(let set) = offer.place, let resolution = metadata.resolution else {
            return try offer.isNewer(than: version)
        }
        let own = metadata.packages?.first { $0.name == resolution.name }?.version
        if let own, let main = set.main {
            // By the distribution's own order of versions: an epoch is not part of the store path's.
            guard set.catalogue.pool.order(main.version, own) >= 0 else { return false }
        }
        let before = Set((metadata.packages ?? []).map(\.digest))
        return before != Set(set.resolution.packages.map(\.digest.hex))
    }
}
