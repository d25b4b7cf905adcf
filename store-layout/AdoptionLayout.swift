/// Where extensions come from that `sxs adopt` takes over, and where they go; the written contract is `adopting.md`.
///
/// Source: systemd-sysext(8), sysupdate.d(5), sysextmgrcli(1).
public enum AdoptionLayout {
    /// Directories of extensions that are taken over, those first that win; others do not last, or are the system's.
    public static let directories = ["/etc/extensions", Anchor.directory]

    /// Where sysextmgr keeps images that links in ``directories`` lead to.
    public static let imageStore = "/var/lib/sysext-store"

    /// What has directories of transfers, the first of a name winning: `sysupdate.d`, and `sysupdate.NAME.d` of components.
    public static let transferParents = ["/etc", "/run", "/usr/local/lib", "/usr/lib"]

    /// Begins the name of a directory of transfers.
    public static let transferPrefix = "sysupdate."

    /// Ends the name of a directory of transfers.
    public static let transferDirectorySuffix = ".d"

    /// Endings of a transfer's file.
    public static let transferSuffixes = [".transfer", ".conf"]

    /// Begins the name of what cannot be moved below the root, being on another file system: systemd passes over it.
    public static let asidePrefix = ".#sxs-adopted-"

    /// Begins the name of a link that is not in its place yet.
    public static let unfinishedPrefix = ".#sxs-new-"

    /// Ends the name of the text that says why an extension is in quarantine.
    public static let reasonSuffix = ".reason"

    /// Where originals are moved to, on the host.
    public static let originals = StoreLayout.systemRoot + "/" + StoreLayout.Name.extensions

    /// Where refused extensions are moved to, on the host.
    public static let quarantine = StoreLayout.systemRoot + "/" + StoreLayout.Name.quarantine

    /// The record of what was taken over, on the host.
    public static let record = StoreLayout.systemRoot + "/" + StoreLayout.Name.adopted

    /// Bytes that a file's name may have.
    private static let longestName = 255

    /// What a link in one of systemd's directories leads to: what the active generation has of that name.
    public static func current(_ name: String) -> String {
        [
            StoreLayout.systemRoot, StoreLayout.Name.profiles, StoreLayout.defaultProfile,
            StoreLayout.Name.current, StoreLayout.Name.extensions, name,
        ].joined(separator: "/")
    }

    /// The name of an original in ``originals``: its digest and its own name, which is cut where both have no room.
    public static func originalName(_ name: String, digest: String) -> String {
        let whole = digest + "-" + name
        guard whole.utf8.count > longestName else { return whole }
        return digest + (name.hasSuffix(ExtensionLayout.imageSuffix) ? ExtensionLayout.imageSuffix : "")
    }
}
