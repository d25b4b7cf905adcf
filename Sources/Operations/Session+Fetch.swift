internal import Files
internal import Images
internal import Remotes
internal import Store
internal import StoreLayout
private import Synchronization

extension Session {
    /// Transfers at the same time.
    private static let transfers = 4

    /// Fetches offers, at the same time, into the cache; what is read as it is needs nothing.
    ///
    /// - Returns: The files, verified, by their digests.
    /// - Throws: The first failure; the other transfers are ended, and go on from there another time.
    func fetch(_ offers: [Offer]) throws -> [Digest: Descriptor] {
        var wanted: [(file: ListedFile, fetcher: Fetcher)] = []
        for offer in offers {
            guard case .file(let file, let fetcher) = offer.place,
                !wanted.contains(where: { $0.file.digest == file.digest })
            else { continue }
            wanted.append((file, fetcher))
        }
        guard let first = wanted.first else { return [:] }
        let cache = try BlobCache(root: root)
        let title = wanted.count == 1 ? "fetching \(first.file.name)" : "fetching \(wanted.count) images"
        let progress = FetchProgress(title, count: wanted.count, receiver: progress)
        defer { progress.end() }
        let shared = Shared()
        let items = wanted
        try inParallel(Array(items.indices), threads: Self.transfers) { index in
            do {
                var fetcher = items[index].fetcher
                fetcher.isCancelled = { shared.state.withLock { $0.isFailed } }
                let file = try fetcher.fetch(
                    items[index].file, into: cache, progress: progress.part(index),
                    onWait: { shared.state.withLock { $0.waiting.append(items[index].file.name) } })
                shared.state.withLock { $0.files[items[index].file.digest] = file }
            } catch {
                shared.state.withLock { $0.isFailed = true }
                throw error
            }
        }
        return shared.state.withLock { $0.files }
    }

    /// What several transfers have in common.
    private final class Shared: Sendable {
        struct State {
            var isFailed = false
            var files: [Digest: Descriptor] = [:]
            var waiting: [String] = []
        }

        let state = Mutex(State())
    }

    /// Opens what an offer is, after it was fetched, and asks whether it is for this host.
    func open(_ offer: Offer, from files: [Digest: Descriptor], options: ImportOptions) throws -> Image {
        guard let digest = offer.digest, let file = files[digest] else {
            return try open(offer.location, options: options)
        }
        // By its descriptor: the file that was verified, whatever its name leads to meanwhile.
        let image = try Image.open(
            ImageReference(path: "/proc/self/fd/\(file.number)", title: offer.location),
            platform: options.platform,
            temporaryDirectory: root + "/" + StoreLayout.Name.temporary)
        image.isFile(of: digest)
        if !options.ignoresHost { try HostMatch(progress: progress).check(image, of: offer) }
        return image
    }

    /// What the user says of an image, with what its remote says.
    static func options(_ options: ImportOptions, for offer: Offer) throws -> ImportOptions {
        var options = options
        options.name = try PackageName(offer.name)
        // What came by a listing is called as in it; a directory's images may say better.
        if offer.digest != nil, options.version == nil { options.version = offer.version }
        return options
    }
}
