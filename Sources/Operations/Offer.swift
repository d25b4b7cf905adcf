internal import Distributions
internal import Files
internal import Remotes
internal import StoreLayout

/// An image that a remote offers.
struct Offer: Sendable {
    /// Where it is.
    enum Place: Sendable {
        /// A file or directory of this host, which is read as it is.
        case path(String)
        /// A file that is fetched, and known by its digest.
        case file(ListedFile, Fetcher)
        /// A tag of a registry, which may be any image.
        case tag(Registry, String)
        /// An image of a registry, known by its manifest's digest.
        case image(RegistryImage)
        /// A package of a distribution.
        case wish(PackageWish, PackageCatalogue)
        /// A package of a distribution, with all that it needs.
        case packages(PackageSet)
    }

    /// What it was asked for as.
    let name: String
    /// Its version; `nil` where nothing but the image itself says so.
    var version: PackageVersion?
    /// The remote that has it.
    let remote: ConfiguredRemote
    /// The name of its file.
    let fileName: String
    var place: Place
    /// What it is called in the remote, where that is something else.
    var other: String?
    /// One line on what it is, where its remote says so.
    var summary: String?
    /// What is done with its packages, as it was with those that they are to replace; `nil` for what the user says now.
    var packages: PackageOptions?

    /// What a registry calls it.
    var repository: String { other ?? name }

    /// Where it is, for people.
    var location: String {
        switch place {
        case .path(let path): path
        case .file(let file, let fetcher): fetcher.location(of: file)
        case .tag(_, let tag): remote.description.location.text + "/\(name):\(tag)"
        case .image(let image): image.location
        case .wish(let wish, _): remote.description.location.text + "/\(wish)"
        case .packages(let set): set.location
        }
    }

    /// Its digest; `nil` for what is read as it is.
    var digest: Digest? {
        switch place {
        case .file(let file, _): file.digest
        case .image(let image): image.digest
        // Of packages it depends on what is done with them.
        case .path, .tag, .wish, .packages: nil
        }
    }

    /// Whether it is known to be newer than a version.
    func isNewer(than text: String) throws -> Bool {
        guard let version else { return false }
        return try PackageVersion(text) < version
    }
}
