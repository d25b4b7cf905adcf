internal import Files
internal import StoreLayout

/// An OCI image layout, in a directory or an archive.
///
/// Source: OCI image-spec 1.1, image-layout.md, image-index.md, manifest.md.
struct OCILayout {
    /// Manifests that are looked at, through all nested indexes.
    private static let manifestLimit = 1000

    private static let indexTypes = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    private static let manifestTypes = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    private static let configurationTypes = [
        "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json",
    ]
    private static let layerTypes: Set<String> = [
        "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ]
    /// What says how large a compressed layer was (containerd/stargz-snapshotter, `estargz`).
    private static let sizeAnnotation = "io.containers.estargz.uncompressed-size"
    /// Annotations that say what an image is called.
    private static let nameAnnotations = [
        "io.containerd.image.name", "org.opencontainers.image.ref.name",
    ]

    private let source: any BlobSource

    private init(_ source: any BlobSource) {
        self.source = source
    }

    /// Finds the image that a reference means, for a platform.
    ///
    /// - Parameters:
    ///   - reference: One of the names in the index; `nil` where there is only one image.
    ///   - platform: The architecture wanted; `nil` for the one this program runs on.
    static func open(
        _ source: any BlobSource, reference: String?, platform: Architecture?, fileName: String, kind: String
    ) throws -> (LayeredImage, ImageFacts) {
        let layout = OCILayout(source)
        let version = try decode(
            OCILayoutVersion.self, from: source.document("oci-layout"), name: "oci-layout",
            image: source.image)
        guard version.imageLayoutVersion.hasPrefix("1.") else {
            throw ImageError.unsupported(
                image: source.image,
                what: "is an OCI layout of version \(version.imageLayoutVersion.utf8.shown)",
                hint: "sxs reads version 1; copy the image with 'skopeo copy'")
        }
        let chosen = try layout.choose(reference: reference, platform: platform)
        return try layout.image(of: chosen, platform: platform, fileName: fileName, kind: kind)
    }

    // MARK: Choice

    private func choose(reference: String?, platform: Architecture?) throws -> OCIDescriptor {
        let index = try decode(
            OCIIndex.self, from: source.document("index.json"), name: "index.json", image: source.image)
        var roots = index.manifests
        if let reference {
            roots = roots.filter { root in
                Self.names(of: root).contains { $0 == reference || $0.hasSuffix(":" + reference) }
            }
            guard !roots.isEmpty else {
                let available = index.manifests.flatMap(Self.names(of:)).map { $0.utf8.shown }
                throw ImageError.noReference(
                    image: source.image, wanted: reference,
                    available: available.isEmpty ? ["none"] : available)
            }
        }
        let found = try manifests(below: roots)
        let wanted = platform ?? .host
        let fitting = found.filter { $0.platform == nil || Self.architecture(of: $0) == wanted }
        // One that says it is for the platform wins over one that says nothing.
        let stated = fitting.filter { $0.platform != nil }
        let candidates = stated.isEmpty ? fitting : stated
        guard let first = candidates.first else {
            guard !found.isEmpty else { throw ImageError.missing(image: source.image, part: "manifest") }
            throw ImageError.noPlatform(
                image: source.image, wanted: wanted.rawValue, available: found.map(Self.platformName))
        }
        // A variant list (arm/v7, amd64/v3) has several for one architecture: the first is the base.
        let isOneImage =
            Set(candidates.map { Self.names(of: $0) }).count == 1
            && Set(candidates.map { $0.platform?.variant ?? "" }).count == candidates.count
        guard isOneImage || Set(candidates.map(\.digest)).count == 1 else {
            throw ImageError.ambiguous(
                image: source.image,
                choices: candidates.map { (Self.names(of: $0).last ?? $0.digest).utf8.shown })
        }
        return first
    }

    /// Manifests of images, through indexes in indexes.
    private func manifests(below roots: [OCIDescriptor]) throws -> [OCIDescriptor] {
        var pending = Array(roots.reversed())
        var seen: Set<String> = []
        var result: [OCIDescriptor] = []
        while let descriptor = pending.popLast() {
            if let type = descriptor.mediaType, Self.indexTypes.contains(type) {
                guard seen.insert(descriptor.digest).inserted else { continue }
                guard seen.count + pending.count <= Self.manifestLimit else { throw tooMany }
                let name = "index \(descriptor.digest)"
                let nested = try decode(
                    OCIIndex.self, from: blob(descriptor, name: "index"), name: name, image: source.image)
                guard nested.manifests.count <= Self.manifestLimit else { throw tooMany }
                pending += nested.manifests.reversed().map { child in
                    var child = child
                    // A nested manifest is called what its index is called.
                    child.annotations = (descriptor.annotations ?? [:]).merging(child.annotations ?? [:]) {
                        $1
                    }
                    return child
                }
                continue
            }
            if let type = descriptor.mediaType, !Self.manifestTypes.contains(type) {
                throw ImageError.unsupported(
                    image: source.image, what: "refers to '\(type.utf8.shown)', which is no image",
                    hint: "give a container image; signatures and other artifacts cannot be installed")
            }
            // Attestations of a build stand beside images and are for no platform.
            if descriptor.platform?.os == "unknown" { continue }
            result.append(descriptor)
            guard result.count <= Self.manifestLimit else { throw tooMany }
        }
        return result
    }

    private var tooMany: ImageError {
        .excessive(image: source.image, what: "too many manifests", limit: Self.manifestLimit)
    }

    private static func names(of descriptor: OCIDescriptor) -> [String] {
        nameAnnotations.compactMap { descriptor.annotations?[$0] }
    }

    private static func architecture(of descriptor: OCIDescriptor) -> Architecture? {
        guard let platform = descriptor.platform, platform.os == "linux" else { return nil }
        // One that sxs does not know is none that is wanted.
        return try? Architecture(parsing: platform.architecture)
    }

    private static func platformName(_ descriptor: OCIDescriptor) -> String {
        guard let platform = descriptor.platform else { return "an unnamed platform" }
        let parts = [platform.os, platform.architecture, platform.variant].compactMap(\.self)
        return parts.joined(separator: "/").utf8.shown
    }

    // MARK: Contents

    private func image(
        of descriptor: OCIDescriptor, platform: Architecture?, fileName: String, kind: String
    ) throws -> (LayeredImage, ImageFacts) {
        let manifest = try decode(
            OCIManifest.self, from: blob(descriptor, name: "manifest"), name: "manifest", image: source.image)
        if let type = manifest.config.mediaType, !Self.configurationTypes.contains(type) {
            throw ImageError.unsupported(
                image: source.image, what: "has a configuration of the unknown type '\(type.utf8.shown)'",
                hint: "give a container image; other artifacts cannot be installed")
        }
        let configuration = try decode(
            OCIConfiguration.self, from: blob(manifest.config, name: "configuration"), name: "configuration",
            image: source.image)
        var facts = ImageFacts(kind: kind)
        facts.labels = (manifest.annotations ?? [:]).merging(descriptor.annotations ?? [:]) { own, _ in own }
        facts.take(configuration)
        facts.digest = try digest(of: descriptor)
        facts.takeNames(references: Self.names(of: descriptor), fileName: fileName)
        if let platform, let stated = facts.architecture, stated != platform {
            throw ImageError.noPlatform(
                image: source.image, wanted: platform.rawValue, available: [stated.rawValue])
        }
        let diffIDs = try Self.diffIDs(of: configuration, count: manifest.layers.count, image: source.image)
        let layers = try zip(manifest.layers, diffIDs).map { layer, diffID in
            let type = layer.mediaType ?? "none"
            guard Self.layerTypes.contains(type) else {
                throw ImageError.unsupported(
                    image: source.image, what: "has a layer of the unknown type '\(type.utf8.shown)'",
                    hint: "copy the image with 'skopeo copy', which converts layers")
            }
            return LayeredImage.Layer(
                name: "layer \(layer.digest.utf8.shown)", blob: try range(of: layer, name: "layer"),
                digest: try digest(of: layer), diffID: diffID,
                statedSize: layer.annotations?[Self.sizeAnnotation].flatMap { Int($0) })
        }
        return (LayeredImage(image: source.image, layers: layers), facts)
    }

    /// What a configuration says that uncompressed layers hash to, one for each.
    static func diffIDs(of configuration: OCIConfiguration, count: Int, image: String) throws -> [Digest] {
        guard count <= ImageLimits.layers else {
            throw ImageError.excessive(image: image, what: "\(count) layers", limit: ImageLimits.layers)
        }
        let texts = configuration.rootfs?.diff_ids ?? []
        guard texts.count == count else {
            throw ImageError.damaged(
                image: image, detail: "it has \(count) layers, and its configuration lists \(texts.count)")
        }
        return try texts.map { try digest($0, image: image) }
    }

    private static func digest(_ text: String, image: String) throws -> Digest {
        guard text.hasPrefix("sha256:"), let digest = Digest(hex: text.dropFirst(7)) else {
            throw ImageError.unsupported(
                image: image, what: "has '\(text.utf8.shown)' where a SHA-256 digest should be",
                hint: "copy the image with 'skopeo copy', which writes SHA-256 digests")
        }
        return digest
    }

    private func digest(of descriptor: OCIDescriptor) throws -> Digest {
        try Self.digest(descriptor.digest, image: source.image)
    }

    /// Where a blob is; its size is checked, its digest is not yet.
    private func range(of descriptor: OCIDescriptor, name: String) throws -> FileRange {
        let digest = try digest(of: descriptor)
        guard let found = try source.find("blobs/sha256/\(digest.hex)") else {
            throw ImageError.missing(image: source.image, part: "\(name) \(digest)")
        }
        guard found.range.count == descriptor.size else {
            throw ImageError.sizeMismatch(
                image: source.image, blob: "\(name) \(digest)", expected: descriptor.size,
                actual: found.range.count)
        }
        return found
    }

    /// A small blob's bytes, checked.
    private func blob(_ descriptor: OCIDescriptor, name: String) throws -> Bytes {
        let digest = try digest(of: descriptor)
        _ = try range(of: descriptor, name: name)
        let bytes = try source.document("blobs/sha256/\(digest.hex)")
        let actual = Digest(hashing: bytes)
        guard actual == digest else {
            throw ImageError.digestMismatch(
                image: source.image, blob: "\(name) \(digest)", expected: digest.description,
                actual: actual.description)
        }
        return bytes
    }
}
