internal import Files
private import Glibc
internal import StoreLayout

/// The keys of minisign(1) that a remote's listings may be signed with, and whether keys of OpenPGP may, too.
struct TrustedKeys {
    let minisign: [VerifyingKey]
    let takesOpenPGP: Bool

    /// Those of a remote: its own keyring alone, of either kind; else the root's and the host's.
    ///
    /// - Throws: ``KeyError``, `SystemError`.
    init(of remote: ConfiguredRemote, root: String) throws {
        guard let own = remote.description.keyring else {
            minisign = try KeyStore(root: root).trustedKeys().map(\.key)
            takesOpenPGP = true
            return
        }
        // A keyring that is not there is told of by whoever needs it.
        let key = try? KeyStore.read(own)
        minisign = key.map { [$0] } ?? []
        takesOpenPGP = key == nil
    }

    /// Whether one of them has made a signature, as it says itself.
    func have(_ signature: Bytes) -> Bool {
        guard let signature = Minisign(parsing: signature) else { return false }
        return minisign.contains { $0.identifier == signature.identifier }
    }

    /// Verifies a signature.
    ///
    /// - Throws: ``RemoteError/badSignature(remote:reason:hint:)``.
    func verify(_ signature: Minisign, of data: Bytes, remote: String) throws(RemoteError)
        -> VerifiedSignature
    {
        do {
            guard let key = minisign.first(where: { $0.identifier == signature.identifier }) else {
                throw MinisignError.otherKey(signature.keyName)
            }
            try key.verify(signature, of: data)
            return VerifiedSignature(fingerprint: key.name, date: signature.time, serial: signature.serial)
        } catch {
            throw .badSignature(
                remote: remote, reason: "\(error)",
                hint: """
                    if the key is new, and you know whose it is, 'sxs key trust KEY' takes it; where the remote has a key of \
                    its own, 'sxs remote remove \(remote)' before, and add it with --key
                    """)
        }
    }
}
