import Activation
import CLauncher
import Foundation
import StoreLayout
import Testing

/// The launcher's fast way, alone: a program of it and nothing else says so where it returns.
///
/// It is linked without libc, so that a call the compiler added would be an error.
@Suite struct EntryPointTests {
    let host: Host
    let root: String

    /// Ends with status 99, as the program that would begin now.
    private static let rest = #"""
        static long call(long number, long a, long b, long c) {
            long result;
        #if defined(__x86_64__)
            __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
        #else
            register long x8 __asm__("x8") = number;
            register long x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
            __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
            result = x0;
        #endif
            return result;
        }
        void _start(void) {
            call(SYS_write, 1, (long)"fell through\n", 13);
            call(SYS_exit, 99, 0, 0);
        }
        """#

    init() throws {
        host = try Host()
        root = try host.makeRoot("a", base: "aaa-x-1")
        try build("-O2")
        try FileManager.default.removeItem(atPath: root + "/libexec/sxs")
        try host.link(root + "/libexec/sxs", "../../fast")
    }

    private func build(_ optimization: String) throws {
        let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        try host.write(host.directory + "/rest.c", "#include <sys/syscall.h>\n" + Self.rest)
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let sources = top.path + "/Sources/CLauncher"
        compiler.arguments = [
            "clang", "-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument", optimization,
            "-static", "-nostdlib", "-Wl,-e,sxs_start", "-I", sources + "/include", sources + "/CLauncher.c",
            sources + "/CView.c", host.directory + "/rest.c", "-o", host.directory + "/fast",
        ]
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0)
    }

    /// Runs a script where the store is visible, and gives its output with how it ended.
    private func run(_ script: String) throws -> String {
        try host.write(host.directory + "/script.sh", script)
        let outcome = try host.run("exec $P enter automatic $D/a -- /bin/bash $D/script.sh")
        return outcome.output + outcome.errors + (outcome.status == 0 ? "" : "status \(outcome.status)")
    }

    private let launcher = "$D/a/profiles/default/current/bin/stored-sh"
    private let fellThrough = "fell through\nstatus 99"
    private let program = "/usr/store/aaa-x-1/bin/sh"
    private let path = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/store/aaa-x-1/bin"

    private func describe(_ text: String, base: String = "aaa-x-1") throws {
        try host.write("\(root)/shims/\(base)/launch", text)
    }

    @Test func theNamesAreThoseOfTheContract() {
        #expect(SXS_STORE_DIRECTORY == StoreLayout.storeDirectory)
        #expect(SXS_ALIAS_DIRECTORY == StoreLayout.aliasDirectory)
        #expect(SXS_STORE == StoreLayout.Name.store)
        #expect(SXS_ALIASES == StoreLayout.Name.aliases)
        #expect(SXS_SHIMS == StoreLayout.Name.shims)
        #expect(
            SXS_PROGRAM_LINK == "../../\(StoreLayout.Name.programs)/\(StoreLayout.Name.program)")
        #expect(SXS_DEFAULT_DATA_PATH == "/usr/local/share:/usr/share")
        #expect(SXS_LAUNCH_DESCRIPTION == StoreLayout.Name.launchDescription)
        #expect(SXS_HOST_DIRECTORY == StoreLayout.hostDirectory)
        #expect(SXS_SYSTEM_ROOT == StoreLayout.systemRoot)
        #expect(SXS_HOSTS == "\(StoreLayout.Name.collectionRoots)/\(StoreLayout.Name.hosts)")
        #expect(
            "\(SXS_HOST_HEADING)\nboot x\n"
                == String(decoding: HostReport.beginning(boot: "x"), as: UTF8.self))
        #expect([SXS_MACHINE_IDENTITY, SXS_OLD_MACHINE_IDENTITY] == HostLayout.machineIdentities)
        #expect(SXS_BOOT_IDENTITY == HostLayout.bootIdentity)
        #expect(SXS_METHOD_VARIABLE == Launcher.methodVariable)
    }

    @Test(arguments: ["-O0", "-O2", "-Os"]) func theProgramRunsWithTheRightNameAndEnvironment(_ level: String)
        throws
    {
        try build(level)
        let question = #"-c 'echo "$0|$PATH|$SXS_DEFAULT|$*"' "#
        let answer = "\(program)|\(path)|yes|\n"
        #expect(try run("exec \(launcher) \(question)") == answer)
        #expect(
            try run("SXS_DEFAULT= PATH=/bin:/usr/store/aaa-x-1/bin exec \(launcher) \(question) x 'a  b'")
                == "x|/bin:/usr/store/aaa-x-1/bin||a  b\n")
        #expect(
            try run("PATH=/usr/store/aaa-x-1/bin2:x/usr/store/aaa-x-1/bin exec \(launcher) \(question)")
                == "\(program)|/usr/store/aaa-x-1/bin2:x/usr/store/aaa-x-1/bin:/usr/store/aaa-x-1/bin|yes|\n")
        #expect(
            try run("PATH= exec \(launcher) \(question)") == "\(program)|:/usr/store/aaa-x-1/bin|yes|\n")
        #expect(
            try run("unset PATH; exec \(launcher) \(question)")
                == "\(program)|/usr/local/bin:/usr/bin:/bin:/usr/store/aaa-x-1/bin|yes|\n")
        let data = #"-c 'echo "$XDG_DATA_DIRS"' "#
        #expect(
            try run("unset XDG_DATA_DIRS; exec \(launcher) \(data)")
                == "/usr/local/share:/usr/share:/usr/store/aaa-x-1/share\n")
        #expect(
            try run("XDG_DATA_DIRS= exec \(launcher) \(data)")
                == "/usr/local/share:/usr/share:/usr/store/aaa-x-1/share\n")
        #expect(
            try run("XDG_DATA_DIRS=/a:/usr/store/aaa-x-1/share exec \(launcher) \(data)")
                == "/a:/usr/store/aaa-x-1/share\n")
        #expect(try run("exec -a '' \(launcher) \(question)") == answer)
        #expect(try run("exec -a a/b \(launcher) \(question)") == answer)
    }

    @Test func everyWayToNameTheLauncherWorks() throws {
        let command = "-c 'echo ran'"
        for (script, isFast) in [
            ("exec \(launcher) \(command)", true),
            ("PATH=$D/a/profiles/default/current/bin:$PATH; exec stored-sh \(command)", true),
            ("cd $D/a/profiles/default/current/bin && exec env ./stored-sh \(command)", true),
            ("cd $D/a/profiles/default && exec env current/bin/stored-sh \(command)", true),
            ("cd $D/a/shims && exec $D/a/shims/aaa-x-1/sh \(command)", true),
            ("ln -s a/profiles/default/current/bin $D/bin; exec $D/bin/stored-sh \(command)", true),
            ("ln -s bin/stored-sh $D/one; ln -s $D/one $D/two; exec $D/two \(command)", true),
            ("mkdir $D/gone && cd $D/gone && rmdir $D/gone && exec \(launcher) \(command)", true),
            ("mount -t tmpfs none /proc && exec \(launcher) \(command)", true),
            // These do not show by their text what they are: the program that begins looks closer.
            ("cd $D/a/shims/aaa-x-1 && exec env ./sh \(command)", false),
            ("ln -s a/shims/aaa-x-1 $D/dir; exec $D/dir/sh \(command)", false),
            // And these are none.
            ("exec $D/fast", false), ("ln -s fast $D/link; exec $D/link", false),
            ("ln -s fast $D/a/shims/aaa-x-1/fast; exec $D/a/shims/aaa-x-1/../../../fast", false),
            (
                "mkdir -p $D/b/shims/c; ln -s ../../libexec/sxs $D/b/shims/c/sh; ln -s a/libexec $D/libexec; "
                    + "ln -s ../libexec $D/b/libexec; exec $D/b/shims/c/sh", false
            ),
        ] {
            let output = try run(script)
            #expect(output == (isFast ? "ran\n" : fellThrough), "\(script)")
        }
    }

    @Test func aScriptMayNameTheLauncherInItsFirstLine() throws {
        try host.write(
            host.directory + "/tool",
            "#!\(root)/profiles/default/current/bin/stored-sh\necho \"$PATH $1\"\n")
        #expect(try run("chmod +x $D/tool; exec $D/tool argument") == "\(path) argument\n")
    }

    @Test func whatNeedsMoreIsLeftToTheProgram() throws {
        let head = "sxs-launch 1\nstore-path /usr/store/aaa-x-1\n"
        let command = "exec \(launcher) -c 'echo ran'"
        for (rest, isFast) in [
            ("command sh\tbin/sh\n", true),
            ("command a\tbin/a\ncommand sh\tbin/sh\ncommand z\tbin/z\n", true),
            ("seed etc/passwd\ncommand sh\tbin/sh\n", true),
            ("seed etc/sxs-nowhere\ncommand sh\tbin/sh\n", false),
            ("seed etc/sxs-nowhere\ncommand sh\tbin/sh\nnamespace never\n", true),
            ("seed usr/sxs-nowhere\ncommand sh\tbin/sh\n", false),
            ("seed usr/bin/env\ncommand sh\tbin/sh\n", true),
            ("command sh\tbin/sh\nseed usr/bin/sxs-nowhere\n", false),
            ("command a\tbin/a\nseed etc/sxs-nowhere\ncommand sh\tbin/sh\n", true),
            ("command sh\tbin/sh\ncommand z\tbin/z\nseed etc/sxs-nowhere\n", true),
            ("command sh\tbin/sh\nseed var/lib\n", false),
            ("command sh\tbin/sh\nnamespace always\n", false),
            ("command a\tbin/a\nnamespace always\ncommand sh\tbin/sh\n", true),
            ("command sh\tbin/sh\ncommand z\tbin/z\nnamespace always\n", true),
            ("command z\tbin/sh\n", false), ("command sh\tbin/gone\n", false), ("", false),
            ("data-path share\ncommand sh\tbin/sh\n", true), ("data-path a:b\ncommand sh\tbin/sh\n", false),
            ("data-path /share\ncommand sh\tbin/sh\n", false),
            ("search-path \(String(repeating: "x", count: 255))\n" + "command sh\tbin/sh\n", true),
            (String(repeating: "search-path \(String(repeating: "x", count: 255))/bin\n", count: 2), false),
            // Longer than what is looked at, and than what PATH may become.
            (String(repeating: "command x\tbin/y\n", count: 3000) + "command sh\tbin/sh\n", false),
            (
                (0..<99).map { "search-path \($0)/\(String(repeating: "x", count: 200))\n" }.joined()
                    + "command sh\tbin/sh\n", false
            ),
        ] {
            try describe(head + rest)
            #expect(try run(command) == (isFast ? "ran\n" : fellThrough), "\(rest.prefix(200))")
        }
        try FileManager.default.removeItem(atPath: root + "/shims/aaa-x-1/launch")
        #expect(try run(command) == fellThrough)
        try host.link(root + "/shims/aaa-x-1/launch", "/dev/zero")
        #expect(try run(command) == fellThrough)
        #expect(
            try run("rm $D/a/shims/aaa-x-1/launch; mkfifo $D/a/shims/aaa-x-1/launch; \(command)")
                == fellThrough)
        #expect(
            try run("rm $D/a/shims/aaa-x-1/launch; mkdir $D/a/shims/aaa-x-1/launch; \(command)")
                == fellThrough)
        try describeAgain()
        #expect(try run(command) == "ran\n")
        #expect(
            try run("for n in {1..1100}; do export V$n=1; done; \(command)") == fellThrough,
            "very many variables")
        #expect(
            try run("export PATH=/bin:$(printf '%020000d' 0); \(command)") == fellThrough, "a very long PATH")
    }

    /// Where the host shows no store, the launcher shows that of one root, and nothing else.
    @Test(arguments: Caller.allCases) func aStoreThatIsNotVisibleIsShown(_ caller: Caller) throws {
        let command = "exec \(launcher) -c 'echo ran'"
        let hosts = "$D/a/gcroots/hosts"
        // As the superuser, before the caller starts the launcher; a mount namespace is its own.
        for (before, isFast) in [
            ("", true), ("mount -t tmpfs none /mnt", true),
            ("mount -t tmpfs none /var/lib; mkdir /var/lib/sxs /var/lib/sxs/store", false),
            ("mount -t tmpfs none /var/lib; ln -s $D/a /var/lib/sxs", true),
            ("mount -t tmpfs none /var/lib; ln -s $D/nowhere /var/lib/sxs", true),
            ("mount -t tmpfs none /usr/share/man", false),
            ("mount -t tmpfs none /proc", false),
            ("mount --bind /dev/null /proc/$$/mountinfo", true),
            ("mount --bind /dev/null /proc/sys/kernel/random/boot_id", false),
            ("echo 0 > $D/0; mount --bind $D/0 /proc/sys/kernel/random/boot_id", false),
            // A host that has no identity of its own is not known to others.
            (
                """
                echo uninitialized > $D/0; rm -r \(hosts)
                for f in /etc/machine-id /var/lib/dbus/machine-id; do [ ! -e $f ] || mount --bind $D/0 $f; done
                """, true
            ),
            ("rm -r \(hosts)", false), ("for f in \(hosts)/*; do echo >> $f; done", true),
            ("for f in \(hosts)/*; do echo x > $f; done", false),
            ("for f in \(hosts)/*; do rm $f; mkfifo $f; done", false),
            ("mv $D/a/shims $D/a/x; ln -s x $D/a/shims", false),
            ("mkdir $D/a/y; mv $D/a/shims/aaa-x-1 $D/a/y/x; ln -s ../y/x $D/a/shims/aaa-x-1", false),
            ("rmdir $D/a/aliases", false), ("rmdir $D/a/aliases; touch $D/a/aliases", false),
            ("mv $D/a/store $D/a/x; ln -s x $D/a/store", true),
            ("echo namespace never >> $D/a/shims/aaa-x-1/launch", true),
            ("sed -i '/^command sh/a namespace never' $D/a/shims/aaa-x-1/launch", false),
            ("sed -i '/^command sh/a namespace always' $D/a/shims/aaa-x-1/launch", true),
            ("sed -i '/^command sh/a seed etc/sxs-nowhere' $D/a/shims/aaa-x-1/launch", false),
            ("sed -i '/^command sh/a seed etc/passwd' $D/a/shims/aaa-x-1/launch", true),
            ("export SXS_NAMESPACE=automatic", false),
            ("sed -i '/^command sh/a set-default SXS_NAMESPACE=binds' $D/a/shims/aaa-x-1/launch", false),
            ("rm $D/a/store/aaa-x-1/bin/sh", false), ("chmod 711 $D/fast", true),
        ] {
            let prefix = caller.prefix.joined(separator: " ")
            try host.write(
                host.directory + "/script.sh",
                """
                exec unshare -m sh -ec '\(before.replacingOccurrences(of: "'", with: #"'\''"#))
                exec \(prefix) /bin/bash -c "$COMMAND"'
                """)
            let saved = "cp -a $D/a $D/saved; "
            let outcome = try host.run(
                saved + "/bin/bash $D/script.sh; s=$?; rm -r $D/a; mv $D/saved $D/a; exit $s",
                environment: ["COMMAND": command])
            let answer = outcome.output + (outcome.status == 0 ? "" : "status \(outcome.status)")
            #expect(answer == (isFast ? "ran\n" : fellThrough), "\(before): \(outcome.errors)")
        }
        for start in [
            "cd $D/a/profiles/default/current/bin && exec env ./stored-sh", "cd /usr/share && \(launcher)",
            "cd $D/a/profiles && exec env default/current/bin/stored-sh",
            "ln -sfn a/profiles/default/current/bin $D/go/bin; exec $D/a/../a/profiles/default/current/bin/stored-sh",
            "cd $D/go; mkdir -p gone && cd gone && rmdir ../gone && exec \(launcher)",
        ] {
            let outcome = try host.run("mkdir -p $D/go; chmod 777 $D/go")
            #expect(outcome.status == 0)
            let started = try host.run("\(start) -c 'echo ran'", as: caller)
            #expect(started.output == "ran\n", "\(start): \(started.errors)")
        }
    }

    private func describeAgain() throws {
        try FileManager.default.removeItem(atPath: root + "/shims/aaa-x-1/launch")
        try describe("sxs-launch 1\nstore-path /usr/store/aaa-x-1\ncommand sh\tbin/sh\n")
    }

    /// What the program's own reader refuses never runs.
    @Test func noWrongDescriptionIsObeyed() throws {
        _ = try host.run("mv $D/a/shims/aaa-x-1 $D/a/shims/a; cp -r $D/a/store/aaa-x-1 $D/a/store/a")
        let whole = "sxs-launch 1\nstore-path /usr/store/a\nsearch-path bin\ncommand sh\tbin/sh\n"
        try describe(whole, base: "a")
        let command = "exec $D/a/shims/a/sh -c 'echo ran'"
        #expect(try run(command) == "ran\n")
        let cut = (0..<whole.utf8.count).map { String(whole.prefix($0)) }
        for text in LaunchDescriptionTests.wrong + cut + [whole + "x", whole + "\0\n", "\n" + whole] {
            try describe(text, base: "a")
            #expect(try run(command) == fellThrough, "\(text)")
        }
    }
}
