internal import Activation
internal import Files
private import FoundationEssentials
private import Glibc
internal import Images
internal import Labels
internal import Relocation
internal import Store
internal import StoreLayout

extension Session {
    /// The level of zstd: one step up takes half as long again for less than a hundredth of the size.
    private static let zstdLevel = 9

    /// Writes a package as a system extension that any host with systemd can merge.
    ///
    /// - Parameters:
    ///   - name: A package (`NAME`, `NAME@VERSION` or a store path).
    ///   - options: What is said about it.
    /// - Throws: ``ExportError``, ``OperationError`` and others, with nothing at the place.
    public func export(_ name: String, options: ExportOptions) throws -> ExportResult {
        guard options.format != .dir || options.signing == nil else { throw ExportError.unsignable }
        let writer = try squashFSWriter(options)
        let labels = try options.policy.map {
            StoreLabels(try FileLabels(fileContexts: Self.fileContexts(of: $0)))
        }
        try Self.check(commandDirectory: options.commandDirectory)
        let store = try openStore()
        let package = try store.metadata(of: installedOrNewest(name, in: store).baseName)
        let version = try PackageVersion(package.version)
        let extensionName = try ExportedName(options.name ?? package.name)
        let exposure =
            options.expose.isEmpty
            ? package.exposure : try self.exposure(of: package, wanted: options.expose)
        guard !exposure.isEmpty else {
            throw OperationError.nothingExposed(package.name)
        }
        let place = try ExportPlace(
            options, name: extensionName, version: version, architecture: package.architecture)
        let description = try launchDescription(of: package, exposure: exposure)
        var tree = try exportedTree(
            of: package, exposure: exposure, description: description, name: extensionName, version: version,
            options: options, in: store)
        if let labels { try tree.label(labels) }
        let signed = try options.signing.map {
            try SignedImage($0, architecture: package.architecture, seed: Self.identifier(of: package))
        }
        let top = try store.tree(of: package.storePath)
        let contents = { [tree] (id: ContentID) in
            do {
                return try tree.contents(id, from: top)
            } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
                throw ExportError.damagedPackage(package.name)
            }
        }
        do {
            try place.write { path in
                switch options.format {
                case .sysext:
                    try writer.write(
                        tree.tree, to: path, progress: progress, total: tree.size, contents: contents)
                case .dir:
                    try writeDirectory(tree, to: path, contents: contents)
                case .erofs:
                    try writeErofs(tree, of: package, to: path, contents: contents)
                }
                try signed?.wrap(path)
                guard options.format == .dir || chmod(path, 0o644) == 0 else {
                    throw SystemError("set permissions of", path)
                }
            }
        } catch let error as ImageError {
            guard case .changed = error else { throw error }
            throw ExportError.damagedPackage(package.name)
        } catch let error as SystemError
            where labels != nil && options.format != .sysext && [EPERM, ENOTSUP].contains(error.code)
        {
            throw ExportError.unlabelled(error)
        }
        var status = stat()
        guard stat(place.path, &status) == 0 else { throw SystemError("look at", place.path) }
        return ExportResult(
            name: extensionName.text, storePath: StoreLayout.storeDirectory + "/" + package.storePath,
            format: options.format, path: place.path, link: place.link.map { place.directory + "/" + $0 },
            size: options.format == .dir ? tree.size : Int(status.st_size),
            commands: exposure.commands.map(\.name).sorted(), units: tree.upheld.sorted(),
            seeds: Set(description.seeds + description.commands.flatMap(\.seeds)).sorted().map { "\($0)" },
            unmet: description.commands.filter { $0.namespace == .always }.map(\.name.displayed))
    }

    private func squashFSWriter(_ options: ExportOptions) throws -> SquashFSWriter {
        if let level = options.level {
            let levels = options.compression.levels
            guard levels?.contains(level) == true else {
                throw ExportError.level(
                    level, compression: options.compression.rawValue,
                    allowed: levels.map { "levels are \($0.lowerBound) to \($0.upperBound)" }
                        ?? "leave out --level")
            }
        }
        return SquashFSWriter(
            compression: options.compression,
            level: options.level ?? (options.compression == .zstd ? Self.zstdLevel : nil),
            workers: options.workers ?? processorCount,
            time: StoreLayout.modificationTime)
    }

    private static func check(commandDirectory path: TreePath) throws {
        let reason: String? =
            if !path.isWithin(ExtensionLayout.hierarchy) || path == ExtensionLayout.hierarchy {
                "extensions of this kind have directories of usr only"
            } else if path.isWithin(ExtensionLayout.store) || path.isWithin(ExtensionLayout.aliases) {
                "that is the store's"
            } else if ExtensionLayout.linkedDirectories.contains(where: path.isWithin) {
                "it is a link on some hosts, which a directory would hide with all that it leads to"
            } else {
                nil
            }
        if let reason { throw ExportError.commandDirectory("\(path)", reason: reason) }
    }

    private func exportedTree(
        of package: Metadata, exposure: Exposure, description: LaunchDescription, name: ExportedName,
        version: PackageVersion, options: ExportOptions, in store: Store
    ) throws -> ExportedTree {
        let manifest = try store.manifest(of: package.storePath)
        let listing = try ListingFiles.readPresent(StoreLayout.Name.listing, in: manifest)
        guard Digest(hashing: listing).hex == package.listingDigest else {
            throw ExportError.damagedPackage(package.name)
        }
        let top = try store.tree(of: package.storePath)
        let image = try tree(of: package)
        let readFile = { (path: TreePath) in try top.open(beneath: path.bytes).readAll(limit: .max) }
        let database = try PackageDatabase.packages(in: image) { path in
            guard let file = image.resolve(path.bytes), case .file = image[file]?.kind else { return nil }
            return try readFile(file)
        }
        // What was put together of packages has no database: what it shows is its own.
        let packages = database ?? package.packages.map { _ in [ImagePackage(shownBy: package)] }
        let finder = ExposureFinder(
            tree: image, packages: packages,
            isWholeSystem: try relocationReport(of: package, in: store).loader != nil, needsSetup: false,
            entrypoint: [])

        var result = ExportedTree(
            package, name: name, listing: try TreeListing.parse(listing),
            commandDirectory: options.commandDirectory)
        result.addCommands(description)
        try result.addData(
            exposure.data.map { try TreePath(parsing: $0.utf8) }, of: image, commands: exposure.commands,
            read: readFile)
        let units = try finder.units(of: package.name)
        try result.addUnits(units, of: image, read: readFile)
        let system = try finder.systemFiles(of: package.name)
        try result.addDefinitions(PackageSource(metadata: package, tree: image, top: top, system: system))
        result.addRelease(
            options.release.text(
                for: package.architecture, version: version, reloads: !units.system.isEmpty),
            isRenamed: options.format != .dir)
        // Where the image was is nobody's business elsewhere, and would make the bytes depend on it.
        var metadata = package
        metadata.source = ""
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        result.addManifest([
            (StoreLayout.Name.metadata, try Bytes(encoder.encode(metadata))),
            (
                StoreLayout.Name.sourceListing,
                try ListingFiles.readPresent(
                    StoreLayout.Name.sourceListing, in: manifest, listing: listing, digest: metadata.tree)
            ),
            (StoreLayout.Name.listing, listing),
            (
                StoreLayout.Name.report,
                try manifest.open(beneath: StoreLayout.Name.report).readAll(limit: .max)
            ),
        ])
        return result
    }

    private func writeDirectory(
        _ tree: ExportedTree, to path: String, contents: (ContentID) throws -> FileContents
    ) throws {
        guard mkdir(path, 0o755) == 0 else { throw SystemError("create directory", path) }
        try DirectoryWriter(time: StoreLayout.modificationTime).write(
            tree.tree, in: try Descriptor.directory(path), progress: progress, total: tree.size,
            contents: contents)
    }

    private func writeErofs(
        _ tree: ExportedTree, of package: Metadata, to path: String,
        contents: (ContentID) throws -> FileContents
    ) throws {
        let tool = ExternalTool("mkfs.erofs", package: "erofs-utils")
        // Asked before all is copied for nothing.
        guard tool.isInstalled else { throw ExternalToolError.missing(tool.name, package: tool.package) }
        let directory = path + ".tree"
        let parts = directory.split(separator: "/")
        let name = parts.last.map(String.init) ?? ""
        let place = try Descriptor.directory("/" + parts.dropLast().joined(separator: "/"))
        defer {
            // What cannot be removed is hidden from systemd; the error, if any, is the one to report.
            try? place.removeTree(name)
        }
        try writeDirectory(tree, to: directory, contents: contents)
        progress.begin("compressing \(path)", total: nil)
        defer { progress.end() }
        try tool.run([
            "-zlz4hc", "-T", "\(StoreLayout.modificationTime)", "-U", Self.identifier(of: package),
            "--all-root", path,
            directory,
        ])
    }

    /// An identifier of images of a package: one at random would be the only difference between two.
    private static func identifier(of package: Metadata) -> String {
        var rest = package.listingDigest[...]
        return [8, 4, 4, 4, 12].map { length in
            defer { rest = rest.dropFirst(length) }
            return String(rest.prefix(length))
        }.joined(separator: "-")
    }
}
