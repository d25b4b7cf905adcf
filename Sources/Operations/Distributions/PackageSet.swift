internal import Distributions
internal import Files
internal import Remotes
internal import StoreLayout

/// A package of a distribution with all that it needs, chosen and not yet fetched.
struct PackageSet: Sendable {
    /// What was asked for.
    let wish: PackageWish
    /// Whether what packages recommend was taken, too.
    let hasRecommended: Bool
    let resolution: Resolution
    let catalogue: PackageCatalogue

    /// The package itself.
    var main: ResolvedPackage? {
        resolution.packages.first { $0.name == wish.name }
            ?? resolution.packages.first { $0.reason == .wanted }
    }

    /// Where it comes from, for people.
    var location: String {
        main.map { catalogue.readers[$0.repository].location(of: $0.path) }
            ?? catalogue.remote.description.location.text
    }

    /// What the metadata keeps of the choice.
    var record: ResolutionRecord {
        ResolutionRecord(
            name: wish.name, version: wish.version, remote: catalogue.remote.name,
            hasRecommended: hasRecommended, leftOut: resolution.leftOut,
            repositories: Dictionary(
                resolution.packages.map {
                    ($0.digest.hex, catalogue.repositories[$0.repository].title)
                }, uniquingKeysWith: { first, _ in first }))
    }

    /// What the index calls the import of these packages: see ``Session/key(of:options:)``.
    func key(options: ImportOptions) -> Digest {
        Session.key(
            ofDigests: resolution.packages.map(\.digest), main: main?.name, options: options)
    }

    /// Chooses.
    init(_ wish: PackageWish, hasRecommended: Bool, from catalogue: PackageCatalogue) throws {
        self.wish = wish
        self.hasRecommended = hasRecommended
        self.catalogue = catalogue
        let isDebian = catalogue.remote.description.kind == .debian
        resolution = try catalogue.pool.resolve(
            [wish], hasRecommended: hasRecommended,
            companions: isDebian ? RunningSystem.companions : [],
            leavingOut: isDebian ? RunningSystem.debian.keys.sorted() : [])
    }
}
