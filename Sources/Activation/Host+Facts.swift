internal import Files
private import Glibc
public import StoreLayout

/// What a host is like, as far as it decides how `/usr/store` can exist.
public struct HostFacts: Encodable, Sendable, Equatable {
    /// What is at `/usr/store` or `/usr/_`.
    public enum Link: Encodable, Sendable, Equatable {
        /// Nothing.
        case missing
        /// The link into the system's root.
        case ours
        /// A directory that merged extensions bring, with the store paths in it.
        case extensions([String])
        /// Anything else, in words.
        case foreign(String)

        /// Writes `{"state": …}`, with `storePaths` or `what` where there is more to say.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            switch self {
            case .missing: try container.encode("missing", forKey: .state)
            case .ours: try container.encode("ours", forKey: .state)
            case .extensions(let storePaths):
                try container.encode("extensions", forKey: .state)
                try container.encode(storePaths, forKey: .storePaths)
            case .foreign(let what):
                try container.encode("foreign", forKey: .state)
                try container.encode(what, forKey: .what)
            }
        }

        private enum Key: CodingKey {
            case state, storePaths, what
        }
    }

    /// The root directory.
    public let host: String
    /// Whether `/usr` can be written.
    public let isUsrWritable: Bool
    /// The type of `/usr`'s file system, as mount(8) names it; `nil` for another root directory than this system's.
    public let usrFileSystem: String?
    /// Overlays that lie over each other at `/usr` without merged extensions.
    public let overlayDepth: Int
    /// The kernel's version, its first two numbers; `nil` where another system is looked at.
    public let kernel: [Int]?
    /// systemd's version; `nil` without systemd.
    public let systemdVersion: Int?
    /// Whether `systemd-sysext` is there.
    public let hasSystemExtensions: Bool
    /// Extensions that are merged, in stacking order; `nil` while none is.
    public let merged: [String]?
    /// Whether extensions are merged at boot.
    public let isMergedAtBoot: Bool
    /// Whether the kernel's command line keeps systemd from merging.
    public let isMergingOff: Bool
    /// What is at `/usr/store`.
    public let store: Link
    /// What is at `/usr/_`.
    public let aliases: Link

    /// Overlays that may lie over each other: the kernel's limit.
    public static let deepestOverlay = MountStack.deepest

    /// Whether both links are there.
    public var isVisible: Bool { store == .ours && aliases == .ours }

    /// The way that fits; `nil` where there is none.
    public var method: SetupMethod? {
        // Links that are there already, such as those of an image's maker, need no anchor.
        if isVisible, merged?.contains(Anchor.name) != true { return .links }
        if merged != nil { return .anchor }
        if isUsrWritable { return .links }
        return hasSystemExtensions ? .anchor : nil
    }
}

extension Host {
    /// Looks at the host; changes nothing.
    public func facts() throws -> HostFacts {
        let usr = try directory(StoreLayout.hostDirectory)
        var fileSystem = statvfs()
        let isReadOnly =
            usr.map { fstatvfs($0.number, &fileSystem) != 0 || fileSystem.f_flag & UInt(ST_RDONLY) != 0 }
            ?? true
        let isWritable = !isReadOnly && usr.map { faccessat($0.number, ".", W_OK, 0) == 0 } ?? false
        let stack = isThisSystem ? MountStack() : nil
        let merged = try mergedNames()
        let depth = stack?.overlayDepth(at: StoreLayout.hostDirectory) ?? 0
        return HostFacts(
            host: path, isUsrWritable: isWritable,
            usrFileSystem: stack?.mount(at: StoreLayout.hostDirectory)?.type,
            overlayDepth: max(0, depth - (merged == nil ? 0 : 1)), kernel: isThisSystem ? Self.kernel() : nil,
            systemdVersion: try systemdVersion(),
            hasSystemExtensions: try status(Anchor.program) != nil, merged: merged,
            isMergedAtBoot: try status(Anchor.wantedUnits + "/" + Anchor.unit) != nil,
            isMergingOff: isThisSystem && isMergingOff(),
            store: try state(of: StoreLayout.hostLinks[0], merged: merged),
            aliases: try state(of: StoreLayout.hostLinks[1], merged: merged))
    }

    private static func kernel() -> [Int]? {
        guard let text = try? Descriptor.file("/proc/sys/kernel/osrelease").readAll(limit: 4096) else {
            return nil
        }
        let numbers = String(decoding: text, as: UTF8.self).split { !$0.isNumber }.prefix(2).compactMap {
            Int($0)
        }
        return numbers.count == 2 ? numbers : nil
    }

    /// Names of merged extensions in stacking order; `nil` while nothing is merged.
    public func mergedNames() throws -> [String]? {
        // It is said in the merged directory itself, and gone with it.
        guard let text = try contents(Anchor.mergedNames) else { return nil }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Source: systemd-sysext(8), `systemd.sysext=`.
    private func isMergingOff() -> Bool {
        // Without /proc, nothing is known.
        guard let text = try? Descriptor.file("/proc/cmdline").readAll(limit: 1 << 16) else { return false }
        let values = ["0", "no", "false", "off"].map { "systemd.sysext=" + $0 }
        return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).contains {
            values.contains(String($0))
        }
    }

    private func state(
        of link: (path: String, target: String), merged: [String]?
    ) throws -> HostFacts.Link {
        guard let status = try status(link.path) else { return .missing }
        switch status.st_mode & S_IFMT {
        case S_IFLNK:
            let target = try self.link(link.path)
            return target == link.target ? .ours : .foreign("a link to \(target ?? "something else")")
        case S_IFDIR:
            let names = try names(in: link.path)
            guard merged != nil else {
                return .foreign("a directory\(names.isEmpty ? ", which is empty" : "")")
            }
            // An exported package brings nothing but its store paths and their aliases.
            let isStore = link.path == StoreLayout.storeDirectory
            let storePaths = isStore ? names.filter { StorePath.isBaseName($0) } : []
            let others = isStore ? names.filter { !storePaths.contains($0) } : []
            return others.isEmpty ? .extensions(storePaths) : .foreign("a directory with \(others[0]) in it")
        default: return .foreign("a file")
        }
    }

    /// systemd's version, by the name of its library: nothing of another root directory can be run.
    private func systemdVersion() throws -> Int? {
        let libraries = try names(in: Anchor.libraryParent).map {
            Anchor.libraryParent + "/" + $0 + "/" + Anchor.libraryDirectory
        }
        for directory in Anchor.libraryDirectories + libraries {
            for name in try names(in: directory) where name.hasPrefix(Anchor.libraryPrefix) {
                let digits = name.dropFirst(Anchor.libraryPrefix.count).prefix { $0.isNumber }
                if let version = Int(digits) { return version }
            }
        }
        return nil
    }
}
