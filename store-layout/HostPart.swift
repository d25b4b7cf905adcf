public import Files

/// Something in an extension that the host itself looks for below `/usr`, so that a store path cannot serve it.
///
/// The table of `adopting.md`: an extension that has one of these stays merged.
public struct HostPart: Sendable {
    /// Which paths.
    public let pattern: PathPattern
    /// Who looks there, to go after the path.
    public let reason: String
    /// Whether that holds also for an extension with a C library of its own, whose modules are for its own programs.
    public let isAlways: Bool

    /// How many parts the pattern has.
    private let depth: Int

    private init?(_ pattern: String, _ reason: String, isAlways: Bool) {
        guard let pattern = PathPattern(pattern) else { return nil }
        self.pattern = pattern
        depth = pattern.text.split(separator: "/").count
        self.reason = reason
        self.isAlways = isAlways
    }

    /// The part that a path is; `nil` for most paths.
    public static func part(at path: TreePath, hasOwnLibrary: Bool) -> HostPart? {
        // A pattern means what is below it, too: it is compared with the directory that has as many parts.
        var places: [TreePath] = []
        for part in path.components { places.append((places.last ?? .root).appending(part)) }
        return all.first { part in
            (part.isAlways || !hasOwnLibrary) && part.depth <= places.count
                && part.pattern.matches(places[part.depth - 1])
        }
    }

    /// Units of systemd: kept only where they take the place of the host's.
    public static let units: [TreePath] = [ExtensionLayout.systemUnits, ExtensionLayout.userUnits]

    /// Where the host's loader looks for libraries without being told: `usr/lib`, and directories of an architecture.
    public static let libraryDirectories = ["usr/lib", "usr/lib64", "usr/lib32", "usr/lib/*-linux-*"]
        .compactMap {
            PathPattern($0)
        }

    private static let always: [(reason: String, patterns: [String])] = [
        ("udev reads it", ["usr/lib/udev"]),
        ("the kernel's modules are loaded from there", ["usr/lib/modules"]),
        ("the kernel loads firmware from there", ["usr/lib/firmware"]),
        (
            "the kernel's settings are read at boot",
            ["usr/lib/modules-load.d", "usr/lib/modprobe.d", "usr/lib/sysctl.d", "usr/lib/binfmt.d"]
        ),
        (
            "boot images are made with it",
            [
                "usr/lib/dracut", "usr/lib/initcpio", "usr/lib/kernel", "usr/share/initramfs-tools",
                "usr/lib/bootupd",
            ]
        ),
        (
            "systemd runs it by itself",
            [
                "usr/lib/systemd/system-generators", "usr/lib/systemd/user-generators",
                "usr/lib/systemd/system-environment-generators",
                "usr/lib/systemd/user-environment-generators",
                "usr/lib/environment.d", "usr/lib/systemd/system-sleep", "usr/lib/systemd/system-shutdown",
            ]
        ),
        (
            "systemd reads its settings there",
            [
                "usr/lib/systemd/network", "usr/lib/systemd/*.conf.d", "usr/lib/systemd/system-preset",
                "usr/lib/systemd/user-preset", "usr/lib/repart.d", "usr/lib/sysupdate.d",
                "usr/lib/sysupdate.*.d",
                "usr/lib/portables", "usr/lib/systemd/resolv.conf", "usr/lib/systemd/dnssd",
                "usr/lib/systemd/ntp-units.d",
            ]
        ),
        ("polkit reads it", ["usr/share/polkit-1"]),
        ("SELinux's policy is loaded from there", ["usr/share/selinux", "usr/lib/selinux"]),
        ("AppArmor's profiles are loaded from there", ["usr/share/apparmor", "usr/share/apparmor.d"]),
        (
            "the system's message bus reads it",
            ["usr/share/dbus-1/system.d", "usr/share/dbus-1/system-services"]
        ),
        (
            "login screens offer it",
            ["usr/share/wayland-sessions", "usr/share/xsessions", "usr/share/gdm", "usr/share/sddm"]
        ),
        (
            "programs of the host are told settings by it",
            ["usr/etc", "usr/lib/pam.d", "usr/lib/security", "usr/share/factory"]
        ),
        ("the printing service runs it", ["usr/lib/cups", "usr/share/cups"]),
        ("fwupd reads it", ["usr/share/fwupd", "usr/lib/fwupd"]),
        ("containers are given devices by it", ["usr/share/containers", "usr/libexec/oci", "usr/lib/cni"]),
    ]

    private static let forHostLibrary: [(reason: String, patterns: [String])] = [
        (
            "programs of the host load it to look up names",
            ["usr/lib/libnss_*.so*", "usr/lib64/libnss_*.so*", "usr/lib/*/libnss_*.so*"]
        ),
        (
            "programs of the host load it to let users in",
            [
                "usr/lib/security/pam_*.so", "usr/lib64/security/pam_*.so", "usr/lib/*/security/pam_*.so",
            ]
        ),
        (
            "programs of the host load it as a driver",
            [
                "usr/lib*/dri", "usr/lib/*/dri", "usr/lib*/gbm", "usr/lib/*/gbm", "usr/share/vulkan",
                "usr/share/glvnd",
                "usr/share/egl", "usr/share/OpenCL", "usr/lib*/vdpau", "usr/lib/*/vdpau",
            ]
        ),
        (
            "programs of the host load it as a module",
            [
                "usr/lib*/gio/modules", "usr/lib/*/gio/modules", "usr/lib*/gconv", "usr/lib/*/gconv",
                "usr/lib*/pkcs11", "usr/lib/*/pkcs11", "usr/share/p11-kit/modules", "usr/lib*/ossl-modules",
                "usr/lib/*/ossl-modules", "usr/lib*/engines-*", "usr/lib/*/engines-*",
            ]
        ),
    ]

    private static let all: [HostPart] =
        always.flatMap { rule in rule.patterns.compactMap { HostPart($0, rule.reason, isAlways: true) } }
        + forHostLibrary.flatMap { rule in
            rule.patterns.compactMap { HostPart($0, rule.reason, isAlways: false) }
        }
}
