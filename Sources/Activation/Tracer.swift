internal import CLinux
public import Files
private import Glibc

/// Runs a program and tells of every path that it, and what it starts, gives to the kernel.
///
/// By seccomp(2) user notification: the call waits until it was looked at, and then runs as it would have. The
/// program keeps its terminal, signals, parent and exit status. Programs of another architecture than this one's
/// (32-bit ones) run unseen. An ordinary user's programs cannot gain rights by set-user-id files meanwhile.
public enum Tracer {
    /// One call with a path, while the thread waits.
    public struct Touch {
        let touch: sxs_touch

        /// The thread.
        public var thread: Int32 { touch.thread }

        /// The system call's name, `openat` for example.
        public var call: String { String(cString: touch.call) }

        /// Whether the call starts another program.
        public var isExecution: Bool { call == "execve" || call == "execveat" }

        /// The program that the thread's process runs, as it sees it; `nil` if that cannot be told.
        public var program: Bytes? { Tracer.link("/proc/\(thread)/exe") }

        /// The path as an absolute one, `.` and repeated slashes left out; `nil` where there is none.
        public var path: Bytes? {
            guard let text = touch.socket_length > 0 ? socketPath : text, let first = text.first else {
                return nil
            }
            if first == UInt8(ascii: "/") { return Tracer.tidy(text) }
            let base =
                touch.directory == AT_FDCWD
                ? Tracer.link("/proc/\(thread)/cwd") : Tracer.link("/proc/\(thread)/fd/\(touch.directory)")
            guard let base, base.first == UInt8(ascii: "/") else { return nil }
            return Tracer.tidy(base + [UInt8(ascii: "/")] + text)
        }

        /// Whether the call has a path that cannot be read: the kernel refuses a look at the process.
        public var isHidden: Bool {
            touch.path != 0 && Tracer.read(thread, touch.path, 1).isEmpty && errno == EPERM
        }

        /// Opens what a path leads to in the thread's view, as a place only; `nil` where there is nothing.
        public func place(_ path: Bytes) -> Descriptor? {
            let root = Glibc.open("/proc/\(thread)/root", SXS_O_PATH | O_DIRECTORY | O_CLOEXEC)
            guard root >= 0 else { return nil }
            defer { close(root) }
            let number = path.withCString { sxs_open_in_root(root, $0) }
            return number < 0 ? nil : Descriptor(taking: number, path: path.displayed)
        }

        /// The directories of the process's `PATH`, as it was started with.
        public var searchPath: [Bytes] {
            guard let file = try? Descriptor.file("/proc/\(thread)/environ"),
                let text = try? file.readAll(limit: 4 << 20)
            else { return [] }
            let name = Array("PATH=".utf8)
            let entry = text.split(separator: 0).first { $0.starts(with: name) }
            return entry?.dropFirst(name.count).split(separator: UInt8(ascii: ":")).map(Array.init) ?? []
        }

        private var text: Bytes? {
            let longest = Int(PATH_MAX)
            let page: UInt64 = 4096
            var text: Bytes = []
            var address = touch.path
            // The page after the string's end may not be there.
            while text.count < longest, address != 0 {
                let part = Tracer.read(thread, address, Int(page - address % page))
                guard !part.isEmpty else { return nil }
                if let end = part.firstIndex(of: 0) { return text + part[..<end] }
                text += part
                address = address &+ UInt64(part.count)
            }
            return nil
        }

        /// The path of a socket's address; `nil` for one without a file.
        private var socketPath: Bytes? {
            let address = Tracer.read(thread, touch.path, Int(min(touch.socket_length, 110)))
            let family = Int32(AF_UNIX)
            guard address.count > 2, Int32(address[0]) | Int32(address[1]) << 8 == family else { return nil }
            return Array(address[2...].prefix { $0 != 0 })
        }
    }

