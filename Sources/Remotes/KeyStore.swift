public import Files
internal import Glibc
internal import StoreLayout

/// A key that is in a root, or that the host trusts.
public struct KnownKey: Encodable, Sendable {
    /// What its file is called, without the suffix.
    public let name: String
    /// What minisign(1) calls it.
    public let identifier: String
    /// The key in one line, to be given to others.
    public let key: String
    /// The file of the public key.
    public let path: String
    /// Whether the secret key is here, too, so that it can sign.
    public let isSecret: Bool
    /// Whether what it signed is taken.
    public let isTrusted: Bool
}

/// Keys of minisign(1) in a root: its user's own, which sign, and those whose signatures are taken.
public struct KeyStore {
    private static let own = RemoteLayout.keys + "/" + RemoteLayout.ownKeys
    private static let trusted = RemoteLayout.keys + "/" + RemoteLayout.trustedKeys

    private let root: String

    /// Looks at a root, which need not be there.
    public init(root: String) { self.root = root }

    /// All keys: the user's own first, each by name; then those that the root and the host trust.
    public func keys() throws -> [KnownKey] {
        try own() + trustedKeys().map { try known($0.path, $0.key, isSecret: false, isTrusted: true) }
    }

    private func own() throws -> [KnownKey] {
        let trusted = Set(try trustedKeys().map(\.key))
        return try Self.files(in: directory(Self.own)).map {
            try known(
                $0.path, $0.key,
                isSecret: access(Self.secret(beside: $0.path), F_OK) == 0, isTrusted: trusted.contains($0.key)
            )
        }
    }

    private func known(_ path: String, _ key: VerifyingKey, isSecret: Bool, isTrusted: Bool) throws
        -> KnownKey
    {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return KnownKey(
            name: String(file.dropLast(RemoteLayout.publicSuffix.count)), identifier: key.name, key: key.line,
            path: path, isSecret: isSecret, isTrusted: isTrusted)
    }

    /// Keys whose signatures are taken, with their files.
    func trustedKeys() throws -> [(path: String, key: VerifyingKey)] {
        try ([directory(Self.trusted)] + RemoteLayout.minisignDirectories).flatMap(Self.files)
    }

    private func directory(_ name: String) -> String { root + "/" + name }

    private static func secret(beside path: String) -> String {
        String(path.dropLast(RemoteLayout.publicSuffix.count)) + RemoteLayout.secretSuffix
    }

    /// Keys in a directory, by name; none where there is no directory.
    private static func files(in directory: String) throws -> [(path: String, key: VerifyingKey)] {
        let names: [String]
        do {
            names = try Descriptor.directory(directory).list().map(\.text)
        } catch let error as SystemError where [ENOENT, ENOTDIR, EACCES].contains(error.code) {
            return []
        }
        return try names.filter { $0.hasSuffix(RemoteLayout.publicSuffix) && !$0.hasPrefix(".") }.sorted().map
        {
            let path = directory + "/" + $0
            return (path, try read(path))
        }
    }

    /// Reads a file with a public key.
    ///
    /// - Throws: ``KeyError/noKey(_:)``, `SystemError`.
    public static func read(_ path: String) throws -> VerifyingKey {
        guard let key = VerifyingKey(parsing: try Descriptor.file(path).readAll(limit: VerifyingKey.longest))
        else {
            throw KeyError.noKey(path)
        }
        return key
    }

    /// The file of the secret key of a name.
    ///
    /// - Throws: ``KeyError/unknown(_:known:)``.
    public func secretKey(_ name: String) throws -> String {
        let known = try own().filter(\.isSecret)
        guard let key = known.first(where: { $0.name == name }) else {
            throw KeyError.unknown(name, known: known.map(\.name))
        }
        return Self.secret(beside: key.path)
    }

    /// Makes a key, which nobody trusts yet.
    ///
    /// - Parameter temporary: The root's directory for unfinished work.
    public func generate(_ name: String, through temporary: Descriptor) throws -> KnownKey {
        let place = try made(Self.own, mode: 0o700)
        let file = name + RemoteLayout.publicSuffix
        guard try place.status(of: file) == nil else { throw KeyError.exists(name) }
        let key = SigningKey()
        // What is there without its public key is what a crash left.
        try place.replaceFile(
            name + RemoteLayout.secretSuffix, contents: key.text.utf8, mode: 0o600, through: temporary,
            isDurable: true)
        try place.replaceFile(file, contents: key.verifying.text.utf8, through: temporary, isDurable: true)
        return try known(place.path(of: file), key.verifying, isSecret: true, isTrusted: false)
    }

    /// Has signatures of a key taken.
    public func trust(_ key: VerifyingKey, as name: String, through temporary: Descriptor) throws -> KnownKey
    {
        if let there = try trustedKeys().first(where: { $0.key == key }) {
            return try known(there.path, key, isSecret: false, isTrusted: true)
        }
        let place = try made(Self.trusted, mode: 0o755)
        let file = name + RemoteLayout.publicSuffix
        guard try place.status(of: file) == nil else { throw KeyError.exists(name) }
        try place.replaceFile(file, contents: key.text.utf8, through: temporary, isDurable: true)
        return try known(place.path(of: file), key, isSecret: false, isTrusted: true)
    }

    /// Removes a key of the root: its trust, or else the user's own, for good.
    ///
    /// - Throws: ``KeyError``, `SystemError`.
    public func remove(_ name: String) throws {
        let file = name + RemoteLayout.publicSuffix
        let root = try Descriptor.directory(root)
        for directory in [Self.trusted, Self.own] where try root.status(of: directory + "/" + file) != nil {
            // The secret first: without it the key is none of ours any more.
            try root.unlink(directory + "/" + name + RemoteLayout.secretSuffix)
            return try root.unlink(directory + "/" + file)
        }
        if let other = try trustedKeys().first(where: { $0.path.hasSuffix("/" + file) }) {
            throw KeyError.ofHost(name, file: other.path)
        }
        throw KeyError.unknown(name, known: try keys().map(\.name))
    }

    private func made(_ name: String, mode: UInt32) throws -> Descriptor {
        let root = try Descriptor.directory(root)
        try root.makeDirectory(RemoteLayout.keys, mode: 0o755)
        try root.makeDirectory(name, mode: mode)
        return try root.directory(beneath: name)
    }
}
