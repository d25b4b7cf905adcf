public import Files

/// Every path name of the contract on disk.
///
/// No other file holds one.
///
/// The written contract is `README.md` beside this file.
public enum StoreLayout {
    /// The directory of store paths, as every relocated file names it, on every host and under every root.
    public static let storeDirectory = "/usr/store"

    /// The directory of aliases, as relocated files name it.
    public static let aliasDirectory = "/usr/_"

    /// The host's directory that has both of them.
    public static let hostDirectory = "/usr"

    /// The root of the system's store.
    public static let systemRoot = "/var/lib/sxs"

    /// The root of a user's store, below `$XDG_DATA_HOME` or `~/.local/share`.
    public static let userRootName = "sxs"

    /// The version of this layout; a root with a higher one is refused.
    public static let formatVersion = 1

    /// The version of the relocation recipe, which is part of every store path's hash.
    public static let recipeVersion = 1

    /// The modification time of every file in the store, in seconds since the epoch: 1980-01-02, the first day
    /// that zip archives can name in every time zone.
    public static let modificationTime = 315_619_200

    /// The profile used where none is named.
    public static let defaultProfile = "default"

    /// Bytes of the file that is removed to have room for garbage collection on a full disk.
    public static let reserveSize = 4 << 20

    /// Names in a root.
    public enum Name {
        /// Relocated trees by store path base name.
        public static let store = "store"
        /// Listings, metadata and reports by store path base name.
        public static let manifests = "manifests"
        /// Which store path has which contents: a table that is made anew where it is missing.
        public static let contents = "contents"
        /// What roots of earlier versions have beside it: names of all contents, which a garbage collection removes.
        public static let earlierObjects = "objects"
        /// Symbolic links that stand for ``StoreLayout/aliasDirectory``.
        public static let aliases = "aliases"
        /// Launchers by store path base name: links to ``program``, and their ``launchDescription``.
        public static let shims = "shims"
        /// Profiles by name, each a directory of generations.
        public static let profiles = "profiles"
        /// The link in a profile to its active generation: the switch.
        public static let current = "current"
        /// The link in a profile to a generation that was made and is to be the active one.
        public static let pending = "pending"
        /// Prefix of a generation's directory name, before its number.
        public static let generationPrefix = "generation-"
        /// What made a generation, in its directory.
        public static let generationDescription = "generation.json"
        /// A generation's packages and what is shown of them, in its directory.
        public static let generationPackages = "packages"
        /// The mark of a stub, in its directory: a generation whose links were taken over by a later one.
        public static let stubMark = "stub"
        /// A generation's directory of commands.
        public static let commands = "bin"
        /// A generation's directory of manual pages and other data.
        public static let data = "share"
        /// The index.
        public static let index = "index.sqlite"
        /// Further roots for garbage collection.
        public static let collectionRoots = "gcroots"
        /// In ``collectionRoots``: roots that programs made, dropped when they lead nowhere.
        public static let automaticRoots = "auto"
        /// In ``collectionRoots``: what each host that uses this store runs of it, by machine ID.
        public static let hosts = "hosts"
        /// What nothing needs, waiting for other hosts to say that they do not run it.
        public static let condemned = "condemned"
        /// Stores that this one lies over.
        public static let bases = "bases"
        /// A file of ``StoreLayout/reserveSize``, for a full disk.
        public static let reserve = "reserve"
        /// What the user says of programs: see ``Hint``.
        public static let hints = "hints"
        /// What can be fetched again.
        public static let cache = "cache"
        /// In ``cache``: the digests of image files that were imported, by what says that they have not changed.
        public static let knownFiles = "files"
        /// In ``cache``: what programs of packages made of a generation's files, by the digest of their input.
        public static let derived = "derived"
        /// Unfinished work; each entry is held by a lock while it is worked on.
        public static let temporary = "tmp"
        /// Locked by the one writer, and names it.
        public static let lock = "lock"
        /// What `sxs setup` made on the host: a ``SetupRecord``.
        public static let setup = "setup"
        /// Extensions that `sxs adopt` keeps merged, by digest and name; in a generation, links to those that it shows.
        public static let extensions = "extensions"
        /// Extensions that `sxs adopt` refused, and why.
        public static let quarantine = "quarantine"
        /// What `sxs adopt` moved on the host: an ``AdoptionRecord``.
        public static let adopted = "adopted"
        /// What is in the host's `/etc` for packages: a ``ConfigurationRecord``.
        public static let configuration = "etc"
        /// The layout's version, as decimal digits and a newline.
        public static let format = "format"
        /// Programs of sxs itself.
        public static let programs = "libexec"
        /// The program that launchers link to, in ``programs``.
        public static let program = "sxs"
        /// What the launchers of a store path do, in its directory of ``shims``.
        public static let launchDescription = "launch"
        /// In `/usr/store` and `/usr/_` where these show several roots at once: a symbolic link whose target
        /// tells the device and inode numbers of the directories that are shown.
        public static let shown = ".shown"
        /// In a directory of ``manifests``: the listing of the tree as it was imported.
        public static let sourceListing = "source.mtree"
        /// In a directory of ``manifests``: the listing of the relocated tree.
        public static let listing = "tree.mtree"
        /// In a directory of ``manifests``: what ``listing`` is kept as a difference from, a whole listing.
        public static let listingBase = "base.mtree"
        /// After the name of a listing that is kept as a difference: the source listing from the other one, and that from
        /// ``listingBase``.
        public static let differenceSuffix = ".zst"
        /// In a directory of ``manifests``: name, version and the rest, for rebuilding the index.
        public static let metadata = "metadata.json"
        /// In a directory of ``manifests``: what the index says that is nowhere else: when, and what was imported.
        public static let registration = "registration"
        /// In a directory of ``manifests``: what relocation did and left.
        public static let report = "report.json"
    }

    /// The index and what SQLite keeps beside it; whoever reads the one needs the others.
    public static let indexFiles = ["", "-wal", "-shm"].map { Name.index + $0 }

    /// The files of a directory of ``Name/manifests``: of each listing there is one of two forms.
    public static let manifestFiles = [
        Name.sourceListing, Name.sourceListing + Name.differenceSuffix,
        Name.listing, Name.listing + Name.differenceSuffix, Name.listingBase,
        Name.metadata, Name.report, Name.registration,
    ]

    /// Directories that a new root gets, with their modes.
    public static let directories: [(name: String, mode: UInt32)] = [
        (Name.store, 0o755), (Name.manifests, 0o755), (Name.aliases, 0o755),
        (Name.shims, 0o755), (Name.profiles, 0o755), (Name.hints, 0o755), (Name.collectionRoots, 0o755),
        (Name.cache, 0o755), (RemoteLayout.remotes, 0o755),
        (Name.temporary, 0o700), (Name.programs, 0o755),
    ]

    /// Further directories of a store of root's: everybody may enter roots in ``Name/automaticRoots``, and take away only
    /// his own.
    public static let systemDirectories: [(name: String, mode: UInt32)] = [
        (Name.collectionRoots + "/" + Name.automaticRoots, 0o1777),
        (Name.collectionRoots + "/" + Name.hosts, 0o755),
    ]

    /// Seconds for which a layer whose directory is not there still keeps what it names: it may be mounted again.
    public static let leasePeriod = 30 * 24 * 60 * 60

    /// Paths inside a relocated tree.
    public enum Tree {
        /// The directory with a copy of the store path's own aliases.
        public static let aliases: TreePath = "usr/_"
        /// The generated loader cache.
        public static let loaderCache: TreePath = "etc/ld.so.cache"
    }
}
