private import Files

/// How packages of a distribution become one store path: a small file, read by ``ConfigurationFile``.
///
/// `packages.md` says what it may have. What it does not know is an error: a misspelt word would otherwise be obeyed by
/// being passed over.
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
        public let path: String
        /// What is there.
        public let content: Content
        /// Permission bits.
        public let mode: UInt16
    }

    /// The store path's name.
    public let name: PackageName
    /// Its version.
    public let version: PackageVersion
    /// One line on what it is.
    public let description: String?
    /// Packages: paths beside the recipe, URLs, and names of packages of a remote; the first is the main one.
    public let packages: [String]
    /// The remote that names are of, by its name; `nil` for the one that is described, else the first that has them.
    public let remote: String?
    /// The text of a remote's file: one that the recipe describes itself; `nil` without one.
    public let remoteText: String?
    /// Whether what packages of the remote recommend is taken, too.
    public let hasRecommended: Bool
    /// Names of packages whose commands are shown; empty to choose.
    public let wanted: [String]
    /// Commands that are shown; empty to choose.
    public let expose: [String]
    /// Kinds of files that are left out.
    public let slim: [String]
    /// Locales that are made.
    public let locales: [String]
    /// Files that are left out.
    public let drops: [PathPattern]
    /// Files that are added.
    public let additions: [Addition]
    /// Files with hints, beside the recipe.
    public let hints: [String]
    /// Variables that every command is started with, where the environment does not have them.
    public let environment: [(name: String, value: String)]

    private static let main = "Recipe"
    private static let remoteSection = "Remote"
    private static let keys: Set<String> = [
        "Name", "Version", "Description", "Package", "Wanted", "Expose", "Slim", "Locale", "Drop", "Hint",
        "Remote", "Recommends",
    ]

    /// Packages that are files: all that have a slash.
    public var files: [String] { packages.filter { $0.contains("/") } }

    /// Packages of a remote, by name, each with `=` and a version where one is wanted.
    public var names: [String] { packages.filter { !$0.contains("/") } }

    /// Reads a recipe.
    ///
    /// - Parameters:
    ///   - text: Its text.
    ///   - file: What messages call it.
    /// - Throws: ``RecipeError``, `NameError`.
    public init(parsing text: String, file: String) throws {
        let source = ConfigurationFile(parsing: text)
        func wrong(_ line: Int, _ problem: String, _ remedy: String) -> RecipeError {
            .line(line, file: file, problem: problem, remedy: remedy)
        }
        if let line = source.ignoredLines.first {
            throw wrong(line, "is neither a section nor NAME=VALUE", "begin comments with '#'")
        }
        var additions: [String: (line: Int, entries: [ConfigurationFile.Entry])] = [:]
        var environment: [(name: String, value: String)] = []
        var remoteLines: [String] = []
        for entry in source.entries {
            if entry.section == Self.main {
                guard Self.keys.contains(entry.key) else {
                    throw wrong(
                        entry.line, "has the unknown key '\(entry.key)'",
                        "known are \(Self.keys.sorted().joined(separator: ", "))")
                }
            } else if entry.section == Self.remoteSection {
                // Its keys are known to whoever reads a remote's file.
                remoteLines.append("\(entry.key)=\(entry.value)")
            } else if entry.section == "Environment" {
                environment.append((entry.key, entry.value))
            } else if entry.section.hasPrefix("File "),
                ["Source", "Text", "Link", "Mode"].contains(entry.key)
            {
                additions[entry.section, default: (entry.line, [])].entries.append(entry)
            } else {
                throw wrong(
                    entry.line, "has '\(entry.key)' in '[\(entry.section)]', which means nothing",
                    "sections are [Recipe], [Remote], [Environment] and [File PATH] with Source, Text, Link, Mode"
                )
            }
        }
        func required(_ key: String) throws -> String {
            guard let value = source.value(key, in: Self.main) else {
                throw RecipeError.missing(key, file: file)
            }
            return value
        }
        name = try PackageName(required("Name"))
        version = try PackageVersion(required("Version"))
        description = source.value("Description", in: Self.main)
        packages = source.words("Package", in: Self.main)
        guard !packages.isEmpty else { throw RecipeError.missing("Package", file: file) }
        wanted = source.words("Wanted", in: Self.main)
        remote = source.value("Remote", in: Self.main)
        remoteText =
            remoteLines.isEmpty
            ? nil : (["[\(Self.remoteSection)]"] + remoteLines).joined(separator: "\n") + "\n"
        if let remote, remoteText != nil { throw RecipeError.twoRemotes(remote, file: file) }
        if let text = source.value("Recommends", in: Self.main) {
            guard let answer = ConfigurationFile.boolean(text) else {
                throw RecipeError.answer("Recommends", text, file: file)
            }
            hasRecommended = answer
        } else {
            hasRecommended = false
        }
        expose = source.words("Expose", in: Self.main)
        slim = source.words("Slim", in: Self.main)
        locales = source.words("Locale", in: Self.main)
        hints = source.words("Hint", in: Self.main)
        drops = try source.words("Drop", in: Self.main).map { text in
            guard let pattern = PathPattern(text) else { throw RecipeError.path(text, file: file) }
            return pattern
        }
        self.environment = environment
        self.additions = try additions.sorted { $0.key < $1.key }.map { section, found in
            let path = String(section.dropFirst("File ".count))
            guard let checked = try? TreePath(parsing: path.utf8), checked.bytes.elementsEqual(path.utf8),
                !path.isEmpty
            else { throw RecipeError.path(path, file: file) }
            let values = Dictionary(found.entries.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
            let contents = [
                values["Text"].map { Addition.Content.text($0 + "\n") }, values["Source"].map { .source($0) },
                values["Link"].map { .link($0) },
            ].compactMap { $0 }
            guard let content = contents.first, contents.count == 1 else {
                throw wrong(
                    found.line, "says not once what is in '\(path)'", "give one of Source, Text, Link")
            }
            let mode = UInt16(values["Mode"] ?? "0644", radix: 8)
            guard let mode, mode <= 0o777 else {
                throw wrong(found.line, "has no valid Mode", "give three octal digits, such as 755")
            }
            return Addition(path: path, content: content, mode: mode)
        }
    }

    /// Whether two recipes say the same.
    public static func == (left: Recipe, right: Recipe) -> Bool {
        left.name == right.name && left.version == right.version && left.description == right.description
            && left.packages == right.packages && left.wanted == right.wanted && left.expose == right.expose
            && left.remote == right.remote && left.remoteText == right.remoteText
            && left.hasRecommended == right.hasRecommended
            && left.slim == right.slim && left.locales == right.locales && left.drops == right.drops
            && left.additions == right.additions && left.hints == right.hints
            && left.environment.elementsEqual(right.environment, by: ==)
    }
}

