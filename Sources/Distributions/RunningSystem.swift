/// Packages that a running system needs, and programs of a store path do not.
///
/// Where one is needed it counts as there, and is not taken: the host has its own, or nothing is to be done, since no script
/// of a package runs as it would on a system. Whoever wants one names it.
public enum RunningSystem {
    /// Packages that Debian's programs use without saying so, since every system has them.
    ///
    /// They are what `system(3)` starts, the C library's locale `C.UTF-8`, and descriptions of terminals. Other essential
    /// ones have commands, which the host has, too.
    public static let companions = ["dash", "libc-bin", "ncurses-base"]

    /// Packages whose programs scripts of Debian's packages use without saying so, where scripts are run.
    ///
    /// What of dpkg would ask a database of packages, or act on a running system, is stood in for all the same.
    public static let scriptCompanions = [
        "base-passwd", "bash", "coreutils", "debianutils", "diffutils", "dpkg", "findutils", "grep", "gzip",
        "perl-base", "sed", "tar", "util-linux",
    ]

    /// Names, and what they are for.
    public static let debian: [String: String] = [
        // They install packages, or are called by scripts that do.
        "apt": "installs packages", "apt-utils": "installs packages", "dpkg": "installs packages",
        "debconf": "asks questions while packages are installed",
        "cdebconf": "asks questions while packages are installed",
        "debconf-i18n": "asks questions while packages are installed",
        "ucf": "keeps configuration files while packages are installed",
        "dpkg-dev": "makes packages", "debianutils": "serves scripts of packages",
        "init-system-helpers": "starts services while packages are installed",
        "sensible-utils": "chooses among the programs of a system",
        // They start a system, or let people in.
        "init": "starts the system", "systemd": "starts the system", "systemd-sysv": "starts the system",
        "sysvinit-utils": "starts the system", "sysvinit-core": "starts the system",
        "udev": "serves devices", "kmod": "serves devices", "libpam-systemd": "lets users in",
        "login": "lets users in", "passwd": "lets users in", "adduser": "makes users",
        "libpam-modules": "lets users in", "libpam-modules-bin": "lets users in",
        "libpam-runtime": "lets users in", "base-passwd": "makes users",
        "base-files": "is the system's own files",
        "mount": "mounts file systems", "util-linux": "serves the system", "bsdutils": "serves the system",
        "hostname": "serves the system", "lsb-base": "starts services", "logsave": "starts services",
        "e2fsprogs": "makes file systems", "tzdata": "is the host's time zone",
        // Buses belong to the host's session.
        "dbus": "is the host's bus", "dbus-daemon": "is the host's bus",
        "dbus-bin": "is the host's bus", "dbus-session-bus-common": "is the host's bus",
        "dbus-system-bus-common": "is the host's bus", "dbus-user-session": "is the host's bus",
    ]
}
