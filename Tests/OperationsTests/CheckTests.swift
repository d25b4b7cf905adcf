import Foundation
import Operations
import StoreLayout
import Testing

/// Packages and extensions are checked against other hosts, made of this machine's loader and libraries made here.
@Suite struct CheckTests {
    let fixture: WalkFixture
    var host: URL { fixture.directory.appending(path: "host") }

    init() throws {
        fixture = try WalkFixture()
        try fixture.write("usr/lib/os-release", "ID=new\nVERSION_ID=2\nPRETTY_NAME='New 2'\n", in: host)
    }

    /// Builds a library with these symbol versions for the host.
    private func library(_ versions: [String], in place: URL) throws {
        try fixture.write("f.c", "int f(void) { return 1; }\n", in: fixture.directory)
        var script = ""
        for (index, version) in versions.enumerated() {
            script += "\(version) { \(index == 0 ? "global: f; local: *;" : "") }"
            script += index == 0 ? ";\n" : " \(versions[index - 1]);\n"
        }
        try fixture.write("f.map", script, in: fixture.directory)
        try fixture.write("usr/lib/here", "", in: place)
        try fixture.run(
            "gcc",
            [
                "-shared", "-Wl,--version-script=f.map", "-Wl,-soname,libsxsf.so.1", "-o",
                place.path + "/usr/lib/libsxsf.so.1", "f.c",
            ])
    }

    /// Installs a program that takes `f` of version `V_1.0` and the C library from the host.
    private func installProgram() throws {
        let old = fixture.directory.appending(path: "old")
        try library(["V_1.0"], in: old)
        try fixture.write("main.c", "int f(void);\nint main(void) { return f(); }\n", in: fixture.directory)
        try fixture.write("usr/bin/here", "", in: fixture.tree)
        try fixture.run(
            "gcc", ["-o", fixture.tree.path + "/usr/bin/answer", "main.c", "old/usr/lib/libsxsf.so.1"])
        _ = try fixture.session().install(
            [fixture.tree.path],
            options: ImportOptions(name: PackageName("answer"), version: PackageVersion("1")))
    }

    /// Gives the host this machine's C library and loader.
    private func addLoader() throws {
        try fixture.run(
            "sh",
            [
                "-euc",
                """
                mkdir -p host/lib64 host/usr/lib/x86_64-linux-gnu
                cp -L /lib64/ld-linux-x86-64.so.2 host/lib64/
                cp -L /lib/x86_64-linux-gnu/libc.so.6 host/usr/lib/x86_64-linux-gnu/
                """,
            ])
    }

    private func check(extensions: [String] = []) throws -> HostCheck {
        try fixture.session().check(host: host.path, extensions: extensions, systemd: 257)
    }

    @Test func aHostWithAllThatIsNeededPasses() throws {
        try installProgram()
        try addLoader()
        try library(["V_1.0", "V_2.0"], in: host)
        let check = try check()
        #expect(check.problemCount == 0)
        #expect(check.packages.map(\.name) == ["answer 1"])
        #expect(check.packages.map(\.profiles) == [["default"]])
    }

    @Test func whatTheHostLacksIsNamed() throws {
        try installProgram()
        #expect(
            try check().packages.map(\.problems) == [
                [
                    "the host has no libc.so.6", "the host has no libsxsf.so.1",
                    "the host has no loader /lib64/ld-linux-x86-64.so.2",
                ]
            ])
        try addLoader()
        try library(["V_2.0"], in: host)
        #expect(try check().packages.map(\.problems) == [["the host's libsxsf.so.1 lacks V_1.0"]])
    }

    @Test func aLibraryOfAnotherArchitectureDoesNotCount() throws {
        try installProgram()
        try addLoader()
        try library(["V_1.0"], in: host)
        let path = host.path + "/usr/lib/libsxsf.so.1"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[18] = 183
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(try check().packages.map(\.problems) == [["the host has no libsxsf.so.1"]])
    }

    @Test func theHostOfAGenerationIsKeptAndCompared() throws {
        try installProgram()
        try addLoader()
        try library(["V_1.0"], in: host)
        let kept = try #require(try fixture.session().generations().first?.host)
        #expect(kept["ID"]?.isEmpty == false)
        let changes = try check().changes
        #expect(changes.count == 1)
        #expect(changes.first?.contains("generation 1 of profile 'default' was made on") == true)
        #expect(changes.first?.hasSuffix("; this is New 2") == true)
        #expect(try fixture.session().check(host: "/", extensions: [], systemd: 257).changes.isEmpty)
    }

    @Test func extensionsAreCheckedAsSystemdFindsThem() throws {
        let release = "usr/lib/extension-release.d/extension-release."
        let first = fixture.directory.appending(path: "first")
        let second = fixture.directory.appending(path: "second")
        try fixture.write("one/\(release)one", "ID=new\nVERSION_ID=1\n", in: first)
        try fixture.write("one/\(release)one", "ID=_any\n", in: second)
        try fixture.write("two/\(release)two", "ID=_any\n", in: second)
        try fixture.write("two/usr/sbin/x", "", in: second)
        try fixture.write("three.v/three_1.2/\(release)three", "ID=other\n", in: second)
        try fixture.write("three.v/three_1.10/\(release)three", "ID=_any\n", in: second)
        try fixture.write("junk.raw", "no image", in: second)
        try fixture.write("text", "not looked at", in: second)
        try fixture.run("mkdir", ["-p", "usr/bin"], in: host)
        try fixture.run("ln", ["-s", "bin", "usr/sbin"], in: host)
        let found = try check(extensions: [first.path, second.path, "/nowhere"]).extensions
        let problems = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0.problems) })
        #expect(
            Set(problems.keys) == [
                first.path + "/one", second.path + "/two", second.path + "/three.v/three_1.10",
                second.path + "/junk.raw",
            ])
        #expect(
            problems[first.path + "/one"] == [
                "it would not be merged: VERSION_ID: it is for another version (image: 1, host: 2)"
            ])
        #expect(
            problems[second.path + "/two"] == [
                "usr/sbin: directory over a link: directory (host: link to bin)"
            ])
        #expect(problems[second.path + "/three.v/three_1.10"] == [])
        #expect(problems[second.path + "/junk.raw"]?.first?.hasPrefix("it cannot be read: ") == true)
    }

    @Test func aHostGivenAsTheStateDirectoryIsExplained() throws {
        let session = try fixture.session("host")
        #expect(throws: HostError.rootIsHost(host.path)) { try session.check(host: host.path) }
        // A host may have extensions and no store.
        #expect(try fixture.session("none").check(host: host.path, extensions: []).packages.isEmpty)
    }
}
