public import Files

/// What is where in a system extension that sxs exports; the written contract is `extensions.md`.
///
/// Source: systemd-sysext(8), systemd.v(7), os-release(5).
public enum ExtensionLayout {
    /// Where store paths are: ``StoreLayout/storeDirectory``.
    public static let store: TreePath = "usr/store"

    /// Where aliases are: ``StoreLayout/aliasDirectory``.
    public static let aliases: TreePath = "usr/_"

    /// Where commands are unless another directory is named.
    public static let commands: TreePath = "usr/bin"

    /// Where the manifests of store paths are, by base name, as in a root's ``StoreLayout/Name/manifests``.
    public static let manifests: TreePath = "usr/share/sxs/manifests"

    /// Where the release file is.
    public static let releases: TreePath = "usr/lib/extension-release.d"

    /// Before the extension's name in the release file's name.
    public static let releasePrefix = "extension-release."

    /// An attribute of the release file: `0` lets systemd take it for an image file of any name.
    public static let strictAttribute = "user.extension-release.strict"

    /// Units of the system's manager.
    public static let systemUnits: TreePath = "usr/lib/systemd/system"

    /// Units of users' managers.
    public static let userUnits: TreePath = "usr/lib/systemd/user"

    /// What systemd-tmpfiles makes of a package's.
    public static let temporaryFiles: TreePath = "usr/lib/tmpfiles.d"

    /// Holds a directory for the extension, with its configuration as `etc/…` and ``package``.
    public static let share: TreePath = "usr/share"

    /// In the directory of ``share``: a link to the store path, which configuration names.
    public static let package = "package"

    /// Applications of desktops, whose command lines name commands.
    public static let applications: TreePath = "usr/share/applications"

    /// Services that users' message buses start, whose command lines name commands.
    public static let busServices: TreePath = "usr/share/dbus-1/services"

    /// What extensions of this kind are laid over.
    public static let hierarchy: TreePath = "usr"

    /// Links on some hosts: a directory in an extension would hide them, and with them what they lead to.
    public static let linkedDirectories: [TreePath] = ["usr/local", "usr/sbin", "usr/lib64", "usr/tmp"]

    /// The ending of an image file.
    public static let imageSuffix = ".raw"

    /// The ending of a directory of versions.
    public static let versionsSuffix = ".v"

    /// The names of ``adoptionPath`` and ``adoptionService``, which `sxs setup` installs with the anchor.
    public static let adoptionPathName = "sxs-adopt.path"

    /// The service's name.
    public static let adoptionServiceName = "sxs-adopt.service"

    /// A unit for hosts that have sxs: tells when extensions come.
    public static let adoptionPath = """
        [Unit]
        Description=Extensions that sxs can adopt

        [Path]
        PathChanged=/etc/extensions
        PathChanged=/run/extensions
        PathChanged=/var/lib/extensions
        Unit=\(adoptionServiceName)

        [Install]
        WantedBy=paths.target

        """

    /// A unit for hosts that have sxs: brings what merged extensions hold into the system's store.
    ///
    /// On such a host the links to that store hide what an extension has in `usr/store`.
    public static let adoptionService = """
        [Unit]
        Description=Adopt extensions into the store
        After=systemd-sysext.service local-fs.target
        RequiresMountsFor=\(StoreLayout.systemRoot)
        ConditionPathExists=\(StoreLayout.systemRoot)/\(StoreLayout.Name.programs)/\(StoreLayout.Name.program)

        [Service]
        Type=oneshot
        ExecStart=\(StoreLayout.systemRoot)/\(StoreLayout.Name.programs)/\(StoreLayout.Name.program) import --extensions

        [Install]
        WantedBy=multi-user.target

        """
}
