public import Files

/// Why something cannot be had from a remote.
///
/// Nothing was installed, and nothing that was there is changed.
public enum RemoteError: Error, Equatable, CustomStringConvertible {
    /// The host has no curl.
    case noCurl
    /// A transfer failed, at this place and at others.
    case failed(url: String, reason: String, hint: String, others: Int)
    /// The place does not have a file.
    case notThere(url: String)
    /// What came is longer than it may be.
    case tooLarge(url: String, limit: Int)
    /// What came is not what the listing names.
    case wrongDigest(url: String, expected: Digest, actual: Digest)
    /// Another transfer failed first.
    case cancelled
    /// It would have to be fetched.
    case offline(what: String)
    /// A listing with a line that cannot be.
    case badListing(url: String, line: Int, reason: String)
    /// A listing without a signature.
    case unsigned(remote: String, url: String)
    /// A signature that does not hold.
    case badSignature(remote: String, reason: String, hint: String)
    /// There is nothing to verify signatures with.
    case noKeys(remote: String)
    /// The host has neither gpgv nor sqv.
    case noVerifier
    /// A listing whose time is over.
    case expired(remote: String, date: String)
    /// A listing that was signed before one that was seen already.
    case rolledBack(remote: String, seen: String, signed: String)
    /// A listing that was written before one that was seen already, as it counts them.
    case earlierSerial(remote: String, seen: Int, serial: Int)
    /// A remote that is none.
    case unknownRemote(String, known: [String])
    /// A remote of that name is there already.
    case exists(String, file: String)
    /// A remote of the host, which is not this root's to remove.
    case ofHost(String, file: String)
    /// A place without anything that can be used.
    case nothingThere(String, reason: String)
    /// An answer that is not what the protocol says.
    case badAnswer(url: String, reason: String)
    /// An index of a repository that cannot be read.
    case badIndex(url: String, reason: String)
    /// An image for other platforms.
    case noPlatform(url: String, wanted: String, available: [String])
    /// A registry that everybody between can alter.
    case plainRegistry(String)
    /// A key file that holds no key.
    case noKey(file: String)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .noCurl:
            """
            fetching needs the program 'curl', which is not on PATH
            hint: install curl; every distribution has it
            """
        case .failed(let url, let reason, let hint, let others):
            """
            cannot fetch \(url): \(reason)\(others == 0 ? "" : "; \(others) other \(others == 1 ? "place" : "places") failed, too")
            hint: \(hint)
            """
        case .notThere(let url):
            """
            cannot fetch \(url): the server does not have it (404)
            hint: check the place with 'sxs remote show'; 'sxs remote refresh' reads its listing anew
            """
        case .tooLarge(let url, let limit):
            """
            \(url) is longer than \(limit) bytes, more than any sensible file of its kind
            hint: check that it is the right place
            """
        case .wrongDigest(let url, let expected, let actual):
            """
            what came from \(url) is not what the listing names; nothing was unpacked
              expected \(expected)
              received \(actual)
            hint: try again later; if it repeats, the server, a mirror or a proxy is altering data
            """
        case .cancelled: "the transfer was stopped, because another one failed"
        case .offline(let what):
            """
            \(what) is not in the cache, and nothing may be fetched
            hint: leave out --offline; 'sxs config Fetch.Offline' shows whether the configuration says the same
            """
        case .badListing(let url, let line, let reason):
            """
            \(url) is no listing: line \(line) \(reason)
            hint: it should be what sha256sum(1) prints for the files beside it; ask who keeps the server
            """
        case .unsigned(let remote, let url):
            """
            remote '\(remote)': \(url) has no signature beside it (.minisig, .gpg, .asc or .sig)
            hint: ask who keeps the server to sign it; or remove the remote and add it with --insecure, which trusts the \
            server and everybody between
            """
        case .badSignature(let remote, let reason, let hint):
            """
            remote '\(remote)': its listing is not to be trusted: \(reason)
            hint: \(hint)
            """
        case .noKeys(let remote):
            """
            remote '\(remote)': there is no key to verify its listing with
            hint: give the key of who keeps it with 'sxs remote add --key FILE', or put it into /etc/sxs/trusted.gpg.d; \
            'sxs key trust' takes keys of minisign
            """
        case .noVerifier:
            """
            verifying signatures needs the program 'gpgv' or 'sqv', and neither is on PATH
            hint: install gpgv (of GnuPG) or sqv (of Sequoia)
            """
        case .expired(let remote, let date):
            """
            remote '\(remote)': its listing was good until \(date) only
            hint: check this machine's clock; else the server, or somebody between, holds newer listings back
            """
        case .rolledBack(let remote, let seen, let signed):
            """
            remote '\(remote)': its listing was signed on \(signed), and one of \(seen) was seen already
            hint: the server, a mirror or somebody between shows an old state; if that is meant, remove the remote and add it \
            again
            """
        case .earlierSerial(let remote, let seen, let serial):
            """
            remote '\(remote)': its listing is number \(serial), and number \(seen) was seen already
            hint: the server, a mirror or somebody between shows an old state; if that is meant, remove the remote and add it \
            again
            """
        case .unknownRemote(let name, let known):
            """
            there is no remote named \(name.utf8.displayed)
            hint: \(known.isEmpty ? "there is none yet; 'sxs remote add NAME URL' adds one" : "there are \(known.joined(separator: ", "))")
            """
        case .exists(let name, let file):
            """
            there is a remote named \(name) already: \(file)
            hint: remove it with 'sxs remote remove \(name)', or choose another name
            """
        case .ofHost(let name, let file):
            """
            remote '\(name)' is the host's: \(file)
            hint: an empty file or a link to /dev/null of that name in an earlier directory, such as \
            /etc/sxs/remotes.d, hides it
            """
        case .nothingThere(let place, let reason):
            """
            \(place) cannot be a remote: \(reason)
            hint: give a directory with images, the URL of one with a SHA256SUMS, or a catalog file
            """
        case .badAnswer(let url, let reason):
            """
            \(url) gives no sensible answer: \(reason)
            hint: check that it is the right place
            """
        case .badIndex(let url, let reason):
            """
            \(url) is no index of a repository: \(reason)
            hint: 'sxs repo index DIRECTORY' writes it anew, where the repository is kept; ask who keeps it
            """
        case .noPlatform(let url, let wanted, let available):
            """
            \(url) has nothing for \(wanted); it has \(available.joined(separator: ", "))
            hint: choose one with --platform
            """
        case .plainRegistry(let url):
            """
            \(url) is a registry without TLS: whoever is between can put other images in the place of its own
            hint: name it with https://, or say --insecure
            """
        case .noKey(let file):
            """
            \(file) has no key in it, neither of OpenPGP nor of minisign
            hint: 'gpg --export KEY' writes one, and so does 'sxs key generate'; 'sxs key list' shows it
            """
        }
    }
}
