public import StoreLayout

/// A repository of a distribution's packages: one suite of a Debian archive, a tree with `repodata`, or a database of Arch.
public struct PackageRepository: Sendable, Equatable {
    /// What its index is like.
    public let kind: RemoteKind
    /// Places with the same files: absolute paths and URLs.
    public var places: [RemoteLocation]
    /// The suite, or for a flat repository a directory with `/` at its end; the database's name for Arch; empty for RPM.
    public var suite: String
    /// Its components; none for a flat repository and other kinds.
    public var components: [String] = []
    /// Who may have signed it.
    public var trust = RepositoryTrust.usual
    /// Whether the date counts until which its index says it is good.
    public var isDateChecked = true

    /// Describes a repository.
    public init(kind: RemoteKind, places: [RemoteLocation], suite: String = "") {
        self.kind = kind
        self.places = places
        self.suite = suite
    }

    /// Whether its index and packages are in one directory.
    public var isFlat: Bool { suite.hasSuffix("/") }

    /// What people call it.
    public var title: String {
        ([places.first?.text ?? ""] + (suite.isEmpty ? [] : [suite]) + components).joined(separator: " ")
    }

    /// The directory of its index below the place, without a slash at its end; empty for the place itself.
    public var indexDirectory: String {
        switch kind {
        case .debian where isFlat:
            suite.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
        case .debian: "dists/" + suite
        case .rpm: "repodata"
        default: ""
        }
    }
}
