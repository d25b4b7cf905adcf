import Files
import Foundation
import Glibc
import Operations
import StoreLayout
import Testing

/// Bad input to the program itself: one sentence that names the thing, a hint, status 1, and nothing changed.
@Suite struct ProgramTests {
    /// What a run of the program came to.
    struct Outcome {
        let status: Int
        let output: String
    }

    /// Runs a line of shell in which `sxs` is the program with the fixture's root.
    static func run(_ line: String, in fixture: WalkFixture, root: String = "root") throws -> Outcome {
        let script = fixture.directory.appending(path: "line-\(UUID().uuidString).sh")
        try """
        sxs() { timeout 60 '\(fixture.program)' "$@"; }
        export SXS_ROOT='\(fixture.directory.path)/\(root)'
        { \(line)
        } 2>&1
        echo "status $?"
        """.write(to: script, atomically: false, encoding: .utf8)
        let output = try fixture.run("bash", [script.path])
        let marker = try #require(output.range(of: "status ", options: .backwards))
        let status = try #require(Int(output[marker.upperBound...].dropLast()))
        return Outcome(status: status, output: String(output[..<marker.lowerBound]))
    }

    /// A fixture whose root has `hello` installed.
    static func installed() throws -> WalkFixture {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        _ = try fixture.session().install([fixture.tar("hello-1.tar")])
        return fixture
    }

    func expectNothing(in fixture: WalkFixture, since before: String, _ what: String) throws {
        #expect(try fixture.state() == before, "\(what)")
        let left = try FileManager.default.contentsOfDirectory(
            atPath: fixture.directory.appending(path: "root/tmp").path)
        #expect(left.isEmpty, "\(what)")
    }

    @Test func everyMistakeIsASentenceWithAHint() throws {
        let fixture = try Self.installed()
        try fixture.run(
            "sh",
            [
                "-c",
                """
                : > empty; head -c 5000 /dev/urandom > noise-1.tar; mkfifo pipe; mkdir full; echo x > full/x
                """,
            ])
        let before = try fixture.state()
        for (line, subject) in [
            ("sxs import /nonexistent", "/nonexistent"), ("sxs import /dev/null", "/dev/null"),
            ("sxs import ./empty", "./empty"), ("sxs import ./pipe", "./pipe"),
            ("sxs import ./noise-1.tar", "./noise-1.tar"), ("sxs import tar:", "tar:"),
            ("sxs import ./hello-1.tar --name a/b", "'a/b'"),
            ("sxs import ./hello-1.tar --name ''", "''"),
            ("sxs import ./hello-1.tar --name .x", "'.x'"),
            ("sxs import ./hello-1.tar --version ''", "''"),
            ("sxs import ./hello-1.tar --version 1:2", "'1:2'"),
            ("sxs import ./hello-1.tar --version ../2", "'../2'"),
            ("sxs import ./hello-1.tar --name $'a\\nb'", "'a\\012b'"),
            ("sxs import ./hello-1.tar --platform vax", "'vax'"),
            ("sxs import ./hello-1.tar --version 3 --expose nosuch", "'nosuch'"),
            ("sxs import dir:./full", "full"), ("sxs import raw:./hello-1.tar", "./hello-1.tar"),
            ("sxs list --profile ../x", "'../x'"),
            ("sxs list --root '\(fixture.directory.path)/full'", "full"),
            ("sxs install ./hello-1.tar --root '\(fixture.directory.path)/full'", "full"),
            ("sxs list --root /etc/passwd", "/etc/passwd"), ("sxs list --root /nonexistent", "/nonexistent"),
            ("sxs run nothing", "'nothing'"), ("sxs run hello --command nosuch", "'nosuch'"),
            ("sxs report nothing", "'nothing'"), ("sxs remove nothing", "'nothing'"),
            ("sxs install nothing", "'nothing'"), ("sxs install hello@9", "hello@9"),
            ("sxs install hello --prefer nothing", "'nothing'"),
            ("sxs path-info nothing", "'nothing'"), ("sxs verify nothing", "'nothing'"),
            ("sxs switch 99", "99"), ("sxs diff 1 99", "99"), ("sxs rollback", "1"),
            ("sxs rollback --profile none", "none"), ("sxs remote add x /nonexistent", "/nonexistent"),
            ("sxs remote add a/b .", "'a/b'"), ("sxs remote remove x", "x"),
            ("sxs list > /dev/full", "results"), ("sxs list >&-", "results"),
        ] {
            let outcome = try Self.run(line, in: fixture)
            #expect(outcome.status == 1, "\(line): \(outcome)")
            #expect(outcome.output.hasPrefix("sxs: "), "\(line): \(outcome)")
            #expect(outcome.output.contains(subject), "\(line): \(outcome)")
            #expect(outcome.output.contains("\nhint: "), "\(line): \(outcome)")
            try expectNothing(in: fixture, since: before, line)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(
                atPath: fixture.directory.appending(path: "full").path) == ["x"])
    }