/// Why a recipe cannot be followed.
public enum RecipeError: Error, Equatable, CustomStringConvertible {
    /// A line that means nothing.
    case line(Int, file: String, problem: String, remedy: String)
    /// A key that it needs.
    case missing(String, file: String)
    /// What is no path in a tree.
    case path(String, file: String)
    /// A package that is neither a path nor a URL nor a name.
    case package(String, file: String)
    /// A package's name, and no remote that has it.
    case noRemote(String, file: String)
    /// A remote by name, and one that is described.
    case twoRemotes(String, file: String)
    /// What is neither yes nor no.
    case answer(String, String, file: String)
    /// A kind of files that nobody knows.
    case kind(String, known: [String])
    /// A package that its lock does not have.
    case unlocked(String, lock: String)
    /// A package that is another one than its lock says.
    case changed(String, lock: String, expected: String, actual: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .line(let line, let file, let problem, let remedy):
            """
            line \(line) of \(file) \(problem)
            hint: \(remedy)
            """
        case .missing(let key, let file):
            """
            \(file) has no '\(key)=' in [Recipe]
            hint: a recipe needs Name, Version and at least one Package
            """
        case .path(let path, let file):
            """
            '\(path)' in \(file) is no path in a tree
            hint: write it without '/' at its beginning and without '..', such as usr/share/x
            """
        case .package(let name, let file):
            """
            '\(name)' in \(file) is neither a file nor a URL nor the name of a package
            hint: write a path with a '/', such as ./\(name).deb, or https://…, or a name of a remote's packages
            """
        case .noRemote(let name, let file):
            """
            no remote of a distribution has the package '\(name)', which \(file) names
            hint: 'sxs remote add debian --from-host' adds the host's; or describe one in a section [Remote]; or write a path \
            with a '/', such as ./\(name).deb
            """
        case .twoRemotes(let name, let file):
            """
            \(file) has Remote=\(name) and a section [Remote]
            hint: leave one of them out: names of packages are of one remote
            """
        case .answer(let key, let text, let file):
            """
            \(key)=\(text) in \(file) is neither yes nor no
            hint: write \(key)=yes or \(key)=no
            """
        case .kind(let kind, let known):
            """
            nobody knows the kind of files '\(kind)'
            hint: known are \(known.joined(separator: ", "))
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
