internal import Distributions
internal import Files
internal import Images
internal import Remotes
internal import Store
internal import StoreLayout

extension Session {
    /// Fetches offers, at the same time, into the cache; what is read as it is needs nothing.
    ///
    /// - Returns: The files, verified, by their digests.
    /// - Throws: The first failure; the other transfers are ended, and go on from there another time.
    func fetch(_ offers: [Offer]) throws -> [Digest: Descriptor] {
        var wanted: [WantedFile] = []
        for part in offers.flatMap(Self.parts) where !wanted.contains(where: { $0.digest == part.digest }) {
            wanted.append(part)
        }
        guard let first = wanted.first else { return [:] }
        // They stay open, and packages are opened once more.
        OpenFiles.allow(wanted.count * 2)
        let cache = try BlobCache(root: root)
        let title = wanted.count == 1 ? "fetching \(first.title)" : "fetching \(wanted.count) files"
        let progress = FetchProgress(title, count: wanted.count, receiver: progress)
        defer { progress.end() }
        let shared = Shared()
        let items = wanted
        try inParallel(Array(items.indices), threads: settings.number(.transfers) ?? 1) { index in
            do {
                let file = try items[index].fetch(cache, progress.part(index)) {
                    shared.state.withLock { $0.isFailed }
                }
                shared.state.withLock { $0.files[items[index].digest] = file }
            } catch {
                shared.state.withLock { $0.isFailed = true }
                throw error
            }
        }
        return shared.state.withLock { $0.files }
    }

    /// A file to be fetched.
    private struct WantedFile: Sendable {
        let digest: Digest
        let title: String
        let fetch:
            @Sendable (BlobCache, FetchProgress.Part, @escaping @Sendable () -> Bool) throws -> Descriptor
    }

    private static func parts(of offer: Offer) -> [WantedFile] {
        switch offer.place {
        case .path, .tag, .wish: []
        case .packages(let set):
            set.resolution.packages.map { package in
                let reader = set.catalogue.readers[package.repository]
                let title = package.path.split(separator: "/").last.map(String.init) ?? package.name
                return WantedFile(digest: package.digest, title: title) { cache, progress, isCancelled in
                    try reader.fetch(
                        [package.path], digest: package.digest, limit: package.size == 0 ? nil : package.size,
                        into: cache, progress: progress, isCancelled: isCancelled)
                }
            }
        case .file(let file, let fetcher):
            [
                WantedFile(digest: file.digest, title: file.name) { cache, progress, isCancelled in
                    var fetcher = fetcher
                    fetcher.isCancelled = isCancelled
                    return try fetcher.fetch(file, into: cache, progress: progress, onWait: {})
                }
            ]
        case .image(let image):
            image.parts.map { part in
                WantedFile(digest: part.file.digest, title: image.location) { cache, progress, isCancelled in
                    try image.registry.fetch(
                        part, of: image, into: cache, progress: progress, isCancelled: isCancelled, onWait: {}
                    )
                }
            }
        }
    }

    /// What several transfers have in common.
    private final class Shared: Sendable {
        struct State {
            var isFailed = false
            var files: [Digest: Descriptor] = [:]
        }

        let state = Locked(State())
    }

    /// Opens what an offer is, after it was fetched, and asks whether it is for this host.
    func open(_ offer: Offer, from files: [Digest: Descriptor], options: ImportOptions) throws -> Image {
        if case .packages(let set) = offer.place {
            return try open(
                packages: set.resolution.packages.map { package in
                    guard let file = files[package.digest] else {
                        throw RemoteError.offline(what: package.path)
                    }
                    return PackageReference(
                        ImageReference(path: "/proc/self/fd/\(file.number)", title: package.path),
                        digest: package.digest)
                }, options: options)
        }
        if case .image(let image) = offer.place {
            let temporary = try Descriptor.directory(root + "/" + StoreLayout.Name.temporary)
            let (name, directory) = try temporary.makeHeldDirectory()
            try image.makeLayout(in: directory, from: BlobCache(root: root))
            let opened = try Image.open(
                ImageReference(path: temporary.path(of: name), format: .ociLayout, title: offer.location),
                platform: options.platform, limits: options.limits)
            // Its files stay open; what a crash leaves goes with the next writer.
            try temporary.removeTree(name)
            return opened
        }
        guard let digest = offer.digest, let file = files[digest] else {
            return try open(offer.location, options: options)
        }
        // By its descriptor: the file that was verified, whatever its name leads to meanwhile.
        let image = try Image.open(
            ImageReference(path: "/proc/self/fd/\(file.number)", title: offer.location),
            platform: options.platform,
            temporaryDirectory: root + "/" + StoreLayout.Name.temporary, limits: options.limits)
        image.isFile(of: digest)
        if !options.ignoresHost {
            try HostMatch(root: options.host, progress: progress).check(image, of: offer)
        }
        return image
    }

    /// What the user says of an image, with what its remote says.
    static func options(_ options: ImportOptions, for offer: Offer) throws -> ImportOptions {
        var options = options
        if case .packages(let set) = offer.place {
            options.name = try options.name ?? PackageName(offer.name)
            options.packages = offer.packages ?? options.packages
            options.packages.wanted = [set.wish.name]
            options.resolution = set.record
            options.resolution?.take(options.packages)
            return options
        }
        options.name = try PackageName(offer.name)
        // What came by a listing is called as in it; a directory's images may say better.
        if case .image = offer.place {
            // So do labels, and tags are what people call a version.
            if options.version == nil { options.version = offer.version }
            return options
        }
        if offer.digest != nil, options.version == nil { options.version = offer.version }
        return options
    }
}
