public import Files
public import StoreLayout

/// One state of a profile, never changed once made.
///
/// What it shows is asked for by itself, for that grows with its packages: ``Store/contents(of:)``.
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

/// An extension that is merged over `/usr` while a generation is the active one.
public struct GenerationExtension: Sendable, Hashable {
    /// The name that systemd sees, with `.raw` for an image.
    public let fileName: String
    /// Its version, as far as that is known.
    public let version: String
    /// Where it is: a path below ``StoreLayout/Name/extensions`` of the root, or an absolute one of the host.
    public let location: String

    /// Creates an extension of a generation.
    public init(fileName: String, version: String, location: String) {
        self.fileName = fileName
        self.version = version
        self.location = location
    }

    /// What the link in a generation leads to.
    var target: String {
        location.hasPrefix("/") ? location : "../../../../\(StoreLayout.Name.extensions)/\(location)"
    }

    /// Whether it can be written into a generation's listing and be linked.
    var isValid: Bool {
        !fileName.isEmpty && !fileName.hasPrefix(".") && !fileName.contains("/") && !location.isEmpty
            && [fileName, version, location].allSatisfy {
                $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
            }
            && location.split(separator: "/").allSatisfy { $0 != ".." }
    }
}

/// `generation.json`: which generation it is, and what made it.
///
/// What it shows is in the file beside it: see ``GenerationListing``.
struct GenerationDescription: Decodable {
    var formatVersion: Int
    var profile: String
    var number: Int
    var parent: Int?
    var created: String
    var command: String
    var host: String?
    var hostRelease: [String: String]?
    var preparedOn: [String: String]?
    var machine: String?

    /// The description as a file.
    func json() -> Bytes {
        var text = JSONWriter()
        text.object { text in
            text.member("command") { $0.string(command) }
            text.member("created") { $0.string(created) }
            text.member("formatVersion") { $0.number(formatVersion) }
            if let host { text.member("host") { $0.string(host) } }
            if let hostRelease { text.member("hostRelease") { $0.texts(hostRelease) } }
            if let machine { text.member("machine") { $0.string(machine) } }
            text.member("number") { $0.number(number) }
            if let parent { text.member("parent") { $0.number(parent) } }
            if let preparedOn { text.member("preparedOn") { $0.texts(preparedOn) } }
            text.member("profile") { $0.string(profile) }
        }
        text.word("\n")
        return text.bytes
    }
}
