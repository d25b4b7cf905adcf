import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// Hints of the user's, from the file that is added to what is in the store.
@Suite struct HintWalkTests {
    private func hint(_ fixture: WalkFixture, _ rules: String, name: String = "hello.hints") throws -> String
    {
        try fixture.write(name, "sxs-hints 1\n\(rules)\n", in: fixture.directory)
        return fixture.directory.appending(path: name).path
    }

    @Test func aHintThatAppliesIsPartOfTheStorePathAndRecorded() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let image = try fixture.ociArchive("hello.oci.tar", layers: [fixture.tar("hello-1.tar")])
        let session = try fixture.session()
        let plain = try session.importImage(image, options: fixture.options()).metadata
        #expect(plain.hints == nil)
        _ = try session.addHint(hint(fixture, "program nothing-of-it\nno-alias *", name: "other.hints"))
        let same = try session.importImage(image, options: fixture.options())
        #expect(same.wasKnown && same.metadata.storePath == plain.storePath)

        let file = try hint(fixture, "program hello\nno-alias *\nenvironment GREETING={store-path}/x")
        let added = try session.addHint(file)
        #expect(try session.addHint(file) == added)
        let hinted = try session.importImage(image, options: fixture.options()).metadata
        #expect(hinted.storePath != plain.storePath)
        #expect(hinted.hints == [HintRecord(name: "hello", digest: added.digest)])
        #expect(hinted.identity.map { StorePath($0).baseName } == hinted.storePath)
        #expect(try session.importImage(image, options: fixture.options()).wasKnown)
        let script = try String(
            contentsOf: fixture.directory.appending(path: "root/store/\(hinted.storePath)/usr/bin/hello"),
            encoding: .utf8)
        #expect(script == "#!/bin/sh\ncat /usr/share/greeting/text\n")
        #expect(try session.verify([]).allSatisfy(\.problems.isEmpty))

