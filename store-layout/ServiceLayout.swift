public import Files

/// Where units, users and configuration are in a generation and on the host; the written contract is `services.md`.
///
/// Source: systemd.unit(5), systemd.generator(7), sysusers.d(5), tmpfiles.d(5).
public enum ServiceLayout {
    // MARK: - In a generation

    /// Units of the system's manager.
    public static let systemUnits: TreePath = "lib/systemd/system"
    /// Units of users' managers.
    public static let userUnits: TreePath = "lib/systemd/user"
    /// Users and groups that services run as.
    public static let users: TreePath = "lib/sysusers.d"
    /// Directories that services keep their state in.
    public static let temporaryFiles: TreePath = "lib/tmpfiles.d"
    /// Configuration, as it is copied to the host's `/etc`.
    public static let configuration: TreePath = "etc"
    /// Links to store paths by package name: what copied configuration names instead of a store path, so that it
    /// holds for the next version too.
    public static let packages: TreePath = "lib/packages"

    /// The name of drop-ins that say what units of a store need.
    public static let dropIn = "10-sxs.conf"

    // MARK: - In an image

    /// Directories of an image, each with where its files are in a generation.
    public static let directories: [(image: TreePath, generation: TreePath)] = [
        ("usr/lib/systemd/system", systemUnits), ("lib/systemd/system", systemUnits),
        ("usr/lib/systemd/user", userUnits), ("usr/lib/sysusers.d", users),
        ("usr/lib/tmpfiles.d", temporaryFiles), ("etc", configuration),
    ]

    /// Directories of state; those that a package has in them are made for its services.
    public static let stateDirectories: [TreePath] = ["var/lib", "var/log", "var/cache", "var/spool"]

    /// What a system's own tools keep there, whatever package has it.
    public static let systemState: [TreePath] = [
        "var/lib/dpkg", "var/lib/apt", "var/lib/pam", "var/lib/misc", "var/lib/systemd", "var/log/apt",
        "var/log/journal", "var/cache/apt", "var/cache/debconf", "var/cache/ldconfig", "var/spool/cron",
    ]

    /// Ends the path of a directory among a package's files for the system.
    public static let directoryMark = "/"

    /// Where a file of an image is in a generation; `nil` for state, and what is not shown.
    public static func place(of path: TreePath) -> TreePath? {
        for (image, generation) in directories where path != image && path.isWithin(image) {
            return path.components.dropFirst(image.components.count).reduce(generation) { $0.appending($1) }
        }
        return nil
    }

    // MARK: - On the host

    /// The name of the program that tells systemd of units, in ``generatorDirectories``.
    public static let generatorName = "sxs-generator"

    /// Where systemd looks for generators: the system manager's, and that of users' managers.
    public static let generatorDirectories = [
        "/etc/systemd/system-generators", "/etc/systemd/user-generators",
    ]

    /// The system manager's directory of what generators give that everything else goes before.
    public static let generated = "/run/systemd/generator.late"

    /// Where a host keeps units of its own, the first going before others.
    public static let hostUnits = [
        "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system", "/lib/systemd/system",
    ]

    /// The same for units of users' managers.
    public static let hostUserUnits = [
        "/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user",
    ]

    /// There while the system's manager runs.
    public static let manager = "/run/systemd/system"

    /// Holds a file for each unit that is being stopped, which no target is to start again meanwhile.
    public static let stopping = "/run/sxs/stopping"

    /// The host's configuration.
    public static let hostConfiguration = "/etc"

    /// Where the host's programs are that act on units, users and directories.
    public static let programDirectories = ["/usr/bin", "/bin"]

    /// `PATH` of services where nothing else is said; directories of a store path follow.
    public static let searchPath = [
        "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
    ]

    /// `XDG_DATA_DIRS` where nothing else is said.
    public static let dataPath = ["/usr/local/share", "/usr/share"]

    /// The default profile's current generation of the system's root.
    public static let current = [
        StoreLayout.systemRoot, StoreLayout.Name.profiles, StoreLayout.defaultProfile,
        StoreLayout.Name.current,
    ].joined(separator: "/")

    /// The program of the system's root.
    public static let program = [
        StoreLayout.systemRoot, StoreLayout.Name.programs, StoreLayout.Name.program,
    ].joined(separator: "/")

    /// The name of the unit that activates the current generation at boot.
    public static let activationName = "sxs-activate.service"

    /// The unit that activates the current generation at boot, before anything that is not part of starting up.
    public static let activation = """
        [Unit]
        Description=Activate the system's generation of the store
        DefaultDependencies=no
        Conflicts=shutdown.target
        After=systemd-remount-fs.service local-fs.target systemd-sysext.service
        After=systemd-sysusers.service systemd-tmpfiles-setup.service
        Before=sysinit.target shutdown.target
        RequiresMountsFor=\(StoreLayout.systemRoot)
        ConditionPathExists=\(program)

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=\(program) activate --boot

        [Install]
        WantedBy=sysinit.target

        """
}

extension StoreLayout {
    /// What lets systemd have the units of the system's generations, enabled.
    public static var serviceItems: [HostItem] {
        let units = "/etc/systemd/system/"
        let name = ServiceLayout.activationName
        return ServiceLayout.generatorDirectories.map {
            HostItem(path: $0 + "/" + ServiceLayout.generatorName, kind: .link(ServiceLayout.program))
        } + [
            HostItem(path: units + name, kind: .file(Array(ServiceLayout.activation.utf8))),
            HostItem(path: units + "sysinit.target.wants/" + name, kind: .link(units + name)),
        ] + MaintenanceLayout.items + VarlinkLayout.items + [MaintenanceLayout.preset]
    }
}
