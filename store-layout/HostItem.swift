public import Files

/// Something that `sxs setup` makes on a host.
public struct HostItem: Equatable, Sendable {
    /// What it is.
    public enum Kind: Equatable, Sendable {
        /// A directory, made where there is none and removed only if it is empty.
        case directory
        /// A file, mode 0644.
        case file(Bytes)
        /// A symbolic link.
        case link(String)
        /// The anchor, with all of ``Anchor/entries``.
        case anchor
        /// A module of the SELinux policy, with its text in CIL; the path is where the policy keeps it.
        case policyModule(Bytes)
    }

    /// Its absolute path on the host.
    public let path: String

    /// What it is.
    public let kind: Kind

    /// Whether it is a module of the SELinux policy.
    public var isPolicyModule: Bool { if case .policyModule = kind { true } else { false } }

    /// Creates an item.
    public init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
    }
}

/// How `/usr/store` comes to exist.
public enum SetupMethod: String, Sendable, CaseIterable, Codable {
    /// By the anchor, which `systemd-sysext` merges.
    case anchor
    /// By symbolic links in a writable `/usr`.
    case links
}

extension StoreLayout {
    /// The links that make `/usr/store` and `/usr/_` exist, in `/usr` itself or in the anchor.
    public static let hostLinks = [
        (path: storeDirectory, target: systemRoot + "/" + Name.store),
        (path: aliasDirectory, target: systemRoot + "/" + Name.aliases),
    ]

    /// Links in the system's `store/`: what the default profile shows, under one path whatever its generation.
    ///
    /// Absolute: in a private namespace `/usr/store` is a directory of its own.
    public static let profileLinks = [Name.commands, Name.data].map { name in
        (
            name: name,
            target: [systemRoot, Name.profiles, defaultProfile, Name.current, name].joined(separator: "/")
        )
    }

    /// The directory of commands that is put on `PATH`.
    public static var hostCommands: String { storeDirectory + "/" + Name.commands }

    /// Files for login shells, sessions and boot, whichever the method.
    public static var hostFiles: [HostItem] {
        [
            HostItem(path: "/etc/profile.d/sxs.sh", kind: .file(PackageResources.profile_sh)),
            HostItem(path: "/etc/fish/conf.d/sxs.fish", kind: .file(PackageResources.config_fish)),
            HostItem(path: "/etc/environment.d/90-sxs.conf", kind: .file(PackageResources.environment_conf)),
            HostItem(path: "/etc/tmpfiles.d/sxs.conf", kind: .file(Array(tmpfiles.utf8))),
        ]
    }

    /// Units that bring what extensions hold into the store, enabled: where extensions are merged.
    ///
    /// Source: systemd.unit(5), "Unit File Load Path".
    public static var adoptionUnits: [HostItem] {
        let units = "/etc/systemd/system/"
        let (path, service) = (ExtensionLayout.adoptionPathName, ExtensionLayout.adoptionServiceName)
        return [
            HostItem(path: units + path, kind: .file(Array(ExtensionLayout.adoptionPath.utf8))),
            HostItem(path: units + service, kind: .file(Array(ExtensionLayout.adoptionService.utf8))),
            HostItem(path: units + "paths.target.wants/" + path, kind: .link(units + path)),
            HostItem(path: units + "multi-user.target.wants/" + service, kind: .link(units + service)),
        ]
    }

    /// Where zsh may say that it reads `/etc/profile`, which is where it finds ``hostFiles``.
    public static let zshProfiles = ["/etc/zsh/zprofile", "/etc/zprofile", "/etc/zsh/zshenv", "/etc/zshenv"]

    /// What of ``hostFiles`` puts commands on `PATH`.
    public static var searchPathFiles: [String] { hostFiles.dropLast().map(\.path) }

    /// Directories of the root, should `/var` ever be empty at boot: links into nothing would be found otherwise.
    ///
    /// Source: tmpfiles.d(5).
    private static var tmpfiles: String {
        let made = [(name: "", mode: UInt32(0o755))] + directories + systemDirectories
        let lines =
            made.map { directory in
                "d \(systemRoot)\(directory.name.isEmpty ? "" : "/")\(directory.name) 0"
                    + String(directory.mode, radix: 8) + " root root"
            }
            + profileLinks.map { "L \(systemRoot)/\(Name.store)/\($0.name) - - - - \($0.target)" }
        return "# Made by 'sxs setup'.\n" + lines.joined(separator: "\n") + "\n"
    }
}
