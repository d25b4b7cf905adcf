public import Activation
public import Files
internal import Glibc
internal import Images
public import StoreLayout

/// What systemd-sysext would do with an image on a host, and what it would do to the host.
public struct Explanation: Encodable, Sendable {
    /// A host, as far as it matters to extensions.
    public struct Host: Encodable, Sendable {
        /// Its root directory; `nil` where only an os-release file was given.
        public let root: String?
        /// What its os-release says of it.
        public let id: String?
        /// `ID_LIKE`.
        public let idLike: String?
        /// `VERSION_ID`.
        public let versionID: String?
        /// `SYSEXT_LEVEL`.
        public let level: String?
        /// Its architecture, in systemd's spelling.
        public let architecture: String
        /// The version of systemd whose rules were asked.
        public let systemd: Int
    }

    /// A top directory of the image that is not merged.
    public struct Unmerged: Encodable, Sendable {
        /// Its name.
        public let name: String
        /// How many files and links are in it.
        public let fileCount: Int
    }

    /// The image, as it was named.
    public let image: String
    /// Its format, as people call it.
    public let kind: String
    /// The host.
    public let host: Host
    /// Rules and outcome.
    public let match: ExtensionMatch
    /// What it would hide or change; `nil` where no host's files could be looked at.
    public let conflicts: [ExtensionConflict]?
    /// What of the image would not appear on the host.
    public let unmerged: [Unmerged]
    /// What else there is to know, a sentence each.
    public let notes: [String]
}

/// Explains images on one host.
public struct ExtensionExplainer {
    private let hostTree: HostTree?
    let host: ExtensionHost
    private let notes: [String]
    private let progress: any Progress

