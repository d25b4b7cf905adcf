private import Files
private import Glibc
private import StoreLayout

/// The host's manager of services, and the tools that make users and directories: those of systemd.
public struct SystemManager {
    /// A step that went wrong, in words.
    public struct Failure: Error, CustomStringConvertible {
        /// What was done, and what the tool said.
        public let description: String
    }

    /// A unit as the manager has it.
    public struct State: Sendable {
        /// Its name.
        public let name: String
        /// Whether it runs, or is about to.
        public let isActive: Bool
        /// Whether it ended badly, and perhaps waits to be tried again.
        public let isFailed: Bool
        /// Whether it is one that a generator gave, rather than the host's own.
        public let isGenerated: Bool
    }

    /// Whether the manager runs: not in a chroot, nor where another one started the system.
    public static var isRunning: Bool { access(ServiceLayout.manager, F_OK) == 0 }

    /// Creates the manager of this host.
    public init() {}

    /// What the manager has read of the system's generations: by path below the directory of generated units.
    public func loaded() throws -> [String: UnitGenerator.Entry] {
        guard access(ServiceLayout.generated, F_OK) == 0 else { return [:] }
        let top = try Descriptor.directory(ServiceLayout.generated)
        var files: [String: UnitGenerator.Entry] = [:]
        var links: [String: Bytes] = [:]
        for entry in try top.list() {
            let isDirectory = entry.type == DT_DIR
            let names = isDirectory ? try top.directory(beneath: entry.text).list().map(\.text) : [entry.text]
            for name in names.map({ isDirectory ? entry.text + "/" + $0 : $0 }) {
                guard let status = try top.status(of: name) else { continue }
                if status.st_mode & S_IFMT == S_IFLNK {
                    links[name] = try top.readSymlink(Array(name.utf8))
                } else if status.st_mode & S_IFMT == S_IFREG {
                    let text = try top.open(beneath: name).readAll(limit: UnitText.longest + 4096)
                    // Others' generators write there too.
                    if text.starts(with: UnitGenerator.header) { files[name] = .file(text) }
                }
            }
        }
        for (name, target) in links {
            let unit = String(decoding: target.split(separator: 0x2f).last ?? [], as: UTF8.self)
            if target.first != 0x2f, files[unit] != nil { files[name] = .link(target) }
        }
        return files
    }

    /// The states of units; of a template, those of its instances.
    public func states(_ units: [String]) throws -> [State] {
        guard !units.isEmpty else { return [] }
        var names = units.filter { !UnitText.isTemplate($0) }
        let patterns = units.filter(UnitText.isTemplate).map { $0.replacing("@.", with: "@*.") }
        if !patterns.isEmpty {
            let listed = try systemctl(["list-units", "--all", "--plain", "--no-legend", "--"] + patterns)
            names += listed.output.split(separator: "\n").compactMap {
                $0.split(separator: " ").first.map(String.init)
            }
        }
        guard !names.isEmpty else { return [] }
        let shown = try systemctl(
            ["show", "--property=Id,ActiveState,SubState,FragmentPath", "--"] + names)
        var states: [State] = []
        for block in shown.output.split(separator: "\n\n") {
            let fields = Dictionary(
                block.split(separator: "\n").compactMap { line in
                    line.firstIndex(of: "=").map {
                        (String(line[..<$0]), String(line[line.index(after: $0)...]))
                    }
                }, uniquingKeysWith: { first, _ in first })
            guard let name = fields["Id"], let state = fields["ActiveState"] else { continue }
            states.append(
                State(
                    name: name, isActive: !["inactive", "failed", "maintenance"].contains(state),
                    isFailed: state == "failed" || fields["SubState"]?.hasPrefix("auto-restart") == true,
                    isGenerated: fields["FragmentPath"]?.hasPrefix(ServiceLayout.generated + "/") == true))
        }
        return states
    }

    /// Stops units and waits for their end; meanwhile no target starts them again.
    ///
    /// - Throws: ``Failure`` if one goes on; ``letStart()`` is to be called either way.
    public func stop(_ units: [String]) throws {
        guard !units.isEmpty else { return }
        var path = ""
        for component in ServiceLayout.stopping.split(separator: "/") {
            path += "/" + component
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
                throw SystemError("create directory", path)
            }
        }
        let directory = try Descriptor.directory(ServiceLayout.stopping)
        for unit in units { _ = try directory.open(beneath: unit, flags: O_WRONLY | O_CREAT, mode: 0o644) }
        try run(["stop", "--"] + units, "stop \(units.joined(separator: ", "))")
    }

    /// Takes back what ``stop(_:)`` said to targets.
    public func letStart() throws {
        guard access(ServiceLayout.stopping, F_OK) == 0 else { return }
        let directory = try Descriptor.directory(ServiceLayout.stopping)
        for entry in try directory.list() { try directory.unlink(entry.text) }
    }

    /// Has the manager run its generators and read all units anew.
    public func reload() throws { try run(["daemon-reload"], "have the manager read its units anew") }

    /// Starts units.
    ///
    /// - Parameter isWaiting: Whether to wait until they run, or failed to.
    public func start(_ units: [String], isWaiting: Bool) throws {
        guard !units.isEmpty else { return }
        try run(
            ["start"] + (isWaiting ? [] : ["--no-block"]) + ["--"] + units,
            "start \(units.joined(separator: ", "))")
    }

    /// Forgets that units failed which are no more.
    public func forget(_ units: [String]) throws {
        guard !units.isEmpty else { return }
        _ = try systemctl(["reset-failed", "--"] + units)
    }

    /// Makes the users of sysusers.d files that are not there.
    public func makeUsers(_ files: [String]) throws {
        guard !files.isEmpty else { return }
        try run(files, "make users", with: "systemd-sysusers")
    }

    /// Makes the directories of tmpfiles.d files.
    public func makeDirectories(_ files: [String]) throws {
        guard !files.isEmpty else { return }
        try run(["--create"] + files, "make directories", with: "systemd-tmpfiles")
    }

    private func systemctl(_ arguments: [String]) throws -> (status: Int32, output: String) {
        guard let program = Self.program("systemctl") else {
            throw Failure(description: "this host has no systemctl")
        }
        return try ChildProcess.run(program, ["--no-pager", "--no-ask-password"] + arguments)
    }

    private func run(_ arguments: [String], _ what: String, with name: String? = nil) throws {
        let result: (status: Int32, output: String)
        if let name {
            guard let program = Self.program(name) else {
                throw Failure(description: "cannot \(what): this host has no \(name)")
            }
            result = try ChildProcess.run(program, arguments)
        } else {
            result = try systemctl(arguments)
        }
        guard result.status != 0 else { return }
        let lines = result.output.split(separator: "\n").filter { !$0.isEmpty }.prefix(4)
        throw Failure(
            description: "cannot \(what): \(name ?? "systemctl") ended with status \(result.status)"
                + (lines.isEmpty ? "" : ": " + lines.joined(separator: "; ")))
    }

    private static func program(_ name: String) -> String? {
        ServiceLayout.programDirectories.map { $0 + "/" + name }.first { access($0, X_OK) == 0 }
    }
}
