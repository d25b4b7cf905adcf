public import Files
public import StoreLayout

/// What an image says about itself.
public struct ImageFacts: Sendable, Equatable {
    /// A default name of the package, allowed in a store path.
    public var name: String?
    /// A default version, allowed in a store path.
    public var version: String?
    /// The architecture it was built for.
    public var architecture: Architecture?
    /// Labels and annotations; a label of the configuration wins.
    public var labels: [String: String] = [:]
    /// The program a container of it runs.
    public var entrypoint: [String] = []
    /// Arguments of ``entrypoint``, or the program where there is none.
    public var command: [String] = []
    /// `NAME=VALUE` of a container's environment.
    public var environment: [String] = []
    /// One line on what it is.
    public var summary: String?
    /// SHA-256 of the OCI manifest.
    public var digest: Digest?
    /// Its format, as people call it.
    public var kind: String

    /// Creates facts of which only the format is known.
    public init(kind: String) {
        self.kind = kind
    }
}