    /// Runs a program to its end.
    ///
    /// What it leaves running goes on, untold.
    ///
    /// - Parameters:
    ///   - name: A path, or the name of a program in `directory` or on `PATH`.
    ///   - arguments: Its arguments, without its name.
    ///   - directory: Where a name is looked for first.
    ///   - onTouch: Told of each call.
    /// - Returns: How it ended, as wait(2) tells; for ``endLike(_:)``.
    /// - Throws: ``LaunchError`` if it cannot be executed, ``TraceError`` if the kernel refuses.
    public static func run(
        _ name: Bytes, arguments: [Bytes], in directory: String, onTouch: (Touch) -> Void
    ) throws -> Int32 {
        let slash = UInt8(ascii: "/")
        let own = Array((directory + "/").utf8) + name
        let isOwn = !name.contains(slash) && own.withCString { access($0, X_OK) == 0 }
        guard !name.isEmpty, let program = isOwn ? own : Launcher.search(name, .current) else {
            throw LaunchError.cannotExecute(program: name, code: ENOENT)
        }
        var process: pid_t = 0
        var failure: Int32 = -1
        var texts: [UnsafeMutablePointer<CChar>?] =
            ([name] + arguments).map { $0.withCString { strdup($0) } } + [nil]
        defer { texts.forEach { free($0) } }
        let number = program.withCString { sxs_trace_start($0, &texts, &process, &failure) }
        guard number >= 0 else { throw TraceError.refused(code: errno) }
        let listener = Descriptor(taking: number, path: "the listener")
        let failed = Descriptor(taking: failure, path: "the program's socket")
        let handle = Descriptor(taking: sxs_pidfd_open(process), path: "the program")
        sxs_trace_signals(process)
        defer { sxs_trace_signals(0) }
        var touch = sxs_touch()
        loop: while true {
            switch sxs_trace_next(listener.number, handle.number, &touch) {
            case 1:
                onTouch(Touch(touch: touch))
                sxs_trace_continue(listener.number, touch.id)
            case 2:
                sxs_trace_keep(listener.number)
                break loop
            default: break loop
            }
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let code = sxs_trace_failure(failed.number)
        guard code == 0 else { throw LaunchError.cannotExecute(program: program, code: code) }
        return status
    }

    /// Ends this process as a program ended: with its exit status, or by the same signal.
    public static func endLike(_ status: Int32) -> Never { sxs_end_like(status) }

    private static func read(_ thread: Int32, _ address: UInt64, _ count: Int) -> Bytes {
        Bytes(unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, sxs_read_memory(thread, address, buffer.baseAddress, count))
        }
    }

    fileprivate static func link(_ path: String) -> Bytes? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            let length = readlink(path, buffer.baseAddress.unsafelyUnwrapped, buffer.count)
            return length > 0 ? buffer[..<length].map { UInt8(bitPattern: $0) } : nil
        }
    }

    private static func tidy(_ path: Bytes) -> Bytes {
        let parts = path.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
        return [UInt8(ascii: "/")] + parts.joined(separator: [UInt8(ascii: "/")])
    }
}

extension Descriptor {
    /// The name of what is open, as the kernel knows it now.
    public var currentPath: Bytes? { Tracer.link("/proc/self/fd/\(number)") }

    /// Opens what is held as a place for reading its bytes.
    public func reopen() throws -> Descriptor {
        try Descriptor.file("/proc/self/fd/\(number)")
    }
}

/// Why a program cannot be traced.
public enum TraceError: Error, Equatable, CustomStringConvertible {
    /// The kernel, or a container's rules, refuse notifications.
    case refused(code: Int32)

    /// The sentence for people, and a hint.
    public var description: String {
        switch self {
        case .refused(let code):
            """
            the program cannot be traced: seccomp(2) user notification is refused: \(String(cString: strerror(code)).lowercased())
            hint: nothing else must listen already, and Linux is to be 5.11 or newer; 'strace -f -e trace=%file' shows \
            the same calls unsorted
            """
        }
    }
}
