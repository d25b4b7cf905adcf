internal import ELF
internal import Files
internal import Images
internal import Store
internal import StoreLayout

extension Session {
    /// What an image is: the digest of its tree, and name, version and architecture.
    ///
    /// Name and version: what the user says, else the image's labels, else its extension-release, else the
    /// package database, else the file name. The architecture is that of most ELF files, so that it does not
    /// depend on the format the tree came in.
    func identify(
        _ tree: Tree, area: ImportArea, listing: SourceListing, facts: ImageFacts, packages: [ImagePackage]?,
        source: String, options: ImportOptions
    ) throws -> StorePath.Identity {
        let release = extensionRelease(in: tree)
        // A label is the image's own word; a file's name is the last resort.
        let isLabelled = facts.labels.keys.contains { $0 == "org.opencontainers.image.title" }
        let name =
            try options.name
            ?? (isLabelled ? facts.name : release?.name ?? facts.name).map { try PackageName($0) }
        guard let name else {
            throw OperationError.missingIdentity(source, what: "name", option: "--name NAME")
        }
        let packaged = packages?.first { $0.name == name.text } ?? packages?.first { $0.source == name.text }
        let version =
            try options.version
            ?? (facts.version ?? release?.version
            ?? packaged.flatMap { ImageNaming.packageVersion($0.version) })
            .map { try PackageVersion($0) }
        guard let version else {
            throw OperationError.missingIdentity(source, what: "version", option: "--version VERSION")
        }
        let architecture = architecture(of: tree, staging: area.staging)
        let wanted = options.platform ?? .host
        guard architecture == .any || architecture == wanted || wanted == .any else {
            throw OperationError.otherArchitecture(
                source, image: architecture.rawValue, wanted: wanted.rawValue)
        }
        return StorePath.Identity(
            tree: try listing.digest(), name: name, version: version, architecture: architecture)
    }

    /// The architecture of most ELF files; `any` where there are none.
    private func architecture(of tree: Tree, staging: Staging) -> Architecture {
        var votes: [Architecture: Int] = [:]
        for node in tree.nodes.values {
            guard case .file(let id) = node.kind,
                let name = ELFFile.architectureName(ofHead: Array(staging[id].head)),
                let architecture = try? Architecture(parsing: name)
            else { continue }
            votes[architecture, default: 0] += 1
        }
        // Equal votes are decided by name, so that the choice is the tree's alone.
        return votes.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .any
    }

    /// Name and version from the name of the one extension-release file.
    private func extensionRelease(in tree: Tree) -> (name: String, version: String?)? {
        let prefix = ExtensionLayout.releasePrefix
        let names = tree.names(in: ExtensionLayout.releases).compactMap {
            String(validating: $0, as: UTF8.self)
        }.filter { $0.hasPrefix(prefix) }
        guard let only = names.first, names.count == 1 else { return nil }
        let naming = ImageNaming(fileName: String(only.dropFirst(prefix.count)))
        return naming.name.map { ($0, naming.version) }
    }
}
