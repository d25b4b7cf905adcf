/// Where an image is, as somebody types it: `oci-archive:emacs.tar`, or a path alone.
public struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// The format, where it was said.
    public enum Format: String, Hashable, Sendable, CaseIterable {
        /// A path alone: told by its contents.
        case sniffed = ""
        case ociArchive = "oci-archive"
        case ociLayout = "oci"
        case dockerArchive = "docker-archive"
        case tar
        case squashFS = "squashfs"
        case directory = "dir"
        case deb
        case rpm
        case pacman
        case apk

        /// The format of a distribution's package; `nil` for what is none.
        var package: PackageFacts.Format? { PackageFacts.Format(rawValue: rawValue) }
    }

    /// The format.
    public let format: Format

    /// The path of the file or directory.
    public let path: String

    /// The image's name inside the archive, after the path's `:`.
    public let name: String?

    /// What the image is called where the path says nothing, as that of an open file.
    public let title: String?

    /// Creates a reference to what is at a path.
    public init(path: String, format: Format = .sniffed, name: String? = nil, title: String? = nil) {
        self.path = path
        self.title = title
        self.format = format
        self.name = name
    }

    /// Reads a reference: a known prefix and `:`, then the path; anything else is a path.
    ///
    /// - Throws: ``ImageError`` where there is no path.
    public init(parsing text: String) throws {
        let (format, rest) = Self.split(text)
        guard !rest.isEmpty else {
            throw ImageError.notAnImage(path: "'\(text)'", reason: "the reference has no path")
        }
        let hasName = format == .ociArchive || format == .ociLayout || format == .dockerArchive
        if hasName, let colon = rest.firstIndex(of: ":"), colon != rest.startIndex {
            let name = String(rest[rest.index(after: colon)...])
            self.init(path: String(rest[..<colon]), format: format, name: name.isEmpty ? nil : name)
        } else {
            self.init(path: rest, format: format)
        }
    }

    private static func split(_ text: String) -> (Format, String) {
        guard let colon = text.firstIndex(of: ":") else { return (.sniffed, text) }
        let prefix = String(text[..<colon])
        let rest = String(text[text.index(after: colon)...])
        if prefix == "raw" { return (.squashFS, rest) }
        guard let format = Format(rawValue: prefix), format != .sniffed else { return (.sniffed, text) }
        return (format, rest)
    }

    /// What messages call it.
    var shown: String { title ?? path }

    /// The last component of its path.
    var fileName: String {
        shown.split(separator: "/").last { $0 != "." }.map(String.init) ?? shown
    }

    /// The reference as it could be typed.
    public var description: String {
        (format == .sniffed ? "" : format.rawValue + ":") + path + (name.map { ":" + $0 } ?? "")
    }
}
