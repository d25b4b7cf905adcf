public import Activation
internal import Files
private import Glibc
internal import StoreLayout

extension Session {
    /// Runs a verb that switches the profile, then has extensions merged anew if that changes which are.
    ///
    /// `systemd-sysext refresh` takes the old merge away first: for a moment, files of all merged extensions are gone.
    ///
    /// - Parameters:
    ///   - host: The host.
    ///   - isWanted: Whether to merge; if not, the verb alone is run.
    /// - Throws: `AdoptionError.mergeDiffers` before the verb is run, if other extensions would come in or go.
    public func refreshing(
        _ host: Host, isWanted: Bool, _ verb: () throws -> GenerationChange
    ) throws -> GenerationChange {
        guard isWanted else { return try verb() }
        guard geteuid() == 0, root == StoreLayout.systemRoot, profile.text == StoreLayout.defaultProfile
        else {
            throw AdoptionError.cannotMerge
        }
        let recorded = try HostAdoption(host).record()?.entries ?? []
        let known = Set(recorded.map { Self.extensionName($0) })
        let pending = try InstalledExtension.pending(on: host)
        let (added, gone) = (
            pending.added.filter { !known.contains($0) }, pending.gone.filter { !known.contains($0) }
        )
        guard added.isEmpty, gone.isEmpty else { throw AdoptionError.mergeDiffers(added: added, gone: gone) }
        let change = try verb()
        let now = try InstalledExtension.pending(on: host)
        let isNeeded = !change.mergeChanges.isEmpty || !now.added.isEmpty || !now.gone.isEmpty
        guard isNeeded else { return change }
        let before = try host.mergedNames() ?? []
        let wanted = Set(before).subtracting(now.gone).union(
            change.mergeChanges.filter { $0.kind != .goes }.map(\.name))
        let output = try host.mergeExtensions()
        let missing = wanted.subtracting(try host.mergedNames() ?? [])
        guard missing.isEmpty else {
            throw AdoptionError.mergeFailed(missing: missing.sorted(), output: output)
        }
        return change
    }

    /// The name that systemd gave to an entry of the record.
    static func extensionName(_ entry: AdoptionRecord.Entry) -> String {
        var name = entry.path[...]
        if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
        for suffix in [ExtensionLayout.versionsSuffix, ExtensionLayout.imageSuffix]
        where name.hasSuffix(suffix) {
            name = name.dropLast(suffix.count)
        }
        return String(name)
    }
}
