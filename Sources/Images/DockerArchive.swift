internal import Files
internal import StoreLayout

/// What `docker save` writes: `manifest.json`, a configuration and layers.
enum DockerArchive {
    /// Finds the image that a reference means.
    ///
    /// - Parameter reference: One of its tags; `nil` where there is only one image.
    static func open(
        _ source: any BlobSource, reference: String?, platform: Architecture?, fileName: String
    ) throws -> (LayeredImage, ImageFacts) {
        let manifests = try decode(
            [DockerManifest].self, from: source.document("manifest.json"), name: "manifest.json",
            image: source.image)
        let manifest = try choose(manifests, reference: reference, image: source.image)
        let bytes = try source.document(manifest.Config)
        // The configuration's name is its digest: blobs/sha256/DIGEST, or DIGEST.json in older archives.
        let base = manifest.Config.split(separator: "/").last.map(String.init) ?? ""
        let hex = base.hasSuffix(".json") ? String(base.dropLast(5)) : base
        if let expected = Digest(hex: hex) {
            let actual = Digest(hashing: bytes)
            guard actual == expected else {
                throw ImageError.digestMismatch(
                    image: source.image, blob: "configuration \(manifest.Config.utf8.shown)",
                    expected: expected.description, actual: actual.description)
            }
        }
        let configuration = try decode(
            OCIConfiguration.self, from: bytes, name: "configuration", image: source.image)
        var facts = ImageFacts(kind: "docker archive")
        facts.take(configuration)
        facts.takeNames(references: manifest.RepoTags ?? [], fileName: fileName)
        if let platform, let stated = facts.architecture, stated != platform {
            throw ImageError.noPlatform(
                image: source.image, wanted: platform.rawValue, available: [stated.rawValue])
        }
        let diffIDs = try OCILayout.diffIDs(
            of: configuration, count: manifest.Layers.count, image: source.image)
        let layers = try zip(manifest.Layers, diffIDs).map { path, diffID in
            guard let blob = try source.find(path) else {
                throw ImageError.missing(image: source.image, part: "layer \(path.utf8.shown)")
            }
            return LayeredImage.Layer(
                name: "layer \(path.utf8.shown)", blob: blob, digest: nil, diffID: diffID)
        }
        return (LayeredImage(image: source.image, layers: layers), facts)
    }

    private static func choose(
        _ manifests: [DockerManifest], reference: String?, image: String
    ) throws -> DockerManifest {
        let names = manifests.map { ($0.RepoTags?.first ?? $0.Config).utf8.shown }
        guard let reference else {
            guard let first = manifests.first else { throw ImageError.missing(image: image, part: "image") }
            guard manifests.count == 1 else { throw ImageError.ambiguous(image: image, choices: names) }
            return first
        }
        let found = manifests.first { manifest in
            (manifest.RepoTags ?? []).contains { $0 == reference || $0.hasSuffix("/" + reference) }
        }
        guard let found else {
            throw ImageError.noReference(image: image, wanted: reference, available: names)
        }
        return found
    }
}
