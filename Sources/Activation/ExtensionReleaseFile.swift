public import Files
private import StoreLayout

/// Where systemd looks for an image's extension-release file, and what it comes to.
///
/// Source: `open_extension_release` in `src/basic/os-util.c`, systemd 252.39 and 257.13.
public enum ExtensionReleaseFile: Sendable, Equatable {
    /// The file named after the image.
    case named(TreePath)
    /// A file named otherwise, whose attribute `user.extension-release.strict` says that this does not matter.
    case relaxed(TreePath)
    /// The file named after the image without what follows its first `_` or `+`.
    case unversioned(TreePath)
    /// None of the files that are there will do; their names, sorted.
    case missing(others: [String])
    /// Several would do.
    case ambiguous([String])
    /// The path leads nowhere, with the reason.
    case unreachable(String)

    /// The file; `nil` where none will do.
    public var path: TreePath? {
        switch self {
        case .named(let path), .relaxed(let path), .unversioned(let path): path
        case .missing, .ambiguous, .unreachable: nil
        }
    }

    /// Looks for the file in an image.
    ///
    /// - Parameters:
    ///   - name: The image's name, as systemd takes it from the file name.
    ///   - tree: The image.
    ///   - version: The systemd to look like.
    public static func find(of name: String, in tree: Tree, like version: SystemdVersion)
        -> ExtensionReleaseFile
    {
        let prefix = ExtensionLayout.releasePrefix
        let wanted = ExtensionLayout.releases.appending((prefix + name).utf8)
        switch tree.chase(wanted) {
        case .found(let path): return .named(path)
        case .failed(let reason): return .unreachable(reason)
        case .missing: break
        }
        guard case .found(let place) = tree.chase(ExtensionLayout.releases), tree[place]?.kind == .directory
        else {
            return .missing(others: [])
        }
        var found: [(name: String, path: ExtensionReleaseFile)] = []
        var others: [String] = []
        for file in tree.names(in: place) where file.hasPrefix(prefix) {
            let path = place.appending(file)
            guard let node = tree[path], case .file = node.kind else { continue }
            guard let suffix = String(validating: file.dropFirst(prefix.utf8.count), as: UTF8.self),
                ImageFileName.isValid(suffix)
            else { continue }
            others.append(prefix + suffix)
            if version.cutsNames, suffix == ImageFileName.withoutVersion(name) {
                found.append((prefix + suffix, .unversioned(path)))
            } else if isRelaxed(node) {
                found.append((prefix + suffix, .relaxed(path)))
            }
        }
        guard let first = found.first else { return .missing(others: others) }
        return found.count == 1 ? first.path : .ambiguous(found.map(\.name))
    }

    /// Whether a file's attribute says that its name does not matter.
    private static func isRelaxed(_ node: Tree.Node) -> Bool {
        guard
            let value = node.attributes.first(where: {
                $0.name.elementsEqual(ExtensionLayout.strictAttribute.utf8)
            })?.value
        else {
            return false
        }
        // Source: parse_boolean.
        let text = String(decoding: value, as: UTF8.self).lowercased()
        return ["0", "no", "n", "false", "f", "off"].contains(text)
    }
}

extension Tree {
    /// What a path in an image leads to, as systemd follows it there.
    func chase(_ path: TreePath) -> WalkedPath {
        WalkedPath(path) { place in
            switch self[place]?.kind {
            case nil: nil
            case .directory: .directory
            case .symlink(let target): .link(target)
            case .file: .other
            }
        }
    }
}
