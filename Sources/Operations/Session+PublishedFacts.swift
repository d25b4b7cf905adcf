internal import Activation
internal import Files
private import FoundationEssentials
internal import Images
internal import Remotes
internal import StoreLayout

extension Session {
    /// What a repository says of an image.
    ///
    /// - Parameter strictly: Whether an image that systemd would not merge is refused.
    func publishedFacts(of path: String, strictly: Bool) throws -> Repository.Facts {
        let fileName = path.split(separator: "/").last.map(String.init) ?? path
        let naming = ImageNaming(fileName: fileName)
        guard let suffix = RemoteLayout.imageSuffixes.first(where: { fileName.hasSuffix($0) }) else {
            throw RepositoryError.unfit(
                path, reason: "its name does not end in \(RemoteLayout.imageSuffixes.joined(separator: ", "))"
            )
        }
        let outline: ImageOutline
        do {
            guard fileName.hasSuffix(ExtensionLayout.imageSuffix) else {
                throw ImageError.unsupported(
                    image: path, what: "images that are compressed as a whole", hint: "decompress it")
            }
            outline = try ImageOutline.withoutContents(
                of: Image.open(ImageReference(path: path, format: .squashFS)), named: path)
        } catch let error as ImageError {
            // What systemd mounts and sxs does not read is published by what its name says.
            guard case .unsupported = error, let name = naming.name, let version = naming.version else {
                throw strictly ? RepositoryError.unfit(path, reason: "\(error)".firstLine) : error
            }
            return Repository.Facts(
                name: name, version: version, architecture: naming.architecture ?? .any, summary: nil,
                commands: [], release: [:], suffix: suffix)
        }
        let releases = outline.tree.names(in: ExtensionLayout.releases).map {
            String(decoding: $0, as: UTF8.self)
        }
        .filter { $0.hasPrefix(ExtensionLayout.releasePrefix) }
        guard
            let release = releases.first(where: {
                $0 == ExtensionLayout.releasePrefix + (naming.name ?? "")
            }) ?? releases.sorted().first
        else {
            throw RepositoryError.unfit(
                path, reason: "it has no \(ExtensionLayout.releases)/\(ExtensionLayout.releasePrefix)NAME")
        }
        let fields = try ReleaseFile(
            parsing: outline.read(ExtensionLayout.releases.appending(Bytes(release.utf8))))
        let metadata = try metadata(in: outline, of: path)
        let name = String(release.dropFirst(ExtensionLayout.releasePrefix.count))
        guard let version = metadata?.version ?? fields["SYSEXT_VERSION_ID"] ?? naming.version else {
            throw RepositoryError.unfit(
                path,
                reason:
                    "nothing says its version: neither SYSEXT_VERSION_ID= in its release file nor its name")
        }
        let architecture = try fields["ARCHITECTURE"].map { try Architecture(parsing: $0) }
        return Repository.Facts(
            name: try PackageName(name).text, version: try PackageVersion(version).text,
            architecture: architecture ?? naming.architecture ?? .any, summary: metadata?.summary,
            commands: metadata.map { $0.exposure.commands.map(\.name).sorted() }
                ?? outline.tree.names(in: ExtensionLayout.commands).map {
                    String(decoding: $0, as: UTF8.self)
                }.sorted(),
            release: fields.fields)
    }

    /// The metadata of the one package that an image of sxs has.
    private func metadata(in outline: ImageOutline, of path: String) throws -> Metadata? {
        let packages = outline.tree.names(in: ExtensionLayout.manifests)
        guard packages.count == 1, let base = packages.first else { return nil }
        let file = ExtensionLayout.manifests.appending(base).appending(Bytes(StoreLayout.Name.metadata.utf8))
        let other = try ImageOutline.withoutContents(
            of: Image.open(ImageReference(path: path, format: .squashFS)), named: path, keeping: file)
        return try? JSONDecoder().decode(Metadata.self, from: Data(other.read(file)))
    }
}
