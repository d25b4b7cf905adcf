internal import Files
internal import Images

/// What the scripts of a package would do, as far as it is done without running them, and what else they call.
struct MaintainerScripts {
    /// One choice for a name of several: where its link is, what it leads to, and how much it is preferred.
    struct Alternative: Hashable {
        let link: String
        let name: String
        let path: String
        let priority: Int
        /// Links that go with it: link, name and path.
        var slaves: [[String]] = []
    }

    /// A path at which other packages' files are put elsewhere.
    struct Diversion: Hashable {
        let path: TreePath
        let target: TreePath
    }

    /// What it registers with `update-alternatives`.
    private(set) var alternatives: [Alternative] = []
    /// What it diverts.
    private(set) var diversions: [Diversion] = []
    /// Programs that it calls beyond what is known, by script; sorted.
    private(set) var others: [(script: String, programs: [String])] = []

    init(_ facts: PackageFacts) {
        for script in facts.scripts where Self.isInstalling(script.name) {
            guard ["sh", "bash", "dash", "ash"].contains(script.interpreter.split(separator: "/").last) else {
                if !Self.isDone(script.interpreter) {
                    others.append((script.name, [script.interpreter]))
                }
                continue
            }
            // Source: PKGBUILD(5), "Install/Upgrade/Remove Scripting".
            let read = ScriptCalls(
                script.text, entries: script.name == ".INSTALL" ? ["pre_install", "post_install"] : [])
            for call in read.calls {
                switch call.program {
                case "update-alternatives", "alternatives": alternatives += Self.alternatives(call.words)
                case "dpkg-divert": diversions += Self.diversion(call.words).map { [$0] } ?? []
                default: break
                }
            }
            let reviewed = facts.format == .deb ? Self.reviewed[facts.name] ?? [] : []
            let unknown = read.programs.filter {
                !Self.isDone($0) && !read.functions.contains($0) && !reviewed.contains($0)
            }
            if !unknown.isEmpty { others.append((script.name, unknown.sorted())) }
        }
    }

    /// Whether a script is run when its package is installed, rather than when it goes.
    static func isInstalling(_ name: String) -> Bool {
        [
            "preinst", "postinst", "pretrans", "pre", "post", "posttrans", ".INSTALL", ".pre-install",
            ".post-install",
        ].contains(name)
    }

    // MARK: Calls

    private static func alternatives(_ words: [String?]) -> [Alternative] {
        var found: [Alternative] = []
        var index = 0
        while index < words.count {
            let rest = words[index...].dropFirst()
            if words[index] == "--install", rest.count >= 4 {
                let values = Array(rest.prefix(4))
                index += 5
                guard let link = values[0], let name = values[1], let path = values[2],
                    link.hasPrefix("/"), path.hasPrefix("/"), isName(name)
                else { continue }
                // A function's argument is not known; the choice is as good as none.
                found.append(
                    Alternative(
                        link: link, name: name, path: path, priority: values[3].flatMap { Int($0) } ?? 0))
            } else if words[index] == "--slave" || words[index] == "--follower", rest.count >= 3 {
                let values = rest.prefix(3).compactMap { $0 }
                index += 4
                guard values.count == 3, values[0].hasPrefix("/"), values[2].hasPrefix("/"),
                    isName(values[1]), !found.isEmpty
                else { continue }
                found[found.count - 1].slaves.append(values)
            } else {
                index += 1
            }
        }
        return found
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && !name.contains("/") && name != "." && name != ".."
    }

    private static func diversion(_ words: [String?]) -> Diversion? {
        var target: String?
        var path: String?
        var index = 1
        while index < words.count {
            guard let word = words[index] else { return nil }
            index += 1
            switch word {
            case "--remove", "--list", "--truename", "--listpackage", "--help", "--version": return nil
            case "--divert":
                guard index < words.count, let value = words[index] else { return nil }
                target = value
                index += 1
            case "--package", "--admindir", "--instdir", "--root": index += 1
            default:
                if word.hasPrefix("--divert=") {
                    target = String(word.dropFirst("--divert=".count))
                } else if !word.hasPrefix("-") {
                    path = word
                }
            }
        }
        guard let path, path.hasPrefix("/") else { return nil }
        guard let from = try? TreePath(parsing: path.utf8.dropFirst()),
            let to = try? TreePath(parsing: (target ?? path + ".distrib").utf8.drop { $0 == 0x2f })
        else { return nil }
        return Diversion(path: from, target: to)
    }

