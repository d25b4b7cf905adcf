public import Files

/// How packages of a distribution become one store path: what a small file in YAML says, see `packages.md`.
public struct Recipe: Sendable, Equatable {
    /// A file or link that is added.
    public struct Addition: Sendable, Equatable {
        /// What is at the path.
        public enum Content: Sendable, Equatable {
            /// A text, which ends in a newline.
            case text(String)
            /// A file beside the recipe.
            case source(String)
            /// A symbolic link.
            case link(String)
        }

        /// Where it goes.
        public let path: TreePath
        /// What is there.
        public let content: Content
        /// Permission bits.
        public let mode: UInt16

        /// Describes one.
        public init(path: TreePath, content: Content, mode: UInt16 = 0o644) {
            self.path = path
            self.content = content
            self.mode = mode
        }
    }

    /// A remote of a distribution that names of packages are of.
    public enum Remote: Sendable, Equatable {
        /// One of the root's, by its name.
        case named(String)
        /// The text of a remote's file: one that the recipe describes itself.
        case described(String)
    }

    /// The store path's name.
    public let name: PackageName
    /// Its version.
    public let version: PackageVersion
    /// Packages: paths beside the recipe, URLs, and names of packages of a remote; the first is the main one.
    public let packages: [String]
    /// One line on what it is.
    public var description: String?
    /// The remotes that names are of, all together; none for the root's first that has them.
    public var remotes: [Remote] = []
    /// Whether what packages of the remotes recommend is taken, too.
    public var hasRecommended = false
    /// Names of packages whose commands are shown; empty to choose.
    public var wanted: [String] = []
    /// Commands that are shown; empty to choose.
    public var expose: [String] = []
    /// Kinds of files that are left out.
    public var slim: [String] = []
    /// Locales that are made.
    public var locales: [String] = []
    /// Files that are left out.
    public var drops: [PathPattern] = []
    /// Files that are added, sorted by path.
    public var additions: [Addition] = []
    /// Files with hints, beside the recipe.
    public var hints: [String] = []
    /// Variables that every command is started with, where the environment does not have them.
    public var environment: [String: String] = [:]

    /// Describes one that says no more than every recipe does.
    public init(name: PackageName, version: PackageVersion, packages: [String]) {
        self.name = name
        self.version = version
        self.packages = packages
    }

    /// Packages that are files: all that have a slash.
    public var files: [String] { packages.filter { $0.contains("/") } }

    /// Packages of a remote, by name, each with `=` and a version where one is wanted.
    public var names: [String] { packages.filter { !$0.contains("/") } }
}

/// Why a recipe cannot be followed.
public enum RecipeError: Error, Equatable, CustomStringConvertible {
    /// A line that means nothing, or `nil` for the file as a whole.
    case line(Int?, file: String, problem: String, remedy: String)
    /// A key that it needs.
    case missing(String, file: String)
    /// A package that is neither a path nor a URL nor a name.
    case package(String, file: String)
    /// A package's name, and no remote that has it.
    case noRemote(String, file: String)
    /// Remotes of several distributions.
    case mixedRemotes([String], file: String)
    /// A package that its lock does not have.
    case unlocked(String, lock: String)
    /// A package that is another one than its lock says.
    case changed(String, lock: String, expected: String, actual: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .line(let line, let file, let problem, let remedy):
            """
            \(line.map { "line \($0) of " } ?? "")\(file) \(problem)
            hint: \(remedy)
            """
        case .missing(let key, let file):
            """
            \(file) does not say '\(key):'
            hint: a recipe needs name, version and at least one of packages
            """
        case .package(let name, let file):
            """
            '\(name)' in \(file) is neither a file nor a URL nor the name of a package
            hint: write a path with a '/', such as ./\(name).deb, or https://…, or a name of a remote's packages
            """
        case .noRemote(let name, let file):
            """
            no remote of a distribution has the package '\(name)', which \(file) names
            hint: 'sxs remote add debian --from-host' adds the host's; or describe one at 'remote:'; or write a path \
            with a '/', such as ./\(name).deb
            """
        case .mixedRemotes(let kinds, let file):
            """
            \(file) has remotes of several kinds: \(kinds.joined(separator: ", "))
            hint: leave some of them out: packages of one distribution go together
            """
        case .unlocked(let package, let lock):
            """
            \(lock) has no digest of '\(package)'
            hint: add it with 'sxs lock', after a look at what changed
            """
        case .changed(let package, let lock, let expected, let actual):
            """
            '\(package)' is not what \(lock) says
              expected \(expected)
              found    \(actual)
            hint: if it is meant to be another one, 'sxs update-lock' takes it
            """
        }
    }
}