    /// Looks at a host.
    ///
    /// - Parameters:
    ///   - root: Its root directory; `nil` where only `osRelease` is known of it.
    ///   - osRelease: An os-release file to use in place of the host's.
    ///   - systemd: The version of its systemd; `nil` to look in its root, or else to take the newest known.
    ///   - architecture: Its architecture; `nil` for that of this machine.
    /// - Throws: ``HostError`` or `SystemError`.
    public init(
        root: String?, osRelease: String? = nil, systemd: Int? = nil, architecture: Architecture? = nil,
        progress: any Progress
    ) throws {
        hostTree = try root.map { try HostTree($0) }
        var notes: [String] = []
        let found = try systemd.map { SystemdVersion($0) } ?? hostTree?.systemdVersion()
        if found == nil {
            notes.append(
                "no version of systemd was found or given: these are the rules of \(SystemdVersion.newest)")
        }
        let version = found ?? .newest
        let release: ReleaseFile
        if let osRelease {
            let number = open(osRelease, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
            guard number >= 0 else { throw SystemError("open", osRelease) }
            release = try HostTree.release(of: Descriptor(taking: number, path: osRelease), like: version)
        } else if let hostTree {
            release = try hostTree.release(like: version)
        } else {
            throw HostError.noHost
        }
        if let hostTree, try hostTree.root.status(of: "usr/.systemd-sysext") != nil {
            notes.append("extensions are merged on the host now: the image is compared with these, too")
        }
        host = ExtensionHost(
            release: release, architecture: architecture?.rawValue ?? Self.machine(), version: version)
        self.notes = notes
        self.progress = progress
    }

    /// The architecture of this machine's kernel, in systemd's spelling.
    private static func machine() -> String {
        var name = utsname()
        guard uname(&name) == 0 else { return Architecture.host.rawValue }
        let text = withUnsafeBytes(of: &name.machine) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return (try? Architecture(parsing: text))?.rawValue ?? text
    }

    /// Explains one image.
    ///
    /// - Parameters:
    ///   - source: The image: a path, or a reference as for an import.
    ///   - name: The file name that it would have among the host's extensions; `nil` for the one it has.
    ///   - title: What it is called where its path says nothing; `source` is then a path.
    ///   - comparesFiles: Whether conflicts are looked for.
    /// - Throws: `ImageError`, ``HostError`` or `SystemError`.
    public func explain(
        _ source: String, name: String? = nil, title: String? = nil, comparesFiles: Bool = true
    ) throws -> Explanation {
        let reference =
            try title.map { ImageReference(path: source, title: $0) } ?? ImageReference(parsing: source)
        let image = try Image.open(reference, platform: (try? Architecture(parsing: host.architecture)))
        var notes = notes
        let path = try name ?? Session.absolutePath(reference.path)
        // What systemd cannot mount is looked at as if it were unpacked.
        let isPacked = !["directory", "SquashFS image"].contains(image.facts.kind)
        if isPacked {
            notes.append(
                "systemd cannot merge this \(image.facts.kind) as it is: what is said holds for its tree in a directory"
            )
        }
        let isDirectory = image.facts.kind != "SquashFS image"
        let imageName =
            isPacked && name == nil
            ? image.facts.name : ImageFileName(path: path, isDirectory: isDirectory, like: host.version)?.name
        let (outline, match) = try look(
            at: image, named: imageName, path: path, isDirectory: isDirectory, source: reference.path)
        if !ConflictFinder.hierarchies.contains(where: { outline.tree[$0]?.kind == .directory }) {
            notes.append("the image has neither usr nor opt: nothing of it would appear on the host")
        }
        let conflicts =
            try comparesFiles
            ? hostTree.map { try ConflictFinder(image: outline, host: $0).conflicts() } : nil
        return Explanation(
            image: title ?? source, kind: image.facts.kind, host: description, match: match,
            conflicts: conflicts,
            unmerged: unmerged(outline.tree), notes: notes)
    }

    /// Reads an image, and asks systemd's rules about it.
    ///
    /// - Parameters:
    ///   - image: The image.
    ///   - name: Its name; `nil` if systemd passes over a file of that name.
    ///   - path: The path that systemd would find it by.
    ///   - isDirectory: Whether it is a directory there.
    ///   - source: What messages call it.
    ///   - readsLinkage: Whether ELF files are asked what they need.
    func look(
        at image: Image, named name: String?, path: String, isDirectory: Bool, source: String,
        readsLinkage: Bool = false
    ) throws -> (outline: ImageOutline, match: ExtensionMatch) {
        var outline = ImageOutline(image: source, readsLinkage: readsLinkage)
        try image.read(into: outline, progress: progress)
        if let name,
            let path = ExtensionReleaseFile.find(of: name, in: outline.tree, like: host.version).path,
            let content = outline.content(of: path), content.bytes == nil
        {
            // A link led out of the directory, so the file was not known to matter.
            outline = ImageOutline(image: source, keeping: path, readsLinkage: readsLinkage)
            try image.read(into: outline, progress: progress)
        }
        let files = outline
        let match = ExtensionMatch(
            ExtensionCandidate(
                name: name, fileName: path.split(separator: "/").last.map(String.init) ?? path,
                isDirectory: isDirectory, tree: outline.tree,
                read: { path throws(ReleaseFileError) in try files.read(path) }),
            on: host)
        return (outline, match)
    }

    /// The version of the host's systemd.
    var systemd: SystemdVersion { host.version }

    /// What generations keep of the host.
    var record: [String: String] { HostTree.record(host.release) }

    /// Images that systemd would find at a path among the extensions: itself, or the newest version of a directory of
    /// versions.
    func images(at path: String) -> [(name: String, path: String)] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        guard isDirectory, host.version.hasVersionedDirectories, path.hasSuffix(".v") else {
            return ImageFileName(path: path, isDirectory: isDirectory, like: host.version).map {
                [($0.name, path)]
            } ?? []
        }
        let newest = newestVersion(in: path, named: path.split(separator: "/").last.map(String.init) ?? "")
        guard let newest else { return [] }
        let isFile = newest.hasSuffix(".raw")
        return ImageFileName(path: path + "/" + newest, isDirectory: !isFile, like: host.version).map {
            [($0.name, path + "/" + newest)]
        } ?? []
    }

    /// The name of the newest version in a directory of versions.
    func newestVersion(in path: String, named name: String) -> String? {
        let base = String(name.dropLast(ExtensionLayout.versionsSuffix.count))
        let suffix = base.hasSuffix(ExtensionLayout.imageSuffix) ? ExtensionLayout.imageSuffix : ""
        let stem = base.dropLast(suffix.count)
        guard let listed = try? Descriptor.directory(path).list() else { return nil }
        let versions = listed.map(\.text).filter { $0.hasPrefix(stem + "_") && $0.hasSuffix(suffix) }
        return versions.max { left, right in
            guard let first = try? PackageVersion(left), let second = try? PackageVersion(right) else {
                return left < right
            }
            return first < second
        }
    }

    /// The host, as far as it matters.
    var description: Explanation.Host {
        Explanation.Host(
            root: hostTree?.root.path, id: host.release["ID"], idLike: host.release["ID_LIKE"],
            versionID: host.release["VERSION_ID"], level: host.release["SYSEXT_LEVEL"],
            architecture: host.architecture, systemd: host.version.number)
    }

    private func unmerged(_ tree: Tree) -> [Explanation.Unmerged] {
        var counts: [Bytes: Int] = [:]
        for (path, node) in tree.nodes where node.kind != .directory {
            if let top = path.components.first { counts[top, default: 0] += 1 }
        }
        let merged = Set(ConflictFinder.hierarchies.map(\.bytes))
        return counts.filter { !merged.contains($0.key) }.map {
            Explanation.Unmerged(name: $0.key.displayed, fileCount: $0.value)
        }.sorted { $0.name < $1.name }
    }
}
