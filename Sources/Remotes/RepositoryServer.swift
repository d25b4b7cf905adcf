internal import Files
internal import Glibc

/// Serves the files of one directory by HTTP, for trying out: GET and HEAD, ranges, and what tells versions of a file.
///
/// Directories in it, and files whose names begin with a dot, are not served. Each connection has a thread, and one answer.
///
/// Source: RFC 9110, RFC 9112.
public final class RepositoryServer: Sendable {
    // A class: threads share it.

    /// Bytes of a request that are read.
    static let longestRequest = 16 << 10
    /// Connections at the same time; others wait.
    private static let connections: Int32 = 64
    /// Seconds in which a request has to come, and something of an answer has to be taken.
    static let patience = 30

    private let path: String
    private let listener: Descriptor
    /// Where it is served.
    public let url: String
    private let log: @Sendable (String) -> Void

    /// Begins to listen.
    ///
    /// - Parameters:
    ///   - path: The directory.
    ///   - address: An address of this host, of IPv4 or IPv6.
    ///   - port: The port; 0 for any that is free.
    ///   - log: Told of each answer.
    /// - Throws: ``RepositoryError/address(_:)``, `SystemError`.
    public init(_ path: String, address: String, port: UInt16, log: @escaping @Sendable (String) -> Void)
        throws
    {
        // Not by getaddrinfo(3), which in a static program wants the host's libraries.
        var storage = sockaddr_storage()
        let length = try Self.read(address, port: port, into: &storage)
        let place = "\(address) port \(port)"
        let number = socket(
            Int32(storage.ss_family), Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("make a socket for", place) }
        listener = Descriptor(taking: number, path: place)
        var yes: Int32 = 1
        setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let isBound = Self.withAddress(&storage) { bind(number, $0, length) } == 0
        guard isBound, listen(number, Self.connections) == 0 else { throw SystemError("listen on", place) }
        var actual = length
        guard Self.withAddress(&storage, { getsockname(number, $0, &actual) }) == 0 else {
            throw SystemError("look at the socket of", place)
        }
        // The port stands at the same place in addresses of both kinds.
        let bound = withUnsafeBytes(of: storage) { UInt16($0[2]) << 8 | UInt16($0[3]) }
        url = "http://" + (address.contains(":") ? "[\(address)]" : address) + ":\(bound)"
        self.path = path
        self.log = log
    }

    private static func withAddress<Result>(
        _ storage: inout sockaddr_storage, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }

    /// Reads an address of IPv4 or IPv6; the length of what came of it.
    private static func read(
        _ text: String, port: UInt16, into storage: inout sockaddr_storage
    ) throws(RepositoryError) -> socklen_t {
        var four = sockaddr_in()
        var six = sockaddr_in6()
        if inet_pton(AF_INET, text, &four.sin_addr) == 1 {
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: four, as: sockaddr_in.self) }
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        }
        guard inet_pton(AF_INET6, text, &six.sin6_addr) == 1 else { throw .address(text) }
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: six, as: sockaddr_in6.self) }
        return socklen_t(MemoryLayout<sockaddr_in6>.size)
    }

    /// Answers until the process ends.
    ///
    /// - Throws: `SystemError` if no connection can be taken any more.
    public func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let slots = Slots(Int(Self.connections))
        while true {
            slots.take()
            let number = accept(listener.number, nil, nil)
            guard number >= 0 else {
                slots.give()
                if [EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { continue }
                throw SystemError("take a connection on", listener.path)
            }
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            let connection = Descriptor(taking: number, path: "a connection")
            detach { [self] in
                answer(connection)
                slots.give()
            }
        }
    }

    /// Counts connections.
    private final class Slots: @unchecked Sendable {
        // A class: it holds a semaphore, at one address.
        private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        init(_ count: Int) { sem_init(semaphore, 0, UInt32(count)) }

        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }

        func take() { while sem_wait(semaphore) != 0 && errno == EINTR {} }

        func give() { sem_post(semaphore) }
    }

    // MARK: - One answer

    private func answer(_ connection: Descriptor) {
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                connection.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        guard let request = Self.request(from: connection) else {
            // Whoever went away needs no answer.
            _ = try? send("400 Bad Request", to: connection)
            return
        }
        do {
            let status = try answer(request, connection)
            log("\(request.method) \(request.target.utf8.displayed) \(status)")
        } catch {
            log(
                "\(request.method) \(request.target.utf8.displayed) cut off: \("\(error)".split(separator: "\n")[0])"
            )
        }
        shutdown(connection.number, Int32(SHUT_WR))
    }

    private func answer(_ request: Request, _ connection: Descriptor) throws -> String {
        guard ["GET", "HEAD"].contains(request.method) else {
            return try send("405 Method Not Allowed", ["Allow: GET, HEAD"], to: connection)
        }
        guard let name = Self.fileName(of: request.target), let file = open(name) else {
            return try send("404 Not Found", to: connection)
        }
        let status = try file.status()
        let size = Int(status.st_size)
        // Apart: a time that is far enough from ours has no number of nanoseconds.
        let stamp = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec, size].map { String($0, radix: 16) }
        let tag = "\"\(stamp.joined(separator: "-"))\""
        let date = Self.date(status.st_mtim.tv_sec)
        var fields = ["ETag: \(tag)", "Last-Modified: \(date)", "Accept-Ranges: bytes"]
        let isKnown =
            request.fields["if-none-match"].map { $0 == "*" || $0.contains(tag) }
            ?? (request.fields["if-modified-since"] == date)
        if isKnown { return try send("304 Not Modified", fields, length: nil, to: connection) }
        let isSame = request.fields["if-range"].map { $0 == tag || $0 == date } ?? true
        var range = 0..<size
        var code = "200 OK"
        if isSame, let wanted = request.fields["range"], let asked = Self.range(wanted, size: size) {
            guard !asked.isEmpty else {
                return try send(
                    "416 Range Not Satisfiable", ["Content-Range: bytes */\(size)"], to: connection)
            }
            range = asked
            code = "206 Partial Content"
            fields.append("Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)")
        }
        let sent = try send(code, fields, length: range.count, to: connection)
        if request.method == "GET" { try send(range, of: file, to: connection) }
        return sent
    }

    private func open(_ name: String) -> Descriptor? {
        let number = Glibc.open(path + "/" + name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else { return nil }
        let file = Descriptor(taking: number, path: name)
        guard let status = try? file.status(), status.st_mode & S_IFMT == S_IFREG else { return nil }
        return file
    }

    @discardableResult
    private func send(
        _ status: String, _ fields: [String] = [], length: Int? = 0, to connection: Descriptor
    ) throws -> String {
        var lines = [
            "HTTP/1.1 \(status)", "Server: sxs", "Date: \(Self.date(time(nil)))", "Connection: close",
        ]
        lines += fields
        if let length {
            lines += ["Content-Type: application/octet-stream", "Content-Length: \(length)"]
        }
        let head = Bytes((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        try head.withUnsafeBytes { try connection.write($0) }
        return String(status.prefix(3))
    }

    private func send(_ range: Range<Int>, of file: Descriptor, to connection: Descriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let part = UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<min(buffer.count, range.upperBound - offset)])
            let count = try file.read(into: part, at: offset)
            // It became shorter: whoever reads finds that less came than was said.
            guard count > 0 else { return }
            try connection.write(UnsafeRawBufferPointer(rebasing: part[..<count]))
            offset += count
        }
    }
}
