internal import Files
private import Glibc
internal import StoreLayout

/// Keys that signatures are verified with, as files for gpgv and sqv.
struct Keyring {
    /// Bytes that a file of keys may have.
    static let longest = 16 << 20

    /// Files in binary form.
    let files: [String]

    /// The keys that a remote's listings may be signed with: its own keyring; else those of the host and the root.
    ///
    /// - Parameters:
    ///   - remote: The remote.
    ///   - temporary: Where keys in text form are written in binary form.
    init(of remote: ConfiguredRemote, in temporary: Descriptor) throws {
        let isThere = { (path: String) in access(path, F_OK) == 0 }
        let own = remote.description.keyring
        let ofHost =
            RemoteLayout.systemdKeyrings.first(where: isThere).map { [$0] } ?? []
        let named = try own.map { [$0] } ?? ofHost + RemoteLayout.keyDirectories.flatMap(Self.keys)
        files = try Self.binaries(named, in: temporary)
    }

    /// Files with keys in binary form, made where they are in text form.
    private static func binaries(_ named: [String], in temporary: Descriptor) throws -> [String] {
        var files: [String] = []
        for (index, file) in named.enumerated() {
            let bytes = try Descriptor.file(file).readAll(limit: Self.longest)
            guard let binary = binary(bytes) else { throw RemoteError.noKey(file: file) }
            if binary.elementsEqual(bytes) {
                files.append(file)
            } else {
                let name = "key-\(index)"
                try temporary.replaceFile(name, contents: binary)
                files.append(temporary.path(of: name))
            }
        }
        return files
    }

    /// The keys that a repository of a distribution may be signed with.
    ///
    /// - Parameters:
    ///   - trust: What was said of it.
    ///   - remote: The remote that it is of, whose own keyring counts before the host's.
    ///   - temporary: Where keys in text form are written in binary form.
    init(_ trust: RepositoryTrust, of remote: ConfiguredRemote, in temporary: Descriptor) throws {
        let named: [String]
        switch trust {
        case .files(let files): named = files
        case .text(let text):
            let name = "key-text"
            guard let binary = Self.binary(Bytes(text.utf8)) else {
                throw RemoteError.noKey(file: remote.file + " (Signed-By)")
            }
            try temporary.replaceFile(name, contents: binary)
            named = [temporary.path(of: name)]
        case .usual, .fingerprints, .anybody:
            guard remote.description.kind == .debian, remote.description.keyring == nil else {
                self = try Keyring(of: remote, in: temporary)
                return
            }
            // As apt: what names no key may be signed with any of those of the machine.
            let apt = AptLayout.directory + "/"
            let old = apt + AptLayout.trusted
            named =
                (access(old, R_OK) == 0 ? [old] : []) + (try Self.keys(in: apt + AptLayout.trustedParts))
                + (try RemoteLayout.keyDirectories.flatMap(Self.keys))
        }
        files = try Self.binaries(named, in: temporary)
    }

    private static func keys(in directory: String) throws -> [String] {
        guard let names = try? Descriptor.directory(directory).list() else { return [] }
        return names.map(\.text).filter { name in RemoteLayout.keySuffixes.contains { name.hasSuffix($0) } }
            .map { directory + "/" + $0 }
    }

    /// Keys in binary form: packets as they are, a keybox as it is, text decoded; `nil` for anything else.
    ///
    /// Source: RFC 9580, 4.2 and 6.2.
    static func binary(_ bytes: Bytes) -> Bytes? {
        // The first packet is a public key, in the new or the old format; a keybox says so in its first blob.
        if let first = bytes.first, first & 0xc0 == 0xc0 && first & 0x3f == 6 || first & 0xfc == 0x98 {
            return bytes
        }
        if bytes.dropFirst(8).starts(with: "KBXf".utf8) { return bytes }
        return OpenPGPText.decoded(bytes, kind: "PUBLIC KEY BLOCK")
    }
}
