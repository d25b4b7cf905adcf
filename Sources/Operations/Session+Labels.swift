internal import Activation
internal import Files
private import Glibc
internal import Labels
internal import Store
internal import StoreLayout

extension Session {
    /// What gives labels to a store path that is about to be registered; `nil` where the kernel runs no SELinux, and for
    /// others than root, whose stores keep the labels of their directories.
    ///
    /// The host's policy is told where the store path will be.
    ///
    /// - Parameters:
    ///   - storePath: The store path.
    ///   - tree: Its tree.
    ///   - store: The store.
    func labeller(for storePath: StorePath, tree: Tree, in store: Store) throws -> Store.Labeller? {
        guard FileLabels.isEnabled, geteuid() == 0 else { return nil }
        do {
            let file = try Self.fileContexts(of: nil)
            let labels = StoreLabels(try FileLabels(fileContexts: file))
            let tops = tree.names(in: .root).map { String(decoding: $0, as: UTF8.self) }
            _ = try tell(file, of: store, adding: [storePath.baseName: tops])
            return { try labels.label(of: $0, kind: FileLabels.Kind(mode: $1)) }
        } catch {
            // A policy that cannot be read is no reason for having no packages.
            note("the files of \(storePath.baseName) get no SELinux labels: \(error)")
            return nil
        }
    }

    /// The file of contexts that somebody means: the file, a policy's directory, or a root directory; `nil` for that of
    /// this host.
    static func fileContexts(of policy: String?) throws -> String {
        guard let policy else { return try policyPath(of: "/") }
        let path = try absolutePath(policy)
        var status = stat()
        // What is not there is named by whoever reads it.
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return path }
        let inside = path + "/contexts/files/file_contexts"
        return try stat(inside, &status) == 0 ? inside : policyPath(of: path)
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
