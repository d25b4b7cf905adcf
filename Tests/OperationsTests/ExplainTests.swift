import Activation
import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// Images are explained in every format, and compared with the files of a host.
@Suite struct ExplainTests {
    let fixture: WalkFixture
    var host: URL { fixture.directory.appending(path: "host") }
    let release = "usr/lib/extension-release.d/extension-release.foo"

    init() throws {
        fixture = try WalkFixture()
        try fixture.write("usr/lib/os-release", "ID=debian\nVERSION_ID=12\n", in: host)
        try fixture.write(release, "ID=_any\n")
    }

    func explain(_ source: String? = nil, name: String? = "foo", systemd: Int? = 257) throws -> Explanation {
        try ExtensionExplainer(root: host.path, systemd: systemd, progress: NoProgress())
            .explain(source ?? fixture.tree.path, name: name)
    }

    /// The kind of each conflict, by path.
    func conflicts() throws -> [String: ExtensionConflict.Kind] {
        let found = try #require(try explain().conflicts)
        return Dictionary(uniqueKeysWithValues: found.map { ($0.path, $0.kind) })
    }

    @Test func everyFormatIsExplained() throws {
        try fixture.write("usr/share/foo", "x")
        let tar = try fixture.tar("foo.tar")
        for source in [
            fixture.tree.path, tar, try fixture.ociArchive("foo.oci.tar", layers: [tar]),
        ] {
            let explanation = try explain(source)
            #expect(explanation.match.outcome == .merged, "\(source)")
            #expect(explanation.conflicts == [], "\(source)")
        }
        #expect(try explain(try fixture.squashFS("foo.raw"), name: nil).match.outcome == .merged)
        #expect(try explain(try fixture.squashFS("bar.raw"), name: nil).match.outcome == .blocks)
        #expect(try explain(tar, name: nil).notes.contains { $0.contains("tar archive") })
    }

    @Test func aReleaseBehindALinkIsReadInEveryFormat() throws {
        try fixture.write("etc/release", "ID=fedora\n")
        try fixture.link(release, to: "/etc/release")
        let tar = try fixture.tar("foo.tar")
        for source in [fixture.tree.path, tar, try fixture.ociArchive("foo.oci.tar", layers: [tar])] {
            #expect(try explain(source).match.refusal?.image == "fedora", "\(source)")
        }
        #expect(try explain(try fixture.squashFS("foo.raw"), name: nil).match.refusal?.image == "fedora")
    }

