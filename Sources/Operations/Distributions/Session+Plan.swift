internal import Distributions
internal import Files
private import Glibc
internal import Remotes
internal import StoreLayout

extension Session {
    /// What would be fetched to install packages of distributions; nothing is.
    ///
    /// - Parameters:
    ///   - requests: Names, each with a remote before it and a version after it where that is wanted.
    ///   - options: What is said about them.
    /// - Throws: ``OperationError/noPlan(_:)`` for what is an image; `DistributionError` where there is no solution.
    public func plan(_ requests: [String], options: ImportOptions) throws -> [PackagePlan] {
        let finder = try OfferFinder(self, architecture: options.platform)
        finder.hasRecommended = options.hasRecommended
        return try requests.map { text in
            guard case .package(let name, let version, let remote, _) = try want(text, options: options)
            else {
                throw OperationError.noPlan(text)
            }
            guard let offer = try finder.offer(of: name, version: version, remote: remote) else {
                throw finder.unknown(text, named: name, in: remote)
            }
            guard case .packages(let set) = offer.place else { throw OperationError.noPlan(text) }
            return plan(of: set)
        }
    }

    private func plan(of set: PackageSet) -> PackagePlan {
        // By its name only: what is there is compared when it is used.
        let isCached = { (digest: Digest) in
            access(self.root + "/" + BlobCache.path(of: digest), F_OK) == 0
        }
        let packages = set.resolution.packages.map { package in
            PackagePlan.Package(
                name: package.name, version: package.version, architecture: package.architecture,
                digest: package.digest.hex, size: package.size, installedSize: package.installedSize,
                repository: set.catalogue.repositories[package.repository].title,
                location: set.catalogue.readers[package.repository].location(of: package.path),
                isCached: isCached(package.digest), reason: Self.reason(package.reason))
        }
        return PackagePlan(
            name: set.wish.name, version: set.main?.version ?? "", remote: set.catalogue.remote.name,
            hasRecommended: set.hasRecommended, packages: packages, leftOut: set.resolution.leftOut,
            size: packages.reduce(0) { $0 + $1.size },
            sizeToFetch: packages.reduce(0) { $0 + ($1.isCached ? 0 : $1.size) },
            installedSize: packages.reduce(0) { $0 + $1.installedSize })
    }

    private static func reason(_ reason: ResolvedPackage.Reason) -> PackagePlan.Reason {
        switch reason {
        case .wanted: PackagePlan.Reason(kind: "wanted", of: nil, dependency: nil)
        case .essential: PackagePlan.Reason(kind: "essential", of: nil, dependency: nil)
        case .requirement(let of, let dependency):
            PackagePlan.Reason(kind: "depends", of: of, dependency: dependency)
        case .recommendation(let of, let dependency):
            PackagePlan.Reason(kind: "recommends", of: of, dependency: dependency)
        }
    }
}
