public import Files
public import StoreLayout

/// A file that says what names mean for a whole fleet of machines.
///
///     [emacs]
///     Remote=https://example.org/extensions
///     Package=emacs-gtk
///     Version=30.1
///
///     [tool]
///     File=https://example.org/tool-1.2.raw
///     Digest=<SHA-256>
public struct Catalog: Sendable, Equatable {
    /// What a name means.
    public struct Entry: Sendable, Equatable {
        /// Where it is.
        public enum Place: Sendable, Equatable {
            /// In another remote, by name, or in a store that has none.
            case remote(name: String)
            /// In a sysext store, signed as the catalog's own remote demands.
            case store(RemoteLocation)
            /// In one file of a digest.
            case file(RemoteLocation, Digest)
        }

        /// The name that is asked for.
        public let name: String
        /// Where it is.
        public let place: Place
        /// What it is called there.
        public let package: String
        /// The version that counts; `nil` for the newest.
        public let version: String?
    }

    /// What names mean.
    public let entries: [Entry]

    /// Reads a catalog.
    ///
    /// - Parameter file: What errors call it.
    /// - Throws: ``CatalogError``, `NameError`, `RemoteDescriptionError`.
    public init(parsing bytes: Bytes, file: String) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw CatalogError.notText(file) }
        let values = ConfigurationFile(parsing: text)
        if let line = values.ignoredLines.first { throw CatalogError.line(file, line) }
        let known = ["Remote", "File", "Digest", "Package", "Version"]
        if let stray = values.entries.first(where: { $0.section.isEmpty || !known.contains($0.key) }) {
            throw CatalogError.entry(file, stray.section, "'\(stray.key.utf8.displayed)' means nothing there")
        }
        entries = try values.sections.map { section in
            let name = try PackageName(section).text
            let value = { (key: String) in values.value(key, in: section) }
            let place: Entry.Place
            switch (value("Remote"), value("File"), value("Digest")) {
            case (let remote?, nil, nil):
                place = remote.contains("/") ? .store(try RemoteLocation(remote)) : .remote(name: remote)
            case (nil, let file?, let digits?):
                guard let digest = Digest(hex: digits.replacing("sha256:", with: "")) else {
                    throw CatalogError.entry(file, section, "Digest= is no SHA-256 digest")
                }
                place = .file(try RemoteLocation(file), digest)
            default:
                throw CatalogError.entry(file, section, "it needs Remote=, or File= and Digest=")
            }
            return Entry(
                name: name, place: place,
                package: try value("Package").map { try PackageName($0).text } ?? name,
                version: try value("Version").map { try PackageVersion($0).text })
        }
    }
}

/// Why a catalog is refused.
public enum CatalogError: Error, Equatable, CustomStringConvertible {
    /// It is no text.
    case notText(String)
    /// A line that says nothing.
    case line(String, Int)
    /// A section that cannot be.
    case entry(String, String, String)

    /// What is wrong, and what to do.
    public var description: String {
        let (what, file) =
            switch self {
            case .notText(let file): ("it is no UTF-8 text", file)
            case .line(let file, let line): ("line \(line) is neither NAME=VALUE nor a [section]", file)
            case .entry(let file, let section, let reason): ("[\(section.utf8.displayed)]: \(reason)", file)
            }
        return """
            the catalog \(file) cannot be read: \(what)
            hint: each [NAME] has Remote= (a remote's name, or the URL of a store), or File= and Digest=
            """
    }
}
