internal import Distributions
internal import Files
internal import Remotes
internal import StoreLayout

/// A package of a distribution with all that it needs, chosen and not yet fetched.
struct PackageSet: Sendable {
    /// What was asked for: the first gives the name.
    let wishes: [PackageWish]
    /// Whether what packages recommend was taken, too.
    let hasRecommended: Bool
    let resolution: Resolution
    let catalogue: PackageCatalogue

    /// What was asked for first.
    var wish: PackageWish { wishes[0] }

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
    init(
        _ wish: PackageWish, hasRecommended: Bool, runsScripts: Bool = false, from catalogue: PackageCatalogue
    ) throws {
        try self.init(
            all: [wish], hasRecommended: hasRecommended, runsScripts: runsScripts, from: catalogue)
    }

    /// Chooses for several wishes, of which there has to be one.
    ///
    /// - Parameter runsScripts: Whether what scripts of packages use goes with them.
    init(
        all wishes: [PackageWish], hasRecommended: Bool, runsScripts: Bool = false,
        from catalogue: PackageCatalogue
    ) throws {
        precondition(!wishes.isEmpty)
        self.wishes = wishes
        self.hasRecommended = hasRecommended
        self.catalogue = catalogue
        var (companions, leftOut): ([String], [String]) = ([], [])
        if catalogue.remote.description.kind == .debian {
            companions = RunningSystem.companions + (runsScripts ? RunningSystem.scriptCompanions : [])
            leftOut = RunningSystem.debian.keys.filter {
                !companions.contains($0) || !catalogue.pool.has($0)
            }.sorted()
        }
        do {
            resolution = try catalogue.pool.resolve(
                wishes, hasRecommended: hasRecommended, companions: companions, leavingOut: leftOut)
        } catch DistributionError.noPackage(let name, let similar) where similar.isEmpty {
            throw DistributionError.noPackage(name, similar: catalogue.names.names(like: name))
        }
    }
}
