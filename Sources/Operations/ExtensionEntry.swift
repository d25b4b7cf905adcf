internal import Activation
internal import Files
internal import Glibc
internal import StoreLayout

/// A file, directory or link in one of the directories where systemd looks for extensions.
struct ExtensionEntry {
    /// The name that systemd gives it.
    let name: String
    /// Its path on the host.
    let path: String
    /// What it is.
    let kind: AdoptionRecord.Kind
    /// A link's target.
    let target: String?
    /// The image on the host, without links: itself, what a link leads to, or one of a directory of versions; `nil` for a
    /// link into nothing.
    let image: String?
    /// The path that systemd finds the image by, which has its name.
    let imagePath: String
    /// Whether the image is a directory.
    let isDirectory: Bool
    /// Whether it does nothing but hide others of its name.
    let isMask: Bool

    /// The directory it is in.
    var directory: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

    /// Its own name there.
    var fileName: String {
        String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }

    /// The name of a link to the image that has the same name for systemd.
    var linkName: String { name + (isDirectory ? "" : ExtensionLayout.imageSuffix) }

    /// All entries, those first that win over others of their name.
    ///
    /// Source: systemd-sysext(8), systemd.v(7).
    static func all(on host: Host, like explainer: ExtensionExplainer) throws -> [ExtensionEntry] {
        try Anchor.searchPath.flatMap { directory in
            try host.names(in: directory).compactMap {
                try ExtensionEntry(directory + "/" + $0, on: host, like: explainer)
            }
        }
    }

    /// Looks at an entry; `nil` for what systemd passes over, and for the anchor.
    private init?(_ path: String, on host: Host, like explainer: ExtensionExplainer) throws {
        guard let status = try host.status(path) else { return nil }
        self.path = path
        target = try host.link(path)
        switch status.st_mode & S_IFMT {
        case S_IFLNK: kind = .link
        case S_IFDIR: kind = .directory
        case S_IFREG: kind = .file
        default: return nil
        }
        var image = try host.followed(path)
        var imagePath = path
        let hasVersions = explainer.systemd.hasVersionedDirectories
        if hasVersions, path.hasSuffix(ExtensionLayout.versionsSuffix), let place = image,
            try host.directory(place) != nil
        {
            // The newest version; the directory may be a link, and then has its name from there.
            let suffix = String(path.split(separator: "/").last ?? "")
            guard let picked = explainer.newestVersion(in: host.outside(place), named: suffix) else {
                return nil
            }
            image = try host.followed(place + "/" + picked)
            imagePath = path + "/" + picked
        }
        self.image = image
        self.imagePath = imagePath
        isDirectory =
            try image.map { try host.directory($0) != nil } ?? !path.hasSuffix(ExtensionLayout.imageSuffix)
        isMask = try target == "/dev/null" || kind == .directory && host.names(in: path).isEmpty
        guard
            let name = ImageFileName(path: imagePath, isDirectory: isDirectory, like: explainer.systemd)?.name
                ?? (isMask ? Self.maskName(path) : nil),
            name != Anchor.name
        else { return nil }
        self.name = name
    }

    /// A mask has a name whatever it is.
    private static func maskName(_ path: String) -> String? {
        guard var name = path.split(separator: "/").last.map(String.init) else { return nil }
        if name.hasSuffix(ExtensionLayout.imageSuffix) { name.removeLast(ExtensionLayout.imageSuffix.count) }
        return name
    }
}
