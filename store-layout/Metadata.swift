private import Files

/// What is known of a store path: `manifests/<base name>/metadata.json`.
///
/// With the listings beside it, this is all that the index is rebuilt from.
public struct Metadata: Codable, Sendable, Equatable {
    /// The version of this form of metadata.
    public var formatVersion: Int
    /// The base name of the store path.
    public var storePath: String
    /// The package's name.
    public var name: String
    /// The package's version.
    public var version: String
    /// The architecture its programs are for.
    public var architecture: Architecture
    /// SHA-256 of the canonical listing before relocation, in hexadecimal.
    public var tree: String
    /// The version of the relocation recipe.
    public var recipe: Int
    /// How often aliases were named anew.
    public var aliasSalt: Int
    /// SHA-256 of the listing of the relocated tree, in hexadecimal; the store fills it in.
    public var listingDigest: String
    /// Bytes of all relocated files; the store fills it in.
    public var size: Int
    /// Regular files of the tree; the store fills it in.
    public var fileCount: Int
    /// Where the image came from, as it was named.
    public var source: String
    /// The digest of the image, where its format has one.
    public var sourceDigest: String?
    /// One line on what the package is.
    public var summary: String?
    /// The image's entry point and its arguments.
    public var entrypoint: [String]
    /// What profiles show of the package.
    public var exposure: Exposure
    /// The aliases that stand in its files.
    public var aliases: [AliasRecord]
    /// What launchers of its commands have to set up.
    public var launch: LaunchFacts
    /// What of the image was left out: numbers by ``Omission``'s raw values.
    public var omissions: [String: Int]
    /// The user's hints that were applied, whose digests are part of the hash; `nil` where none was.
    public var hints: [HintRecord]?
    /// The distribution's packages that it was made from; `nil` for an image.
    public var packages: [PackageRecord]?
    /// How these packages were chosen; `nil` where the user named them.
    public var resolution: ResolutionRecord?
    /// What was done in place of their scripts; `nil` for an image.
    public var finishing: FinishingRecord?

    /// Creates metadata; what the store fills in is empty.
    public init(
        storePath: StorePath, identity: StorePath.Identity, source: String, sourceDigest: String? = nil,
        summary: String? = nil, entrypoint: [String] = [], exposure: Exposure = Exposure(),
        aliases: [AliasRecord] = [], launch: LaunchFacts = LaunchFacts(), omissions: [String: Int] = [:],
        hints: [HintRecord] = []
    ) {
        formatVersion = StoreLayout.formatVersion
        self.storePath = storePath.baseName
        name = identity.name.text
        version = identity.version.text
        architecture = identity.architecture
        tree = identity.tree.hex
        recipe = identity.recipe
        aliasSalt = identity.aliasSalt
        listingDigest = ""
        size = 0
        fileCount = 0
        self.source = source
        self.sourceDigest = sourceDigest
        self.summary = summary
        self.entrypoint = entrypoint
        self.exposure = exposure
        self.aliases = aliases
        self.launch = launch
        self.omissions = omissions
        self.hints = hints.isEmpty ? nil : hints
    }

    /// What the hash of the store path is made from; `nil` if a part of it is damaged.
    public var identity: StorePath.Identity? {
        let records = hints ?? []
        let digests = records.compactMap { Digest(hex: $0.digest) }
        guard let tree = Digest(hex: tree), let name = try? PackageName(name),
            let version = try? PackageVersion(version), digests.count == records.count
        else { return nil }
        return StorePath.Identity(
            tree: tree, name: name, version: version, architecture: architecture, recipe: recipe,
            hints: digests, aliasSalt: aliasSalt)
    }
}

/// A short stand-in path and what it stands for.
public struct AliasRecord: Codable, Sendable, Hashable {
    /// Its name in the alias directory: letters and digits.
    public var name: String
    /// The path inside the tree that it leads to.
    public var target: String

    /// Creates a record.
    public init(name: String, target: String) {
        self.name = name
        self.target = target
    }
}

