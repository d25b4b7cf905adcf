internal import Files

/// What the user says about packages of distributions that become one store path.
public struct PackageOptions: Sendable, Equatable {
    /// Kinds of files that are left out.
    public var slim: Set<Slimming> = []
    /// Locales that are made, such as `de_DE.UTF-8`.
    public var locales: [String] = []
    /// Names of packages whose commands are shown, and of which the first gives name and version; empty to choose.
    public var wanted: [String] = []

    /// Creates options: everything is taken.
    public init() {}

    /// The version of what is done with packages: other bytes from the same packages are another one.
    static let version = 1

    /// All that the tree follows from besides the packages.
    var key: [String] {
        ["sxs-packages \(Self.version)"] + slim.map { "slim \($0.rawValue)" }.sorted()
            + locales.sorted().map { "locale \($0)" }
    }
}
