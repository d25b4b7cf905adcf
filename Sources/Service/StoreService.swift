internal import Files
private import Glibc
internal import Operations
internal import StoreLayout
internal import Varlink

/// The service: one connection, which a manager of sockets accepted and handed over.
///
/// Each connection has a process of its own (`decisions/0022-one-process-for-each-connection.md`).
public struct StoreService {
    private let server: VarlinkServer

    /// Creates a service.
    ///
    /// - Parameters:
    ///   - root: The state directory.
    ///   - version: The program's version.
    ///   - hasSysextmgr: Whether it answers to the interface of openSUSE's sysextmgr, too.
    public init(root: String, version: String, hasSysextmgr: Bool) {
        var interfaces = [StoreInterface(root: root, version: version).interface]
        if hasSysextmgr { interfaces.append(SysextmgrInterface(root: root).interface) }
        server = VarlinkServer(product: "sxs", version: version, interfaces: interfaces)
    }

    /// Answers the calls of the connection that this process was started with.
    ///
    /// - Throws: ``ServiceError/notActivated``.
    public func run() throws {
        // A client that is root's own may have left any directory; names are never looked for in it.
        _ = chdir("/")
        guard let connection = try Self.connection() else { throw ServiceError.notActivated }
        try server.serve(connection)
    }

    /// The socket that was handed over: the first of `LISTEN_FDS`, or standard input.
    ///
    /// Source: sd_listen_fds(3), systemd.exec(5) "StandardInput=socket".
    private static func connection() throws -> VarlinkConnection? {
        let variable = { (name: String) in getenv(name).flatMap { Int32(String(cString: $0)) } }
        var number = STDIN_FILENO
        if variable("LISTEN_PID") == getpid(), let count = variable("LISTEN_FDS") {
            guard count == 1 else { throw ServiceError.notActivated }
            number = STDERR_FILENO + 1
        }
        // Programs that are run on the way are not told of it.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening == 0 else {
            return nil
        }
        return VarlinkConnection(Descriptor(taking: number, path: "the client"))
    }
}

/// Why the service does not run.
public enum ServiceError: Error, Equatable, CustomStringConvertible {
    /// There is no connection.
    case notActivated

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .notActivated:
            """
            the service answers one connection, which has to be handed over, and there is none
            hint: as root, run 'sxs setup' and 'systemctl enable --now \(VarlinkLayout.socketName)'; to try it out: \
            'varlinkctl info exec:FILE', where FILE runs 'sxs service'
            """
        }
    }
}
