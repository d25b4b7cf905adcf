public import Files
public import StoreLayout

/// A remote and the file that describes it.
public struct ConfiguredRemote: Sendable, Equatable {
    /// What it is.
    public let description: RemoteDescription
    /// Its file.
    public let file: String
    /// Whether the file is in the root, and not the host's.
    public let isOfRoot: Bool

    /// Describes one.
    public init(_ description: RemoteDescription, file: String, isOfRoot: Bool) {
        self.description = description
        self.file = file
        self.isOfRoot = isOfRoot
    }

    /// Its name.
    public var name: String { description.name }
}

/// The remotes of a root: those that were added to it, and the host's.
public struct RemoteConfiguration {
    /// The root.
    public let root: String
    /// Where the host's directories are looked for: `""` for this host.
    private let host: String

    /// Looks at a root.
    ///
    /// - Parameters:
    ///   - root: The root.
    ///   - host: The host's root directory.
    public init(root: String, host: String = "") {
        self.root = root
        self.host = host
    }

    private var directory: String { root + "/" + RemoteLayout.remotes }

    /// All remotes: the highest priority first, then by name.
    ///
    /// Of files with one name, that of the root counts, then that of the first of the host's directories; an empty file, or
    /// a link to `/dev/null`, hides those after it. That of sysextmgr is one of the host's, where the host has it.
    ///
    /// - Throws: ``RemoteDescriptionError`` for a file that says nothing of use, `SystemError`.
    public func remotes() throws -> [ConfiguredRemote] {
        let specifiers = Specifiers(host: host)
        let places = ConfigurationDirectories([directory] + RemoteLayout.hostDirectories.map { host + $0 })
        let files = try places.files(suffix: RemoteLayout.suffix, limit: RemoteDescription.longest + 1)
        var result = try files.compactMap { file -> ConfiguredRemote? in
            guard let contents = file.contents else { return nil }
            let name = String(file.name.dropLast(RemoteLayout.suffix.count))
            var description = try RemoteDescription(parsing: contents, name: name, file: file.path)
            if !description.patterns.isEmpty {
                // What came from sysupdate's files has specifiers as these have, so that it follows the host.
                description.location = try RemoteLocation(specifiers.expand(description.location.text))
            }
            return ConfiguredRemote(description, file: file.path, isOfRoot: file.directory == 0)
        }
        if !files.contains(where: { $0.name == SysextmgrConfiguration.remote + RemoteLayout.suffix }),
            let remote = try SysextmgrConfiguration(host: host).remote
        {
            result.append(remote)
        }
        return result.sorted {
            ($1.description.priority, $0.name) < ($0.description.priority, $1.name)
        }
    }

    /// The remote of a name.
    public func remote(_ name: String) throws -> ConfiguredRemote {
        let all = try remotes()
        guard let remote = all.first(where: { $0.name == name }) else {
            throw RemoteError.unknownRemote(name, known: all.map(\.name))
        }
        return remote
    }

    /// Adds a remote to the root.
    ///
    /// - Parameters:
    ///   - description: What it is.
    ///   - temporary: The root's directory for unfinished work.
    ///   - isReplacing: Whether one of that name is replaced.
    /// - Throws: ``RemoteError/exists(_:file:)``, `SystemError`.
    public func add(
        _ description: RemoteDescription, through temporary: Descriptor, isReplacing: Bool = false
    ) throws {
        if !isReplacing, let known = try remotes().first(where: { $0.name == description.name }) {
            throw RemoteError.exists(known.name, file: known.file)
        }
        let place = try Descriptor.directory(directory)
        try place.replaceFile(
            description.name + RemoteLayout.suffix, contents: description.text.utf8, through: temporary,
            isDurable: true)
        try place.synchronize()
    }

    /// Whether the root has a remote that is described in the same words.
    public func has(_ description: RemoteDescription) throws -> Bool {
        let place = try Descriptor.directory(directory)
        let name = description.name + RemoteLayout.suffix
        guard try place.status(of: name) != nil else { return false }
        let text = try place.open(beneath: name).readAll(limit: RemoteDescription.longest)
        return text.elementsEqual(description.text.utf8)
    }

    /// Removes a remote of the root, with its key and what was seen of it.
    ///
    /// - Throws: ``RemoteError/ofHost(_:file:)``, ``RemoteError/unknownRemote(_:known:)``, `SystemError`.
    public func remove(_ name: String) throws {
        let file = name + RemoteLayout.suffix
        let ofRoot = try Descriptor.directory(root)
        // Also a file that cannot be read as a remote.
        if !name.contains("/"), try ofRoot.status(of: RemoteLayout.remotes + "/" + file) != nil {
            let place = try ofRoot.directory(beneath: RemoteLayout.remotes)
            try place.unlink(file)
            try place.synchronize()
        } else {
            let remote = try remote(name)
            guard remote.isOfRoot else { throw RemoteError.ofHost(name, file: remote.file) }
        }
        try forget(name)
    }

    /// Removes what is kept of a remote beside its file.
    public func forget(_ name: String) throws {
        let ofRoot = try Descriptor.directory(root)
        for suffix in [RemoteLayout.keySuffixes[1], RemoteLayout.publicSuffix] {
            try ofRoot.unlink(RemoteLayout.keys + "/" + name + suffix)
        }
        let cache = StoreLayout.Name.cache + "/"
        // What belongs to the remote, and to each of its repositories.
        let isOurs = { (text: String) in text == name || text.hasPrefix(name + RemoteLayout.repositoryMark) }
        for parent in [RemoteLayout.seen, cache + RemoteLayout.listings, cache + RemoteLayout.solvables]
        where try ofRoot.status(of: parent) != nil {
            let directory = try ofRoot.directory(beneath: parent)
            for entry in try directory.list().map(\.text) where isOurs(entry) {
                if parent == RemoteLayout.seen {
                    try directory.unlink(entry)
                } else {
                    try directory.removeTree(entry)
                }
            }
        }
    }

    /// Keeps the key of a remote in the root: a file with keys of OpenPGP or one of minisign, or the latter itself.
    ///
    /// - Returns: Its path.
    /// - Throws: ``RemoteError/noKey(file:)``, `SystemError`.
    public func keep(key file: String, of name: String, through temporary: Descriptor) throws -> String {
        let said = VerifyingKey(parsing: Bytes(file.utf8))
        let bytes = try said == nil ? Descriptor.file(file).readAll(limit: Keyring.longest) : []
        let minisign = said ?? VerifyingKey(parsing: bytes)
        guard let keys = minisign.map({ Bytes($0.text.utf8) }) ?? Keyring.binary(bytes) else {
            throw RemoteError.noKey(file: file)
        }
        let root = try Descriptor.directory(root)
        try root.makeDirectory(RemoteLayout.keys, mode: 0o755)
        let kept = name + (minisign == nil ? RemoteLayout.keySuffixes[1] : RemoteLayout.publicSuffix)
        try root.directory(beneath: RemoteLayout.keys).replaceFile(
            kept, contents: keys, through: temporary, isDurable: true)
        return [self.root, RemoteLayout.keys, kept].joined(separator: "/")
    }
}
