import Foundation
import Testing

/// Roots with nothing in them but what the probe itself needs.
@Suite struct EmptyRootTests {
    let host: Host

    init() throws {
        host = try Host()
        try host.makeRoot("new/var/a", base: "aaa-x-1")
        let outcome = try host.run(
            """
            for library in $(ldd $P | grep -o '/[^ )]*'); do
                mkdir -p $D/new$(dirname $library) && cp $library $D/new$library
            done
            mkdir $D/new/bin && cp /bin/busybox $D/new/bin && cp $P $D/new/probe
            """)
        #expect(outcome.errors == "")
    }

    /// Enters a private mount namespace of the given propagation, and in it the new root.
    private func enter(_ propagation: String, _ command: String, before: String = "") throws -> Outcome {
        try host.run(
            """
            exec unshare -m --propagation \(propagation) sh -c '\(before); exec \(command)'
            """)
    }

    private let command = "/probe enter automatic /var/a -- /usr/store/aaa-x-1/bin/busybox ls /usr/store"

    @Test func aRootWithoutUsrIsExplained() throws {
        let outcome = try host.run("rm -r $D/new/usr 2>/dev/null; unshare -m chroot $D/new \(command)")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("no directory /usr"))
        #expect(outcome.errors.contains("hint: create it, as root: mkdir /usr"))
    }

    @Test func theSuperuserNeedsNoProc() throws {
        let outcome = try enter("private", "chroot $D/new \(command)", before: "mkdir -p $D/new/usr")
        #expect(outcome.errors == "")
        #expect(outcome.lines == ["aaa-x-1"])
    }

    @Test func mountsOfAChrootNeverReachTheHost() throws {
        let outcome = try enter(
            "shared", "chroot $D/new \(command)", before: "mkdir -p $D/new/usr; mount --make-rshared /")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("mounts may appear on the host too"))
        #expect(outcome.errors.contains("hint: "))
    }

    @Test func aRootThatIsAMountWorks() throws {
        let outcome = try enter(
            "shared", "chroot $D/new \(command)",
            before: "mkdir -p $D/new/usr; mount --bind $D/new $D/new; mount --make-shared $D/new")
        #expect(outcome.errors == "")
        #expect(outcome.lines == ["aaa-x-1"])
    }

    @Test func anOrdinaryUserIsToldAboutProcAndChroot() throws {
        // chroot(2) first, then the user: an ordinary user cannot do it.
        let script =
            "mkdir -p $D/new/usr; unshare -m chroot --userspec=65534:65534 --groups= $D/new \(command)"
        let withoutProc = try host.run(script)
        #expect(withoutProc.status == 1)
        #expect(withoutProc.errors.contains("/proc is not mounted"))
        let withProc = try host.run(
            """
            mkdir -p $D/new/usr $D/new/proc
            exec unshare -m sh -c 'mount --rbind /proc $D/new/proc
            exec chroot --userspec=65534:65534 --groups= $D/new \(command)'
            """)
        #expect(withProc.status == 1)
        #expect(withProc.errors.contains("kernel refuses a user namespace (operation not permitted)"))
        #expect(withProc.errors.contains("hint: a chroot and many containers forbid them"))
    }
}
