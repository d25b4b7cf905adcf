internal import Files

/// Why a repository cannot be kept.
public enum RepositoryError: Error, Equatable, CustomStringConvertible {
    /// A directory that is none.
    case none(String)
    /// One that is there already.
    case exists(String)
    /// Another image of that name.
    case taken(String, in: String)
    /// Something by an image's name that is no file.
    case noFile(String)
    /// No image of that name.
    case unknown(String, in: String)
    /// An image that cannot be published.
    case unfit(String, reason: String)
    /// A description that cannot be read.
    case badDescription(String, reason: String)
    /// An index that cannot be read.
    case badIndex(String)
    /// A collection that cannot be read.
    case badCollection(String, reason: String)
    /// A collection that names what is not there.
    case brokenCollection(String, missing: String)
    /// The host has no gpg.
    case noGnuPG(String)
    /// gpg did not sign.
    case notSigned(key: String, reason: String)
    /// An address that cannot be listened on.
    case address(String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .none(let path):
            """
            \(path) is no repository
            hint: 'sxs repo init \(path)' makes it one
            """
        case .exists(let path):
            """
            \(path) is a repository already
            hint: 'sxs repo add \(path) IMAGE' adds to it
            """
        case .taken(let name, let path):
            """
            \(path) has something else named \(name)
            hint: give what changed another version or name; or 'sxs repo remove \(path) \(name)' before
            """
        case .noFile(let path):
            """
            \(path) is no file
            hint: a repository has copies of images; take it away, and 'sxs repo add' the image
            """
        case .unknown(let name, let path):
            """
            \(path) has nothing named '\(name.utf8.displayed)'
            hint: 'sxs repo list \(path)' shows what it has
            """
        case .unfit(let path, let reason):
            """
            \(path) cannot be published: \(reason)
            hint: 'sxs export' writes images that can
            """
        case .badDescription(let file, let reason):
            """
            \(file) does not describe a repository: \(reason)
            hint: its section [Repository] may have Title=, Key=, OpenPGPKey= and ValidDays=
            """
        case .badIndex(let path):
            """
            \(path) is damaged, or of a newer sxs
            hint: remove the link '\(RepositoryDescription.directory)/\(Repository.current)' beside it, then 'sxs repo index'
            """
        case .badCollection(let path, let reason):
            """
            the collection \(path) cannot be read: \(reason)
            hint: its section [Collection] has Packages=, names separated by spaces, and Description=
            """
        case .brokenCollection(let name, let missing):
            """
            the collection '\(name)' names \(missing), which would not be there
            hint: 'sxs repo collection DIRECTORY \(name) PACKAGE…' changes it; without packages it is forgotten
            """
        case .noGnuPG(let key):
            """
            signing with GnuPG's key \(key) needs the program 'gpg', which is not on PATH
            hint: install gnupg; or sign with a key of 'sxs key generate' instead
            """
        case .notSigned(let key, let reason):
            """
            gpg did not sign with the key \(key): \(reason)
            hint: 'gpg --list-secret-keys' shows the keys that there are
            """
        case .address(let text):
            """
            '\(text.utf8.displayed)' is no address to listen on
            hint: give one of IPv4 or IPv6, such as 127.0.0.1 or ::
            """
        }
    }
}
