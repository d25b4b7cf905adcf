public import Files
private import Glibc
private import StoreLayout

/// What systemd is told of a generation's units: copies of them, and drop-ins by which targets start them.
///
/// Copies, because a link into the store would make a unit that can be enabled: at the first boot systemd does that
/// with all of them, and leaves links in `/etc`.
///
/// A pure function of the generation and of the host's own units, which always go before: it leaves out a unit of
/// which the host has one by that name, with all that is said of it.
///
/// Source: systemd.generator(7).
public struct UnitGenerator {
    /// Whose units.
    public enum Scope: Sendable {
        /// The system's manager's.
        case system
        /// Users' managers'.
        case user

        /// Where they are in a generation.
        public var directory: TreePath {
            self == .system ? ServiceLayout.systemUnits : ServiceLayout.userUnits
        }
    }

    /// Something in a directory of units.
    public enum Entry: Equatable, Sendable {
        /// A symbolic link with its target.
        case link(Bytes)
        /// A file.
        case file(Bytes)
    }

    /// A unit of the generation.
    public struct Unit: Sendable {
        /// The targets that start it.
        public let targets: [String]
        /// Whether it is only another name of a unit.
        public let isAlias: Bool
        /// Whether targets start it again when it ends.
        public let isUpheld: Bool
        /// Whether it asks to be left running where its definition changed.
        public let staysRunning: Bool
    }

    /// By path below the directory that systemd reads.
    public private(set) var entries: [String: Entry] = [:]

    /// By name.
    public private(set) var units: [String: Unit] = [:]

    /// Units that the host has itself.
    public private(set) var hidden: [String] = []

    /// A unit that says so is not stopped where its definition changed, as in NixOS.
    private static let staysRunningKey = "X-RestartIfChanged"

    /// Begins every file, which is so told from those of other generators.
    static let header = Array("# Of a package in \(ServiceLayout.current): see 'sxs list'.\n".utf8)

    /// Begins the names of drop-ins by which targets start units.
    private static let startPrefix = "10-sxs-"

    /// What units are and say, by name, their own drop-ins included; another digest is another definition.
    ///
    /// - Parameter entries: What a generator gives, or gave.
    public static func definitions(_ entries: [String: Entry]) -> [String: Digest] {
        var texts: [String: Bytes] = [:]
        for (path, entry) in entries.sorted(by: { $0.key < $1.key }) {
            guard case .file(let text) = entry else { continue }
            let parts = path.split(separator: "/")
            let unit = parts.count == 1 ? path : String(parts[0].dropLast(2))
            guard parts.count == 1 || parts[0].hasSuffix(".d") && !parts[1].hasPrefix(startPrefix),
                entries[unit] != nil
            else { continue }
            texts[unit, default: []] += text + [0]
        }
        return texts.mapValues { Digest(hashing: $0) }
    }

    /// Reads a generation's units; there may be none.
    ///
    /// - Parameters:
    ///   - scope: Whose.
    ///   - generation: The generation's directory.
    ///   - path: Its absolute path: its links lead into the store.
    ///   - isHosts: Whether the host has a unit of a name.
    public init(
        _ scope: Scope, of generation: Descriptor, at path: String, isHosts: (String) throws -> Bool
    ) throws {
        guard try generation.status(of: scope.directory.bytes) != nil else { return }
        let directory = try generation.open(beneath: scope.directory.bytes, flags: O_RDONLY | O_DIRECTORY)
        let listed = try directory.list()
        var starts: [String: [(target: String, text: Bytes)]] = [:]
        var aliases: [(alias: String, unit: String)] = []
        for entry in listed where UnitText.isUnit(entry.text) && entry.type != DT_DIR {
            let name = entry.text
            if try isHosts(name) {
                hidden.append(name)
                continue
            }
            let alias = try Self.alias(name, in: directory)
            var unit = UnitText([])
            if let alias {
                entries[name] = .link(alias)
            } else {
                let text = try Self.text(name, below: path, scope)
                entries[name] = .file(Self.header + text)
                unit = UnitText(text)
            }
            let dropIns = name + ".d"
            if listed.contains(where: { $0.text == dropIns && $0.type == DT_DIR }) {
                for file in try directory.directory(beneath: dropIns).list() {
                    let inner = dropIns + "/" + file.text
                    entries[inner] = .file(Self.header + (try Self.text(inner, below: path, scope)))
                }
            }
            if alias == nil, !UnitText.isTemplate(name) {
                aliases += unit.words("Alias", in: "Install").filter(UnitText.isUnit).map { ($0, name) }
            }
            let isStarted = scope == .system && alias == nil && !UnitText.isTemplate(name)
            let targets = isStarted ? unit.wantingTargets : []
            starts[name] = targets.map { ($0, unit.startText(of: name)) }
            units[name] = Unit(
                targets: targets, isAlias: alias != nil,
                isUpheld: !targets.isEmpty && unit.dependency == "Upholds",
                staysRunning: unit.flag(Self.staysRunningKey, in: "Unit") == false
                    || unit.flag(Self.staysRunningKey, in: "Service") == false)
        }
        // Names that 'systemctl enable' would make.
        for (alias, unit) in aliases where try units[alias] == nil && !isHosts(alias) {
            entries[alias] = .link(Array(unit.utf8))
        }
        // Links by which the package's units depend on each other, or others on them.
        for entry in listed where entry.type == DT_DIR {
            guard let dot = entry.text.lastIndex(of: "."),
                [".wants", ".requires", ".upholds"].contains(String(entry.text[dot...]))
            else { continue }
            for link in try directory.directory(beneath: entry.text).list() where units[link.text] != nil {
                entries[entry.text + "/" + link.text] = .link(Array("../\(link.text)".utf8))
            }
        }
        for (name, starts) in starts {
            for start in starts {
                entries["\(start.target).d/\(Self.startPrefix)\(name).conf"] = .file(Self.header + start.text)
            }
        }
    }

