internal import Activation
internal import StoreLayout

/// What `sxs doctor` looks at of extensions beside the anchor.
struct ExtensionExamination {
    let host: Host
    let facts: HostFacts

    /// Whether they fit, hide the anchor, or bring what the store lacks.
    func findings() throws -> [Finding] {
        let known = Set(try host.names(in: StoreLayout.systemRoot + "/" + StoreLayout.Name.store))
        return try InstalledExtension.all(on: host).filter { $0.found.name.text != Anchor.name }.flatMap {
            // What systemd does is what counts; what it would do is said by its rules.
            let isMerged = facts.merged?.contains($0.found.name.text) == true
            guard !isMerged, let match = $0.match, let refusal = match.refusal else {
                return [unread($0), later($0), lacking($0, known)].compactMap { $0 }
            }
            return [refused($0, match.outcome, refusal)]
        }
    }

    private func refused(
        _ found: InstalledExtension, _ outcome: ExtensionMatch.Outcome, _ rule: ExtensionMatch.Rule
    ) -> Finding {
        let values = [rule.image.map { "image: \($0)" }, rule.host.map { "host: \($0)" }].compactMap { $0 }
        let why =
            "\(rule.rule): \(rule.reason)"
            + (values.isEmpty ? "" : " (\(values.joined(separator: ", ")))")
        let hint = "\(rule.hint ?? "take it away"); 'sxs explain \(host.outside(found.found.path))' says more"
        return outcome == .blocks
            ? Finding(
                .error, "blocks-merge", "\(found.found.path) keeps all extensions from being merged",
                why: why,
                hint: hint)
            : Finding(
                .note, "does-not-fit", "\(found.found.path) does not fit this host and is not merged",
                why: why,
                hint: hint)
    }

    private func unread(_ found: InstalledExtension) -> Finding? {
        guard let obstacle = found.obstacle else { return nil }
        return Finding(
            .note, "not-looked-into", "\(found.found.path) was not looked into: \(obstacle)",
            why: "whether it fits, hides \(StoreLayout.storeDirectory) or brings store paths is not known",
            hint: "'systemd-dissect \(host.outside(found.found.path))' shows what systemd makes of it")
    }

    private func later(_ found: InstalledExtension) -> Finding? {
        guard found.found.name > ExtensionName(Anchor.name), found.links != .none else { return nil }
        let isCertain = found.links == .hidden
        return Finding(
            isCertain ? .error : .warning, "later-extension",
            "\(found.found.path) sorts after the anchor\(isCertain ? " and has its own \(StoreLayout.storeDirectory)" : "")",
            why:
                "extensions are stacked by name, the last on top; a directory there hides the anchor's links",
            hint: "give it a name that sorts before '\(Anchor.name)', such as one that begins with a letter")
    }

    private func lacking(_ found: InstalledExtension, _ known: Set<String>) -> Finding? {
        let lacking = found.storePaths.filter { !known.contains($0) }
        guard let first = lacking.first else { return nil }
        return Finding(
            .warning, "not-adopted",
            "\(found.found.path) brings \(first)\(lacking.count == 1 ? "" : " and \(lacking.count - 1) more"), which the "
                + "store lacks",
            why:
                "the anchor hides the extension's \(StoreLayout.storeDirectory), so that its commands find nothing",
            hint: "run 'sxs import --extensions', or take the extension away")
    }
}
