/// What would be fetched to install a package of a distribution.
public struct PackagePlan: Encodable, Sendable {
    /// Why a package is there.
    public struct Reason: Encodable, Sendable {
        /// `wanted`, `depends`, `recommends`, or `essential` for what programs use without saying so.
        public let kind: String
        /// The package that needs it; `nil` for what was asked for.
        public let of: String?
        /// What that package says.
        public let dependency: String?

        /// The text for people.
        public var text: String {
            guard let of else { return kind }
            return "\(of) \(kind == "depends" ? "needs" : "recommends") \(dependency ?? "")"
        }
    }

    /// One package.
    public struct Package: Encodable, Sendable {
        /// Its name.
        public let name: String
        /// Its whole version, with epoch and release.
        public let version: String
        /// Its architecture, in the distribution's spelling.
        public let architecture: String
        /// SHA-256 of its file, in hexadecimal.
        public let digest: String
        /// Bytes of its file; 0 where its repository does not say.
        public let size: Int
        /// Bytes of its files.
        public let installedSize: Int
        /// Its repository.
        public let repository: String
        /// Where its file is.
        public let location: String
        /// Whether the file is in the cache already.
        public let isCached: Bool
        /// Why it is there.
        public let reason: Reason
    }

    /// What was asked for.
    public let name: String
    /// The version that would be installed.
    public let version: String
    /// The remote.
    public let remote: String
    /// Whether what packages recommend is among them.
    public let hasRecommended: Bool
    /// The packages, in the order in which they are unpacked.
    public let packages: [Package]
    /// Packages that some need and that are left to the host.
    public let leftOut: [String]
    /// Bytes of all files.
    public let size: Int
    /// Bytes of the files that are not in the cache.
    public let sizeToFetch: Int
    /// Bytes of all files when they are unpacked.
    public let installedSize: Int
}
