import Foundation
import StoreLayout

/// Who runs the probe: the superuser needs a mount namespace only, an ordinary user a user namespace too.
enum Caller: String, CaseIterable, Sendable {
    case superuser, ordinary

    /// A program and arguments that run a command as this caller.
    var prefix: [String] {
        switch (self, geteuid() == 0) {
        case (.superuser, true), (.ordinary, false): []
        case (.superuser, false): ["unshare", "--user", "--map-root-user"]
        case (.ordinary, true): ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        }
    }
}

/// What a command printed and how it ended.
struct Outcome {
    let output: String
    let errors: String
    let status: Int32
    let signal: Int32?

    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// A temporary directory with roots of stores, and the probe to look at them with.
final class Host {
    let directory: String

    init() throws {
        var template = Array("/tmp/sxs-activation-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw CocoaError(.fileWriteUnknown) }
        directory = String(cString: made)
        chmod(directory, 0o755)
        // An ordinary user reads what the superuser makes here, whatever the umask of who runs the tests.
        umask(0o022)
        try copyProgram(Self.builtProbe, to: probe)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Held while a file is written and while a process is spawned: a child that inherits a descriptor open for
    /// writing makes the file busy for execve(2).
    private static let spawning = NSLock()

    var probe: String { directory + "/probe" }

    /// Where the build put the probe: beside the program that runs the tests.
    private static var builtProbe: String {
        let marker = "--test-bundle-path"
        let arguments = CommandLine.arguments
        let bundle =
            arguments.firstIndex(of: marker).map { arguments[$0 + 1] }
            ?? (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? arguments[0]
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().path + "/activation-probe"
    }

    /// Makes a root with one store path that has a shell, and returns the root's path.
    @discardableResult
    func makeRoot(_ name: String, base: String, aliases: [String: String] = [:], launch: String? = nil) throws
        -> String
    {
        let root = directory + "/" + name
        let tree = "\(root)/store/\(base)"
        for path in [
            "\(tree)/bin", "\(tree)/etc/sxs-seed", "\(root)/aliases", "\(root)/shims/\(base)",
            "\(root)/libexec", "\(root)/profiles/default/generation-1/bin",
        ] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        try copyProgram("/bin/busybox", to: "\(tree)/bin/busybox")
        try link("\(tree)/bin/sh", "busybox")
        try write("\(tree)/etc/sxs-seed/file", "seed of \(base)\n")
        for (alias, target) in aliases { try link("\(root)/aliases/\(alias)", target) }
        // It is known there that this host runs its programs, as after a first start of any.
        if let identity = MachineIdentity.current() {
            let hosts = [StoreLayout.Name.collectionRoots, StoreLayout.Name.hosts].joined(separator: "/")
            try FileManager.default.createDirectory(
                atPath: "\(root)/\(hosts)", withIntermediateDirectories: true)
            let report = String(decoding: HostReport(boot: MachineIdentity.currentBoot()).text, as: UTF8.self)
            try write("\(root)/\(hosts)/\(identity)", report)
        }
        try link("\(root)/libexec/sxs", probe)
        try link("\(root)/shims/\(base)/sh", "../../libexec/sxs")
        try link("\(root)/shims/\(base)/other", "../../libexec/sxs")
        try link("\(root)/profiles/default/current", "generation-1")
        try link("\(root)/profiles/default/generation-1/bin/stored-sh", "../../../../shims/\(base)/sh")
        try write(
            "\(root)/shims/\(base)/launch",
            launch ?? """
                sxs-launch 1
                store-path /usr/store/\(base)
                search-path bin
                data-path share
                command sh\tbin/sh
                set-default SXS_DEFAULT=yes
                command gone\tbin/gone

                """)
        return root
    }

    func link(_ path: String, _ target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    }

    func write(_ path: String, _ text: String) throws {
        try Self.spawning.withLock { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
    }

    /// How long a script may run: far longer than any needs, so that one that hangs fails its test instead.
    private static let limit = Duration.seconds(60)

    /// Waits for a process, and ends it and its whole group when the limit is over.
    private static func wait(for process: pid_t) throws -> Int32 {
        let end = ContinuousClock.now + limit
        var isLate = false
        // Left unreaped until its group is dead, so that the group's number cannot be another's by then.
        var information = siginfo_t()
        while waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT) == 0,
            information._sifields._sigchld.si_pid == 0, !isLate
        {
            isLate = ContinuousClock.now > end
            usleep(2000)
        }
        kill(-process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        if isLate { throw Hang() }
        return status
    }

    /// A script did not end in time.
    struct Hang: Error {}

    /// Runs a shell script; `$P` is the probe, `$D` the directory.
    func run(
        _ script: String, as caller: Caller = .superuser, in working: String = "/",
        environment: [String: String] = [:]
    ) throws -> Outcome {
        var variables = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "P": probe, "D": directory]
        variables.merge(environment) { $1 }
        let output = directory + "/out-\(UUID().uuidString)"
        let errors = directory + "/err-\(UUID().uuidString)"
        // Not Foundation's Process: threads of the test runner block signals, and a shell that inherits that waits
        // for its children for ever.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // A group of its own, that can be ended as a whole.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT, 0o644)
        let assignments = variables.map { "\($0)=\($1)" }
        let arguments =
            ["env", "-i", "-C", working] + assignments + caller.prefix + ["/bin/sh", "-c", script]
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        var process: pid_t = 0
        let code = Self.spawning.withLock {
            posix_spawn(&process, "/usr/bin/env", &actions, &attributes, &pointers, nil)
        }
        guard code == 0 else {
            throw CocoaError(.executableNotLoadable)
        }
        let status = try Self.wait(for: process)
        let isSignal = status & 0x7f != 0
        return Outcome(
            output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8),
            status: status >> 8 & 0xff, signal: isSignal ? status & 0x7f : nil)
    }
}
