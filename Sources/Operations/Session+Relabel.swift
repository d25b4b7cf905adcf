internal import Activation
internal import Files
private import Glibc
internal import Labels
internal import Store
internal import StoreLayout

/// What `relabel` came to.
public struct Relabelling: Encodable, Sendable {
    /// The policy's file of contexts.
    public let policy: String
    /// Files, directories and links that were looked at.
    public let entryCount: Int
    /// How many of them got another label.
    public let changeCount: Int
    /// Files that shared an inode with others of the same contents, and no longer do.
    public let separatedCount: Int
    /// The file that tells the policy where store paths are.
    public let substitutions: String
    /// Whether that file was changed.
    public let hasNewSubstitutions: Bool
}

extension Session {
    /// Labels all store paths as a policy labels the same paths of a host, and tells the policy where they are.
    ///
    /// - Parameter policy: Its `file_contexts`; `nil` for that of this host.
    public func relabel(policy: String? = nil) throws -> Relabelling {
        let file = try policy ?? Self.policyPath(of: "/")
        let labels = StoreLabels(try FileLabels(fileContexts: file))
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            let substitutions = file + ".subs"
            let isChanged = try tell(substitutions, of: store)
            progress.begin("labelling", total: nil)
            defer { progress.end() }
            let labelling = try store.relabel { path, mode in
                let kind: FileLabels.Kind =
                    switch mode & S_IFMT {
                    case S_IFDIR: .directory
                    case S_IFLNK: .symlink
                    default: .file
                    }
                return try labels.label(of: path, kind: kind)
            }
            return Relabelling(
                policy: file, entryCount: labelling.entryCount, changeCount: labelling.changeCount,
                separatedCount: labelling.separatedCount, substitutions: substitutions,
                hasNewSubstitutions: isChanged)
        }
    }

    /// A policy module for what else is in the root.
    public func policyModule() throws -> String { SELinuxRules.module(root: try realRoot()) }

    /// The root without links, as restorecon(8) sees it.
    private func realRoot() throws -> String {
        guard let path = realpath(root, nil) else { throw SystemError("open directory", root) }
        defer { free(path) }
        return String(cString: path)
    }

    /// Writes into a policy's list of substitutions where the store's paths are; whether it had to be changed.
    private func tell(_ path: String, of store: Store) throws -> Bool {
        var tops: [String: [String]] = [:]
        let directory = try store.root.directory(beneath: StoreLayout.Name.store)
        for base in try directory.list() {
            guard let opened = try? directory.directory(beneath: base.text) else { continue }
            // A name with white space would be two columns; nothing of the kind lies at the top of an image.
            tops[base.text] = try opened.list().map(\.text).filter { !$0.contains(where: \.isWhitespace) }
        }
        let place = path.split(separator: "/").dropLast().joined(separator: "/")
        let parent = try Descriptor.directory(
            (path.hasPrefix("/") ? "/" : "") + (place.isEmpty ? "." : place))
        let name = String(path.split(separator: "/").last ?? "")
        let old = try parent.status(of: name) == nil ? [] : try parent.open(beneath: name).readAll()
        let new = SELinuxRules.substitutions(old, root: try realRoot(), tops: tops)
        guard new != old else { return false }
        try parent.replaceFile(name, contents: new)
        return true
    }

    /// The file of contexts of a host's policy.
    ///
    /// Source: selinux_config(5).
    static func policyPath(of root: String) throws -> String {
        let host = try HostTree(root)
        guard let file = try host.open("etc/selinux/config"),
            let type = try ReleaseFile(parsing: file.readAll(limit: 1 << 20), like: .newest)["SELINUXTYPE"],
            let path = try? TreePath(parsing: "etc/selinux/\(type)/contexts/files/file_contexts".utf8),
            case .found(let found) = try host.resolve(path)
        else { throw LabelError.noPolicy(host.root.path(of: "etc/selinux/config")) }
        return (root == "/" ? "" : root) + "/\(found)"
    }
}
