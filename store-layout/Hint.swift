public import Files

/// What has to be known of programs beyond what their files show: the text file of `hints.md`.
public struct Hint: Sendable, Equatable {
    /// Rules for some programs.
    public struct Group: Sendable, Equatable {
        /// The programs, and other files, that are meant.
        public var programs: [PathPattern] = []
        /// Paths that the programs join to `/usr/` when they run.
        public var relative: [TreePath] = []
        /// Paths that stay as they are.
        public var kept: [Kept] = []
        /// Variables that launchers set where the environment does not have them.
        public var environment: [Variable] = []
        /// Paths below `etc` and `usr` that hosts without them are shown.
        public var seeds: [PathPattern] = []
        /// Whether the programs get a namespace.
        public var namespace: NamespaceUse?

        /// Whether a path is one of the programs'.
        public func isMeant(_ path: TreePath) -> Bool { programs.contains { $0.matches(path) } }

        /// Whether a tree has one of the programs, as a file or a link.
        public func isMeant(in files: TreeFiles) -> Bool {
            programs.contains { $0.hasMatch(in: files) }
        }

        var hasRules: Bool {
            !relative.isEmpty || !kept.isEmpty || !environment.isEmpty || !seeds.isEmpty || namespace != nil
        }
    }

    /// A path that stays as it is in some files.
    public struct Kept: Sendable, Equatable {
        /// The absolute path, which is kept with all below it; `nil` for every path.
        public let path: String?
        /// The files; `nil` for those of the group.
        public let files: PathPattern?
    }

    /// A variable and its default.
    public struct Variable: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Its value, with ``storePathPlaceholder`` where the store path goes.
        public let value: String
    }

    /// Stands in a value for the absolute store path of the package.
    public static let storePathPlaceholder = "{store-path}"

    /// What it is called.
    public let name: HintName

    /// Packages it is for; empty for those that have its programs.
    public let packages: [PackageName]

    /// Its rules.
    public let groups: [Group]

    /// The text it was read from.
    public let text: Bytes

    /// What goes into the hash of store paths it was applied to.
    public var digest: Digest { Digest(hashing: text) }

    /// Whether it says anything of a package.
    ///
    /// - Parameters:
    ///   - package: Its name.
    ///   - files: Its tree's.
    public func applies(to package: PackageName, with files: TreeFiles) -> Bool {
        guard packages.isEmpty || packages.contains(package) else { return false }
        return groups.contains { $0.isMeant(in: files) }
    }

    /// Creates a hint from its parts.
    init(name: HintName, packages: [PackageName], groups: [Group], text: Bytes) {
        self.name = name
        self.packages = packages
        self.groups = groups
        self.text = text
    }
}

/// What a hint is called: the name of its file.
public struct HintName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Bytes it may have.
    public static let longest = 64

    /// The name.
    public let text: String

    /// Checks a name: letters, digits, `.`, `_`, `+` and `-`, beginning with a letter or digit.
    public init(_ text: String) throws(HintError) {
        guard (try? PackageName(text)) != nil else { throw .name(text) }
        self.text = text
    }

    /// By their bytes.
    public static func < (left: HintName, right: HintName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    /// The text for people.
    public var description: String { text }
}

/// Whether a program gets a private mount namespace.
public enum NamespaceUse: String, Codable, Sendable, CaseIterable {
    /// Where the store is not visible, or the host lacks a seed.
    case automatic = "auto"
    /// Always.
    case always
    /// Never, so that it keeps its privileges over the host; it has no seeds then.
    case never
}

/// Why a hint is refused.
public enum HintError: Error, Equatable, CustomStringConvertible {
    /// A name that is not allowed.
    case name(String)
    /// The first line is another.
    case heading(file: String)
    /// It is too long.
    case tooLong(file: String)
    /// A line that is wrong: its number, what is wrong, and what to do.
    case line(Int, file: String, problem: String, remedy: String)
    /// It says nothing.
    case empty(file: String)

    /// What is wrong, why, and what to do.
    public var description: String {
        switch self {
        case .name(let text):
            """
            '\(text.utf8.displayed)' is not allowed as the name of a hint
            hint: it is the file's name without '\(Hint.fileSuffix)': 1 to \(HintName.longest) letters, digits, '.', \
            '_', '+' and '-', beginning with a letter or digit
            """
        case .heading(let file):
            """
            \(file) is no hint: its first line is not '\(Hint.heading)'
            hint: 'sxs hint show git' prints one
            """
        case .tooLong(let file):
            """
            \(file) is too long for a hint, which has at most \(Hint.longest) bytes and \(Hint.mostLines) lines
            hint: make several of it, one for each program
            """
        case .line(let number, let file, let problem, let remedy):
            """
            line \(number) of \(file): \(problem)
            hint: \(remedy)
            """
        case .empty(let file):
            """
            \(file) says nothing: it has no rule for any program
            hint: 'sxs hint show git' prints one that does
            """
        }
    }
}
