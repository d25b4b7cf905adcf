private import Glibc

/// Who is at the other end of a connection, as the kernel says: whoever connected it.
///
/// Source: unix(7), SO_PEERCRED.
public struct VarlinkPeer: Sendable, Equatable {
    /// The user.
    public let user: UInt32
    /// The process; 0 for one of another process namespace.
    public let process: Int32

    /// Names somebody.
    public init(user: UInt32, process: Int32) {
        self.user = user
        self.process = process
    }

    /// Asks the kernel; `nil` for what is no Unix socket.
    init?(of socket: Int32) {
        // struct ucred, which the Glibc module lacks.
        var credentials: (process: Int32, user: UInt32, group: UInt32) = (0, .max, .max)
        var size = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0,
            size == MemoryLayout.size(ofValue: credentials)
        else { return nil }
        self.init(user: credentials.user, process: credentials.process)
    }
}