    @Test func anImageThatCannotBeOpenedMakesNoStore() throws {
        let fixture = try WalkFixture()
        for line in ["sxs import ./nothing.tar", "sxs install ./nothing.tar"] {
            #expect(try Self.run(line, in: fixture, root: "new").status == 1)
        }
        let new = fixture.directory.appending(path: "new").path
        #expect(!FileManager.default.fileExists(atPath: new))
    }

    @Test func aClosedStreamIsNeverAFileOfTheStore() throws {
        let fixture = try Self.installed()
        for (version, line) in [
            (2, "sxs import ./hello-1.tar --version 2 <&- >&- 2>&-"),
            (3, "sxs import ./hello-1.tar --version 3 <&-"), (4, "sxs import ./hello-1.tar --version 4 2>&-"),
        ] {
            let outcome = try Self.run(line, in: fixture)
            #expect(outcome.status == (version == 2 ? 1 : 0), "\(line): \(outcome)")
            let info = try Self.run("sxs path-info hello@\(version) && sxs verify", in: fixture)
            #expect(info.status == 0, "\(info)")
        }
        #expect(try Self.run("sxs list | head -n 0; (exit ${PIPESTATUS[0]})", in: fixture).output == "")
    }

    @Test func anotherArchitectureNeedsToBeAskedFor() throws {
        let fixture = try Self.installed()
        // The head of a program for 64-bit ARM: all that the architecture is told from.
        try fixture.run(
            "python3",
            [
                "-c",
                """
                import struct, os
                os.makedirs("arm/usr/bin")
                head = b"\\x7fELF\\x02\\x01\\x01" + bytes(9)
                head += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0)
                open("arm/usr/bin/tool", "wb").write(head)
                os.chmod("arm/usr/bin/tool", 0o755)
                """,
            ])
        try fixture.run("tar", ["-C", "arm", "-cf", "tool-1.tar", "."])
        try fixture.run("mksquashfs", ["arm", "tool-1.raw", "-quiet", "-no-progress"])
        let before = try fixture.state()
        for image in ["./tool-1.tar", "./tool-1.raw", "dir:./arm --name tool --version 1"] {
            let outcome = try Self.run("sxs import \(image)", in: fixture)
            #expect(outcome.status == 1, "\(outcome)")
            #expect(outcome.output.contains("arm64") && outcome.output.contains("--platform"), "\(outcome)")
            try expectNothing(in: fixture, since: before, image)
            let other = try Self.run("sxs import \(image) --platform riscv64", in: fixture)
            #expect(other.status == 1, "\(other)")
        }
        let wanted = try Self.run("sxs import ./tool-1.tar --platform arm64", in: fixture)
        #expect(wanted.status == 0, "\(wanted)")
    }

    @Test func theNewerPreferenceWins() throws {
        let fixture = try Self.installed()
        try fixture.write("usr/bin/hello", "#!/bin/sh\necho other\n", mode: 0o755)
        _ = try fixture.tar("other-1.tar")
        let before = try fixture.state()
        let refused = try Self.run("sxs install ./other-1.tar", in: fixture)
        #expect(refused.status == 1)
        for part in ["bin/hello", "-hello-1", "-other-1", "--prefer"] {
            #expect(refused.output.contains(part), "\(refused)")
        }
        // Neither the profile nor the store has anything of it.
        #expect(try fixture.state() == before)
        #expect(try Self.run("sxs import ./other-1.tar", in: fixture).status == 0)
        let shown = { try fixture.run("readlink", ["root/profiles/default/current/bin/hello"]) }
        for (line, owner) in [
            ("sxs install other --prefer other", "-other-1"),
            ("sxs install hello --prefer hello", "-hello-1"),
            ("sxs install other --prefer other", "-other-1"),
            // An upgrade keeps the preference.
            ("sxs install ./other-1.tar --version 2", "-other-2"),
        ] {
            let outcome = try Self.run(line, in: fixture)
            #expect(outcome.status == 0, "\(line): \(outcome)")
            #expect(try shown().contains(owner), "\(line)")
        }
    }

    @Test(arguments: ["rm root/index.sqlite*", "rm root/index.sqlite*; : > root/index.sqlite"])
    func anIndexThatIsGoneIsMadeAnew(line: String) throws {
        let fixture = try Self.installed()
        let before = try fixture.state()
        try fixture.run("sh", ["-c", line])
        let reading = try Self.run("sxs list", in: fixture)
        #expect(reading.status == 1 && reading.output.contains("index"), "\(reading)")
        #expect(reading.output.contains("hint: "), "\(reading)")
        #expect(try Self.run("sxs install hello", in: fixture).status == 0)
        #expect(try Self.run("sxs list", in: fixture).output.contains("hello  1"))
        #expect(try fixture.state() == before)
    }