        // By name the one is taken that was registered last.
        _ = try session.install(["hello"], options: ImportOptions(expose: ["hello"]))
        #expect(try session.list().map(\.storePath) == ["/usr/store/" + hinted.storePath])
        let launch = fixture.directory.appending(path: "root/shims/\(hinted.storePath)/launch")
        #expect(
            try String(contentsOf: launch, encoding: .utf8).hasSuffix(
                "command hello\tusr/bin/hello\nset-default GREETING=/usr/store/\(hinted.storePath)/x\n"))

        // An index made anew knows it, and so does an import after it.
        for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
            try? FileManager.default.removeItem(at: fixture.directory.appending(path: "root/" + name))
        }
        let again = try fixture.session().importImage(image, options: fixture.options())
        #expect(again.wasKnown && again.metadata == hinted)
        try fixture.session().removeHint("hello")
        #expect(
            try fixture.session().importImage(image, options: fixture.options()).metadata.storePath
                == plain.storePath)
        #expect(try fixture.session().hints().map(\.name) == ["other"] + Hint.builtIn.map(\.name.text))
    }

    @Test func programsThatHintsSetUpNeedALauncher() throws {
        let fixture = try WalkFixture()
        try fixture.write("usr/bin/hello", "#!/bin/sh\n", mode: 0o755)
        let image = try fixture.tar("hello-1.tar")
        let plain = try fixture.session("a").importImage(
            image, options: fixture.options(expose: ["hello"]))
        #expect(plain.metadata.exposure.commands.map(\.needsLauncher) == [false])
        _ = try fixture.session("b").addHint(hint(fixture, "program hello\nenvironment A=b"))
        let hinted = try fixture.session("b").importImage(
            image, options: fixture.options(expose: ["hello"]))
        #expect(hinted.metadata.exposure.commands.map(\.needsLauncher) == [true])
    }

    @Test func seedsAreForTheCommandsThatNeedThemAndThoseOfLibrariesForAll() throws {
        let fixture = try WalkFixture()
        try fixture.write("usr/bin/hello", "#!/bin/sh\n", mode: 0o755)
        try fixture.write("usr/bin/other", "#!/bin/sh\n", mode: 0o755)
        for file in [
            "usr/lib/libx.so.1", "etc/x/file", "etc/hello", "usr/bin/helper", "usr/lib/h-1", "usr/lib/h-2",
        ] {
            try fixture.write(file, "\(file)\n")
        }
        let rules = """
            program hello
            seed etc/hello
            seed usr/bin/helper
            seed usr/lib/h-*
            seed etc/absent
            program libx.so.*
            seed etc/x
            program absent
            seed etc/hello
            """
        _ = try fixture.session().addHint(hint(fixture, rules))
        _ = try fixture.session().install(
            [fixture.tar("hello-1.tar")], options: fixture.options(expose: ["hello", "other"]))
        let base = try #require(fixture.session().list().first?.storePath.split(separator: "/").last)
        let launch = fixture.directory.appending(path: "root/shims/\(base)/launch")
        #expect(
            try String(contentsOf: launch, encoding: .utf8).hasSuffix(
                """
                seed etc/x
                command hello\tusr/bin/hello
                seed etc/hello
                seed usr/bin/helper
                seed usr/lib/h-1
                seed usr/lib/h-2
                command other\tusr/bin/other

                """))
    }

    @Test func changedMetadataIsNoticed() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        _ = try fixture.session().addHint(hint(fixture, "program hello\nnamespace never"))
        let metadata = try fixture.session().importImage(
            fixture.tar("hello-1.tar"), options: fixture.options()
        )
        .metadata
        let file = fixture.directory.appending(path: "root/manifests/\(metadata.storePath)/metadata.json")
            .path
        try fixture.run(
            "python3",
            [
                "-c",
                "import json,sys,os; os.chmod(sys.argv[1], 0o644); m=json.load(open(sys.argv[1])); "
                    + "m['hints']=[]; json.dump(m, open(sys.argv[1], 'w'))", file,
            ])
        #expect(
            try fixture.session().verify(["hello"])[0].problems == ["metadata.json: the manifest was changed"]
        )
    }

    @Test func commandsThatAnEarlierGenerationShowsStillStart() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        try fixture.write("usr/bin/other", "#!/bin/sh\necho other\n", mode: 0o755)
        let session = try fixture.session()
        _ = try session.install([fixture.tar("hello-1.tar")], options: fixture.options(expose: ["other"]))
        _ = try session.install(["hello"], options: ImportOptions(expose: ["hello"]))
        _ = try session.rollback()
        let base = try #require(session.list().first?.storePath.split(separator: "/").last)
        let launch = fixture.directory.appending(path: "root/shims/\(base)/launch")
        let text = try String(contentsOf: launch, encoding: .utf8)
        #expect(text.contains("command hello\tusr/bin/hello\n"))
        #expect(text.contains("command other\tusr/bin/other\n"))
    }

    @Test func everyMistakeIsASentenceWithAHintAndChangesNothing() throws {
        let fixture = try ProgramTests.installed()
        _ = try fixture.session().addHint(hint(fixture, "program a\nseed etc/a", name: "known.hints"))
        _ = try hint(fixture, "program b\nseed etc/b", name: "known")
        _ = try hint(fixture, "program b\nseed etc/b", name: "git.hints")
        _ = try hint(fixture, "program b\nseed etc/b", name: ".hidden")
        _ = try hint(fixture, "program b\nseed b", name: "bad.hints")
        try fixture.run(
            "sh",
            [
                "-c",
                "mkfifo pipe.hints; mkdir dir.hints; : > empty.hints; head -c 20000 /dev/zero > long.hints",
            ])
        let before = try fixture.state()
        for (line, subject) in [
            ("sxs hint add ./nothing.hints", "./nothing.hints"),
            ("sxs hint add ./pipe.hints", "./pipe.hints"),
            ("sxs hint add ./dir.hints", "./dir.hints"), ("sxs hint add /dev/zero", "/dev/zero"),
            ("sxs hint add ./empty.hints", "sxs-hints 1"), ("sxs hint add ./long.hints", "./long.hints"),
            ("sxs hint add ./bad.hints", "line 3 of ./bad.hints"), ("sxs hint add ./known", "'known'"),
            ("sxs hint add ./git.hints", "'git'"), ("sxs hint add ./.hidden", "'.hidden'"),
            ("sxs hint show nothing", "'nothing'"), ("sxs hint show ../lock", "'../lock'"),
            ("sxs hint remove nothing", "'nothing'"), ("sxs hint remove git", "'git'"),
            ("sxs hint remove ../format", "'../format'"),
        ] {
            let outcome = try ProgramTests.run(line, in: fixture)
            #expect(outcome.status == 1, "\(line): \(outcome)")
            #expect(outcome.output.contains(subject), "\(line): \(outcome)")
            #expect(outcome.output.contains("\nhint: "), "\(line): \(outcome)")
            #expect(try fixture.state() == before, "\(line)")
        }
        // One that is damaged later stops an import: it would be half obeyed.
        try fixture.write(
            "hints/known", "sxs-hints 1\nprogram", in: fixture.directory.appending(path: "root"))
        let damaged = try ProgramTests.run("sxs import ./hello-1.tar --version 9", in: fixture)
        #expect(damaged.status == 1)
        #expect(damaged.output.contains("line 2 of"))
        let shown = try ProgramTests.run(
            "sxs hint remove known && sxs hint show git && sxs hint list", in: fixture)
        #expect(shown.status == 0)
        #expect(shown.output.contains("relative lib/git-core"))
        #expect(shown.output.contains("built-in"))
    }
}
