internal import Files
internal import StoreLayout

/// An image made of layers: what OCI and docker have in common.
struct LayeredImage {
    /// One layer's archive.
    struct Layer {
        /// What errors call it.
        var name: String
        var blob: FileRange
        /// What the archive's own bytes must hash to; `nil` where the format does not say.
        var digest: Digest?
        /// What the uncompressed archive must hash to.
        var diffID: Digest
        /// Bytes of the uncompressed archive, where the format says.
        var statedSize: Int? = nil
        /// Bytes that its files take: of a compressed one that does not say, those that it has itself.
        var expectedSize: Int { max(statedSize ?? 0, blob.range.count) }
    }

    var image: String
    var layers: [Layer]
    /// Bytes of the archive that it is in, as it is stored; `nil` for a directory.
    var archiveSize: Int?

    /// Reads all layers, lowest first.
    func read(into sink: any TreeSink, budget: ImageBudget, progress: any Progress) throws {
        progress.begin("reading \(image)", total: layers.reduce(0) { $0 + $1.blob.range.count })
        defer { progress.end() }
        let writer = EntryWriter(sink, image: image, isLayered: true, budget: budget)
        var done = 0
        for (number, layer) in layers.enumerated() {
            let base = done
            try read(layer, isLast: number == layers.count - 1, into: writer, budget: budget) {
                progress.advance(to: base + $0)
            }
            done += layer.blob.range.count
        }
    }

    /// The same, in an archive of so many bytes.
    func within(bytes: Int) -> LayeredImage {
        var copy = self
        copy.archiveSize = bytes
        return copy
    }

    /// Bytes of all layers, those that are listed twice once.
    var storedSize: Int {
        let sizes = Dictionary(layers.map { ($0.name, $0.blob.range.count) }, uniquingKeysWith: max)
        return min(sizes.values.reduce(0, +), archiveSize ?? .max)
    }

    private func read(
        _ layer: Layer, isLast: Bool, into writer: EntryWriter, budget: ImageBudget,
        report: @escaping (Int) -> Void
    ) throws {
        let name = "\(layer.name) of \(image)"
        let blob = FileStream(
            layer.blob.file, range: layer.blob.range, image: name, hashing: true, beside: writer.sink.hasher)
        let archive = try PlainArchive(
            blob, image: name, budget: budget, hashing: true, beside: writer.sink.hasher, report: report)
        defer { archive.stop() }
        writer.beginLayer(isLast: isLast)
        do {
            let reader = TarReader(archive, image: name)
            while let entry = try reader.next() { try writer.write(entry, from: reader) }
            try reader.drain()
        } catch let error as ImageError {
            // What is too much is not read to its end.
            if case .limit = error { throw error }
            archive.stop()
            // A layer that cannot be read most often is a damaged one: its digest says so better.
            try check(blob.digest(), layer.digest, name: layer.name)
            throw error
        }
        let diffID = try archive.digest()
        try check(blob.digest(), layer.digest, name: layer.name)
        try check(diffID, layer.diffID, name: "\(layer.name) uncompressed")
    }

    private func check(_ actual: Digest, _ expected: Digest?, name: String) throws {
        guard let expected, actual != expected else { return }
        throw ImageError.digestMismatch(
            image: image, blob: name, expected: expected.description, actual: actual.description)
    }
}

extension ImageFacts {
    private static let title = "org.opencontainers.image.title"
    private static let versionLabel = "org.opencontainers.image.version"

    /// Takes over what a configuration says.
    mutating func take(_ configuration: OCIConfiguration) {
        labels.merge(configuration.config?.Labels ?? [:]) { _, label in label }
        entrypoint = configuration.config?.Entrypoint ?? []
        command = configuration.config?.Cmd ?? []
        environment = configuration.config?.Env ?? []
        // An architecture that is not known is none that the package could be for.
        architecture = configuration.architecture.flatMap { try? Architecture(parsing: $0) }
    }

    /// Finds name, version and summary: labels first, then what the image is called, then its file's name.
    mutating func takeNames(references: [String], fileName: String) {
        name = labels[Self.title].flatMap(ImageNaming.packageName)
        version = labels[Self.versionLabel].flatMap(ImageNaming.packageVersion)
        summary = labels["org.opencontainers.image.description"].flatMap { text in
            text.split(whereSeparator: \.isNewline).first.map { $0.utf8.displayed }
        }
        let namings = references.map(ImageNaming.init(reference:)) + [ImageNaming(fileName: fileName)]
        for naming in namings {
            name = name ?? naming.name
            version = version ?? naming.version
            architecture = architecture ?? naming.architecture
        }
    }
}