    @Test func anIndexOfGarbageIsNamedAndLeft() throws {
        let fixture = try Self.installed()
        let before = try fixture.state()
        try fixture.run(
            "sh", ["-c", "rm root/index.sqlite*; head -c 20000 /dev/urandom > root/index.sqlite"])
        for line in ["sxs list", "sxs install hello"] {
            let outcome = try Self.run(line, in: fixture)
            #expect(outcome.status == 1 && outcome.output.contains("root/index.sqlite"), "\(outcome)")
            #expect(outcome.output.contains("hint: 'sxs index rebuild'"), "\(outcome)")
        }
        // The hint is right.
        #expect(try Self.run("sxs index rebuild", in: fixture).status == 0)
        #expect(try fixture.state() == before)
    }

    @Test func aSwitchThatLeadsNowhereIsNamed() throws {
        let fixture = try Self.installed()
        try fixture.run("ln", ["-sfn", "elsewhere", "root/profiles/default/current"])
        let outcome = try Self.run("sxs list", in: fixture)
        #expect(outcome.status == 1 && outcome.output.contains("'elsewhere'"), "\(outcome)")
    }

    @Test func whatMayNotBeReadIsNamed() throws {
        let fixture = try Self.installed()
        try fixture.run("sh", ["-c", "cp hello-1.tar secret-1.tar; mkdir locked own; cp -a root hidden"])
        try fixture.run("chmod", ["0", "secret-1.tar", "locked", "hidden"])
        try fixture.run("chmod", ["777", "own"])
        try fixture.run("chmod", ["755", "."])
        let isRoot = geteuid() == 0
        let user = isRoot ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : ""
        let program = fixture.program
        let refused = "permission denied"
        for (line, subject, reason) in [
            ("list --root hidden", "hidden", refused),
            ("install ./hello-1.tar --root hidden", "hidden", refused),
            ("import ./secret-1.tar --root own/root", "secret-1.tar", refused),
            ("import ./locked --root own/root", "locked", refused),
        ] + (isRoot ? [("remove hello --root root", "root", "belongs to root")] : []) {
            let outcome = try Self.run("\(user)'\(program)' \(line)", in: fixture)
            #expect(outcome.status == 1, "\(line): \(outcome)")
            #expect(
                outcome.output.contains(subject) && outcome.output.lowercased().contains(reason),
                "\(line): \(outcome)")
            #expect(outcome.output.contains("hint: "), "\(line): \(outcome)")
        }
        try fixture.run("chmod", ["755", "locked", "hidden"])
    }

    @Test func aSecondWriterWaitsAndSaysForWhom() throws {
        let fixture = try Self.installed()
        // Holds the lock as a writer does, for a second.
        let outcome = try Self.run(
            """
            (flock 9; echo '4711 sxs install emacs' > root/lock; sleep 2; : > root/lock) 9<> root/lock &
            sleep 0.5; sxs remove hello; result=$?; wait; (exit $result)
            """, in: fixture)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("waiting for 4711 sxs install emacs"), "\(outcome)")
        #expect(outcome.output.contains("- hello 1"), "\(outcome)")
    }

    @Test func whatAStoreCannotHoldIsDroppedAndCounted() throws {
        let fixture = try Self.installed()
        try fixture.write("usr/bin/ping", "#!/bin/sh\n", mode: 0o755)
        // cap_net_raw, permitted and effective, as setcap(8) writes it.
        try fixture.run(
            "setfattr",
            [
                "-n", "security.capability", "-v", "0x0100000200200000000000000000000000000000",
                "tree/usr/bin/ping",
            ])
        try fixture.run("chmod", ["u+s", "tree/usr/bin/hello"])
        try fixture.run("mknod", ["tree/null", "c", "1", "3"])
        try fixture.run("mkfifo", ["tree/pipe"])
        _ = try fixture.tar("caps-1.tar", options: ["--xattrs", "--xattrs-include=*"])
        _ = try fixture.squashFS("caps-1.raw")
        for image in ["./caps-1.tar", "./caps-1.raw", "dir:./tree --name caps --version 1"] {
            let root = "root-\(UUID().uuidString)"
            let outcome = try Self.run("sxs import \(image)", in: fixture, root: root)
            #expect(outcome.status == 0, "\(outcome)")
            for what in ["1 device", "1 pipe", "1 set-id bit", "1 file capabilit"] {
                #expect(outcome.output.contains("left out \(what)"), "\(image): \(outcome)")
            }
            let files = try fixture.run(
                "sh", ["-c", "getfattr -R -m - \(root)/store/ 2>/dev/null; find \(root)/store -perm /6000"])
            #expect(files == "", "\(files)")
        }
    }
}
