public import Files
private import Glibc
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
    /// a link to `/dev/null`, hides those after it.
    ///
    /// - Throws: ``RemoteDescriptionError`` for a file that says nothing of use, `SystemError`.
    public func remotes() throws -> [ConfiguredRemote] {
        var seen: Set<String> = []
        var result: [ConfiguredRemote] = []
        let places = [(directory, true)] + RemoteLayout.hostDirectories.map { (host + $0, false) }
        for (place, isOfRoot) in places {
            for name in try Self.names(in: place) where seen.insert(name).inserted {
                let file = place + "/" + name + RemoteLayout.suffix
                guard let bytes = try Self.contents(file) else { continue }
                result.append(
                    ConfiguredRemote(
                        try RemoteDescription(parsing: bytes, name: name, file: file), file: file,
                        isOfRoot: isOfRoot))
            }
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

    /// Names of remotes in a directory; none where there is no directory.
    private static func names(in directory: String) throws -> [String] {
        do {
            return try Descriptor.directory(directory).list().map(\.text).filter {
                $0.hasSuffix(RemoteLayout.suffix) && !$0.hasPrefix(".")
            }.map { String($0.dropLast(RemoteLayout.suffix.count)) }
        } catch let error as SystemError where [ENOENT, ENOTDIR].contains(error.code) {
            return []
        }
    }

    /// What a file has; `nil` where it hides others.
    private static func contents(_ path: String) throws -> Bytes? {
        // Not to wait for the other end of a named pipe.
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else { throw SystemError("open", path) }
        let file = Descriptor(taking: number, path: path)
        guard try file.status().st_mode & S_IFMT == S_IFREG else { return nil }
        let bytes = try file.readAll(limit: RemoteDescription.longest + 1)
        return bytes.isEmpty ? nil : bytes
    }

    /// Adds a remote to the root.
    ///
    /// - Parameters:
    ///   - description: What it is.
    ///   - temporary: The root's directory for unfinished work.
    /// - Throws: ``RemoteError/exists(_:file:)``, `SystemError`.
    public func add(_ description: RemoteDescription, through temporary: Descriptor) throws {
        if let known = try remotes().first(where: { $0.name == description.name }) {
            throw RemoteError.exists(known.name, file: known.file)
        }
        let place = try Descriptor.directory(directory)
        try place.replaceFile(
            description.name + RemoteLayout.suffix, contents: description.text.utf8, through: temporary,
            isDurable: true)
        try place.synchronize()
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
        try ofRoot.unlink(RemoteLayout.keys + "/" + name + RemoteLayout.keySuffixes[1])
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

    /// Keeps the key of a remote in the root.
    ///
    /// - Returns: Its path.
    /// - Throws: ``RemoteError/noKey(file:)``, `SystemError`.
    public func keep(key file: String, of name: String, through temporary: Descriptor) throws -> String {
        let bytes = try Descriptor.file(file).readAll(limit: Keyring.longest)
        guard let keys = Keyring.binary(bytes) else { throw RemoteError.noKey(file: file) }
        let root = try Descriptor.directory(root)
        try root.makeDirectory(RemoteLayout.keys, mode: 0o755)
        let kept = name + RemoteLayout.keySuffixes[1]
        try root.directory(beneath: RemoteLayout.keys).replaceFile(
            kept, contents: keys, through: temporary, isDurable: true)
        return [self.root, RemoteLayout.keys, kept].joined(separator: "/")
    }
}
