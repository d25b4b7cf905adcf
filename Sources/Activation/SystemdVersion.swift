/// A version of systemd, as far as its rules for extensions differ.
///
/// Source: systemd 252.39 and 257.13 (`src/basic/os-util.c`, `src/basic/env-file.c`, `src/shared/discover-image.c`),
/// and `NEWS` for the versions between.
public struct SystemdVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The first number of the version.
    public let number: Int

    /// The newest version whose rules are known; a newer one is taken to have the same.
    public static let newest = SystemdVersion(257)

    /// Creates a version.
    public init(_ number: Int) {
        self.number = number
    }

    /// Whether a backslash at the end of a comment makes the next line part of it.
    var continuesComments: Bool { number < 254 }

    /// Whether `.sysext` before `.raw`, or at the end of a directory's name, is no part of the image's name.
    var dropsInfix: Bool { number >= 255 }

    /// Whether a directory `NAME.raw.v` holds versions of the image `NAME`.
    public var hasVersionedDirectories: Bool { number >= 256 }

    /// Whether an extension-release named like the image up to its first `_` or `+` will do.
    var cutsNames: Bool { number >= 257 }

    /// Whether an extension may be for one of the host's `ID_LIKE`.
    var matchesLike: Bool { number >= 257 }

    /// Whether `usr/lib/os-release` in an image file makes the whole merge fail, as it always does in a directory.
    var stopsAtForbiddenFiles: Bool { number < 257 }

    /// Whether one is older than the other.
    public static func < (left: SystemdVersion, right: SystemdVersion) -> Bool { left.number < right.number }

    /// The number.
    public var description: String { "\(number)" }
}
