internal import Files
private import Glibc
internal import StoreLayout
internal import Varlink

/// Who may change the store: root, whoever the service runs as, and whom polkit lets.
///
/// polkit is asked through pkcheck(1), the well-kept client of its own: about the process at the other end, by its number,
/// the time of its start and its user, so that no other process that gets the number later is meant.
struct Authority {
    /// What may be allowed; the action's name is `io.sxs.` and this.
    enum Action: String {
        case install, remove, upgrade, `switch`, clean, refresh

        var name: String { VarlinkLayout.policyPrefix + rawValue }
    }

    /// Throws unless whoever asks may do something.
    ///
    /// - Parameters:
    ///   - packages: What it is about, for polkit's rules.
    ///   - isInteractive: Whether polkit may ask the user.
    /// - Throws: `VarlinkError`.
    func check(
        _ action: Action, of peer: VarlinkPeer, packages: [String] = [], isInteractive: Bool
    ) throws {
        guard peer.user != 0, peer.user != geteuid() else { return }
        guard let pkcheck = SpawnedProgram.find("pkcheck"), peer.process > 0,
            let start = Self.start(of: peer.process)
        else { throw VarlinkError.permissionDenied }
        var arguments = [
            "--action-id", action.name, "--process", "\(peer.process),\(start),\(peer.user)",
        ]
        if !packages.isEmpty { arguments += ["--detail", "packages", packages.joined(separator: " ")] }
        if isInteractive { arguments.append("--allow-user-interaction") }
        let program = try SpawnedProgram(
            pkcheck, arguments,
            environment: SpawnedProgram.environment(["DBUS_SYSTEM_BUS_ADDRESS", "PATH"]) + ["LC_ALL=C"])
        switch try program.finish().status {
        case 0: return
        // Not authorized, but a user who is asked could be.
        case 2 where !isInteractive:
            throw VarlinkError(VarlinkLayout.interface + ".InteractiveAuthenticationRequired")
        // Not authorized, dismissed, or polkit does not run.
        default: throw VarlinkError.permissionDenied
        }
    }

    /// When a process started, in ticks since the start of the system; `nil` for one that is gone.
    ///
    /// Source: proc(5), `/proc/PID/stat`, field 22: after the name, which may have any characters, the 20th.
    static func start(of process: Int32) -> String? {
        guard let bytes = try? Descriptor.file("/proc/\(process)/stat").readAll(limit: 4096) else {
            return nil
        }
        return start(inStatus: bytes)
    }

    static func start(inStatus bytes: Bytes) -> String? {
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, fields[19].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return String(decoding: fields[19], as: UTF8.self)
    }
}
