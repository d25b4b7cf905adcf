/// What an extension says of the hosts that it is for: the text of its release file.
///
/// Source: os-release(5), "extension-release"; `extension_release_validate` in systemd.
public struct ExtensionRelease: Hashable, Sendable {
    /// The distribution, as its os-release has it; `_any` for all.
    public let id: String
    /// The release of the distribution; `nil` where it does not matter.
    public let versionID: String?
    /// The level of the distribution's interface to extensions; `nil` where it does not matter.
    public let level: String?

    /// For every host.
    public static let any = ExtensionRelease()

    private init() {
        (id, versionID, level) = ("_any", nil, nil)
    }

    /// Checks what the user asks for.
    ///
    /// - Parameters:
    ///   - id: The distribution; `nil` for all.
    ///   - versionID: Its release.
    ///   - level: Its level.
    /// - Throws: ``ExtensionReleaseError``.
    public init(id: String?, versionID: String?, level: String?) throws(ExtensionReleaseError) {
        let id = id ?? Self.any.id
        guard id != Self.any.id || versionID == nil && level == nil else { throw .needsID }
        for (field, value, others) in [
            ("ID", id, ""), ("VERSION_ID", versionID, "~^"), ("SYSEXT_LEVEL", level, "~^"),
        ] {
            guard let value else { continue }
            let isAllowed = value.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || ("._-" + others).utf8.contains($0)
                    || (!others.isEmpty && (0x41...0x5a).contains($0))
            }
            guard isAllowed, (1...64).contains(value.utf8.count) else { throw .value(field, value) }
        }
        self.id = id
        self.versionID = versionID
        self.level = level
    }

    /// The text of the file.
    ///
    /// - Parameters:
    ///   - architecture: That of the programs; `any` says nothing.
    ///   - version: The package's version, which systemd shows.
    ///   - reloads: Whether systemd reads its units again once the extension is merged.
    public func text(for architecture: Architecture, version: PackageVersion, reloads: Bool) -> String {
        var lines = ["ID=\(id)"]
        if let versionID { lines.append("VERSION_ID=\(versionID)") }
        if let level { lines.append("SYSEXT_LEVEL=\(level)") }
        if architecture != .any { lines.append("ARCHITECTURE=\(architecture)") }
        // Quoted: of the characters of versions, ~ means something to a shell.
        lines.append("SYSEXT_VERSION_ID=\"\(version)\"")
        if reloads { lines.append("EXTENSION_RELOAD_MANAGER=1") }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// Why an extension cannot be for the hosts that were asked for.
public enum ExtensionReleaseError: Error, Equatable, CustomStringConvertible {
    /// A release or level of no distribution.
    case needsID
    /// A value that os-release cannot have.
    case value(String, String)

    /// What is wrong, why, and what to do.
    public var description: String {
        switch self {
        case .needsID:
            """
            an extension for every distribution is for every release of it, too
            hint: name the distribution with --id, as ID= of its /etc/os-release has it
            """
        case .value(let field, let value):
            """
            '\(value)' cannot be \(field) of an operating system
            hint: take what /etc/os-release of the host says
            """
        }
    }
}
