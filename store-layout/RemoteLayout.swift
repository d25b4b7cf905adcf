/// Where remotes, keys and what was fetched are, and what servers call their files.
public enum RemoteLayout {
    /// Directories of the host with remotes for every root; of files with one name, the first directory's counts.
    ///
    /// Source: UAPI.6 Configuration Files Specification.
    public static let hostDirectories = ["/etc", "/run", "/usr/local/lib", "/usr/lib"].map {
        $0 + "/sxs/remotes.d"
    }

    /// Directories of sysextmgr's configuration: the first goes before the others.
    ///
    /// Source: sysextmgr.conf(5).
    public static let sysextmgrDirectories = ["/etc", "/run", "/usr/share"].map { $0 + "/sysextmgr" }

    /// The main file in ``sysextmgrDirectories``.
    public static let sysextmgrFile = "sysextmgr.conf"

    /// Ends the name of a remote's file.
    public static let suffix = ".conf"

    /// In a root: the remotes that were added to it.
    public static let remotes = "remotes"

    /// In a root: keys that were given for its remotes.
    public static let keys = "keys"

    /// In a root: the newest listing that was seen of each remote, so that no older one is taken.
    public static let seen = "seen"

    /// In a profile: packages that are not upgraded.
    public static let pins = "pins"

    /// In a root's cache: what was fetched whole, by digest.
    public static let blobs = "blobs/sha256"

    /// In a root's cache: what is fetched in part, by digest.
    public static let partial = "partial"

    /// Ends the name of the text that says which version of its file a part is of.
    public static let validatorSuffix = ".validator"

    /// In a root's cache: the listings of remotes, by remote.
    public static let listings = "listings"

    /// Beside a listing: what its server said of it.
    public static let listingFacts = "facts"

    /// Beside a listing: its detached signature.
    public static let signature = "signature"

    /// Beside a listing: metadata of images, by name.
    public static let metadata = "metadata"

    /// In a root's cache: repositories of distributions in the form that is searched, by remote.
    public static let solvables = "solvables"

    /// In a remote's directory of these: which of them are the newest, and of what.
    public static let solvableState = "state.json"

    /// Ends the name of a remote and begins a digest in it: what is kept of one of its repositories.
    public static let repositoryMark = "+"

    /// The listing of a sysext store.
    public static let checksums = "SHA256SUMS"

    /// What a listing's detached signature may be called, after its own name; the first that is there counts.
    public static let signatureSuffixes = [".gpg", ".asc", ".sig"]

    /// Begins the name of the empty file in a listing that says until when it is good.
    ///
    /// Source: sysupdate.d(5) of systemd 260.
    public static let bestBefore = "BEST-BEFORE-"

    /// Keyrings of systemd, of which the first that is there counts.
    ///
    /// Source: systemd-pull(8), `src/import/pull-common.c`.
    public static let systemdKeyrings = ["/etc", "/usr/lib"].flatMap { directory in
        ["pgp", "gpg"].map { "\(directory)/systemd/import-pubring.\($0)" }
    }

    /// Directories of keyrings and keys that the host trusts.
    public static let keyDirectories = ["/etc", "/usr/lib"].map { $0 + "/sxs/trusted.gpg.d" }

    /// Ends of the names of keys in these directories.
    public static let keySuffixes = [".gpg", ".pgp", ".asc"]

    /// Ends of the names of an image's metadata, after its name without `.raw` and with it.
    public static let manifestSuffix = ".manifest.gz"

    /// See ``manifestSuffix``.
    public static let jsonSuffix = ".json"

    /// Ends the name of the signature of minisign(1) beside a listing.
    public static let minisignSuffix = ".minisig"

    /// Directories of keys of minisign(1) that the host trusts.
    public static let minisignDirectories = ["/etc", "/usr/lib"].map { $0 + "/sxs/trusted.d" }

    /// Ends of the names of images that systemd-sysupdate installs as extensions: disks, and archives that it unpacks.
    public static let extensionSuffixes = [".raw", ".tar"].flatMap { file in
        ["", ".xz", ".gz", ".zst", ".bz2"].map { file + $0 }
    }

    /// In the keys of a root: its user's own, with their secrets.
    public static let ownKeys = "own"

    /// In the keys of a root: those whose signatures are taken.
    public static let trustedKeys = "trusted"

    /// Ends the name of a file that says which packages a name stands for.
    public static let collectionSuffix = ".collection"

    /// In the keys of a root: secret keys, which sign repositories.
    public static let secretSuffix = ".sec"

    /// In the keys of a root, and in the host's directories: public keys of minisign(1).
    public static let publicSuffix = ".pub"

    /// What a repository says of all its images.
    public static let index = "index.json"

    /// Ends of the names of images in a repository.
    public static let imageSuffixes = ["", ".xz", ".zst", ".gz"].map { ExtensionLayout.imageSuffix + $0 }
}
