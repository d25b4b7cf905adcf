/// The service's interfaces, sockets, units and rights; the written contract is `service.md`.
///
/// Source: varlink.org; systemd.socket(5); polkit(8).
public enum VarlinkLayout {
    /// The interface of the store.
    public static let interface = "io.sxs.Store"
    /// Its description, in the language of varlink.
    public static var interfaceDescription: String {
        String(decoding: PackageResources.io_sxs_Store_varlink, as: UTF8.self)
    }
    /// The interface of openSUSE's sysextmgr.
    public static let sysextmgrInterface = "org.openSUSE.sysextmgr"
    /// Its description.
    public static var sysextmgrDescription: String {
        String(decoding: PackageResources.org_openSUSE_sysextmgr_varlink, as: UTF8.self)
    }

    /// Begins the names of polkit's actions.
    public static let policyPrefix = "io.sxs."
    /// The file of polkit's actions.
    private static let policyName = "io.sxs.policy"
    /// Where polkit looks for actions in a `/usr` that can be written to.
    public static let policyDirectory = "/usr/share/polkit-1/actions"
    /// Where polkit (as of 125; openSUSE's earlier) looks for actions of the administrator's.
    public static let ownPolicyDirectory = "/etc/polkit-1/actions"

    /// The unit that listens on the store's socket.
    public static let socketName = "sxsd.socket"

    /// A socket, and the unit that is started for each of its connections.
    private struct Listener {
        let name: String
        let title: String
        let path: String
        let arguments: String
        let conflicts: String?
    }

    private static let listeners = [
        Listener(
            name: "sxsd", title: "The service of the store", path: "/run/sxs/" + interface,
            arguments: "service",
            conflicts: nil),
        Listener(
            name: "sxs-sysextmgr", title: "The service of the store in place of sysextmgr",
            path: "/run/sysextmgr/socket", arguments: "service --sysextmgr", conflicts: "sysextmgrd.socket"),
    ]

    /// The units, by name: none is enabled.
    public static let units: [(name: String, text: String)] = listeners.flatMap { listener in
        [
            (
                listener.name + ".socket",
                """
                [Unit]
                Description=\(listener.title)
                \(listener.conflicts.map { "Conflicts=\($0)\n" } ?? "")
                [Socket]
                ListenStream=\(listener.path)
                SocketMode=0666
                Accept=yes
                MaxConnections=64
                MaxConnectionsPerSource=16
                RemoveOnStop=yes

                [Install]
                WantedBy=sockets.target

                """
            ),
            (
                listener.name + "@.service",
                """
                [Unit]
                Description=\(listener.title), for one client
                CollectMode=inactive-or-failed
                RequiresMountsFor=\(StoreLayout.systemRoot)

                [Service]
                ExecStart=-\(ServiceLayout.program) \(listener.arguments)
                OOMPolicy=continue

                """
            ),
        ]
    }

    /// What `sxs setup` makes of the units.
    public static var items: [HostItem] {
        units.map {
            HostItem(path: ServiceLayout.hostUnits[0] + "/" + $0.name, kind: .file(Array($0.text.utf8)))
        }
    }

    /// What says to polkit which rights there are.
    ///
    /// - Parameter directory: ``policyDirectory`` or ``ownPolicyDirectory``.
    public static func policy(in directory: String) -> HostItem {
        HostItem(path: directory + "/" + policyName, kind: .file(PackageResources.io_sxs_policy))
    }
}
