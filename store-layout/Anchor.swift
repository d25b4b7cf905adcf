/// The anchor: the system extension that makes `/usr/store` exist where `/usr` is read-only.
///
/// A directory below ``directory`` that `systemd-sysext` lays over `/usr` together with all other extensions. It holds
/// two symbolic links into the system's root and is the same bytes for ever: what is installed, removed or rolled
/// back changes the root, never the anchor, so that nothing has to be merged again.
///
/// Source: systemd-sysext(8).
public enum Anchor {
    /// Its name.
    ///
    /// Extensions are stacked in the order of ``ExtensionName``, the last on top, and a directory in a higher layer
    /// hides a link of the same name in a lower one. In that order numbers come after letters, and longer numbers
    /// after shorter ones: fifteen digits are later than any date and time that a name may begin with.
    public static let name = "999999999999999-sxs-anchor"

    /// The directory of extensions that the anchor is in.
    public static let directory = "/var/lib/extensions"

    /// Where `systemd-sysext` looks for extensions; of two with one name the first is taken.
    ///
    /// The last two are those of systemd before version 255.
    public static let searchPath = [
        "/etc/extensions", "/run/extensions", directory, "/usr/local/lib/extensions", "/usr/lib/extensions",
    ]

    /// The anchor's own path.
    public static var path: String { directory + "/" + name }

    /// Where it is made before it is renamed into place: `systemd-sysext` passes over names that begin so.
    public static var unfinishedName: String { ".#" + name }

    /// What it holds, directories before what is in them; paths are relative to it.
    public static var entries: [(path: String, kind: HostItem.Kind)] {
        let release = "\(ExtensionLayout.releases)"
        return [
            ("usr", .directory), ("usr/lib", .directory), (release, .directory),
            // _any: it has no programs, and fits every version of every host.
            (release + "/" + ExtensionLayout.releasePrefix + name, .file(Array("ID=_any\n".utf8))),
        ]
            + StoreLayout.hostLinks.map {
                (String($0.path.dropFirst()), HostItem.Kind.link($0.target))
            }
    }

    /// In `/usr` where extensions are merged: their names, one per line, in stacking order.
    public static let mergedNames = "/usr/.systemd-sysext/extensions"

    /// The program that merges.
    public static let program = "/usr/bin/systemd-sysext"

    /// The unit that merges at boot.
    public static let unit = "systemd-sysext.service"

    /// Where units come from, the first that exists being used.
    public static let unitDirectories = ["/usr/lib/systemd/system", "/lib/systemd/system"]

    /// Where a unit is linked to be started at boot, as `systemctl enable` does.
    public static let wantedUnits = "/etc/systemd/system/sysinit.target.wants"

    /// Where systemd keeps its library: here, or below a directory of ``libraryParent`` that an architecture names.
    public static let libraryDirectories = ["/usr/lib/systemd", "/usr/lib64/systemd"]

    /// See ``libraryDirectories``.
    public static let libraryParent = "/usr/lib"

    /// See ``libraryDirectories``.
    public static let libraryDirectory = "systemd"

    /// Begins the library's name, before systemd's version.
    public static let libraryPrefix = "libsystemd-shared-"
}
