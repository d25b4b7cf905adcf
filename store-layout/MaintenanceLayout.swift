/// Units that do what an administrator wants done at regular times: installed by `sxs setup`, enabled by nobody else.
///
/// Source: systemd.timer(5), systemd.service(5).
public enum MaintenanceLayout {
    /// A command that is run once a day.
    private struct Task {
        let name: String
        let title: String
        let command: String
        let needsNetwork: Bool
    }

    private static let tasks = [
        Task(
            name: "sxs-clean", title: "Remove what nothing of the store needs", command: "gc",
            needsNetwork: false),
        Task(
            name: "sxs-upgrade", title: "Upgrade the packages of the store", command: "upgrade",
            needsNetwork: true),
    ]

    /// The units, by name.
    public static let units: [(name: String, text: String)] = tasks.flatMap { task in
        [
            (
                task.name + ".service",
                """
                [Unit]
                Description=\(task.title)
                RequiresMountsFor=\(StoreLayout.systemRoot)
                ConditionPathExists=\(ServiceLayout.program)
                \(task.needsNetwork ? "Wants=network-online.target\nAfter=network-online.target\n" : "")
                [Service]
                Type=oneshot
                ExecStart=\(ServiceLayout.program) \(task.command)
                Nice=10
                IOSchedulingClass=idle

                """
            ),
            (
                task.name + ".timer",
                """
                [Unit]
                Description=\(task.title), once a day

                [Timer]
                OnCalendar=daily
                RandomizedDelaySec=2h
                Persistent=yes

                [Install]
                WantedBy=timers.target

                """
            ),
        ]
    }

    /// Says which units an administrator enables, and which are: at the first boot of an image, systemd enables or disables
    /// all that it finds by such files, and where none says anything, enables.
    ///
    /// Source: systemd.preset(5).
    public static var preset: HostItem {
        let optional = (units + VarlinkLayout.units).map(\.name).filter {
            $0.hasSuffix(".timer") || $0.hasSuffix(".socket")
        }
        let enabled =
            [
                ServiceLayout.activationName, ExtensionLayout.adoptionPathName,
                ExtensionLayout.adoptionServiceName,
            ] + PreparationLayout.watchNames
        let lines =
            ["# Made by 'sxs setup'."] + optional.map { "disable \($0)" } + enabled.map { "enable \($0)" }
        return HostItem(
            path: "/etc/systemd/system-preset/50-sxs.preset",
            kind: .file(Array((lines.joined(separator: "\n") + "\n").utf8)))
    }

    /// What `sxs setup` makes of them.
    public static var items: [HostItem] {
        units.map {
            HostItem(path: ServiceLayout.hostUnits[0] + "/" + $0.name, kind: .file(Array($0.text.utf8)))
        }
    }
}