    @Test func whatAnOverlayWouldHideIsFound() throws {
        try fixture.write("usr/bin/sh", "other", in: host)
        try fixture.write("usr/bin/same", "same", in: host)
        try fixture.write("usr/share/doc/sh/README", "text", in: host)
        try fixture.write("usr/lib/data/part", "x", in: host)
        try fixture.write("usr/lib/file", "x", in: host)
        try fixture.write("usr/share/icons/hicolor/icon-theme.cache", "many", in: host)
        try fixture.run("ln", ["-s", "bin", "usr/sbin"], in: host)
        try fixture.run("ln", ["-s", "sh", "usr/bin/link"], in: host)

        try fixture.write("usr/bin/sh", "mine!")
        try fixture.write("usr/bin/same", "same")
        try fixture.write("usr/bin/new", "new")
        try fixture.write("usr/share/doc/sh/README", "other text")
        try fixture.write("usr/sbin/tool", "x")
        try fixture.write("usr/lib/data", "x")
        try fixture.write("usr/lib/file/part", "x")
        try fixture.write("usr/share/icons/hicolor/icon-theme.cache", "one")
        try fixture.link("usr/bin/link", to: "new")
        #expect(
            try conflicts() == [
                "usr/bin/sh": .differs, "usr/bin/link": .differs, "usr/share/doc/sh/README": .differs,
                "usr/sbin": .directoryOverLink, "usr/lib/data": .fileOverDirectory,
                "usr/lib/file": .directoryOverFile,
                "usr/share/icons/hicolor/icon-theme.cache": .cache,
            ])
        let severities = try #require(try explain().conflicts).map(\.severity)
        #expect(severities == severities.sorted(by: >))
        #expect(severities.last == .slight)
    }

    @Test func olderLibrariesAreTold() throws {
        for (version, place) in [("1.5", host), ("1.12", fixture.tree)] {
            try fixture.write("usr/lib/libold.so.\(version)", version, in: place)
            try fixture.write("usr/lib/libnew.so.\(version == "1.5" ? "1.12" : "1.5")", version, in: place)
        }
        for (place, old, new) in [(host, "1.5", "1.12"), (fixture.tree, "1.12", "1.5")] {
            try fixture.run("ln", ["-s", "libold.so.\(old)", "usr/lib/libold.so.1"], in: place)
            try fixture.run("ln", ["-s", "libnew.so.\(new)", "usr/lib/libnew.so.1"], in: place)
        }
        // "old" is old on the host: only the image's libnew.so.1 leads to something older.
        #expect(try conflicts() == ["usr/lib/libold.so.1": .differs, "usr/lib/libnew.so.1": .olderLibrary])
    }

    @Test func librariesThatLackSymbolVersionsAreTold() throws {
        try fixture.write("f.c", "int f(void) { return 1; }\n", in: fixture.directory)
        try fixture.write("old.map", "V_1.0 { global: f; };\n", in: fixture.directory)
        try fixture.write(
            "new.map", "V_1.0 { global: f; };\nV_1.9 { } V_1.0;\nV_1.10 { } V_1.9;\n", in: fixture.directory)
        for (map, place) in [("new", host), ("old", fixture.tree)] {
            try fixture.write("usr/lib/directory", "", in: place)
            try fixture.run(
                "gcc",
                [
                    "-shared", "-nostdlib", "-Wl,--version-script=\(map).map", "-o",
                    place.path + "/usr/lib/libf.so.6", "f.c",
                ])
        }
        let found = try #require(try explain().conflicts?.first { $0.path == "usr/lib/libf.so.6" })
        #expect(found.kind == .olderLibrary)
        #expect(found.image == "lacks 2 symbol versions, V_1.10 among them")
        // The other way round the image's is the better one.
        try fixture.run("mv", ["host/usr/lib/libf.so.6", "swap"])
        try fixture.run("mv", ["tree/usr/lib/libf.so.6", "host/usr/lib/libf.so.6"])
        try fixture.run("mv", ["swap", "tree/usr/lib/libf.so.6"])
        #expect(try conflicts() == ["usr/lib/libf.so.6": .differs])
    }

    @Test func whatIsOutsideUsrIsNotMergedAndSaidSo() throws {
        try fixture.write("etc/foo.conf", "x")
        try fixture.write("opt/foo/x", "x")
        try fixture.write("var/a", "x")
        try fixture.write("var/b", "x")
        let unmerged = try explain().unmerged
        #expect(unmerged.map { "\($0.name) \($0.fileCount)" } == ["etc 1", "var 2"])
    }

    @Test func theHostsSystemdIsFoundByItsLibrary() throws {
        #expect(try explain(systemd: nil).notes.contains { $0.contains("no version of systemd") })
        try fixture.write("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "", in: host)
        #expect(try explain(systemd: nil).host.systemd == 252)
        try fixture.write("usr/lib/systemd/libsystemd-shared-256.11-1.fc41.so", "", in: host)
        #expect(try explain(systemd: nil).host.systemd == 256)
    }

    @Test func badHostsAreNamed() throws {
        func message(root: String?, osRelease: String? = nil) -> String {
            do {
                _ = try ExtensionExplainer(root: root, osRelease: osRelease, progress: NoProgress())
                return ""
            } catch {
                return "\(error)"
            }
        }
        try fixture.run("rm", ["host/usr/lib/os-release"])
        try fixture.run("ln", ["-s", "os-release", "host/usr/lib/os-release"])
        let file = fixture.directory.path + "/release"
        try fixture.write("release", "ID=a\0", in: fixture.directory)
        for (text, part) in [
            (message(root: host.path), "circle"),
            (message(root: fixture.directory.path), "has neither etc/os-release nor usr/lib/os-release"),
            (message(root: host.path + "/none"), "no such file"),
            (message(root: nil, osRelease: file), "zero byte"),
            (message(root: nil, osRelease: host.path), "no regular file"),
            (message(root: nil, osRelease: "/dev/zero"), "no regular file"),
        ] {
            #expect(text.contains(part), "\(text)")
            #expect(text.contains("hint: "), "\(text)")
        }
    }

    @Test func aReleaseOutsideTheHostIsNotRead() throws {
        try fixture.write("outside", "ID=outside\n", in: fixture.directory)
        try fixture.run("rm", ["host/usr/lib/os-release"])
        try fixture.run("ln", ["-s", "../../../outside", "host/usr/lib/os-release"])
        #expect(throws: HostError.noRelease(host.path)) { try explain() }
    }

    @Test func whatIsNoImageIsRefused() throws {
        try fixture.write("text", "no image", in: fixture.directory)
        #expect(throws: (any Error).self) { try explain(fixture.directory.path + "/text") }
        try fixture.write("disk.raw", String(repeating: "\0", count: 512) + "EFI PART", in: fixture.directory)
        do {
            _ = try explain(fixture.directory.path + "/disk.raw")
            Issue.record("a disk image was read")
        } catch {
            #expect("\(error)".contains("partition table"))
        }
    }
}