/// What launchers of a store path have to set up.
public struct LaunchFacts: Codable, Sendable, Equatable {
    /// Directories inside the tree that go last on `PATH`.
    public var searchPath: [String]
    /// Directories inside the tree that go last in `XDG_DATA_DIRS`; `nil` for none.
    public var dataPath: [String]?
    /// Paths below `/etc` and `/usr` that come from the tree where the host has none, for every command.
    public var seeds: [String]
    /// What hints say of programs, the user's before those of sxs; `nil` where they say nothing.
    public var rules: [LaunchRule]?

    /// Creates the facts.
    public init(
        searchPath: [String] = [], dataPath: [String] = [], seeds: [String] = [], rules: [LaunchRule] = []
    ) {
        self.searchPath = searchPath
        self.dataPath = dataPath.isEmpty ? nil : dataPath
        self.seeds = seeds
        self.rules = rules.isEmpty ? nil : rules
    }
}

/// What a hint says of how programs are started.
public struct LaunchRule: Codable, Sendable, Equatable {
    /// The programs, as ``PathPattern``s.
    public var programs: [String]
    /// Variables that are set where the environment does not have them.
    public var environment: [String: String]
    /// Whether they get a namespace; `nil` where it does not say.
    public var namespace: NamespaceUse?
    /// Paths that come from the tree where the host has none, for these programs alone; `nil` for none.
    public var seeds: [String]?

    /// Creates a rule.
    public init(
        programs: [String], environment: [String: String], namespace: NamespaceUse?, seeds: [String] = []
    ) {
        self.programs = programs
        self.environment = environment
        self.namespace = namespace
        self.seeds = seeds.isEmpty ? nil : seeds
    }
}

/// A hint of the user's that was applied to a store path.
public struct HintRecord: Codable, Sendable, Hashable {
    /// Its name.
    public var name: String
    /// SHA-256 of its text, in hexadecimal.
    public var digest: String

    /// Creates a record.
    public init(name: String, digest: String) {
        self.name = name
        self.digest = digest
    }
}

/// What a profile shows of a package.
public struct Exposure: Codable, Sendable, Equatable {
    /// One command.
    public struct Command: Codable, Sendable, Hashable {
        /// Its name in the profile's `bin`.
        public var name: String
        /// The program inside the tree, such as `usr/bin/emacs`.
        public var path: String
        /// Whether it is started by a launcher rather than by a plain link.
        public var needsLauncher: Bool

        /// Creates a command.
        public init(name: String, path: String, needsLauncher: Bool) {
            self.name = name
            self.path = path
            self.needsLauncher = needsLauncher
        }
    }

    /// Its commands.
    public var commands: [Command]

    /// Files or whole directories below `usr/share` that appear in the profile's `share`, such as
    /// `usr/share/man/man1/emacs.1.gz`.
    public var data: [String]

    /// What the host's own tools are to see where the system is set up, as paths of the tree: see `services.md`.
    ///
    /// Units, users, configuration; directories of it and of state end in ``ServiceLayout/directoryMark``.
    public var system: [String]

    /// Creates an exposure.
    public init(commands: [Command] = [], data: [String] = [], system: [String] = []) {
        self.commands = commands
        self.data = data
        self.system = system
    }

    /// Reads an exposure; one of an older version says nothing of the system.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        commands = try container.decode([Command].self, forKey: .commands)
        data = try container.decode([String].self, forKey: .data)
        system = try container.decodeIfPresent([String].self, forKey: .system) ?? []
    }

    /// Whether nothing is shown.
    public var isEmpty: Bool { commands.isEmpty && data.isEmpty && system.isEmpty }

    /// Names of the units of the system's manager.
    public var units: [String] {
        system.compactMap { text in
            guard let path = try? TreePath(parsing: text.utf8), let place = ServiceLayout.place(of: path),
                place.parent == ServiceLayout.systemUnits
            else { return nil }
            return String(decoding: place.name, as: UTF8.self)
        }
    }
}