    // MARK: What is known

    private static func isDone(_ program: String) -> Bool {
        let name = program.split(separator: "/").last.map(String.init) ?? program
        return shell.contains(name) || done.contains(name) || host.contains(name) || name.hasPrefix("db_")
    }

    /// What scripts of Debian's essential packages, which are in nearly every closure, call besides, as they were read:
    /// templates that are copied by rule, links of the usr-merge and of older releases, questions and restarts of upgrades.
    private static let reviewed: [String: Set<String>] = [
        "base-files": ["cp", "ln"], "base-passwd": ["cp", "nscd"], "bash": ["ln"],
        "coreutils": ["ln"], "dash": ["cp", "ln", "mv"], "debianutils": ["cp"],
        "dpkg": ["error", "mv", "setup_colors", "warning"], "libc-bin": ["cp"],
        "libc6": ["ln", "perl", "systemd", "whiptail"],
    ]

    /// The shell's own words, and programs that only look or print.
    private static let shell: Set<String> = [
        "[", "test", ":", "true", "false", "echo", "printf", "exit", "return", "set", "unset", "shift", ".",
        "source", "eval", "read", "cd", "umask", "trap", "break", "continue", "command", "which", "type",
        "cat", "grep", "egrep", "sed", "awk", "cut", "head", "tail", "sort", "uniq", "tr", "basename",
        "dirname", "readlink", "id", "getent", "uname", "ls", "stat", "wc", "expr", "find", "xargs", "sh",
        "dpkg", "dpkg-query", "dpkg-architecture", "rpm", "logger", "sleep", "wait", "exec", "getopts",
        "expand", "cmp", "diff",
        "md5sum", "sha256sum", "shopt", "declare", "typeset", "let",
    ]

    /// What is done declaratively, or by caches that are made in another way.
    static let done: Set<String> = [
        "update-alternatives", "alternatives", "dpkg-divert", "dpkg-trigger", "dpkg-maintscript-helper",
        "ldconfig", "ldconfig.real", "update-ca-certificates", "update-ca-trust", "glib-compile-schemas",
        "gio-querymodules", "gio-querymodules-64", "update-mime-database", "update-desktop-database",
        "gtk-update-icon-cache", "update-icon-caches", "fc-cache", "gdk-pixbuf-query-loaders",
        "gdk-pixbuf-query-loaders-64", "iconvconfig", "iconvconfig.x86_64", "install-info",
        "update-info-dir", "py3compile", "py3clean", "pycompile", "pyclean", "emacs-package-install",
        "emacs-package-remove", "emacs-install", "emacs-remove", "gtk-query-immodules-3.0",
        "<lua>", "update-fonts-dir", "update-fonts-scale", "update-fonts-alias",
    ]

    /// What belongs to a host that runs: services, users, and files of older versions that were never here.
    ///
    /// Users and directories are made by sysusers.d and tmpfiles.d when a generation is activated.
    static let host: Set<String> = [
        "systemctl", "deb-systemd-helper", "deb-systemd-invoke", "invoke-rc.d", "update-rc.d", "service",
        "systemd-tmpfiles", "systemd-sysusers", "systemd-hwdb", "udevadm", "systemd-update-helper",
        "start-stop-daemon", "rc-service", "rc-update", "rm", "rmdir", "add-shell", "remove-shell",
        "update-initramfs", "update-grub", "addgroup", "adduser", "useradd", "groupadd", "usermod", "deluser",
        "ucf", "ucfr", "debconf-set-selections", "debconf-communicate", "apparmor_parser",
        "dpkg-statoverride", "busctl", "update-menus", "update-shells", "update-passwd",
        "semodule", "restorecon", "selinuxenabled", "kill", "killall", "pidof",
        "systemd-detect-virt", "chmod", "chown", "chgrp", "mkdir", "touch", "mountpoint", "dbus-send",
        "runlevel", "pam-auth-update", "journalctl", "systemd-machine-id-setup", "dbus-uuidgen",
        "update-binfmts", "ischroot", "telinit", "catchsegv", "mandb", "depmod",
        "clean-up-unmanaged-libraries", "dpkg-realpath", "setfacl", "setcap", "newaliases", "systemd-cat",
        "loginctl", "systemd-escape", "update-secureboot-policy", "insserv", "initctl",
        "chkconfig", "fixfiles", "rpm-helper", "pam-config", "authselect", "sysctl", "modprobe", "plymouth",
    ]
}
