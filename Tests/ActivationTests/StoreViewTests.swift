import Activation
import Foundation
import Testing

/// Every way to make a view, for every kind of user.
private let ways = [StoreView.Method.overlay, .binds, .automatic].flatMap { method in
    Caller.allCases.map { (method, $0) }
}

@Suite struct StoreViewTests {
    let host: Host

    init() throws { host = try Host() }

    @Test(arguments: ways) func theStoreIsTheRootsOwnDirectoryAndReadOnly(
        _ method: StoreView.Method, _ caller: Caller
    ) throws {
        let root = try host.makeRoot("a", base: "aaa-x-1", aliases: ["k1": "/usr/store/aaa-x-1/bin"])
        let outcome = try host.run(
            """
            $P visible $D/a
            exec $P enter \(method) $D/a -- /bin/sh -c '
            [ $(stat -c %d:%i /usr/store) = $(stat -c %d:%i $D/a/store) ] && echo same
            [ $(stat -c %d:%i /usr/_) = $(stat -c %d:%i $D/a/aliases) ] && echo same
            $P visible $D/a
            realpath /usr/_/k1/busybox
            touch /usr/store/new /usr/new 2>/dev/null || echo read-only
            ls /usr'
            """, as: caller)
        var entries = try FileManager.default.contentsOfDirectory(atPath: "/usr")
        entries = Set(entries + ["store", "_"]).sorted()
        #expect(
            outcome.lines.prefix(6) == [
                "false", "same", "same", "true", "/usr/store/aaa-x-1/bin/busybox", "read-only",
            ])
        #expect(outcome.lines.dropFirst(6).sorted() == entries)
        #expect(outcome.errors == "")
        #expect(outcome.status == 0)
        #expect(!FileManager.default.fileExists(atPath: root + "/store/new"))
    }

    @Test(arguments: ways) func nothingElseOfTheProcessChanges(_ method: StoreView.Method, _ caller: Caller)
        throws
    {
        try host.makeRoot("a", base: "aaa-x-1")
        let look =
            "pwd; id -u; id -g; umask; env | grep -v ^_= | sort; ulimit -n; cat /proc/$$/stat | cut -d' ' -f4-8"
        try host.write(host.directory + "/look", look)
        let script = """
            umask 027; ulimit -n 777
            sh $D/look
            echo "pid $$"
            exec $P enter \(method) $D/a -- /bin/sh -c 'sh $D/look; echo "pid $$"'
            """
        let outcome = try host.run(script, as: caller, in: "/usr/share")
        let half = outcome.lines.count / 2
        let before = Array(outcome.lines.prefix(half))
        let after = Array(outcome.lines.dropFirst(half))
        #expect(half > 8)
        #expect(before.last == after.last)
        #expect(before.dropLast(2) == after.dropLast(2))
        #expect(after.first == "/usr/share")
    }

    @Test(arguments: Caller.allCases) func mountsBelowUsrStayVisible(_ caller: Caller) throws {
        try host.makeRoot("a", base: "aaa-x-1")
        let inner =
            (caller.prefix + ["sh", "-c", "exec $P enter automatic $D/a -- cat /usr/share/man/marker"])
            .map { "'\($0)'" }.joined(separator: " ")
        let outcome = try host.run(
            """
            exec unshare -m sh -c 'mount -t tmpfs none /usr/share/man && echo mounted > /usr/share/man/marker
            exec "$@"' sh \(inner)
            """)
        #expect(outcome.output == "mounted\n")
        #expect(outcome.errors == "")
    }

    @Test(arguments: ways) func theHostSeesNothingOfIt(_ method: StoreView.Method, _ caller: Caller) throws {
        try host.makeRoot("a", base: "aaa-x-1")
        let before = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        #expect(
            try host.run("exec $P enter \(method) $D/a -- test -d /usr/store/aaa-x-1", as: caller).status == 0
        )
        #expect(try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) == before)
    }

    @Test(arguments: ways) func twoStoresAppearTogether(_ method: StoreView.Method, _ caller: Caller) throws {
        try host.makeRoot(
            "a", base: "aaa-x-1", aliases: ["k1": "/usr/store/aaa-x-1/bin", "both": "/usr/store/c"])
        try host.makeRoot(
            "b", base: "bbb-y-1", aliases: ["k2": "/usr/store/bbb-y-1/bin", "both": "/usr/store/c"])
        let outcome = try host.run(
            """
            exec $P enter \(method) "$D/a|$D/b" -- /bin/sh -c '
            ls /usr/store /usr/_; /usr/_/k1/busybox echo one; /usr/_/k2/busybox echo two
            $P visible $D/a; $P visible $D/b; $P visible $D
            touch /usr/store/new /usr/_/new 2>/dev/null || echo read-only'
            """, as: caller)
        #expect(
            outcome.lines == [
                "/usr/_:", "both", "k1", "k2", "/usr/store:", "aaa-x-1", "bbb-y-1", "one", "two", "true",
                "true", "false",
                "read-only",
            ])
        #expect(outcome.errors == "")
    }

    @Test(arguments: ways) func aViewInAViewKeepsTheOuterStore(_ method: StoreView.Method, _ caller: Caller)
        throws
    {
        try host.makeRoot("a", base: "aaa-x-1")
        try host.makeRoot("b", base: "bbb-y-1")
        // Overlays end at two levels; automatic goes on by binds.
        let inner = method == .overlay ? StoreView.Method.automatic : method
        let outcome = try host.run(
            "exec $P enter \(method) $D/a -- $P enter \(inner) $D/b -- /bin/sh -c 'ls /usr/store'", as: caller
        )
        #expect(outcome.lines == ["aaa-x-1", "bbb-y-1"])
        #expect(outcome.errors == "")
    }

    @Test(arguments: Caller.allCases) func anAliasWithTwoTargetsIsRefused(_ caller: Caller) throws {
        try host.makeRoot("a", base: "aaa-x-1", aliases: ["k1": "/usr/store/aaa-x-1/bin"])
        try host.makeRoot("b", base: "bbb-y-1", aliases: ["k1": "/usr/store/bbb-y-1/bin"])
        let outcome = try host.run(#"exec $P enter automatic "$D/a|$D/b" -- echo started"#, as: caller)
        #expect(outcome.status == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains("alias 'k1' stands for /usr/store/aaa-x-1/bin in"))
        #expect(outcome.errors.contains("/usr/store/bbb-y-1/bin in"))
        #expect(outcome.errors.contains("hint: "))
    }

    @Test(arguments: ways) func whatEtcLacksIsShownAndTheRestIsTheHosts(
        _ method: StoreView.Method, _ caller: Caller
    ) throws {
        try host.makeRoot("a", base: "aaa-x-1")
        let source = "/usr/store/aaa-x-1/etc/sxs-seed"
        let outcome = try host.run(
            """
            exec $P enter \(method) $D/a /etc/sxs-seed/deep/er=\(source) /etc/sxs-other=\(source)/file \
            /etc/passwd=\(source)/file -- /bin/sh -c '
            cat /etc/sxs-seed/deep/er/file /etc/sxs-other; cat /etc/passwd | head -1; ls -A /etc'
            """, as: caller)
        let passwd = try String(contentsOfFile: "/etc/passwd", encoding: .utf8).split(separator: "\n").first
        #expect(outcome.errors == "")
        #expect(outcome.lines.prefix(3) == ["seed of aaa-x-1", "seed of aaa-x-1", "\(passwd ?? "")"])
        let entries = try FileManager.default.contentsOfDirectory(atPath: "/etc") + ["sxs-seed", "sxs-other"]
        #expect(outcome.lines.dropFirst(3).sorted() == entries.sorted())
    }

    @Test(arguments: ways) func whatUsrLacksIsShownAndTheRestIsTheHosts(
        _ method: StoreView.Method, _ caller: Caller
    ) throws {
        try host.makeRoot("a", base: "aaa-x-1")
        let source = "/usr/store/aaa-x-1/etc/sxs-seed"
        let outcome = try host.run(
            """
            exec $P enter \(method) $D/a /usr/bin/sxs-tool=\(source)/file /usr/share/sxs-a/b=\(source) \
            /usr/bin/env=\(source)/file -- /bin/sh -c '
            cat /usr/bin/sxs-tool /usr/share/sxs-a/b/file; env echo the host; ls /usr/store; ls -A /usr/bin'
            """, as: caller)
        #expect(outcome.errors == "")
        #expect(
            outcome.lines.prefix(4) == ["seed of aaa-x-1", "seed of aaa-x-1", "the host", "aaa-x-1"])
        let entries = try FileManager.default.contentsOfDirectory(atPath: "/usr/bin") + ["sxs-tool"]
        #expect(outcome.lines.dropFirst(4).sorted() == entries.sorted())
    }

    @Test(arguments: ways) func changesOfTheHostInEtcArrive(_ method: StoreView.Method, _ caller: Caller)
        throws
    {
        try host.makeRoot("a", base: "aaa-x-1")
        let inner =
            (caller.prefix + [
                "sh", "-c",
                """
                exec $P enter \(method) $D/a /etc/sxs-seed=/usr/store/aaa-x-1/etc/sxs-seed -- sh -c '
                echo ready > $D/go/ready; until [ -e $D/go/done ]; do sleep 0.02; done
                cat /etc/file /etc/sxs-seed/file'
                """,
            ]).map { "'\($0.replacingOccurrences(of: "'", with: "'\\''"))'" }.joined(separator: " ")
        // A small /etc of its own, outside of the view, which is written to meanwhile.
        let outcome = try host.run(
            """
            mkdir -m 777 $D/go
            exec unshare -m sh -c 'mount -t tmpfs -o mode=755 none /etc && echo old > /etc/file
            "$@" & until [ -e $D/go/ready ]; do sleep 0.02; kill -0 $! || exit 9; done
            echo new > /etc/file; touch $D/go/done; wait $!' sh \(inner)
            """)
        #expect(outcome.lines == ["new", "seed of aaa-x-1"])
        #expect(outcome.errors == "")
    }

    @Test func aKernelWithoutUserNamespacesIsExplained() throws {
        try host.makeRoot("a", base: "aaa-x-1")
        let outcome = try host.run(
            """
            exec unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces
            exec setpriv --bounding-set=-all --inh-caps=-all $P enter automatic $D/a -- echo started'
            """)
        #expect(outcome.status == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains("kernel refuses a user namespace"))
        #expect(outcome.errors.contains("hint: as root: sysctl -w user.max_user_namespaces="))
    }
}
