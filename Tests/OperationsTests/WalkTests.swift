import Files
import Foundation
import Operations
import Store
import StoreLayout
import Testing

@Suite struct WalkTests {
    @Test func theSameTreeFromEveryFormatIsTheSameStorePath() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let layer = try fixture.tar("layer.tar")
        let sources = [
            "dir:" + fixture.tree.path, layer, try fixture.tar("hello.tar.zst", options: ["--zstd"]),
            try fixture.tar("hello.tar.gz", options: ["-z"]),
            try fixture.tar("hello.tar.xz", options: ["-J"]),
            try fixture.squashFS("hello.raw"), try fixture.squashFS("hello.xz.raw", compressor: "xz"),
            try fixture.ociArchive("hello.oci.tar", layers: [layer]),
        ]
        var paths: Set<String> = []
        for (index, source) in sources.enumerated() {
            let result = try fixture.session("root-\(index)").importImage(source, options: fixture.options())
            #expect(!result.wasKnown)
            paths.insert(result.metadata.storePath)
        }
        #expect(paths.count == 1)
    }

    @Test func twoRootsHoldTheSameBytes() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let image = try fixture.tar("hello.tar")
        for root in ["a", "b"] {
            _ = try fixture.session(root).importImage(image, options: fixture.options())
        }
        try fixture.run("diff", ["-r", "--no-dereference", "a/store", "b/store"])
        // All but when it was registered.
        try fixture.run("diff", ["-r", "--ignore-matching-lines=^registered ", "a/manifests", "b/manifests"])
        let list = { (root: String) in
            try fixture.run(
                "sh", ["-c", "find store aliases -printf '%p %y %m %T@ %l\\n' | sort"],
                in: fixture.directory.appending(path: root))
        }
        // A link's own time is its making; files and directories have the store's.
        let lines = { (text: String) in
            text.split(separator: "\n").filter { !$0.contains(" l ") && $0.hasPrefix("store/") }
        }
        #expect(lines(try list("a")) == lines(try list("b")))
    }

    /// Relocation depends on nothing but the image: contents that the store has already are read all the same.
    @Test func whatTheStoreHasAlreadyMakesNoDifference() throws {
        let fixture = try WalkFixture()
        try fixture.write("etc/ld.so.conf", "/data/x\n")
        try fixture.run("mkdir", ["-p", "data/x", "lib64", "usr/bin"], in: fixture.tree)
        for (source, target) in [
            ("/lib64/ld-linux-x86-64.so.2", "lib64/"), ("/lib/x86_64-linux-gnu/libc.so.6", "data/x/"),
            ("/bin/true", "usr/bin/"),
        ] {
            try fixture.run("cp", ["-L", source, target], in: fixture.tree)
        }
        let image = try fixture.tar("image.tar")
        // Root b has an object equal to ld.so.conf, and no other of the image's.
        try fixture.run("mkdir", ["other"])
        try fixture.run("cp", ["-p", "tree/etc/ld.so.conf", "other/conf"])
        _ = try fixture.session("b").importImage(
            "dir:" + fixture.directory.appending(path: "other").path, options: fixture.options("other"))
        for root in ["a", "b"] {
            let metadata = try fixture.session(root).importImage(image, options: fixture.options()).metadata
            let cache = "\(root)/store/\(metadata.storePath)/etc/ld.so.cache"
            #expect(try fixture.run("strings", ["-a", cache]).contains("/data/x/libc.so.6"))
        }
    }

    @Test func aPublicMtreeProgramAgreesWithTheListing() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let metadata = try fixture.session().importImage(fixture.tar("hello.tar"), options: fixture.options())
            .metadata
        let root = fixture.directory.appending(path: "root")
        let listing = root.appending(path: "manifests/\(metadata.storePath)/tree.mtree").path
        let tree = root.appending(path: "store/\(metadata.storePath)").path
        // netbsd-mtree prints differences and ends with status 2 if there are some.
        #expect(try fixture.run("mtree", ["-f", listing, "-p", tree]) == "")
        let changed = URL(fileURLWithPath: tree).appending(path: "usr/share/greeting/text").path
        try fixture.run("sh", ["-c", "chmod u+w '\(changed)' && echo other > '\(changed)'"])
        #expect(throws: (any Error).self) { try fixture.run("mtree", ["-f", listing, "-p", tree]) }
    }

    @Test func importingAgainIsKnownAndChangesNothing() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let image = try fixture.ociArchive(
            "hello.oci.tar", layers: [fixture.tar("layer.tar")],
            labels: [
                "org.opencontainers.image.title": "hello", "org.opencontainers.image.version": "1:2.1-3",
            ])
        let first = try fixture.session().importImage(image, options: ImportOptions())
        #expect((first.metadata.name, first.metadata.version) == ("hello", "2.1-3"))
        let before = try fixture.state()
        let second = try fixture.session().importImage(image, options: ImportOptions())
        #expect(second.wasKnown)
        #expect(second.metadata == first.metadata)
        #expect(try fixture.state() == before)
        // Under another name it is another store path, with the same objects.
        let third = try fixture.session().importImage(image, options: fixture.options("other"))
        #expect(!third.wasKnown)
    }

    @Test func aFileIsKnownAgainByItsDigest() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let image = try fixture.tar("hello-1.tar")
        let session = try fixture.session()
        let first = try session.importImage(image, options: ImportOptions())
        #expect(
            first.metadata.sourceDigest
                == Digest(hashing: try Data(contentsOf: URL(fileURLWithPath: image))).hex)
        // Not remembered by its times yet: it may change in the tick of the clock in which it was read.
        let files = fixture.directory.appending(path: "root/cache/files").path
        #expect(!FileManager.default.fileExists(atPath: files))
        usleep(3_100_000)
        #expect(try session.importImage(image, options: ImportOptions()).wasKnown)
        #expect(
            try String(contentsOfFile: files, encoding: .utf8).contains(first.metadata.sourceDigest ?? "?"))
        let before = try fixture.state()
        #expect(try session.importImage(image, options: ImportOptions()).wasKnown)
        #expect(try fixture.state() == before)
        // A copy is known by its contents; under another name it is another package.
        try fixture.run(
            "sh", ["-c", "mkdir copies; cp hello-1.tar copies; cp hello-1.tar copies/hullo-1.tar"])
        let copies = fixture.directory.appending(path: "copies").path
        #expect(try session.importImage(copies + "/hello-1.tar", options: ImportOptions()).wasKnown)
        let other = try session.importImage(copies + "/hullo-1.tar", options: ImportOptions())
        #expect(!other.wasKnown && other.metadata.name == "hullo")
        // One that was written to, and has its old size and time, is another.
        try fixture.writeHello(greeting: "hullo")
        try fixture.run("sh", ["-c", "cp -p hello-1.tar times; rm -f next.tar"])
        try fixture.tar("next.tar")
        try fixture.run(
            "sh", ["-c", "cat next.tar > hello-1.tar; touch -r times hello-1.tar; cmp -n 0 next.tar times"])
        let changed = try session.importImage(image, options: ImportOptions())
        #expect(!changed.wasKnown && changed.metadata.storePath != first.metadata.storePath)
    }

    @Test func installUpgradeRollbackSwitchAndRemove() throws {
        let fixture = try WalkFixture()
        let session = try fixture.session()
        try fixture.writeHello()
        let first = try session.install([fixture.tar("hello-1.tar")])
        #expect((first.generation, first.previous) == (1, nil))
        #expect(first.added == ["hello 1"])
        try fixture.writeHello(greeting: "good day")
        let second = try session.install([fixture.tar("hello-2.tar")])
        #expect((second.generation, second.previous) == (2, 1))
        #expect((second.added, second.removed) == (["hello 2"], ["hello 1"]))
        #expect(try session.difference(from: nil, to: nil).changed.map(\.name) == ["hello"])

        let back = try session.rollback()
        #expect((back.generation, back.previous) == (1, 2))
        #expect(try session.list().map(\.version) == ["1"])
        #expect(throws: OperationError.noParent(1, profile: "default")) { try session.rollback() }
        #expect(try session.activate(2).generation == 2)
        #expect(throws: OperationError.unknownGeneration(9, profile: "default", known: [1, 2])) {
            try session.activate(9)
        }
        let third = try session.remove(["hello"])
        #expect((third.generation, third.removed) == (3, ["hello 2"]))
        #expect(try session.list().isEmpty)
        #expect(try session.generations().map(\.parent) == [nil, 1, 2])
        #expect(throws: OperationError.notInstalled("hello", profile: "default")) {
            try session.remove(["hello"])
        }
        // Names alone find what is in the store: the newest.
        #expect(try session.install(["hello"]).added == ["hello 2"])
        #expect(try session.install(["hello@1"]).added == ["hello 1"])
    }

    @Test func installingWhatIsActiveMakesNoGeneration() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let session = try fixture.session()
        _ = try session.install([fixture.tar("hello-1.tar")])
        let again = try session.install(["hello"])
        #expect((again.generation, again.previous) == (1, 1))
        #expect(again.added.isEmpty)
    }

    @Test func aCommandOfTwoPackagesIsRefusedWithBothNames() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let session = try fixture.session()
        let image = try fixture.tar("hello-1.tar")
        _ = try session.install([image])
        let before = try fixture.state()
        _ = try session.importImage(image, options: fixture.options("other"))
        let imported = try fixture.state()
        let error = #expect(throws: StoreError.self) { try session.install(["other"]) }
        let text = "\(try #require(error))"
        #expect(text.contains("hello") && text.contains("other") && text.contains("--prefer"))
        #expect(try fixture.state() == imported)
        #expect(before != imported)
        // Nor does an image stay in the store that cannot be shown.
        _ = try fixture.run("cp", [image, fixture.directory.appending(path: "third-1.tar").path])
        #expect(throws: StoreError.self) {
            try session.install([fixture.directory.appending(path: "third-1.tar").path])
        }
        #expect(try fixture.state() == imported)
        #expect(try session.install(["other"], prefer: ["other"]).added == ["other 1"])
        #expect(try session.list().map(\.name) == ["hello", "other"])
    }

    @Test func aRemoteDirectoryOffersItsNewestImage() throws {
        let fixture = try WalkFixture()
        let session = try fixture.session()
        let images = fixture.directory.appending(path: "images")
        try FileManager.default.createDirectory(at: images, withIntermediateDirectories: true)
        for version in ["1.9", "1.10", "2~rc1"] {
            try fixture.writeHello(greeting: version)
            _ = try fixture.tar("images/hello-\(version).tar")
        }
        _ = try session.addRemote("local", place: images.path)
        #expect(try session.install(["hello@1.10"]).added == ["hello 1.10"])
        #expect(try session.install(["hello"]).added == ["hello 2~rc1"])
        #expect(throws: OperationError.self) { try session.install(["nothing"]) }
        #expect(throws: OperationError.badRemote("x", location: "/nowhere")) {
            try session.addRemote("x", place: "/nowhere")
        }
    }

    @Test func verifySaysWhichFileIsDamaged() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let session = try fixture.session()
        let metadata = try session.importImage(fixture.tar("hello-1.tar"), options: ImportOptions()).metadata
        #expect(try session.verify([]).allSatisfy { $0.problems.isEmpty })
        let file = fixture.directory.appending(
            path: "root/store/\(metadata.storePath)/usr/share/greeting/text"
        ).path
        try fixture.run("sh", ["-c", "chmod u+w '\(file)' && echo other > '\(file)' && chmod 444 '\(file)'"])
        let problems = try session.verify(["hello"])[0].problems
        // The text and its hard link are one object.
        #expect(problems.count == 2)
        #expect(problems.allSatisfy { $0.contains("usr/share/greeting/") })
    }

    @Test func anAliasThatIsTakenGivesAnotherStorePath() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let image = try fixture.tar("hello-1.tar")
        let plain = try fixture.session("a").importImage(image, options: ImportOptions()).metadata
        let alias = try #require(plain.aliases.first)
        // Another store path of root b has that name: its listing and index say so.
        try fixture.write("usr/bin/other", "#!/bin/sh\n", mode: 0o755)
        let other = try fixture.session("b").importImage(fixture.tar("other-1.tar"), options: ImportOptions())
            .metadata
        try fixture.run(
            "python3",
            [
                "-c",
                "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute('insert into alias (name, package, target) select ?, id, ? from package where base_name = ?', (sys.argv[2], 'usr', sys.argv[3])); d.commit()",
                fixture.directory.appending(path: "b/index.sqlite").path, alias.name, other.storePath,
            ])
        let salted = try fixture.session("b").importImage(image, options: ImportOptions()).metadata
        #expect(salted.aliasSalt == 1)
        #expect(salted.storePath != plain.storePath)
        #expect(!salted.aliases.map(\.name).contains(alias.name))
        #expect(try fixture.session("b").importImage(image, options: ImportOptions()).wasKnown)
    }

    @Test func anImageForAnotherArchitectureNeedsAWord() throws {
        let fixture = try WalkFixture()
        // The head of an AArch64 program is enough to tell; the rest is not looked at here.
        var head = Data(
            [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9) + [3, 0, 183, 0, 1, 0, 0, 0])
        head.append(Data(repeating: 0, count: 100))
        try fixture.write("usr/bin/x", "", mode: 0o755)
        try head.write(to: fixture.tree.appending(path: "usr/bin/x"))
        let image = try fixture.tar("x-1.tar")
        let error = #expect(throws: OperationError.self) {
            try fixture.session().importImage(image, options: ImportOptions())
        }
        #expect("\(try #require(error))".contains("--platform arm64"))
        let result = try fixture.session().importImage(image, options: ImportOptions(platform: .arm64))
        #expect(result.metadata.architecture == .arm64)
    }

    @Test func onlyTheWantedPackagesCommandsAreShown() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        for name in ["base-tool", "hello-helper", "hello-nox"] {
            try fixture.write("usr/bin/\(name)", "#!/bin/sh\n", mode: 0o755)
        }
        try fixture.write("usr/share/man/man1/hello.1", "man")
        try fixture.write("usr/share/man/man1/base-tool.1", "man")
        try fixture.link("usr/bin/greet", to: "/etc/alternatives/greet")
        try fixture.link("etc/alternatives/greet", to: "/usr/bin/hello-nox")
        try fixture.write(
            "var/lib/dpkg/status",
            """
            Package: hello-nox
            Status: install ok installed
            Source: hello (1:2.0)
            Version: 1:2.0-1
            Architecture: all
            Description: says hello
             and more

            Package: base
            Status: install ok installed
            Version: 12
            Architecture: all
            Description: the base


            """)
        try fixture.write(
            "var/lib/dpkg/info/hello-nox.list",
            "/.\n/usr/bin/hello\n/usr/bin/hello-nox\n/usr/share/man/man1/hello.1\n")
        try fixture.write(
            "var/lib/dpkg/info/base.list", "/usr/bin/base-tool\n/usr/share/man/man1/base-tool.1\n")
        let metadata = try fixture.session().importImage(
            fixture.tar("hello.tar"), options: ImportOptions()
        ).metadata
        #expect(metadata.version == "2.0-1")
        #expect(metadata.summary == "says hello")
        #expect(metadata.exposure.commands.map(\.name) == ["greet", "hello", "hello-nox"])
        #expect(metadata.exposure.commands.map(\.needsLauncher) == [true, true, true])
        #expect(metadata.exposure.data == ["usr/share/man/man1/hello.1"])
        let change = try fixture.session().install(["hello"], options: ImportOptions(expose: ["base-tool"]))
        #expect(change.commands == ["base-tool"])
        #expect(throws: OperationError.noSuchCommand("nothing", package: "hello")) {
            try fixture.session().install(["hello"], options: ImportOptions(expose: ["nothing"]))
        }
    }
}
