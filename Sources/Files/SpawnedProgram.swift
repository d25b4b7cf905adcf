public import Glibc

/// A program of the host that runs beside this one, with its output on descriptors.
public final class SpawnedProgram {
    // A class: it owns a process, which is gone with it.

    /// Pipes are made and handed over one program at a time: another thread's program would inherit them.
    private static let spawning = Monitor()
    /// Bytes that a pipe takes without a reader.
    private static let inputLimit = 64 << 10

    /// What it prints.
    public let output: Descriptor
    /// What it prints as messages.
    public let messages: Descriptor
    /// What it writes to its descriptor 3.
    public let extra: Descriptor
    private let name: String
    private var process: pid_t?

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - file: Its absolute path.
    ///   - arguments: Its arguments, without its name.
    ///   - environment: Its environment, as `NAME=VALUE`.
    ///   - input: What it reads, less than 64 KiB.
    /// - Throws: `SystemError` if it cannot be started.
    public init(_ file: String, _ arguments: [String], environment: [String], input: Bytes = []) throws {
        guard input.count < Self.inputLimit else { throw SystemError("give input to", file, code: E2BIG) }
        name = file
        let (ends, process) = try Self.spawning.withLock {
            try Self.spawn(file, arguments, environment, input)
        }
        (output, messages, extra) = (ends[0], ends[1], ends[2])
        self.process = process
    }

    deinit { stop() }

    private static func pipe(_ name: String) throws -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw SystemError("make a pipe for", name) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (Descriptor(taking: ends[0], path: name), Descriptor(taking: ends[1], path: name))
    }

    private static func spawn(
        _ file: String, _ arguments: [String], _ environment: [String], _ input: Bytes
    ) throws -> ([Descriptor], pid_t) {
        let pipes = try (0..<4).map { _ in try pipe(file) }
        try input.withUnsafeBytes { try pipes[0].write.write($0) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[0].read.number, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, pipes[1].write.number, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, pipes[2].write.number, STDERR_FILENO)
        // Last, because any of the others may be number 3 here.
        posix_spawn_file_actions_adddup2(&actions, pipes[3].write.number, STDERR_FILENO + 1)
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { variables.forEach { free($0) } }
        let process = try start(file, arguments, actions: &actions, environment: &variables)
        return (pipes[1...].map(\.read), process)
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - file: Its absolute path.
    ///   - arguments: Its arguments, without its name.
    ///   - actions: What is done with descriptors.
    ///   - environment: Strings `NAME=VALUE`, and a null pointer.
    public static func start(
        _ file: String, _ arguments: [String], actions: UnsafePointer<posix_spawn_file_actions_t>,
        environment: UnsafePointer<UnsafeMutablePointer<CChar>?>?
    ) throws -> pid_t {
        // The command line ignores SIGPIPE, which a program would inherit.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = ([file] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, file, actions, &attributes, &words, environment)
        guard code == 0 else { throw SystemError("run", file, code: code) }
        return process
    }

    /// Waits for its end.
    ///
    /// - Returns: Its exit status, or 128 and the number of the signal that ended it.
    public func wait() -> Int32 {
        guard let process else { return 0 }
        self.process = nil
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// Ends it, if it still runs.
    public func stop() {
        guard let process else { return }
        kill(process, SIGKILL)
        _ = wait()
    }

    /// Reads all that it prints, results and messages each up to a limit, and waits for its end.
    ///
    /// - Parameter limit: Bytes that are kept of each; the rest is read and dropped.
    public func finish(limit: Int = 1 << 20) throws -> (status: Int32, output: Bytes, messages: Bytes) {
        var texts: [Bytes] = [[], []]
        try Self.read([output, messages, extra]) { index, bytes in
            guard index < 2 else { return }
            texts[index] += bytes.prefix(max(0, limit - texts[index].count))
        }
        return (wait(), texts[0], texts[1])
    }

    /// Reads from several descriptors as bytes come, until all have ended.
    ///
    /// - Parameters:
    ///   - sources: Where to read.
    ///   - preferred: The index of one that is read before the others where several have something.
    ///   - onIdle: Called at least every fifth of a second.
    ///   - take: Given the index of a source and its bytes, which are valid until it returns.
    public static func read(
        _ sources: [Descriptor], preferred: Int = 0, onIdle: () throws -> Void = {},
        take: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { buffer.deallocate() }
        var waiting = sources.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        while waiting.contains(where: { $0.fd >= 0 }) {
            let count = poll(&waiting, nfds_t(waiting.count), 200)
            if count < 0, errno != EINTR { throw SystemError("wait for", sources[0].path) }
            try onIdle()
            guard count > 0 else { continue }
            let ready = waiting.indices.filter { waiting[$0].fd >= 0 && waiting[$0].revents != 0 }
            // One at a time: what is preferred may have come since.
            guard let index = ready.contains(preferred) ? preferred : ready.first else { continue }
            let length = try sources[index].read(into: buffer)
            if length == 0 {
                waiting[index].fd = -1
            } else {
                try take(index, UnsafeRawBufferPointer(rebasing: buffer[..<length]))
            }
        }
    }
}

extension SpawnedProgram {
    /// The absolute path of a program of the host; `nil` where it is not on `PATH` or in the usual directories.
    public static func find(_ name: String) -> String? {
        let path = (getenv("PATH").map { String(cString: $0) } ?? "") + ":/usr/bin:/bin:/usr/sbin:/sbin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first {
            $0.hasPrefix("/") && access($0, X_OK) == 0
        }
    }

    /// Those of some variables that are set, as `NAME=VALUE`.
    public static func environment(_ names: [String]) -> [String] {
        names.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } }
    }
}
