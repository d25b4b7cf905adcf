public import Files
private import Glibc

/// A connection to one client: calls in, replies out.
///
/// A client that stalls, sends rubbish or does not read has its connection ended, and nothing else happens.
public final class VarlinkConnection {
    // A class: it owns what was read and is not taken yet.

    /// How long is waited, in milliseconds.
    public struct Patience: Sendable {
        /// For a call to begin.
        public var idle: Int32 = 300_000
        /// For a call that began to be whole, and for a reply to be taken.
        public var busy: Int32 = 30_000

        /// The usual.
        public init() {}
    }

    /// Who is there.
    public let peer: VarlinkPeer
    /// Whether nothing can be sent any more.
    public private(set) var isClosed = false

    private let socket: Descriptor
    private let patience: Patience
    private var pending: Bytes = []
    /// Bytes of ``pending`` that are known to have no end of a call.
    private var scanned = 0

    /// Takes over a socket that is connected; `nil` for what is none.
    public init?(_ socket: Descriptor, patience: Patience = Patience()) {
        guard let peer = VarlinkPeer(of: socket.number) else { return nil }
        self.socket = socket
        self.peer = peer
        self.patience = patience
    }

    /// The next call's JSON; `nil` if none came: the client went away, or stalled, or its call is too long.
    func next() -> Bytes? {
        // A call may begin long after the one before: its time counts from its first byte.
        var deadline: Int?
        while true {
            if deadline == nil, !pending.isEmpty { deadline = Self.now() + Int(patience.busy) }
            if let end = pending[scanned...].firstIndex(of: 0) {
                let call = Bytes(pending[..<end])
                pending.removeFirst(end + 1)
                scanned = 0
                return call
            }
            scanned = pending.count
            guard pending.count <= VarlinkCall.longest else { return nil }
            let wait = deadline.map { $0 - Self.now() } ?? Int(patience.idle)
            guard wait > 0, Self.wait(for: socket, Int16(POLLIN), Int32(wait)), receive() else { return nil }
        }
    }

    /// Reads what is there; whether there was anything.
    private func receive() -> Bool {
        var chunk = Bytes(repeating: 0, count: 16 << 10)
        let count = recv(socket.number, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count < 0 { return errno == EINTR || errno == EAGAIN }
        pending += chunk[..<count]
        return count > 0
    }

    /// Sends a message.
    ///
    /// - Parameter isOptional: Whether it is dropped if the client has not taken those before: work is not to wait for
    ///   somebody who watches it.
    func send(_ message: Bytes, isOptional: Bool = false) {
        var rest = message[...]
        let deadline = Self.now() + Int(patience.busy)
        while !rest.isEmpty, !isClosed {
            let count = rest.withUnsafeBytes {
                Glibc.send(
                    socket.number, $0.baseAddress, $0.count,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                if isOptional, rest.count == message.count { return }
                let left = deadline - Self.now()
                if left <= 0 || !Self.wait(for: socket, Int16(POLLOUT), Int32(left)) { isClosed = true }
            } else if errno != EINTR {
                isClosed = true
            }
        }
    }

    /// Whether a socket became ready before some milliseconds were over.
    private static func wait(for socket: Descriptor, _ events: Int16, _ milliseconds: Int32) -> Bool {
        let deadline = now() + Int(milliseconds)
        while true {
            var wanted = pollfd(fd: socket.number, events: events, revents: 0)
            let count = poll(&wanted, 1, Int32(max(0, deadline - now())))
            if count >= 0 || errno != EINTR { return count > 0 }
        }
    }

    /// Milliseconds of a clock that nobody sets.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
