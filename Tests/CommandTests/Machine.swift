import Foundation

/// What a script printed and how it ended.
struct Outcome {
    let output: String
    let errors: String
    let status: Int32
    let signal: Int32?

    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// A temporary directory with the program, the home of an ordinary user, and an image of a busybox.
final class Machine {
    let directory: String

    /// Held while a file is written and while a process is spawned: a child that inherits a descriptor open for
    /// writing makes the file busy for execve(2).
    private static let spawning = NSLock()

    init() throws {
        var template = Array("/tmp/sxs-command-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw CocoaError(.fileWriteUnknown) }
        directory = String(cString: made)
        chmod(directory, 0o755)
        umask(0o022)
        let marker = "--test-bundle-path"
        let arguments = CommandLine.arguments
        let bundle =
            arguments.firstIndex(of: marker).map { arguments[$0 + 1] }
            ?? (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? arguments[0]
        let built = URL(fileURLWithPath: bundle).deletingLastPathComponent().path + "/sxs"
        // By cp(1): were it written here, a child of any other suite could inherit the descriptor and make it busy.
        let copy = Process()
        copy.executableURL = URL(fileURLWithPath: "/bin/cp")
        copy.arguments = [built, directory + "/sxs"]
        try copy.run()
        copy.waitUntilExit()
        let outcome = try run(
            """
            mkdir -m 777 $D/home && cd $D && mkdir -p image/usr/bin image/etc/ssl/certs && cp /bin/busybox image/usr/bin
            for name in sh cat env sleep pwd; do ln -s busybox image/usr/bin/$name; done
            echo 'a seed' > image/etc/ssl/certs/file
            """, as: .superuser)
        guard outcome.status == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Who runs a script.
    enum User: String, CaseIterable, Sendable {
        case superuser, ordinary
    }

    /// Installs the image: an ordinary user in the own root, the superuser in the system's.
    static let install = "$S install $D/image --name box --version 1 --expose sh,cat,env,sleep,pwd"

    /// Runs a shell script; `$S` is the program, `$D` the directory, `$HOME` a home.
    ///
    /// It has a mount namespace of its own, in which `/var/lib` is empty, so that it sees no store of the host's. It is
    /// ended after a minute.
    ///
    /// - Parameters:
    ///   - script: What the user runs.
    ///   - user: The user.
    ///   - before: What the superuser runs before.
    func run(_ script: String, as user: User, before: String = "") throws -> Outcome {
        let output = directory + "/out-\(UUID().uuidString)"
        let errors = directory + "/err-\(UUID().uuidString)"
        let identity =
            user == .superuser ? [] : ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let outer = "mount -t tmpfs none /var/lib || exit 99; { :; \(before)\n} >&2; exec \"$@\""
        let arguments =
            [
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "S=\(directory)/sxs", "D=\(directory)",
                "HOME=\(directory)/home", "timeout", "--kill-after=5", "60", "unshare", "-m", "sh", "-c",
                outer, "sh",
            ] + identity + ["sh", "-c", script]
        // Not Foundation's Process: threads of the test runner block signals, which scripts would inherit.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT, 0o644)
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        var process: pid_t = 0
        let code = Self.spawning.withLock {
            posix_spawn(&process, "/usr/bin/env", &actions, &attributes, &pointers, nil)
        }
        guard code == 0 else { throw CocoaError(.executableNotLoadable) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let number = status & 0x7f
        return Outcome(
            output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8), status: status >> 8 & 0xff,
            signal: number == 0 ? nil : number)
    }
}
