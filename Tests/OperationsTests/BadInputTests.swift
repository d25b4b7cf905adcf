import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// Bad input: a sentence that names the thing, and a root that is as it was.
@Suite struct BadInputTests {
    /// Makes a tar with Python's tarfile, which writes whatever it is told.
    static func tar(_ fixture: WalkFixture, _ program: String) throws -> String {
        let path = fixture.directory.appending(path: "bad-1.tar").path
        try fixture.run(
            "python3",
            [
                "-c",
                """
                import io, sys, tarfile
                t = tarfile.open(sys.argv[1], "w")
                def add(name, data=b"x", **fields):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    for key, value in fields.items(): setattr(info, key, value)
                    t.addfile(info, io.BytesIO(data))
                def link(name, target, type=tarfile.SYMTYPE): add(name, b"", type=type, linkname=target)
                \(program)
                t.close()
                """, path,
            ])
        return path
    }

    @Test(arguments: [
        ("add('../evil')", "'..'"), ("add('usr/../../evil')", "'..'"), ("add('/etc/evil')", "absolute"),
        ("link('usr/x', '/etc'); add('usr/x/evil')", "usr/x"),
        ("link('usr/x', '../../..'); add('usr/x/evil')", "usr/x"),
        ("add('usr/a'); link('usr/b', '../../../etc/passwd', tarfile.LNKTYPE)", "'..'"),
        ("link('usr/b', '/etc/passwd', tarfile.LNKTYPE)", "absolute"),
        ("link('usr/b', 'usr/missing', tarfile.LNKTYPE)", "usr/missing"),
        ("add('usr/a\\nb')", "control character"), ("add('usr/a\\x1b[2J')", "control character"),
        ("add('usr/' + 'a' * 256)", "255"), ("add('a'); add('a/b')", "a"),
    ])
    func hostileArchivesAreRefused(program: String, expected: String) throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        _ = try fixture.session().install([fixture.tar("hello-1.tar")])
        let before = try fixture.state()
        let image = try Self.tar(fixture, program)
        do {
            _ = try fixture.session().install([image])
            Issue.record("\(program) was installed")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
            #expect("\(error)".contains("hint: "), "\(error)")
        }
        #expect(try fixture.state() == before)
        #expect(
            try FileManager.default.contentsOfDirectory(
                atPath: fixture.directory.appending(path: "root/tmp").path
            ).isEmpty)
    }

    @Test func devicesSetIDBitsAndCapabilitiesAreDroppedAndCounted() throws {
        let fixture = try WalkFixture()
        let image = try Self.tar(
            fixture,
            """
            add('usr/bin/su', mode=0o4755); add('usr/bin/x', mode=0o755)
                add('dev/null', b'', type=tarfile.CHRTYPE, devmajor=1, devminor=3)
                add('run/pipe', b'', type=tarfile.FIFOTYPE)
            """.replacingOccurrences(of: "\n    ", with: "\n"))
        var notes: [String] = []
        let session = try Session(
            root: fixture.directory.appending(path: "root").path, profile: ProfileName("default"),
            progress: NoProgress(), command: "test", note: { notes.append($0) })
        let metadata = try session.importImage(image, options: ImportOptions()).metadata
        #expect(metadata.omissions == ["device": 1, "pipe": 1, "set-id bit": 1])
        #expect(notes.count == 3)
        let mode = try fixture.run("stat", ["-c", "%a", "root/store/\(metadata.storePath)/usr/bin/su"])
        #expect(mode == "555\n")
    }

    @Test func anImageCutAtAnyPlaceIsRefused() throws {
        let fixture = try WalkFixture()
        try fixture.write("usr/bin/x", "#!/bin/sh\n", mode: 0o755)
        // Without the zeros that fill a tape's record: each byte of the archive counts.
        let layer = try fixture.tar("layer.tar", options: ["-b", "1"])
        let image = try fixture.ociArchive("x.oci.tar", layers: [layer])
        let bytes = try Data(contentsOf: URL(fileURLWithPath: image))
        let cut = fixture.directory.appending(path: "cut-1.tar")
        _ = try fixture.session().importImage(image, options: fixture.options())
        let before = try fixture.state()
        for length in Array(stride(from: 0, to: bytes.count, by: 256)) + [bytes.count - 1] {
            try bytes.prefix(length).write(to: cut)
            #expect(throws: (any Error).self, "cut at \(length)") {
                try fixture.session().importImage(cut.path, options: fixture.options("cut"))
            }
        }
        #expect(try fixture.state() == before)
    }

    @Test func aBlobWithAnotherDigestIsRefused() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let image = try fixture.ociArchive("x.oci.tar", layers: [fixture.tar("layer.tar")])
        var bytes = try Data(contentsOf: URL(fileURLWithPath: image))
        let place = try #require(bytes.range(of: Data("hello\n".utf8)))
        bytes.replaceSubrange(place, with: Data("HELLO\n".utf8))
        try bytes.write(to: URL(fileURLWithPath: image))
        do {
            _ = try fixture.session().importImage(image, options: fixture.options())
            Issue.record("it was imported")
        } catch {
            #expect("\(error)".contains("sha256:"), "\(error)")
        }
    }

    @Test(arguments: ["a:b", "../x", "a b", "", ".hidden"])
    func versionsThatAreNotAllowedAreRefused(version: String) {
        #expect(throws: NameError.self) { try PackageVersion(version) }
    }

    @Test func aStoreOfANewerFormatIsLeftAlone() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        _ = try fixture.session().install([fixture.tar("hello-1.tar")])
        try fixture.write("format", "99\n", in: fixture.directory.appending(path: "root"))
        let before = try fixture.state()
        for attempt in [
            { _ = try fixture.session().list() }, { _ = try fixture.session().remove(["hello"]) },
        ] {
            do {
                try attempt()
                Issue.record("a newer store was used")
            } catch {
                #expect("\(error)".contains("newer"), "\(error)")
            }
        }
        #expect(try fixture.state() == before)
    }

    /// A root on a file system with ever more room: each write is the one that finds it full once.
    @Test func aFullDiskChangesNothing() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let small = try fixture.tar("hello-1.tar")
        try fixture.run("sh", ["-c", "head -c 300000 /dev/urandom > tree/usr/share/greeting/big"])
        // Relocation makes other contents of this one, which take their room beside those of the image.
        try fixture.run(
            "sh",
            ["-c", "{ echo '#!/bin/sh'; seq -f '# /usr/share/greeting/text %g' 8000; } > tree/usr/bin/hello"])
        let big = try fixture.tar("hello-2.tar")
        let root = fixture.directory.appending(path: "root")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        // In a mount namespace of its own, so that nothing stays mounted whatever happens.
        let output = try fixture.run(
            "unshare",
            [
                "--mount", "bash", "-c",
                """
                root='\(root.path)' sxs='\(fixture.program)' small='\(small)' big='\(big)'
                state() {
                    find "$root" -path "$root/tmp" -prune -o -path "$root/lock" -prune \\
                        -o -name 'index.sqlite*' -prune -o -printf '%p %y %m %l %n\\n' | sort
                }
                mount -t tmpfs -o size=1G tmpfs "$root" || exit 9
                "$sxs" install --root "$root" "$small" || exit 8
                used=$(($(df --output=used -k "$root" | tail -n 1) + 8))
                before=$(state)
                for room in 0 8 40 200 320 400 560 640 720 800 900 1000 1100 1200 1400 1600 2000 3000; do
                    mount -o remount,size=$((used + room))k "$root" || exit 7
                    if "$sxs" install --root "$root" "$big"; then echo "fits into $room"; exit 0; fi
                    # Full only when the generation was made: the package is whole in the store, and not shown.
                    if "$sxs" path-info --root "$root" | grep -q 'hello  2'; then
                        "$sxs" verify --root "$root" || exit 2
                        [ "$(ls "$root/profiles/default")" = "$(printf 'current\\ngeneration-1')" ] || exit 6
                        before=$(state)
                    fi
                    [ "$(state)" = "$before" ] || { diff <(state) <(echo "$before"); exit 6; }
                    [ -z "$(ls "$root/tmp")" ] || exit 5
                    "$sxs" list --root "$root" | grep -q 'hello  1' || exit 4
                done
                exit 3
                """,
            ])
        #expect(output.contains("no space left") || output.contains("is full"), "\(output)")
        #expect(output.contains("hint: the file system is full"), "\(output)")
        #expect(output.contains("fits into") && !output.contains("fits into 0"), "\(output)")
    }
}

extension WalkFixture {
    /// The program that was built with these tests.
    var program: String {
        Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }.map {
            $0.deletingLastPathComponent().appending(path: "sxs").path
        }
            ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appending(
                path: "sxs"
            ).path
    }
}
