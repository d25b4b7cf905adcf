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
    }

    /// What it was asked for as.
    let name: String
    /// Its version; `nil` where nothing but the image itself says so.
    let version: PackageVersion?
    /// The remote that has it.
    let remote: ConfiguredRemote
    /// The name of its file.
    let fileName: String
    let place: Place

    /// Where it is, for people.
    var location: String {
        switch place {
        case .path(let path): path
        case .file(let file, let fetcher): fetcher.location(of: file)
        }
    }

    /// Its digest; `nil` for what is read as it is.
    var digest: Digest? {
        if case .file(let file, _) = place { return file.digest }
        return nil
    }

    /// Whether it is known to be newer than a version.
    func isNewer(than text: String) throws -> Bool {
        guard let version else { return false }
        return try PackageVersion(text) < version
    }
}
