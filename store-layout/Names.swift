private import Files

/// Why a name, version, profile or architecture is refused.
public enum NameError: Error, Equatable, CustomStringConvertible {
    /// A package name that is not allowed.
    case name(String)
    /// A version that is not allowed.
    case version(String)
    /// A profile name that is not allowed.
    case profile(String)
    /// An architecture nobody knows.
    case architecture(String)

    /// What is wrong with the name, and a hint.
    public var description: String {
        switch self {
        case .name(let text):
            """
            '\(text.utf8.displayed)' is not allowed as a package name
            hint: 1 to \(PackageName.longest) letters, digits, '.', '_', '+' and '-', beginning with a letter or \
            digit; give one with --name
            """
        case .version(let text):
            """
            '\(text.utf8.displayed)' is not allowed as a version
            hint: 1 to \(PackageVersion.longest) letters, digits, '.', '_', '+', '~', '^' and '-', beginning with a \
            letter or digit; give one with --version
            """
        case .profile(let text):
            """
            '\(text.utf8.displayed)' is not allowed as a profile name
            hint: 1 to \(ProfileName.longest) letters, digits, '.', '_' and '-', beginning with a letter or digit
            """
        case .architecture(let text):
            """
            '\(text.utf8.displayed)' is no architecture sxs knows
            hint: one of \(Architecture.names)
            """
        }
    }
}

/// Letters, digits and some punctuation, beginning with a letter or digit.
private func isAllowed(_ text: String, punctuation: String, longest: Int) -> Bool {
    let isAlphanumeric = { (byte: UInt8) in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }
    guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= longest else { return false }
    return text.utf8.allSatisfy { isAlphanumeric($0) || punctuation.utf8.contains($0) }
}

/// The name of a package: part of a store path.
public struct PackageName: Hashable, Sendable, CustomStringConvertible {
    /// Bytes it may have, so that a script's first line with a store path fits the kernel's 255.
    public static let longest = 64

    /// The name.
    public let text: String

    /// Checks a name.
    public init(_ text: String) throws(NameError) {
        guard isAllowed(text, punctuation: "._+-", longest: Self.longest) else { throw .name(text) }
        self.text = text
    }

    /// The text.
    public var description: String { text }
}

/// The version of a package: part of a store path.
///
/// No `:`, which would split lists of paths.
public struct PackageVersion: Hashable, Sendable, CustomStringConvertible {
    /// Bytes it may have.
    public static let longest = 64

    /// The version.
    public let text: String

    /// Checks a version.
    public init(_ text: String) throws(NameError) {
        guard isAllowed(text, punctuation: "._+~^-", longest: Self.longest) else { throw .version(text) }
        self.text = text
    }

    /// The text.
    public var description: String { text }
}

/// The name of a profile.
public struct ProfileName: Hashable, Sendable, CustomStringConvertible {
    /// Bytes it may have.
    public static let longest = 64

    /// The name.
    public let text: String

    /// Checks a name.
    public init(_ text: String) throws(NameError) {
        guard isAllowed(text, punctuation: "._-", longest: Self.longest) else { throw .profile(text) }
        self.text = text
    }

    /// The text.
    public var description: String { text }
}

/// A processor architecture, in systemd's spelling; `any` for a tree without programs.
public enum Architecture: String, Hashable, Sendable, CaseIterable, Codable, CustomStringConvertible {
    case any
    case x86_64 = "x86-64"
    case x86
    case arm64
    case arm
    case riscv64
    case ppc64le = "ppc64-le"
    case s390x
    case loongarch64

    /// The architecture this program was built for.
    public static var host: Architecture {
        #if arch(x86_64)
            .x86_64
        #elseif arch(arm64)
            .arm64
        #else
            .any
        #endif
    }

    /// Reads systemd's, OCI's, Debian's or the kernel's spelling, also as `linux/arm64`.
    public init(parsing text: String) throws(NameError) {
        var name = text.hasPrefix("linux/") ? String(text.dropFirst(6)) : text
        if let slash = name.firstIndex(of: "/") { name = String(name[..<slash]) }
        switch name {
        case "amd64", "x86_64", "x86-64": self = .x86_64
        case "386", "i386", "i686", "x86": self = .x86
        case "aarch64", "arm64": self = .arm64
        case "armhf", "arm": self = .arm
        case "ppc64le", "ppc64el", "ppc64-le": self = .ppc64le
        case "_any", "all", "noarch": self = .any
        default:
            guard let value = Architecture(rawValue: name) else { throw .architecture(text) }
            self = value
        }
    }

    /// The name in OCI platforms (Go's GOARCH).
    public var ociName: String {
        switch self {
        case .x86_64: "amd64"
        case .x86: "386"
        case .ppc64le: "ppc64le"
        case .loongarch64: "loong64"
        default: rawValue
        }
    }

    static var names: String {
        allCases.map(\.rawValue).joined(separator: ", ")
    }

    /// The name in systemd's spelling.
    public var description: String { rawValue }
}
