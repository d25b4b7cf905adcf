public import Files
public import StoreLayout

/// What the user says about packages of distributions that become one store path.
public struct PackageOptions: Sendable, Equatable {
    /// Kinds of files that are left out.
    public var slim: Set<Slimming> = []
    /// Locales that are made, such as `de_DE.UTF-8`.
    public var locales: [String] = []
    /// Names of packages whose commands are shown, and of which the first gives name and version; empty to choose.
    public var wanted: [String] = []

    /// One line on what it is; `nil` for what the main package says.
    public var summary: String?
    /// Files that are left out.
    public var drops: [PathPattern] = []
    /// Files and links that are added, in place of what is there.
    public var additions: [Addition] = []
    /// Whether scripts of packages are run, shut in, after all that is done without them.
    public var runsScripts = false
    /// What is said of its programs, before the hints of the user and of sxs.
    public var hints: [Hint] = []

    /// A file or link that is added.
    public struct Addition: Sendable, Equatable {
        /// What is added.
        public enum Content: Sendable, Equatable {
            case bytes(Bytes)
            case link(Bytes)
        }

        /// Where it goes.
        public let path: TreePath
        /// What it is.
        public let content: Content
        /// Permission bits.
        public let mode: UInt16

        /// Creates one.
        public init(path: TreePath, content: Content, mode: UInt16) {
            self.path = path
            self.content = content
            self.mode = mode
        }

        /// All of it, as a line.
        fileprivate var line: String {
            switch content {
            case .bytes(let bytes): "file \(mode) \(Digest(hashing: bytes).hex) \(path)"
            case .link(let target): "link \(target.displayed) \(path)"
            }
        }
    }

    /// Creates options: everything is taken.
    public init() {}

    /// The version of what is done with packages: other bytes from the same packages are another one.
    static let version = 1

    /// All that the tree follows from besides the packages.
    var key: [String] {
        ["sxs-packages \(Self.version)"] + slim.map { "slim \($0.rawValue)" }.sorted()
            + locales.sorted().map { "locale \($0)" } + drops.map { "drop \($0)" }.sorted()
            + additions.map(\.line).sorted() + wanted.map { "wanted \($0)" } + ["summary \(summary ?? "")"]
            + (runsScripts ? ["run-scripts"] : [])
    }
}

extension PackageOptions {
    /// What was said of the packages of a store path, to be said of those that come after it.
    init(like resolution: ResolutionRecord) {
        self.init()
        slim = Set((resolution.slim ?? []).compactMap(Slimming.init))
        locales = resolution.locales ?? []
        runsScripts = resolution.runsScripts ?? false
    }
}

extension ResolutionRecord {
    /// Keeps what is said of the packages, so that an upgrade says the same.
    mutating func take(_ options: PackageOptions) {
        slim = options.slim.isEmpty ? nil : options.slim.map(\.rawValue).sorted()
        locales = options.locales.isEmpty ? nil : options.locales
        runsScripts = options.runsScripts ? true : nil
    }
}
