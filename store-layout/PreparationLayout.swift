/// What has packages made ready for another version of the host as soon as that is written: on hosts that have a program that
/// writes such versions.
///
/// Source: `doc/tukit-plugins.md` of transactional-update; systemd.path(5).
public enum PreparationLayout {
    /// Something that changes when another version of the host was written.
    private struct Watch {
        let name: String
        let title: String
        let path: String
        /// A path that is there while the running host is of the kind; `nil` where it always is.
        let condition: String?
        let sign: Sign
    }

    /// By what a host is known to have a program that writes versions of it.
    public struct Sign: Sendable {
        /// Paths of the program, one of which is there.
        public let programs: [String]
        /// Directories or links to some, one of which is there; none where the program is enough.
        public let directories: [String]
    }

    // MARK: - transactional-update

    /// By what a host is known to have transactional-update.
    public static let transactional = Sign(programs: ["/usr/sbin/tukit", "/usr/bin/tukit"], directories: [])

    /// The name by which the program of the system's root is called as a plugin of tukit.
    public static let pluginName = "sxs-prepare"

    /// The stage at which a snapshot is whole and still mounted; its path is the next argument.
    public static let pluginStage = "finalize-pre"

    /// The plugin.
    public static let plugin = HostItem(
        path: "/etc/tukit/plugins/" + pluginName, kind: .link(ServiceLayout.program))

    // MARK: - ostree

    /// By what a host is known to be made of deployments of ostree, as those of rpm-ostree and bootc are.
    public static let ostree = Sign(
        programs: ["/usr/bin/ostree"], directories: ["/ostree", "/sysroot/ostree"])

    /// There while the running host is a deployment.
    public static let ostreeBooted = "/run/ostree-booted"

    /// Has the deployments, as `NAME/deploy/CHECKSUM.N`.
    ///
    /// Its time changes with each that is written, also one that is only staged.
    ///
    /// Source: ostree "Anatomy of an OSTree repository"; `_ostree_sysroot_bump_mtime` of libostree.
    public static let deployments = "/sysroot/ostree/deploy"

    // MARK: - systemd-sysupdate

    /// By what a host is known to be updated by systemd-sysupdate.
    public static let sysupdate = Sign(
        programs: ["/usr/lib/systemd/systemd-sysupdate", "/usr/bin/systemd-sysupdate"],
        directories: AdoptionLayout.transferParents.map {
            $0 + "/" + AdoptionLayout.transferPrefix.dropLast() + AdoptionLayout.transferDirectorySuffix
        })

    /// Links to partitions by their labels, which sysupdate gives them when they are whole.
    ///
    /// Source: sysupdate.d(5), "Partitions".
    public static let partitions = "/dev/disk/by-partlabel"

    /// Where a partition is mounted to be looked into, in a mount namespace that nobody else sees.
    public static let mountPoint = "/run/sxs/next"

    /// Links of a root directory into `/usr`, which is all that a partition of `/usr` has of it.
    public static let usrLinks = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"]

    // MARK: - Units

    private static let watches = [
        Watch(
            name: "sxs-prepare-deployment.path", title: "Watch for another deployment of ostree",
            path: deployments, condition: ostreeBooted, sign: ostree),
        Watch(
            name: "sxs-prepare-partition.path", title: "Watch for another version of the host in a partition",
            path: partitions, condition: nil, sign: sysupdate),
    ]

    /// Names of the units that watch.
    public static let watchNames = watches.map(\.name)

    /// The name of the unit that prepares.
    public static let serviceName = "sxs-prepare.service"

    private static let service = """
        [Unit]
        Description=Make packages of the store ready for the version of the host that starts next
        RequiresMountsFor=\(StoreLayout.systemRoot)
        ConditionPathExists=\(ServiceLayout.program)
        Wants=network-online.target
        After=network-online.target

        [Service]
        Type=oneshot
        ExecStart=\(ServiceLayout.program) prepare
        Nice=10
        IOSchedulingClass=idle

        """

    /// What `sxs setup` makes on a host with systemd, enabled.
    ///
    /// - Parameter has: Whether the host has what is told by a sign.
    public static func units(where has: (Sign) throws -> Bool) rethrows -> [HostItem] {
        let units = ServiceLayout.hostUnits[0] + "/"
        let watched = try watches.filter { try has($0.sign) }
        guard !watched.isEmpty else { return [] }
        let file = { (name: String, text: String) in
            HostItem(path: units + name, kind: .file(Array(text.utf8)))
        }
        return [file(serviceName, service)]
            + watched.flatMap { watch in
                [
                    file(
                        watch.name,
                        """
                        [Unit]
                        Description=\(watch.title)
                        \(watch.condition.map { "ConditionPathExists=\($0)\n" } ?? "")
                        [Path]
                        PathChanged=\(watch.path)
                        Unit=\(serviceName)

                        [Install]
                        WantedBy=paths.target

                        """),
                    HostItem(
                        path: units + "paths.target.wants/" + watch.name, kind: .link(units + watch.name)),
                ]
            }
    }
}
