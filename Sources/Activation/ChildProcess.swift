private import CLinux
internal import Files
private import Glibc

/// A program of the host that is run to its end.
enum ChildProcess {
    /// Runs a program without standard input.
    ///
    /// - Parameters:
    ///   - program: Its absolute path.
    ///   - arguments: Its arguments, without its name.
    /// - Returns: Its exit status (128 and the signal's number if one ended it), and what it printed.
    /// - Throws: `SystemError` if it cannot be started.
    static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SystemError("run", program) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let reader = Descriptor(taking: ends[0], path: "the output of " + program)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        let process: pid_t
        do {
            // Else its end would not be seen.
            defer { close(ends[1]) }
            process = try SpawnedProgram.start(
                program, arguments, actions: &actions, environment: sxs_environ())
        }
        // What is printed past a megabyte is not kept, but read: the program is not to wait for ever.
        var output: Bytes = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while let count = try? reader.read(into: buffer), count > 0 {
            if output.count < 1 << 20 { output += buffer[..<count] }
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return (signal == 0 ? status >> 8 & 0xff : 128 + signal, String(decoding: output, as: UTF8.self))
    }
}
