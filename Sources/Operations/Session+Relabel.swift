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
    /// - Parameter policy: See ``fileContexts(of:)``.
    public func relabel(policy: String? = nil) throws -> Relabelling {
        let file = try Self.fileContexts(of: policy)
        let labels = StoreLabels(try FileLabels(fileContexts: file))
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            let isChanged = try tell(file, of: store)
            progress.begin("labelling", total: nil)
            defer { progress.end() }
            let labelling = try store.relabel { try labels.label(of: $0, kind: FileLabels.Kind(mode: $1)) }
            return Relabelling(
                policy: file, entryCount: labelling.entryCount, changeCount: labelling.changeCount,
                separatedCount: labelling.separatedCount, substitutions: Self.substitutions(of: file),
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

    /// The list of substitutions beside a file of contexts.
    private static func substitutions(of contexts: String) -> String { contexts + ".subs" }

    /// Writes into a policy's list of substitutions where the store's paths are; whether it had to be changed.
    ///
    /// - Parameters:
    ///   - contexts: The policy's file of contexts, beside which the list is.
    ///   - store: The store.
    ///   - coming: A store path to be, by base name, with what lies at its top.
    func tell(_ contexts: String, of store: Store, adding coming: [String: [String]] = [:]) throws -> Bool {
        var tops = coming.mapValues { $0.filter { !$0.contains(where: \.isWhitespace) } }
        let directory = try store.root.directory(beneath: StoreLayout.Name.store)
        for base in try directory.list() {
            guard let opened = try? directory.directory(beneath: base.text) else { continue }
            // A name with white space would be two columns; nothing of the kind lies at the top of an image.
            tops[base.text] = try opened.list().map(\.text).filter { !$0.contains(where: \.isWhitespace) }
        }
        let path = Self.substitutions(of: contexts)
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
}
