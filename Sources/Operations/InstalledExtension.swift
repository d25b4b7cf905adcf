internal import Activation
internal import Files
private import Glibc
internal import Images
internal import StoreLayout

/// An extension in one of systemd's directories, looked into: a directory, or an image that sxs can read.
struct InstalledExtension {
    /// What it has at `/usr/store` or `/usr/_`.
    enum Links: Equatable {
        /// Nothing, or the anchor's own links.
        case none
        /// A directory, or anything else that hides a link of a lower extension.
        case hidden
        /// It was not looked into.
        case unknown
    }

    /// Its name, which is also its place in the stack, and its path.
    let found: SystemExtension
    /// What it hides of the anchor.
    let links: Links
    /// The store paths that it brings.
    let storePaths: [String]
    /// What systemd says of it; `nil` where that cannot be told.
    let match: ExtensionMatch?
    /// Why it was not looked into; `nil` where it was.
    let obstacle: String?

    /// Looks at all extensions of a host, in stacking order.
    static func all(on host: Host) throws -> [InstalledExtension] {
        // Without an os-release nothing can be merged, and nothing be asked.
        let explainer = try? ExtensionExplainer(root: host.path, progress: NoProgress())
        return try host.systemExtensions().map { try InstalledExtension($0, on: host, explainer) }
    }

    /// What came since the merge and would be merged now, and what is merged and would not be, the anchor aside.
    ///
    /// What systemd's rules refuse does neither.
    static func pending(on host: Host) throws -> (added: [String], gone: [String]) {
        let all = Dictionary(try Self.all(on: host).map { ($0.found.name.text, $0) }) { first, _ in first }
        return try host.pendingExtensions { found in
            all[found.name.text]?.match.map { $0.refusal == nil || $0.outcome == .blocks }
        }
    }

    /// Looks into an extension.
    init(_ found: SystemExtension, on host: Host, _ explainer: ExtensionExplainer?) throws {
        self.found = found
        do {
            let (path, image) = try Self.open(found, on: host, explainer)
            let isDirectory = image.facts.kind == "directory"
            let looked = try explainer?.outline(of: image, path: path, isDirectory: isDirectory)
            let tree = try looked?.tree ?? ImageOutline.withoutContents(of: image, named: path).tree
            match = looked?.match
            links = Self.links(in: tree)
            storePaths =
                found.name.text == Anchor.name
                ? []
                : tree.names(in: ExtensionLayout.store).map { String(decoding: $0, as: UTF8.self) }.filter(
                    StorePath.isBaseName)
            obstacle = nil
        } catch let error as ImageError {
            (links, storePaths, match) = (.unknown, [], nil)
            obstacle = "\(error)".firstLine
        } catch let error as SystemError {
            // Doctor is for ordinary users, too, who may not read all that root merges.
            (links, storePaths, match) = (.unknown, [], nil)
            obstacle = "\(error)".firstLine
        }
    }

    /// Opens what systemd would merge; the path that gives it its name, and the image.
    private static func open(
        _ found: SystemExtension, on host: Host, _ explainer: ExtensionExplainer?
    ) throws -> (path: String, image: Image) {
        guard let place = try host.followed(found.path) else {
            throw SystemError("open", host.outside(found.path), code: ENOENT)
        }
        var (path, reached) = (found.path, host.outside(place))
        if place.hasSuffix(ExtensionLayout.versionsSuffix),
            let newest = explainer?.images(at: reached).first?.path
        {
            (path, reached) = (newest, newest)
        }
        let isDirectory = (try? Descriptor.directory(reached)) != nil
        let reference = ImageReference(path: reached, format: isDirectory ? .directory : .squashFS)
        return (path, try Image.open(reference))
    }

    private static func links(in tree: Tree) -> Links {
        for (link, path) in zip(StoreLayout.hostLinks, [ExtensionLayout.store, ExtensionLayout.aliases]) {
            switch tree[path]?.kind {
            case nil: continue
            case .symlink(let target) where target.elementsEqual(link.target.utf8): continue
            default: return .hidden
            }
        }
        return .none
    }
}

extension ExtensionExplainer {
    /// The tree of an image and what systemd says of it; no contents are read but those of its release file.
    ///
    /// - Parameters:
    ///   - image: The image.
    ///   - path: The path by which systemd finds it.
    ///   - isDirectory: Whether it is a directory.
    func outline(
        of image: Image, path: String, isDirectory: Bool
    ) throws -> (tree: Tree, match: ExtensionMatch) {
        let name = ImageFileName(path: path, isDirectory: isDirectory, like: host.version)?.name
        var outline = try ImageOutline.withoutContents(of: image, named: path)
        if let name,
            let release = ExtensionReleaseFile.find(of: name, in: outline.tree, like: host.version).path,
            outline.content(of: release)?.bytes == nil
        {
            // A link led out of the directory, so the file was not known to matter.
            outline = try .withoutContents(of: image, named: path, keeping: release)
        }
        let files = outline
        let candidate = ExtensionCandidate(
            name: name, fileName: path.split(separator: "/").last.map(String.init) ?? path,
            isDirectory: isDirectory, tree: outline.tree,
            read: { path throws(ReleaseFileError) in try files.read(path) })
        return (outline.tree, ExtensionMatch(candidate, on: host))
    }
}

extension ImageOutline {
    /// Reads an image without the contents of files, but for release files and one more.
    static func withoutContents(
        of image: Image, named name: String, keeping wanted: TreePath? = nil
    ) throws -> ImageOutline {
        let outline = ImageOutline(image: name, keeping: wanted)
        try image.read(into: outline, progress: NoProgress()) {
            $0 == wanted || $0.isWithin(ExtensionLayout.releases)
        }
        return outline
    }
}
