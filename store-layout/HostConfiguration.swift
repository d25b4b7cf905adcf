public import Files

/// What of an image's `/etc` is never copied to a host's.
///
/// All else that belongs to an exposed package is, where the host has nothing of that name: see `services.md`.
public enum HostConfiguration {
    /// Paths that stay away from hosts, and why.
    public struct Rule: Sendable {
        /// Paths; one with all that is below it.
        public let paths: [TreePath]
        /// Why, as the end of a sentence.
        public let reason: String

        /// Whether a path is meant.
        public func covers(_ path: TreePath) -> Bool { paths.contains { path.isWithin($0) } }
    }

    /// The rules.
    public static let rules = [
        Rule(
            paths: [
                "etc/passwd", "etc/passwd-", "etc/group", "etc/group-", "etc/shadow", "etc/shadow-",
                "etc/gshadow", "etc/gshadow-", "etc/subuid", "etc/subuid-", "etc/subgid", "etc/subgid-",
                "etc/.pwd.lock",
            ],
            reason: "who is a user is the host's to say: users come by sysusers.d"),
        Rule(
            paths: [
                "etc/pam.d", "etc/pam.conf", "etc/security", "etc/sudoers", "etc/sudoers.d", "etc/sudo.conf",
                "etc/doas.conf", "etc/polkit-1", "etc/login.defs", "etc/securetty", "etc/shells",
                "etc/nologin", "etc/dbus-1", "etc/selinux", "etc/apparmor", "etc/apparmor.d", "etc/audit",
            ],
            reason: "who may do what is the host's to say"),
        Rule(
            paths: [
                "etc/fstab", "etc/mtab", "etc/crypttab", "etc/hostname", "etc/hosts", "etc/host.conf",
                "etc/machine-id", "etc/machine-info", "etc/os-release", "etc/issue", "etc/issue.net",
                "etc/motd", "etc/update-motd.d", "etc/debian_version", "etc/alpine-release",
                "etc/redhat-release", "etc/fedora-release", "etc/system-release", "etc/system-release-cpe",
                "etc/lsb-release", "etc/resolv.conf", "etc/nsswitch.conf", "etc/gai.conf", "etc/networks",
                "etc/network", "etc/netplan", "etc/NetworkManager", "etc/localtime", "etc/timezone",
                "etc/adjtime", "etc/locale.conf", "etc/locale.gen", "etc/vconsole.conf",
                "etc/default/locale",
                "etc/default/keyboard", "etc/default/grub", "etc/default/useradd", "etc/adduser.conf",
                "etc/deluser.conf", "etc/skel", "etc/services", "etc/protocols", "etc/rpc",
                "etc/ethertypes",
            ],
            reason: "it says which host it is, or how it is connected"),
        Rule(
            paths: ["etc/ld.so.conf", "etc/ld.so.conf.d", "etc/ld.so.cache", "etc/ld.so.preload"],
            reason: "it decides on what programs of the host load"),
        Rule(
            paths: [
                "etc/ssl", "etc/pki", "etc/ca-certificates", "etc/ca-certificates.conf",
                "etc/crypto-policies",
            ],
            reason: "whom to trust is the host's to say: launchers show the image's where the host has none"),
        Rule(
            paths: [
                "etc/init.d", "etc/rc.local", "etc/rc0.d", "etc/rc1.d", "etc/rc2.d", "etc/rc3.d",
                "etc/rc4.d", "etc/rc5.d", "etc/rc6.d", "etc/rcS.d", "etc/rc.d", "etc/init", "etc/inittab",
                "etc/insserv.conf.d", "etc/runlevels", "etc/conf.d",
            ],
            reason: "units start services, and a script of the same name would be made another unit"),
        Rule(
            paths: [
                "etc/crontab", "etc/cron.d", "etc/cron.hourly", "etc/cron.daily", "etc/cron.weekly",
                "etc/cron.monthly", "etc/cron.allow", "etc/cron.deny", "etc/at.allow", "etc/at.deny",
                "etc/anacrontab", "etc/periodic",
            ],
            reason: "it would run as root, without a unit that a removal stops: timers are carried"),
        Rule(
            paths: [
                "etc/systemd", "etc/tmpfiles.d", "etc/sysusers.d", "etc/udev", "etc/modprobe.d",
                "etc/modules", "etc/modules-load.d", "etc/sysctl.conf", "etc/sysctl.d", "etc/kernel",
                "etc/initramfs-tools", "etc/dracut.conf", "etc/dracut.conf.d", "etc/grub.d",
                "etc/binfmt.d", "etc/nftables.conf", "etc/iptables", "etc/ufw",
            ],
            reason: "it changes the running system, not the program"),
        Rule(
            paths: [
                "etc/profile", "etc/profile.d", "etc/environment", "etc/environment.d", "etc/bash.bashrc",
                "etc/bashrc", "etc/bash_completion.d", "etc/bash_completion", "etc/inputrc", "etc/zsh",
                "etc/fish", "etc/X11", "etc/xdg/autostart", "etc/xdg/systemd",
            ],
            reason: "every shell or session of the host would read it"),
        Rule(
            paths: [
                "etc/apt", "etc/dpkg", "etc/debconf.conf", "etc/apk", "etc/dnf", "etc/yum.repos.d",
                "etc/zypp", "etc/pacman.conf", "etc/pacman.d", "etc/rpm", "etc/alternatives", "etc/opt",
                "etc/extensions", "etc/confext",
            ],
            reason: "it is about the packages of the image, of which the host has none"),
        Rule(
            paths: [
                "etc/emacs", "etc/fonts", "etc/groff", "etc/lynx", "etc/libreoffice/registry",
                "etc/manpath.config", "etc/matplotlibrc", "etc/perl", "etc/R", "etc/php", "etc/sgml",
                "etc/texmf", "etc/vim", "etc/xml",
            ],
            reason: "the image's programs read it in the image: see relocation.md"),
    ]

    /// Families of the last rule, by the beginning of their names.
    private static let ownPrefixes = ["etc/ImageMagick-"].map { Array($0.utf8) }

    /// Whether a host gets a path of an image.
    public static func isCarried(_ path: TreePath) -> Bool {
        path.isWithin("etc") && path != "etc" && !rules.contains { $0.covers(path) }
            && !ownPrefixes.contains { path.bytes.starts(with: $0) }
            // The record has a line for each, with spaces between words.
            && path.bytes.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }
}
