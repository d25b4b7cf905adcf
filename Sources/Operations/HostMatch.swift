internal import Activation
internal import Files
internal import Images
internal import Remotes
internal import StoreLayout

/// Asks the rules of systemd about images of remotes, on this host.
final class HostMatch {
    // A class: the host is looked at once.

    private let explainer: ExtensionExplainer?

    /// Looks at a host; one without os-release has no rules.
    init(root: String = "/", progress: any Progress) {
        explainer = try? ExtensionExplainer(root: root, progress: progress)
    }

    /// The host, for people; `nil` where it says nothing of itself.
    var description: Explanation.Host? { explainer?.description }

    /// What the rules say of the fields of an extension-release.
    ///
    /// - Returns: `nil` on a host without rules, or for no fields.
    func match(_ release: [String: String], fileName: String) throws -> ExtensionMatch? {
        guard let explainer, !release.isEmpty else { return nil }
        return Self.match(release, fileName: fileName, on: explainer.host)
    }

    /// What the rules of a host say of the fields of an extension-release.
    static func match(_ release: [String: String], fileName: String, on host: ExtensionHost) -> ExtensionMatch
    {
        let text = release.sorted { $0.key < $1.key }.map { key, value in
            let quoted = value.map { "\"\\`$".contains($0) ? "\\\($0)" : String($0) }.joined()
            return "\(key)=\"\(quoted)\"\n"
        }.joined()
        let name = "offer"
        var tree = Tree()
        tree.insert(
            Tree.Node(kind: .file(ContentID(0)), mode: 0o644),
            at: ExtensionLayout.releases.appending((ExtensionLayout.releasePrefix + name).utf8))
        return ExtensionMatch(
            ExtensionCandidate(
                name: name, fileName: fileName, isDirectory: false, tree: tree,
                read: { _ throws(ReleaseFileError) in Bytes(text.utf8) }), on: host)
    }

    /// Throws if an extension is for other hosts; what is no extension is for all.
    ///
    /// Whatever its file is called: what is in it counts.
    func check(_ image: Image, of offer: Offer) throws {
        guard let explainer, image.facts.kind == "SquashFS image" else { return }
        let outline = ImageOutline(image: offer.fileName)
        try image.read(
            into: outline, progress: NoProgress(), readsContents: { $0.isWithin(ExtensionLayout.releases) })
        let prefix = ExtensionLayout.releasePrefix
        let names = outline.tree.names(in: ExtensionLayout.releases).filter { $0.hasPrefix(prefix) }.map {
            String(decoding: $0.dropFirst(prefix.utf8.count), as: UTF8.self)
        }
        guard let name = names.sorted().first else { return }
        let match = ExtensionMatch(
            ExtensionCandidate(
                name: name, fileName: offer.fileName, isDirectory: false, tree: outline.tree,
                read: { path throws(ReleaseFileError) in try outline.read(path) }), on: explainer.host)
        guard let rule = match.refusal else { return }
        throw OperationError.nothingFits(
            offer.name, remote: offer.remote.name, image: offer.fileName, reason: Self.text(rule))
    }

    /// A rule that refuses, in one sentence.
    static func text(_ rule: ExtensionMatch.Rule) -> String {
        let values = [rule.image.map { "image: \($0)" }, rule.host.map { "host: \($0)" }].compactMap { $0 }
        return "\(rule.rule): \(rule.reason)" + (values.isEmpty ? "" : " (\(values.joined(separator: ", ")))")
    }
}
