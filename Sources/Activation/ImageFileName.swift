/// What systemd makes of the name of a file or directory among the extensions.
///
/// Source: `image_discover` in `src/shared/discover-image.c`, `image_name_is_valid` and `path_extract_image_name` in
/// `src/basic/os-util.c`, systemd 252.39 and 257.13.
public struct ImageFileName: Sendable, Equatable {
    /// The image's name.
    public let name: String

    /// Reads the name of an image; `nil` for one that systemd passes over.
    ///
    /// - Parameters:
    ///   - path: The path of the file or directory.
    ///   - isDirectory: Whether it is a directory, whose name needs no suffix.
    ///   - version: The systemd to read like.
    public init?(path: String, isDirectory: Bool, like version: SystemdVersion) {
        let components = path.split(separator: "/").filter { $0 != "." }
        guard let last = components.last else { return nil }
        var name = String(last)
        if !isDirectory {
            guard name.hasSuffix(".raw") else { return nil }
            name.removeLast(4)
        }
        // A version of an image lies in a directory that has the image's name.
        if version.hasVersionedDirectories, let parent = components.dropLast().last {
            let suffix = isDirectory ? ".v" : ".raw.v"
            if parent.hasSuffix(suffix) { name = String(parent.dropLast(suffix.count)) }
        }
        if version.dropsInfix, name.hasSuffix(".sysext") { name.removeLast(7) }
        guard Self.isValid(name) else { return nil }
        self.name = name
    }

    /// Whether a name may be an image's.
    static func isValid(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255 && !name.hasPrefix(".#")
            && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f && $0 != "/" }
    }

    /// A name up to its first `_` or `+`.
    static func withoutVersion(_ name: String) -> String {
        var name = name[...]
        for suffix in [".sysext.raw", ".confext.raw", ".raw"] where name.hasSuffix(suffix) {
            name = name.dropLast(suffix.count)
            break
        }
        return String(name.prefix { $0 != "_" && $0 != "+" })
    }
}
