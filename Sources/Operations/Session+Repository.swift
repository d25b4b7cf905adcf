internal import Activation
public import Files
private import FoundationEssentials
private import Glibc
internal import Images
public import Remotes
internal import Store
public import StoreLayout

/// What a repository offers, after a change.
public struct RepositoryReport: Encodable, Sendable {
    /// The directory.
    public let path: String
    /// Files that came with this command.
    public internal(set) var added: [String] = []
    /// Files that went.
    public internal(set) var removed: [String] = []
    /// What its listing names.
    public let packages: [RepositoryIndex.Package]
    /// Who signed the listing.
    public let signers: [String]
    /// The last day on which the listing is good; `nil` for ever.
    public let bestBefore: String?
}

extension Session {
    /// Makes a repository of a directory; images that are in it are listed.
    public func makeRepository(_ path: String, _ description: RepositoryDescription) throws -> RepositoryReport {
        let path = try Session.absolutePath(path)
        var description = description
        if let key = description.key { description.key = try secretKey(key) }
        try Repository.make(path, description)
        return try report(on: Repository(path), signs: true)
    }

    /// Adds images, which are files, or packages of the store, which are exported.
    ///
    /// - Parameters:
    ///   - path: The repository.
    ///   - names: Paths of images, and names of packages.
    ///   - keep: Versions of each of these names that stay, the newest ones; `nil` for all.
    public func addToRepository(_ path: String, _ names: [String], keep: Int? = nil) throws -> RepositoryReport {
        let repository = try Repository(Session.absolutePath(path))
        var added: [(file: String, name: String)] = []
        for name in names {
            let facts: Repository.Facts
            if ImageNaming.isImage(fileName: name) || name.contains("/") {
                let image = try Session.absolutePath(name)
                facts = try publishedFacts(of: image, strictly: true)
                added.append((try repository.add(Descriptor.file(image), facts), facts.name))
            } else {
                added.append(try addPackage(name, to: repository))
            }
        }
        var removed: [String] = []
        if let keep {
            let index = try self.index(repository).index
            for name in Set(added.map(\.name)) {
                let architectures = Dictionary(grouping: index.packages.filter { $0.name == name }, by: \.architecture)
                removed += architectures.values.flatMap { $0.dropFirst(keep).map(\.file) }
            }
            for file in removed { try repository.remove(file) }
        }
        var report = try report(on: repository, signs: true)
        report.added = added.map(\.file)
        report.removed = removed.sorted()
        return report
    }

    private func addPackage(_ name: String, to repository: Repository) throws -> (file: String, name: String) {
        try repository.withArea { place in
            var options = ExportOptions()
            options.output = place
            let exported = try export(name, options: options)
            let facts = try publishedFacts(of: exported.path, strictly: true)
            return (try repository.add(Descriptor.file(exported.path), facts), facts.name)
        }
    }

    /// Takes images out of a repository, by the name of a file, or of a package with or without `@VERSION`.
    public func removeFromRepository(_ path: String, _ names: [String]) throws -> RepositoryReport {
        let repository = try Repository(Session.absolutePath(path))
        let index = try self.index(repository).index
        var gone: [String] = []
        for name in names {
            let parts = name.split(separator: "@", maxSplits: 1).map(String.init)
            let found = index.packages.filter { package in
                package.file == name
                    || package.name == parts.first && (parts.count == 1 || package.version == parts[1])
            }
            guard !found.isEmpty else { throw RepositoryError.unknown(name, in: path) }
            gone += found.map(\.file)
        }
        for file in gone { try repository.remove(file) }
        var report = try report(on: repository, signs: true)
        report.removed = Set(gone).sorted()
        return report
    }

    /// Writes the listing of a repository anew, and signs it.
    public func indexRepository(_ path: String) throws -> RepositoryReport {
        try report(on: Repository(Session.absolutePath(path)), signs: true)
    }

    /// Changes what a repository's keeper decided, and writes its listing anew.
    public func changeRepository(
        _ path: String, _ change: (inout RepositoryDescription) -> Void
    ) throws -> RepositoryReport {
        var repository = try Repository(Session.absolutePath(path))
        var wanted = repository.description
        change(&wanted)
        if let key = wanted.key { wanted.key = try secretKey(key) }
        try repository.describe { $0 = wanted }
        return try report(on: repository, signs: true)
    }

