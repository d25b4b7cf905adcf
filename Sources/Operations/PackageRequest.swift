internal import StoreLayout

/// What a user typed to name a package: an image, or `NAME`, `NAME@VERSION` or `NAME=VERSION`.
enum PackageRequest {
    /// Something to import: a path (with a `/`), or `KIND:PATH`.
    case image(String)
    /// A name, and a version if one was given.
    case package(name: String, version: String?)

    private static let kinds = [
        "oci-archive:", "oci:", "docker-archive:", "tar:", "raw:", "squashfs:", "dir:",
        "deb:", "rpm:", "pacman:", "apk:",
    ]

    init(parsing text: String) {
        if text.contains("/") || Self.kinds.contains(where: text.hasPrefix) {
            self = .image(text)
        } else if let at = text.firstIndex(where: { $0 == "@" || $0 == "=" }), at != text.startIndex {
            self = .package(name: String(text[..<at]), version: String(text[text.index(after: at)...]))
        } else {
            self = .package(name: text, version: nil)
        }
    }
}
