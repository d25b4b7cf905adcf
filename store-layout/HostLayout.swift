/// Directories of a host in which store paths may be named.
public enum HostLayout {
    /// The configuration of the running system.
    public static let configuration = "/etc"

    /// Any name, in ``otherConfigurations``.
    public static let any = "*"

    /// Configurations of systems that can be booted instead, component by component: deployments of ostree (also as a
    /// running one sees them), snapshots of snapper.
    ///
    /// Source: ostree "Anatomy of an OSTree repository"; snapper(8).
    public static let otherConfigurations = [
        ["ostree", "deploy", any, "deploy", any, "etc"],
        ["sysroot", "ostree", "deploy", any, "deploy", any, "etc"],
        [".snapshots", any, "snapshot", "etc"],
    ]

    /// Files that tell which machine or container this is, the first one that does.
    ///
    /// Source: machine-id(5).
    public static let machineIdentities = ["/etc/machine-id", "/var/lib/dbus/machine-id"]

    /// Tells one start of the kernel from another.
    ///
    /// Source: random(4).
    public static let bootIdentity = "/proc/sys/kernel/random/boot_id"

    /// Where a private copy of an index may be made, the first in which it can be.
    public static let temporaryDirectories = ["/tmp", "/dev/shm", "/var/tmp", "/run"]
}
