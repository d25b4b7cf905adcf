internal import Activation
public import Files
private import FoundationEssentials
private import Glibc
public import Images
internal import Relocation
internal import Store
public import StoreLayout

/// What an exported extension is written as.
public enum ExportFormat: String, Sendable, CaseIterable, Encodable {
    /// A SquashFS image.
    case sysext
    /// An EROFS image, by the host's mkfs.erofs.
    case erofs
    /// A directory.
    case dir

    /// The ending of its file's name.
    var suffix: String { self == .dir ? "" : ExtensionLayout.imageSuffix }
}

/// What the user says about an export.
public struct ExportOptions: Sendable {
    /// What it is written as.
    public var format = ExportFormat.sysext
    /// The extension's name; `nil` for the package's.
    public var name: String?
    /// The hosts it is for.
    public var release = ExtensionRelease.any
    /// Where commands go, below `usr`.
    public var commandDirectory = ExtensionLayout.commands
    /// Commands of the extension; empty for those that profiles show.
    public var expose: [String] = []
    /// How a SquashFS image is compressed.
    public var compression = SquashFSWriter.Compression.zstd
    /// How hard; `nil` for sxs's choice.
    public var level: Int?
    /// Threads that compress; `nil` for one per processor.
    public var workers: Int?
    /// A directory, or the file to write.
    public var output = "."
    /// Whether it goes into a directory of versions.
    public var isVersioned = false
    /// Whether what is at the place is replaced.
    public var isForced = false
    /// What an image is signed with; `nil` for a plain file system.
    public var signing: Signing?

    /// A private key and its certificate, in PEM files.
    public struct Signing: Sendable {
        /// The file with the key.
        public var key: String
        /// The file with the certificate.
        public var certificate: String

        /// Names the files.
        public init(key: String, certificate: String) {
            (self.key, self.certificate) = (key, certificate)
        }
    }

    /// Creates options.
    public init() {}
}

/// What an export came to.
public struct ExportResult: Encodable, Sendable {
    /// The extension's name.
    public let name: String
    /// The store path it holds.
    public let storePath: String
    /// What it was written as.
    public let format: ExportFormat
    /// The file or directory.
    public let path: String
    /// The link to it; `nil` for none.
    public let link: String?
    /// Bytes of the file; of a directory those of its files.
    public let size: Int
    /// Its commands.
    public let commands: [String]
    /// Units that are started where it is merged.
    public let units: [String]
    /// What its commands look for in `/etc` and `/usr`, and which is the host's to have.
    public let seeds: [String]
    /// Commands for which a hint wants a namespace, which they do not get there.
    public let unmet: [String]
}

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
        try Self.check(commandDirectory: options.commandDirectory)
        let store = try openStore()
        let package = try store.metadata(of: installedOrNewest(name, in: store).baseName)
        let version = try PackageVersion(package.version)
        let extensionName = try ExportedName(options.name ?? package.name)
        let exposure =
            options.expose.isEmpty
            ? package.exposure : try self.exposure(of: package, wanted: options.expose)
        guard !exposure.commands.isEmpty || !exposure.data.isEmpty else {
            throw OperationError.nothingExposed(package.name)
        }
        let place = try ExportPlace(
            options, name: extensionName, version: version, architecture: package.architecture)
        let description = try launchDescription(of: package, exposure: exposure)
        let tree = try exportedTree(
            of: package, exposure: exposure, description: description, name: extensionName, version: version,
            options: options, in: store)
        let signed = try options.signing.map {
            try SignedImage($0, architecture: package.architecture, seed: Self.identifier(of: package))
        }
        let top = try store.tree(of: package.storePath)
        let contents = { (id: ContentID) in
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
            workers: options.workers ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)),
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
        let read = { (name: String) in try manifest.open(beneath: name).readAll(limit: .max) }
        let listing = try read(StoreLayout.Name.listing)
        guard Digest(hashing: listing).hex == package.listingDigest else {
            throw ExportError.damagedPackage(package.name)
        }
        let top = try store.tree(of: package.storePath)
        let image = try tree(of: package)
        let readFile = { (path: TreePath) in try top.open(beneath: path.bytes).readAll(limit: .max) }
        let packages = try PackageDatabase.packages(in: image) { path in
            guard let file = image.resolve(path.bytes), case .file = image[file]?.kind else { return nil }
            return try readFile(file)
        }
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
            (StoreLayout.Name.sourceListing, try read(StoreLayout.Name.sourceListing)),
            (StoreLayout.Name.listing, listing), (StoreLayout.Name.report, try read(StoreLayout.Name.report)),
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
