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
}
