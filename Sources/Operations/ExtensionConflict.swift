internal import ELF
internal import Files
internal import Glibc
internal import StoreLayout

/// Something of the host that an extension would hide or change, were it merged.
public struct ExtensionConflict: Encodable, Sendable, Equatable {
    /// What happens.
    public enum Kind: String, Encodable, Sendable, CaseIterable {
        /// A directory takes the place of a symbolic link; what the link leads to is no longer found by that path.
        case directoryOverLink = "directory over a link"
        /// A file or link takes the place of a directory and of all that is in it.
        case fileOverDirectory = "file over a directory"
        /// A directory takes the place of a file.
        case directoryOverFile = "directory over a file"
        /// Programs of the host would get a library that is older, or lacks symbol versions that the host's has.
        case olderLibrary = "older library"
        /// A file made from what many packages bring, of which only the extension's own would be left.
        case cache = "cache of many packages"
        /// Another file, or link, than the host's.
        case differs = "other contents"
    }

    /// What it means.
    public enum Severity: String, Encodable, Sendable, Comparable, CaseIterable {
        /// Hardly anybody will notice.
        case slight
        /// Something of the host works otherwise, or no longer.
        case matters
        /// Programs of the host do not start, or are not found.
        case severe

        /// Whether one is slighter than the other.
        public static func < (left: Severity, right: Severity) -> Bool {
            (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
        }
    }

    /// The path, without a `/` before it.
    public let path: String
    /// What happens.
    public let kind: Kind
    /// What it means.
    public let severity: Severity
    /// What the image has there.
    public let image: String
    /// What the host has there.
    public let host: String
}

/// Compares an image with a host, path by path, as an overlay would lay one over the other.
struct ConflictFinder {
    let image: ImageOutline
    let host: HostTree

    /// The directories that systemd-sysext merges.
    static let hierarchies: [TreePath] = ["usr", "opt"]

    /// Files that a program makes from what many packages bring.
    private static let caches: [PathPattern] = [
        "usr/share/glib-2.0/schemas/gschemas.compiled", "usr/share/icons/*/icon-theme.cache",
        "usr/share/applications/mimeinfo.cache", "usr/share/applications/defaults.list",
        "usr/share/mime/mime.cache", "usr/share/mime/XMLnamespaces", "usr/share/mime/aliases",
        "usr/share/mime/generic-icons", "usr/share/mime/globs", "usr/share/mime/globs2",
        "usr/share/mime/icons",
        "usr/share/mime/magic", "usr/share/mime/subclasses", "usr/share/mime/treemagic",
        "usr/share/mime/types",
        "usr/share/info/dir", "usr/share/texmf/ls-R", "fonts.dir", "fonts.scale", "immodules.cache",
        "giomodule.cache", "usr/lib*/gdk-pixbuf-2.0/*/loaders.cache",
        "usr/lib/*/gdk-pixbuf-2.0/*/loaders.cache", "usr/lib/locale/locale-archive", "usr/lib/udev/hwdb.bin",
        "usr/lib/systemd/catalog/database", "usr/lib/modules/*/modules.*", "usr/lib/sysimage/rpm/*",
        "usr/share/rpm/*", "usr/lib*/gconv/gconv-modules.cache", "usr/lib/*/gconv/gconv-modules.cache",
        "usr/share/perl5/XML/SAX/ParserDetails.ini", "usr/lib/ghc/package.conf.d/package.cache",
    ].compactMap { PathPattern($0) }

    /// Directories of which hardly anybody notices other contents.
    private static let slight: [TreePath] = [
        "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/licenses", "usr/share/lintian",
        "usr/share/locale", "usr/share/metainfo", "usr/lib/.build-id",
    ]

    /// All conflicts, the worst first, then by path.
    func conflicts() throws -> [ExtensionConflict] {
        var found: [ExtensionConflict] = []
        for hierarchy in Self.hierarchies where image.tree[hierarchy]?.kind == .directory {
            // The host's /opt may be a link: that is where it is merged.
            guard case .found(let place) = try host.resolve(hierarchy), place != .root else { continue }
            var pending: [(image: TreePath, host: TreePath)] = [(hierarchy, place)]
            while let (path, place) = pending.popLast() {
                let directory = try host.root.open(beneath: place.bytes, flags: O_RDONLY | O_DIRECTORY)
                for name in image.tree.names(in: path) {
                    let child = path.appending(name)
                    guard let node = image.tree[child], let status = try directory.status(of: name) else {
                        continue
                    }
                    let isDirectory = status.st_mode & S_IFMT == S_IFDIR
                    if node.kind == .directory, isDirectory {
                        pending.append((child, place.appending(name)))
                    } else if let conflict = try conflict(
                        at: child, node, beside: place.appending(name), status, in: directory)
                    {
                        found.append(conflict)
                    }
                }
            }
        }
        return found.sorted { left, right in
            left.severity == right.severity ? left.path < right.path : left.severity > right.severity
        }
    }

