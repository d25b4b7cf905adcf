import Activation
import Foundation
import Testing

/// A launcher makes the view before libc starts where that is plain, and by StoreView otherwise: nobody can tell which.
///
/// The first is its own choice; `SXS_NAMESPACE` makes it the second.
@Suite struct ViewWaysTests {
    let host: Host

    init() throws {
        host = try Host()
        try host.makeRoot("a", base: "aaa-x-1", aliases: ["k1": "/usr/store/aaa-x-1/bin"])
        // All that a process has of its own, and what it sees.
        try host.write(
            host.directory + "/look",
            """
            cat /proc/self/mountinfo
            echo "== $0|$1|$2"; pwd; umask; ulimit -n; env | grep -v -e ^_= -e ^SXS_NAMESPACE= -e ^OUTER_ | sort
            grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn|SigCgt)' /proc/self/status
            cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
            for n in /proc/$$/fd/?; do echo "${n##*/}"; done
            for n in user mnt pid net ipc uts cgroup; do
                [ "$(readlink /proc/self/ns/$n)" = "$(eval echo \\$OUTER_$n)" ] && echo "the same $n" || echo "another $n"
            done
            stat -c '%n %f %u %g %h' / /usr /usr/* /usr/store/* /usr/_/* /etc
            for n in /usr/store:store /usr/_:aliases; do
                [ ${n%:*} -ef $D/a/${n#*:} ] && echo same || echo another
            done
            touch /usr/store/x /usr/_/x /usr/x 2>&1
            /usr/_/k1/busybox echo ran
            """)
    }