    /// Has a name stand for several packages; for none it is forgotten.
    public func setCollection(_ name: String, of packages: [String], in path: String) throws -> RepositoryReport {
        let name = try PackageName(name).text
        let packages = try packages.map { try PackageName($0).text }
        let known = Set(try repositoryPackages(path).map(\.name))
        if let missing = packages.first(where: { !known.contains($0) }) {
            throw RepositoryError.unknown(missing, in: path)
        }
        guard !known.contains(name) else { throw RepositoryError.taken(name, in: path) }
        return try changeRepository(path) { $0.collections[name] = packages.isEmpty ? nil : packages }
    }

    /// What the listing of a repository names.
    public func repositoryPackages(_ path: String) throws -> [RepositoryIndex.Package] {
        try Repository(Session.absolutePath(path)).listed()
    }

    /// A transfer file by which systemd-sysupdate installs a package of a repository.
    ///
    /// - Parameter url: Where the repository is served.
    ///
    /// Source: sysupdate.d(5).
    public func transferFile(of name: String, in path: String, url: String) throws -> String {
        let repository = try Repository(Session.absolutePath(path))
        let packages = try repository.listed().filter { $0.name == name }
        guard !packages.isEmpty else { throw RepositoryError.unknown(name, in: path) }
        let location = try RemoteLocation(url).text
        let pattern = name + "-@v" + (packages.contains { $0.architecture == nil } ? "" : ".%a")
        // Without a signature that systemd knows, it would refuse all.
        return """
            [Transfer]
            Verify=\(repository.description.openPGPKey == nil ? "no" : "yes")

            [Source]
            Type=url-file
            Path=\(location)/
            MatchPattern=\(pattern)\(ExtensionLayout.imageSuffix)

            [Target]
            Type=regular-file
            Path=\(AdoptionLayout.imageStore)
            MatchPattern=\(pattern)\(ExtensionLayout.imageSuffix)
            CurrentSymlink=/var/lib/extensions/\(name)\(ExtensionLayout.imageSuffix)
            Mode=0644
            InstancesMax=2
            """
    }

    private func index(_ repository: Repository) throws -> Repository.Outcome {
        try repository.index(time: time(nil)) { file in
            try publishedFacts(of: repository.path(of: file), strictly: false)
        }
    }

    private func report(on repository: Repository, signs: Bool) throws -> RepositoryReport {
        let outcome = try index(repository)
        if outcome.signers.isEmpty {
            note(
                """
                nobody signed the listing of \(repository.path): 'sxs remote add' takes it with --insecure only
                hint: 'sxs key generate NAME', then 'sxs repo set \(repository.path) --key NAME'
                """)
        }
        return RepositoryReport(
            path: repository.path, packages: outcome.index.packages, signers: outcome.signers,
            bestBefore: outcome.bestBefore)
    }

    // MARK: - What an image says

    /// What a repository says of an image.
    ///
    /// - Parameter strictly: Whether an image that systemd would not merge is refused.
    private func publishedFacts(of path: String, strictly: Bool) throws -> Repository.Facts {
        let fileName = path.split(separator: "/").last.map(String.init) ?? path
        let naming = ImageNaming(fileName: fileName)
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
                commands: [], release: [:])
        }
        let releases = outline.tree.names(in: ExtensionLayout.releases).map { String(decoding: $0, as: UTF8.self) }
            .filter { $0.hasPrefix(ExtensionLayout.releasePrefix) }
        guard
            let release = releases.first(where: {
                $0 == ExtensionLayout.releasePrefix + (naming.name ?? "")
            }) ?? releases.sorted().first
        else {
            throw RepositoryError.unfit(
                path, reason: "it has no \(ExtensionLayout.releases)/\(ExtensionLayout.releasePrefix)NAME")
        }
        let fields = try ReleaseFile(parsing: outline.read(ExtensionLayout.releases.appending(Bytes(release.utf8))))
        let metadata = try metadata(in: outline, of: path)
        let name = String(release.dropFirst(ExtensionLayout.releasePrefix.count))
        guard let version = metadata?.version ?? fields["SYSEXT_VERSION_ID"] ?? naming.version else {
            throw RepositoryError.unfit(
                path, reason: "nothing says its version: neither SYSEXT_VERSION_ID= in its release file nor its name")
        }
        let architecture = try fields["ARCHITECTURE"].map { try Architecture(parsing: $0) }
        return Repository.Facts(
            name: try PackageName(name).text, version: try PackageVersion(version).text,
            architecture: architecture ?? naming.architecture ?? .any, summary: metadata?.summary,
            commands: metadata.map { $0.exposure.commands.map(\.name).sorted() }
                ?? outline.tree.names(in: ExtensionLayout.commands).map { String(decoding: $0, as: UTF8.self) }.sorted(),
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
