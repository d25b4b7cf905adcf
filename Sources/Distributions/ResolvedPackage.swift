public import Files

/// A package of a repository, chosen to be installed.
public struct ResolvedPackage: Sendable, Equatable {
    /// Why it is there.
    public enum Reason: Sendable, Equatable {
        /// It was asked for.
        case wanted
        /// Programs of a distribution may use it without saying so.
        case essential
        /// A package needs something that it provides.
        case requirement(of: String, dependency: String)
        /// A package recommends something that it provides, or it says that it goes with one.
        case recommendation(of: String, dependency: String)
    }

    /// Its name.
    public let name: String
    /// Its version in the distribution's form: `1:28.2+1-15`.
    public let version: String
    /// Its architecture in the distribution's spelling.
    public let architecture: String
    /// What its file has.
    public let digest: Digest
    /// Its path, from the place of its repository.
    public let path: String
    /// Bytes of its file; 0 where the index does not say.
    public let size: Int
    /// Bytes of its files when they are installed.
    public let installedSize: Int
    /// The number of its repository, in the order in which they were read.
    public let repository: Int
    /// Why it is there.
    public let reason: Reason
    /// One line on what it is.
    public let summary: String?
}

/// What a pool has of a name.
public struct AvailablePackage: Sendable, Equatable {
    /// Its name.
    public let name: String
    /// Its version.
    public let version: String
    /// One line on what it is.
    public let summary: String?
    /// The number of its repository.
    public let repository: Int

    /// Describes a package.
    public init(name: String, version: String, summary: String?, repository: Int) {
        self.name = name
        self.version = version
        self.summary = summary
        self.repository = repository
    }
}

/// What was wished: `emacs`, `emacs=1:28.2+1-15`, `emacs=1:28*`.
public struct PackageWish: Sendable, Hashable, CustomStringConvertible {
    /// The name.
    public let name: String
    /// The version, which may lack its epoch, and end in `*`; `nil` for the best.
    public let version: String?

    /// Names a package.
    public init(name: String, version: String? = nil) {
        self.name = name
        self.version = version
    }

    /// Whether a version is the one that is wished.
    func isFulfilled(by version: String) -> Bool {
        guard let wanted = self.version else { return true }
        let withoutEpoch = version.firstIndex(of: ":").map { String(version[version.index(after: $0)...]) }
        return [version, withoutEpoch].compactMap { $0 }.contains {
            wanted.hasSuffix("*") ? $0.hasPrefix(String(wanted.dropLast())) : $0 == wanted
        }
    }

    /// As it is typed.
    public var description: String { name + (version.map { "=" + $0 } ?? "") }
}

/// Packages that go together, in the order in which they are unpacked.
public struct Resolution: Sendable, Equatable {
    /// The packages.
    public let packages: [ResolvedPackage]
    /// Names of packages that some need and that are left to the host.
    public let leftOut: [String]
}
