import Activation
import Foundation
import Testing

@Suite struct LauncherTests {
    let host: Host

    init() throws {
        host = try Host()
        try host.makeRoot("a", base: "aaa-x-1")
    }

    /// What the launched shell is asked for.
    private let question = #"echo "$0|$PATH|$SXS_DEFAULT|$*""#
    private let program = "/usr/store/aaa-x-1/bin/sh"
    private let path = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/store/aaa-x-1/bin"

    @Test(arguments: ["overlay", "binds", "automatic"], Caller.allCases)
    func aLinkInAProfileRunsTheProgram(_ method: String, _ caller: Caller) throws {
        let outcome = try host.run(
            "exec $D/a/profiles/default/current/bin/stored-sh -c '\(question)' '' 'a  b' ''", as: caller,
            environment: ["SXS_NAMESPACE": method])
        #expect(outcome.lines == ["|\(path)|yes|a  b "])
        #expect(outcome.errors == "")
    }

    @Test func everyWayToNameTheLauncherWorks() throws {
        let answer = "\(program)|\(path)|yes|"
        let command = "-c '\(question)'"
        for script in [
            "$D/a/profiles/default/current/bin/stored-sh \(command)",
            "PATH=$PATH; cd $D/a/profiles/default/current/bin && ./stored-sh \(command)",
            "cd $D/a/shims/aaa-x-1 && ./sh \(command)",
            "cd $D/a/shims && aaa-x-1/sh \(command)",
            "cd $D/a/shims/aaa-x-1 && ../aaa-x-1/./sh \(command)",
            "ln -s a/shims/aaa-x-1 $D/dir; ln -s dir/sh $D/indirect; $D/indirect \(command)",
            "sh -c 'exec \"$0\" \"$@\"' $D/a/shims/aaa-x-1/sh \(command)",
        ] {
            let outcome = try host.run(script)
            #expect(outcome.lines == [answer], "\(script): \(outcome.errors)")
        }
    }

    @Test func aScriptMayNameTheLauncherInItsFirstLine() throws {
        try host.write(
            host.directory + "/script",
            "#!\(host.directory)/a/profiles/default/current/bin/stored-sh\necho \"$PATH $1\"\n")
        let outcome = try host.run("chmod +x $D/script && exec $D/script argument")
        #expect(outcome.lines == ["\(path) argument"])
        #expect(outcome.errors == "")
    }

    @Test(arguments: Caller.allCases) func statusAndSignalsAreTheProgramsOwn(_ caller: Caller) throws {
        let shim = "exec $D/a/shims/aaa-x-1/sh -c"
        #expect(try host.run("\(shim) 'exit 43'", as: caller).status == 43)
        #expect(try host.run("\(shim) 'kill -TERM $$'", as: caller).signal == SIGTERM)
        // The process that was started is the one that runs: signals reach it.
        let trapped = try host.run(
            """
            \(shim.dropFirst(5)) 'trap "echo caught; exit 7" USR1; : > $D/run/ready; while :; do sleep 0.02; done' &
            until [ -e $D/run/ready ]; do sleep 0.02; kill -0 $! || exit 9; done
            kill -USR1 $!; wait $!
            """.replacingOccurrences(of: "$D/run", with: try shared()), as: caller)
        #expect(trapped.output == "caught\n")
        #expect(trapped.status == 7)
    }

    /// A directory that every caller may write to.
    private func shared() throws -> String {
        let path = host.directory + "/shared"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        chmod(path, 0o777)
        return path
    }

