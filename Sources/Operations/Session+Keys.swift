internal import Files
public import Remotes
internal import Store
internal import StoreLayout

extension Session {
    /// The keys of the root and those that the host trusts.
    public func keys() throws -> [KnownKey] {
        try KeyStore(root: root).keys()
    }

    /// Makes a key that signs repositories.
    public func generateKey(_ name: String) throws -> KnownKey {
        let name = try PackageName(name).text
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            try KeyStore(root: root).generate(
                name, through: Descriptor.directory(root + "/" + StoreLayout.Name.temporary))
        }
    }

    /// Has listings that a key signed taken.
    ///
    /// - Parameters:
    ///   - key: The key's file, or the key itself, in one line.
    ///   - name: What it is called here; `nil` for its file's name.
    public func trustKey(_ key: String, name: String?) throws -> KnownKey {
        let file = key.split(separator: "/").last.map(String.init) ?? key
        let parsed = VerifyingKey(parsing: Bytes(key.utf8))
        let path = try Session.absolutePath(key)
        let verifying = try parsed ?? KeyStore.read(path)
        var title = name ?? (parsed == nil ? file : verifying.name)
        if name == nil, title.hasSuffix(RemoteLayout.publicSuffix) {
            title.removeLast(RemoteLayout.publicSuffix.count)
        }
        let checked = try PackageName(title).text
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            try KeyStore(root: root).trust(
                verifying, as: checked, through: Descriptor.directory(root + "/" + StoreLayout.Name.temporary)
            )
        }
    }

    /// Removes a key.
    public func removeKey(_ name: String) throws {
        let name = try PackageName(name).text
        let store = try openStoreForWriting()
        try asWriter(of: store) { try KeyStore(root: root).remove(name) }
    }

    /// The file of a secret key, by the name of one of this root's or by its path.
    func secretKey(_ text: String) throws -> String {
        guard !text.contains("/") else { return try Session.absolutePath(text) }
        return try KeyStore(root: root).secretKey(text)
    }
}