    /// The other unit that a link stands for; `nil` for a unit of its own.
    private static func alias(_ name: String, in directory: Descriptor) throws -> Bytes? {
        guard let status = try directory.status(of: name), status.st_mode & S_IFMT == S_IFLNK else {
            return nil
        }
        let target = try directory.readSymlink(Array(name.utf8))
        return target.contains(UInt8(ascii: "/")) ? nil : target
    }

    /// The text of a unit or drop-in; nothing where it leads nowhere.
    private static func text(_ name: String, below path: String, _ scope: Scope) throws -> Bytes {
        // By its path: a link leads into the store.
        let file = "\(path)/\(scope.directory)/\(name)"
        guard access(file, R_OK) == 0 else { return [] }
        return try Descriptor.file(file).readAll(limit: UnitText.longest)
    }

    /// Writes all entries into a directory that has none of them.
    public func write(into path: String) throws {
        let top = try Descriptor.directory(path)
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let parts = name.split(separator: "/").map(String.init)
            var directory = top
            if parts.count > 1 {
                try top.makeDirectory(parts[0])
                directory = try top.directory(beneath: parts[0])
            }
            let last = parts[parts.count - 1]
            // Another generator's stays.
            guard try directory.status(of: last) == nil else { continue }
            switch entry {
            case .link(let target): try directory.makeSymlink(last, target: target)
            case .file(let bytes):
                let file = try directory.open(
                    beneath: last, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
                try file.write(bytes, at: 0)
            }
        }
    }
}

extension UnitGenerator {
    /// The default profile's current generation of the system's root, on this host; `nil` where there is none.
    ///
    /// Its path is that of the generation, not of the link to it, which may lead to another one a moment later.
    public static func current(_ scope: Scope) throws -> UnitGenerator? {
        let parts = ServiceLayout.current.split(separator: "/")
        let profile = "/" + parts.dropLast().joined(separator: "/")
        guard access(ServiceLayout.current, F_OK) == 0,
            let target = try Descriptor.directory(profile).readSymlink(StoreLayout.Name.current)
        else { return nil }
        let path = profile + "/" + String(decoding: target, as: UTF8.self)
        let own = scope == .system ? ServiceLayout.hostUnits : ServiceLayout.hostUserUnits
        return try UnitGenerator(scope, of: Descriptor.directory(path), at: path) { name in
            var status = stat()
            return own.contains { lstat($0 + "/" + name, &status) == 0 }
        }
    }

    /// Does what systemd asks of a generator, if this process was started as one.
    ///
    /// - Returns: Whether it was. Nothing else is to be done then.
    public static func runIfGenerator(_ arguments: [Bytes]) throws -> Bool {
        guard let first = arguments.first else { return false }
        let name = String(decoding: first, as: UTF8.self)
        guard name == ServiceLayout.generatorName || name.hasSuffix("/" + ServiceLayout.generatorName) else {
            return false
        }
        // systemd gives three directories; the last is that of units which everything else goes before.
        guard let late = arguments.dropFirst(3).first ?? arguments.dropFirst().first else { return true }
        let isUsers = name.hasPrefix(ServiceLayout.generatorDirectories[1] + "/")
        umask(0o022)
        try current(isUsers ? .user : .system)?.write(into: String(decoding: late, as: UTF8.self))
        return true
    }
}