    @Test func theEnvironmentIsKeptBytewise() throws {
        let outcome = try host.run(
            #"""
            export ODD="$(printf 'a\377b')" SXS_DEFAULT= PATH=/usr/store/aaa-x-1/bin:/bin
            exec $D/a/shims/aaa-x-1/sh -c 'echo "$PATH|$SXS_DEFAULT|"; printf %s "$ODD$1" | od -An -tx1' \
            x "$(printf '\376')"
            """#)
        #expect(outcome.lines == ["/usr/store/aaa-x-1/bin:/bin||", " 61 ff 62 fe"])
        let unset = try host.run("exec env -u PATH $D/a/shims/aaa-x-1/sh -c 'echo $PATH'")
        #expect(unset.output == "/usr/local/bin:/usr/bin:/bin:/usr/store/aaa-x-1/bin\n")
    }

    @Test func whatCannotRunIsExplainedWithTheShellsStatus() throws {
        let noCommand = try host.run("exec $D/a/shims/aaa-x-1/other")
        #expect(noCommand.status == 127)
        #expect(noCommand.errors.contains("'other' is no command of the package"))
        try host.link(host.directory + "/a/shims/aaa-x-1/gone", "../../libexec/sxs")
        let gone = try host.run("exec $D/a/shims/aaa-x-1/gone")
        #expect(gone.status == 127)
        #expect(gone.errors.hasPrefix("cannot run /usr/store/aaa-x-1/bin/gone: no such file"))
        let tree = host.directory + "/a/store/aaa-x-1/bin/gone"
        try host.write(tree, "#!/no/interpreter\n")
        chmod(tree, 0o755)
        let interpreter = try host.run("exec $D/a/shims/aaa-x-1/gone")
        #expect(interpreter.status == 127)
        #expect(interpreter.errors.contains("its interpreter is not there"))
        chmod(tree, 0o644)
        #expect(try host.run("exec $D/a/shims/aaa-x-1/gone").status == 126)
        try host.write(tree, "\u{1}\u{2}")
        chmod(tree, 0o755)
        let format = try host.run("exec $D/a/shims/aaa-x-1/gone")
        #expect(format.status == 126)
        #expect(format.errors.contains("no program for this machine"))
    }

    @Test(arguments: Caller.allCases) func aProgramGetsTheNamespaceItIsSaidToHave(_ caller: Caller) throws {
        let head = "sxs-launch 1\nstore-path /usr/store/ccc-z-1\ncommand sh\tbin/sh\n"
        let ask = "readlink /proc/self/ns/mnt"
        for (rule, isOwn) in [("", false), ("namespace never\n", false), ("namespace always\n", true)] {
            let root = try host.makeRoot("c", base: "ccc-z-1", launch: head + rule)
            let outcome = try host.run(
                "exec $P enter automatic $D/c -- /bin/sh -c '\(ask); $D/c/shims/ccc-z-1/sh -c \"\(ask)\"'",
                as: caller)
            #expect(outcome.lines.count == 2, "\(outcome.errors)")
            #expect((Set(outcome.lines).count == 2) == isOwn, "\(rule)")
            if rule.contains("never") {
                let refused = try host.run("exec $D/c/shims/ccc-z-1/sh -c true", as: caller)
                #expect(refused.status == 126)
                #expect(refused.errors.contains("its hint says 'namespace never'"))
            }
            try FileManager.default.removeItem(atPath: root)
        }
    }

    @Test func anotherPackagesDescriptionIsRefused() throws {
        try host.makeRoot(
            "b", base: "bbb-y-1", launch: "sxs-launch 1\nstore-path /usr/store/aaa-x-1\ncommand sh\tbin/sh\n")
        let outcome = try host.run("exec $D/b/shims/bbb-y-1/sh")
        #expect(outcome.status == 126)
        #expect(outcome.errors.contains("describes another package, aaa-x-1"))
    }

    @Test(arguments: Caller.allCases) func aShellHasTheProfileLast(_ caller: Caller) throws {
        let outcome = try host.run(
            """
            exec $P shell $D/a $D/a/profiles/default/current sh -c '
            echo $PATH; echo $XDG_DATA_DIRS; echo $MANPATH; stored-sh -c "echo \\$0"; ls /usr/store'
            """, as: caller)
        let profile = host.directory + "/a/profiles/default/current"
        #expect(
            outcome.lines == [
                "/usr/sbin:/usr/bin:/sbin:/bin:\(profile)/bin",
                "/usr/local/share:/usr/share:\(profile)/share",
                ":\(profile)/share/man", program, "aaa-x-1",
            ])
        #expect(try host.run("exec $P shell $D/a $D no-such-command").status == 127)
    }
}
