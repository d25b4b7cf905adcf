internal import Activation
internal import Files
private import Glibc
internal import Remotes
internal import StoreLayout

extension Session {
    /// Explains the newest image that a remote offers under a name.
    ///
    /// By what the remote says of it; where that is nothing, the image is fetched into the cache and looked at.
    ///
    /// - Parameters:
    ///   - text: `NAME` or `REMOTE/NAME`, with or without `@VERSION`.
    ///   - explainer: The host.
    /// - Returns: `nil` for a path, and for a name that no remote has.
    public func explainOffer(_ text: String, on explainer: ExtensionExplainer) throws -> Explanation? {
        guard access(text, F_OK) != 0 else { return nil }
        let named = try remoteName(in: text)
        guard case .package(let name, let version) = PackageRequest(parsing: named?.package ?? text) else {
            return nil
        }
        let finder = try OfferFinder(self, architecture: Architecture(parsing: explainer.host.architecture))
        let found = try finder.offer(of: name, version: version, remote: named?.remote, ignoresHost: true)
        guard let offer = found else { return nil }
        let title = "\(offer.remote.name)/\(offer.fileName)"
        // Rules ask for the name that the file is to have on a host: that of its own extension-release.
        let fileName = offer.name + ExtensionLayout.imageSuffix
        if let release = try finder.release(of: offer), !release.isEmpty {
            return Explanation(
                image: title, kind: "image of remote '\(offer.remote.name)'", host: explainer.description,
                match: HostMatch.match(release, fileName: offer.fileName, on: explainer.host), conflicts: nil,
                unmerged: [], notes: ["this is what the remote says of the image, which was not fetched"])
        }
        switch offer.place {
        case .image, .packages, .wish: throw OperationError.noExtension(offer.location)
        case .path, .file, .tag: break
        }
        guard let digest = offer.digest else { return try explainer.explain(offer.location) }
        _ = try openStoreForWriting()
        guard let file = try fetch([offer])[digest] else { return nil }
        return try withExtendedLifetime(file) {
            try explainer.explain("/proc/self/fd/\(file.number)", name: fileName, title: title)
        }
    }
}
