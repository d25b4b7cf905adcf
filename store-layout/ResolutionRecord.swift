/// How the packages of a store path were chosen from a distribution's repositories, so that an upgrade chooses alike.
public struct ResolutionRecord: Codable, Sendable, Equatable {
    /// The package that was asked for.
    public var name: String
    /// The version that was asked for; `nil` for the best.
    public var version: String?
    /// The remote.
    public var remote: String
    /// Whether what packages recommend was taken, too.
    public var hasRecommended: Bool
    /// Kinds of files that were left out; `nil` for none.
    public var slim: [String]?
    /// Locales that were made; `nil` for none.
    public var locales: [String]?
    /// Whether scripts of packages were run; `nil` for no.
    public var runsScripts: Bool?
    /// Packages that some need and that are left to the host.
    public var leftOut: [String]
    /// The repository of each package, by the SHA-256 of its file in hexadecimal.
    public var repositories: [String: String]

    /// Creates a record.
    public init(
        name: String, version: String?, remote: String, hasRecommended: Bool, leftOut: [String],
        repositories: [String: String]
    ) {
        self.name = name
        self.version = version
        self.remote = remote
        self.hasRecommended = hasRecommended
        self.leftOut = leftOut
        self.repositories = repositories
    }
}
