/// Why a key cannot be made, trusted or removed.
public enum KeyError: Error, Equatable, CustomStringConvertible {
    /// One of that name is there already.
    case exists(String)
    /// None of that name is there.
    case unknown(String, known: [String])
    /// A file that holds no key.
    case noKey(String)
    /// One that the host trusts, which is not this root's to remove.
    case ofHost(String, file: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .exists(let name):
            """
            there is a key '\(name)' already
            hint: give another name, or 'sxs key remove \(name)' before
            """
        case .unknown(let name, let known):
            """
            there is no key '\(name)' here
            hint: \(known.isEmpty ? "'sxs key generate NAME' makes one" : "there is \(known.joined(separator: ", "))")
            """
        case .noKey(let path):
            """
            \(path) holds no public key of minisign
            hint: it has two lines, the second of which begins with RW; 'sxs key list' shows such keys
            """
        case .ofHost(let name, let file):
            """
            the key '\(name)' is trusted by this host, not by this root
            hint: as root, remove \(file)
            """
        }
    }
}
