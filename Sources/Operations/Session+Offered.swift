internal import Activation
internal import StoreLayout

/// An image that a remote offers, with what it says of the hosts that it is for.
public struct OfferedImage: Sendable {
    /// The package's name.
    public let name: String
    /// The name of its file.
    public let fileName: String
    /// Its version.
    public let version: String?
    /// The fields of its extension-release, as far as the remote says them.
    public let release: [String: String]
    /// Whether the rules of systemd take it on this host; `nil` where nothing is said.
    public let isForThisHost: Bool?
}

extension Session {
    /// The newest image of each name that remotes offer as files.
    public func offeredImages() throws -> [OfferedImage] {
        let finder = try OfferFinder(self, architecture: nil)
        let host = HostMatch(progress: progress)
        let offers = try finder.readRemotes().flatMap { remote in
            try finder.packages(in: remote).compactMap { name in
                try finder.candidates(named: name, version: nil, in: remote, isNamed: false).first
            }
        }
        return try offers.map { offer in
            let release = try finder.release(of: offer) ?? [:]
            let match = try host.match(release, fileName: offer.fileName)
            return OfferedImage(
                name: offer.name, fileName: offer.fileName, version: offer.version?.text, release: release,
                isForThisHost: match.map { $0.refusal == nil })
        }
    }
}
