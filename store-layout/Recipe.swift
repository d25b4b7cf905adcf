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
    /// Packages: paths beside the recipe, or URLs; the first is the main one.
    public let packages: [String]
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
    private static let keys: Set<String> = [
        "Name", "Version", "Description", "Package", "Wanted", "Expose", "Slim", "Locale", "Drop", "Hint",
    ]

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
        for entry in source.entries {
            if entry.section == Self.main {
                guard Self.keys.contains(entry.key) else {
                    throw wrong(
                        entry.line, "has the unknown key '\(entry.key)'",
                        "known are \(Self.keys.sorted().joined(separator: ", "))")
                }
            } else if entry.section == "Environment" {
                environment.append((entry.key, entry.value))
            } else if entry.section.hasPrefix("File "),
                ["Source", "Text", "Link", "Mode"].contains(entry.key)
            {
                additions[entry.section, default: (entry.line, [])].entries.append(entry)
            } else {
                throw wrong(
                    entry.line, "has '\(entry.key)' in '[\(entry.section)]', which means nothing",
                    "sections are [Recipe], [Environment] and [File PATH] with Source, Text, Link, Mode")
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
            && left.slim == right.slim && left.locales == right.locales && left.drops == right.drops
            && left.additions == right.additions && left.hints == right.hints
            && left.environment.elementsEqual(right.environment, by: ==)
    }
}

/// The digests of a recipe's packages: a file beside it, so that every machine builds the same bytes.
public struct RecipeLock: Sendable, Equatable {
    /// What its file's name ends in, after the recipe's.
    public static let suffix = ".lock"
    private static let heading = "sxs-lock 1"

    /// SHA-256 in hexadecimal by package, as the recipe has it.
    public var digests: [String: String]

    /// Creates a lock.
    public init(_ digests: [String: String] = [:]) { self.digests = digests }

    /// Reads a lock's text.
    ///
    /// - Throws: ``RecipeError`` for the first line that is wrong.
    public init(parsing text: String, file: String) throws(RecipeError) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        digests = [:]
        guard lines.first == Self.heading[...] else {
            throw .line(
                1, file: file, problem: "is not '\(Self.heading)'",
                remedy: "make it anew with 'sxs update-lock'")
        }
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            guard words.count == 3, words[0] == "package", let digest = Digest(hex: words[1]) else {
                throw .line(
                    index + 1, file: file, problem: "is not 'package DIGEST LOCATION'",
                    remedy: "make it anew with 'sxs update-lock'")
            }
            digests[words[2]] = digest.hex
        }
    }

    /// Its text, sorted.
    public var text: String {
        ([Self.heading] + digests.sorted { $0.key < $1.key }.map { "package \($0.value) \($0.key)" })
            .joined(separator: "\n") + "\n"
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
    /// A package that is neither a path nor a URL.
    case package(String, file: String)
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
            '\(name)' in \(file) is neither a file nor a URL
            hint: write a path with a '/', such as ./\(name).deb, or https://…
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
