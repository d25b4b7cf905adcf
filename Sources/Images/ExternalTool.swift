private import Files
private import Glibc

/// A program of the host that writes or checks something sxs does not.
public struct ExternalTool: Sendable {
    /// Its name, looked for on `PATH`.
    public let name: String
    /// What to install where it is missing.
    public let package: String

    /// Names a tool.
    public init(_ name: String, package: String) {
        self.name = name
        self.package = package
    }

    /// Whether it is there.
    public var isInstalled: Bool { file != nil }

    /// Its path; `nil` where it is not there.
    private var file: String? {
        Self.searchPath.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Where tools are looked for: administrators' are, too, for users who lack them on `PATH`.
    private static var searchPath: String {
        (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    }

    /// Runs it, in the C locale, and waits.
    ///
    /// - Parameter arguments: Its arguments.
    /// - Returns: What it printed, results and messages together.
    /// - Throws: ``ExternalToolError`` if it is missing or fails, `SystemError`.
    @discardableResult
    public func run(_ arguments: [String]) throws -> String {
        guard let file else { throw ExternalToolError.missing(name, package: package) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("make a pipe for", name) }
        let reading = Descriptor(taking: ends[0], path: name)
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends[1])
        defer { posix_spawn_file_actions_destroy(&actions) }
        var process: pid_t = 0
        let code = Self.withStrings([name] + arguments) { arguments in
            Self.withStrings(["PATH=" + Self.searchPath, "LC_ALL=C"]) { environment in
                posix_spawn(&process, file, &actions, nil, arguments, environment)
            }
        }
        close(ends[1])
        guard code == 0 else { throw SystemError("run", name, code: code) }
        var output: Bytes = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
        defer { buffer.deallocate() }
        while case let count = try reading.read(into: buffer), count > 0 { output += buffer[..<count] }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError("wait for", name) }
        }
        let text = String(decoding: output, as: UTF8.self)
        guard status == 0 else { throw ExternalToolError.failed(name, output: text) }
        return text
    }

    /// Calls `body` with C strings and a null pointer after them.
    private static func withStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}

/// Why a program of the host did not do its work.
public enum ExternalToolError: Error, Equatable, CustomStringConvertible {
    /// It is not there.
    case missing(String, package: String)
    /// It ended with an error.
    case failed(String, output: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .missing(let name, let package):
            """
            this needs the program '\(name)', which is not on PATH
            hint: install it; Debian has it in the package \(package)
            """
        case .failed(let name, let output):
            """
            '\(name)' failed: \(output.split(separator: "\n").suffix(3).joined(separator: "; "))
            hint: what it was to write was removed again; see its message
            """
        }
    }
}
