public import Files
public import StoreLayout

/// One state of a profile, never changed once made.
public struct Generation: Sendable, Equatable {
    /// The profile.
    public let profile: ProfileName
    /// Its number, counted from 1 in each profile.
    public let number: Int
    /// The generation it was made from, and that a rollback goes to.
    public let parent: Int?
    /// When it was made, in seconds since the epoch.
    public let created: Int
    /// The command that made it.
    public let command: String
    /// Base names of its packages' store paths, in the order they were given.
    public let packages: [String]
}

/// A package in a generation, and what is shown of it.
public struct GenerationPackage: Sendable, Equatable {
    /// The base name of its store path.
    public var baseName: String
    /// What is shown of it.
    public var exposure: Exposure
    /// What its launchers do; `nil` where an earlier generation has brought that.
    public var launchDescription: Bytes?
    /// Whether it wins over packages that show the same.
    public var isPreferred: Bool

    /// Creates a package of a generation.
    public init(
        baseName: String, exposure: Exposure, launchDescription: Bytes? = nil, isPreferred: Bool = false
    ) {
        self.baseName = baseName
        self.exposure = exposure
        self.launchDescription = launchDescription
        self.isPreferred = isPreferred
    }
}

/// `generation.json`: which generation it is, and what made it.
///
/// What it shows is in the file beside it: see ``GenerationListing``.
struct GenerationDescription: Codable {
    var formatVersion: Int
    var profile: String
    var number: Int
    var parent: Int?
    var created: String
    var command: String
    var host: String?
    var hostRelease: [String: String]?
}