    private func conflict(
        at path: TreePath, _ node: Tree.Node, beside place: TreePath, _ status: stat, in directory: Descriptor
    ) throws -> ExtensionConflict? {
        let name = path.name
        let isLink = status.st_mode & S_IFMT == S_IFLNK
        func make(
            _ kind: ExtensionConflict.Kind, _ severity: ExtensionConflict.Severity, _ image: String,
            _ host: String
        ) -> ExtensionConflict {
            ExtensionConflict(path: "\(path)", kind: kind, severity: severity, image: image, host: host)
        }
        let target = isLink ? try directory.readSymlink(name) : []
        let hostText = isLink ? "link to \(target.displayed)" : "file of \(status.st_size) bytes"
        switch node.kind {
        case .directory:
            return make(isLink ? .directoryOverLink : .directoryOverFile, .severe, "directory", hostText)
        case .symlink(let own):
            let ownText = "link to \(own.displayed)"
            if status.st_mode & S_IFMT == S_IFDIR {
                return make(.fileOverDirectory, .severe, ownText, "directory")
            }
            if isLink, own == target { return nil }
            if let (older, newer) = try olderLibrary(path, place) {
                return make(.olderLibrary, .severe, older, newer)
            }
            return make(.differs, severity(of: path), ownText, hostText)
        case .file(let id):
            let content = image.contents[id.number]
            let ownText = "file of \(content.size) bytes"
            if status.st_mode & S_IFMT == S_IFDIR {
                return make(.fileOverDirectory, .severe, ownText, "directory")
            }
            if status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == content.size,
                try Digest(hashing: directory.open(beneath: name)) == content.digest
            {
                return nil
            }
            if Self.caches.contains(where: { $0.matches(path) }) {
                return make(.cache, .matters, ownText, hostText)
            }
            if let (older, newer) = try olderLibrary(path, place) {
                return make(.olderLibrary, .severe, older, newer)
            }
            return make(.differs, severity(of: path), ownText, hostText)
        }
    }

    private func severity(of path: TreePath) -> ExtensionConflict.Severity {
        Self.slight.contains { path.isWithin($0) } ? .slight : .matters
    }

    /// What image and host have of a library, where the image's is the lesser one.
    private func olderLibrary(_ path: TreePath, _ place: TreePath) throws -> (image: String, host: String)? {
        guard LibraryName(path.name) != nil else { return nil }
        // The link in the image may lead to a file that is only on the host: then it chooses among the host's.
        let own = image.tree.resolve(path.bytes) ?? linkTarget(of: path)
        guard let own, case .found(let other) = try host.resolve(place) else { return nil }
        if let ownVersion = LibraryName(own.name)?.version,
            let otherVersion = LibraryName(other.name)?.version,
            ownVersion < otherVersion
        {
            return ("\(own.name.displayed)", "\(other.name.displayed)")
        }
        guard let content = image.content(of: own), !content.definitions.isEmpty,
            let file = try host.open(other), try file.status().st_mode & S_IFMT == S_IFREG
        else { return nil }
        let mapped = try MappedFile(file)
        let missing = withExtendedLifetime(mapped) {
            // A file of the host that is no ELF file defines nothing.
            Set((try? ELFFile(parsing: mapped.bytes).versionDefinitions) ?? []).subtracting(
                content.definitions)
        }
        let newest = missing.max { left, right in
            guard let first = try? PackageVersion(left), let second = try? PackageVersion(right) else {
                return left < right
            }
            return first < second
        }
        guard let newest else { return nil }
        return ("lacks \(missing.count) symbol versions, \(newest) among them", "has \(newest)")
    }

    /// Where a link leads by its text alone.
    private func linkTarget(of path: TreePath) -> TreePath? {
        guard case .symlink(let target) = image.tree[path]?.kind, !target.contains(UInt8(ascii: "/")) else {
            return nil
        }
        return path.parent?.appending(target)
    }
}