    /// What a launcher does and says in a mount namespace of the superuser's that is as `before` makes it.
    private func answer(
        _ caller: Caller, before: String, start: String, _ environment: [String: String]
    ) throws -> [String] {
        let quoted = { (text: String) in "'" + text.replacingOccurrences(of: "'", with: #"'\''"#) + "'" }
        let note =
            "for n in user mnt pid net ipc uts cgroup; do export OUTER_$n=$(readlink /proc/self/ns/$n 2>/dev/null); done"
        let inner = (caller.prefix + ["sh", "-c", "\(note); \(start)"]).map(quoted).joined(separator: " ")
        // What another test's process was given by accident is of no interest.
        let close = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"
        // That shell stays, so that its namespace does, whose number would else be given to another.
        let outcome = try host.run(
            "exec unshare -m sh -ec " + quoted("\(close)\n\(before)\n\(inner) || exit $?; exit 0"),
            environment: environment)
        let output = outcome.output.components(separatedBy: "== ")
        return Self.mounts(output[0]) + output.dropFirst() + [outcome.errors, "status \(outcome.status)"]
    }

    /// Mounts without the numbers that the kernel gives to new ones.
    private static func mounts(_ text: String) -> [String] {
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        guard lines.allSatisfy({ $0.count > 9 }) else { return [text] }
        let points = Dictionary(lines.map { ($0[0], $0[4]) }) { first, _ in first }
        return lines.map { fields in
            let device = fields[2].hasPrefix("0:") ? "memory" : fields[2]
            let others = fields[3...].map { field in
                ["shared:", "master:"].first { field.hasPrefix($0) } ?? field
            }
            return ([points[fields[1]] ?? "none", device] + others).joined(separator: " ")
        }
    }

    /// Lines that only one of two has.
    private static func difference(_ fast: [String], _ slow: [String]) -> [String] {
        let lines = [fast, slow].map { $0.flatMap { $0.components(separatedBy: "\n") } }
        return lines[0].difference(from: lines[1]).map { change in
            switch change {
            case .insert(_, let line, _): "fast: " + line
            case .remove(_, let line, _): "slow: " + line
            }
        }
    }

    private let launcher = "$D/a/profiles/default/current/bin/stored-sh"

    /// Where nothing is in the way.
    private static let plain = [
        "", "mount -t tmpfs none /mnt; mount --make-shared /mnt", "mount -o remount,bind,nosuid,nodev /",
    ]

    @Test(arguments: plain, Caller.allCases) func theViewIsTheSame(_ before: String, _ caller: Caller) throws
    {
        for start in [
            "exec \(launcher) $D/look one 'two  words'",
            "umask 077; ulimit -n 99; cd /usr/share; exec \(launcher) $D/look",
            "umask 777; cd $D; exec a/shims/aaa-x-1/sh $D/look </dev/null 7<$D/look",
            "cd $D/a/store && PATH=/usr/bin:/bin exec \(launcher) -c '. $D/look'",
        ] {
            let fast = try answer(caller, before: before, start: start, [:])
            let slow = try answer(caller, before: before, start: start, ["SXS_NAMESPACE": "automatic"])
            #expect(Self.difference(fast, slow) == [], "\(start)")
            #expect(fast.last == "status 0")
            #expect(fast.contains { $0.hasPrefix("/usr ") && $0.contains("/usr/store ro,nosuid") }, "\(fast)")
            #expect(
                fast.contains { $0.contains("another mnt\nthe same pid") && $0.hasSuffix("ran\n") }, "\(fast)"
            )
        }
    }

    /// Where the view takes something else, or cannot be made, at once or half-way.
    private static let others: [(before: String, start: String)] = [
        ("mount -t tmpfs none /usr/share/man", "exec L $D/look"),
        // Overlays end at two levels: the first mount succeeds, the second does not.
        (
            """
            mkdir -p $D/one $D/two
            mount -t overlay -o lowerdir=/usr:$D/one none /usr; mount -t overlay -o lowerdir=/usr:$D/two none /usr
            """, "cd /usr/share; umask 027; exec L $D/look"
        ),
        ("mount -t tmpfs none /proc", "exec L -c 'ls /usr/store; pwd'"),
        ("mount -o remount,bind,ro /proc", "exec L $D/look"),
        // A program that its user may not read: what /proc says of it is root's.
        ("chmod 711 $D/probe", "exec L $D/look"),
        ("sed -i '/^command sh/a seed etc/sxs-seed' $D/a/shims/aaa-x-1/launch", "exec L $D/look"),
        ("", "exec $D/a/shims/aaa-x-1/gone"), ("", "exec $D/a/shims/aaa-x-1/other"),
        ("mkdir -p $D/go/gone; chmod 777 $D/go", "cd $D/go/gone; rmdir ../gone; exec L -c 'ls /usr/store'"),
        ("rm -r $D/a/aliases", "exec L -c true"),
        ("rm -r $D/a/aliases; touch $D/a/aliases", "exec L -c true"),
        ("chmod 711 $D/a/store; chmod 700 $D/a/aliases", "exec L -c true"),
        ("mkdir -p $D/shut; cd $D/shut; chmod 0 .", "exec L -c pwd"),
    ]

    @Test(arguments: others.indices, Caller.allCases) func whatIsNotPlainIsDoneOrRefusedTheSame(
        _ index: Int, _ caller: Caller
    ) throws {
        let (before, start) = Self.others[index]
        let command = start.replacingOccurrences(of: "L", with: launcher)
        let answers = try [[:], ["SXS_NAMESPACE": "automatic"]].map { environment in
            _ = try host.run("cp -a $D/a $D/saved")
            let answer = try answer(caller, before: before, start: command, environment)
            _ = try host.run("rm -r $D/a; mv $D/saved $D/a")
            return answer
        }
        #expect(Self.difference(answers[0], answers[1]) == [], "\(before)")
    }

    @Test func anOrdinaryUserWhoseNumbersAreRefusedIsToldSo() throws {
        for environment in [[:], ["SXS_NAMESPACE": "automatic"]] {
            let refused = try answer(
                .ordinary, before: "mount -o remount,bind,ro /proc",
                start: "exec \(launcher) -c 'echo started'",
                environment)
            #expect(refused.count == 2)
            #expect(
                refused[0].contains("the kernel refuses a user namespace (read-only file system)\nhint: "))
            #expect(refused.last == "status 1")
        }
    }

    @Test func anOrdinaryUserWithoutNamespacesIsToldSo() throws {
        let answers = try [[:], ["SXS_NAMESPACE": "automatic"]].map {
            try host.run(
                """
                exec unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces
                exec setpriv --bounding-set=-all --inh-caps=-all \(launcher) -c "echo started"'
                """, environment: $0)
        }
        #expect(answers[0].errors == answers[1].errors)
        #expect(answers[0].errors.contains("hint: as root: sysctl -w user.max_user_namespaces="))
        #expect(answers.map(\.output) == ["", ""])
        #expect(answers.map(\.status) == [1, 1])
    }
}
