private import Files

/// The name of an exported extension, and of the files that hold it.
public struct ExportedName: Hashable, Sendable, CustomStringConvertible {
    /// Bytes it may have: with a version and an architecture it still is a file's name.
    public static let longest = 64

    /// The name.
    public let text: String

    /// Checks a name.
    ///
    /// Letters, digits, `.` and `-`, beginning with a letter or digit: at `_` and `+` systemd cuts a file's name, and
    /// it reads endings such as `.v`. A name that is stacked over the links to the store is refused.
    ///
    /// - Throws: ``ExportedNameError``.
    public init(_ text: String) throws(ExportedNameError) {
        guard (try? PackageName(text)) != nil, !text.utf8.contains(where: { "_+".utf8.contains($0) }),
            text.utf8.count <= Self.longest
        else { throw .characters(text) }
        for suffix in [".raw", ".v", ".sysext", ".confext", ".verity", ".roothash"]
        where text.hasSuffix(suffix) {
            throw .suffix(text, suffix: suffix)
        }
        // Of systemd's stack the last is on top.
        guard ExtensionName(text) < ExtensionName(Anchor.name) else { throw .late(text) }
        self.text = text
    }

    /// The text for people.
    public var description: String { text }

    /// The name of the release file in ``ExtensionLayout/releases``.
    public var releaseName: String { ExtensionLayout.releasePrefix + text }

    /// `NAME_VERSION_ARCHITECTURE`, by which systemd chooses among versions; `any` needs no architecture.
    ///
    /// Of the characters that versions may have, systemd takes letters, digits, `.` and `-` in such names. `+` and `_`
    /// become `.`, `~` and `^` become `-`: a pre-release is then no longer before its release.
    ///
    /// Source: systemd.v(7); `version_is_valid` in systemd.
    public func versioned(_ version: PackageVersion, for architecture: Architecture) -> String {
        let version = String(version.text.map { "+_".contains($0) ? "." : "~^".contains($0) ? "-" : $0 })
        return "\(text)_\(version)" + (architecture == .any ? "" : "_\(architecture)")
    }

    /// Whether systemd, seeing a file or directory of a name, takes it for this extension.
    ///
    /// - Parameter fileName: The name without the ending for images.
    public func isFound(in fileName: String) -> Bool {
        fileName == text || fileName.prefix { $0 != "_" && $0 != "+" } == text
    }
}

/// Why a name is not one for an exported extension.
public enum ExportedNameError: Error, Equatable, CustomStringConvertible {
    /// It has other characters, or too many.
    case characters(String)
    /// It ends in something that systemd reads.
    case suffix(String, suffix: String)
    /// It would be stacked over the links to the store.
    case late(String)

    /// What is wrong, why, and what to do.
    public var description: String {
        switch self {
        case .characters(let text):
            """
            '\(text.utf8.displayed)' is not allowed as an extension's name
            hint: 1 to \(ExportedName.longest) letters, digits, '.' and '-', beginning with a letter or digit: systemd \
            cuts names at '_' and '+'; give one with --name
            """
        case .suffix(let text, let suffix):
            """
            '\(text)' is not allowed as an extension's name: systemd reads the ending '\(suffix)'
            hint: give another with --name
            """
        case .late(let text):
            """
            '\(text)' is not allowed as an extension's name: it is stacked after '\(Anchor.name)', and would \
            hide the store of hosts that have sxs
            hint: give a name that begins with a letter with --name
            """
        }
    }
}
