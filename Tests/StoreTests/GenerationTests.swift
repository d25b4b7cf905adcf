import Files
import Glibc
import Store
import StoreLayout
import Testing

@Suite struct GenerationTests {
    let fixture: Fixture
    let store: Store

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
    }

    private func package(
        _ name: String, commands: [String], launched: [String] = [], data: [String] = [],
        isPreferred: Bool = false
    ) throws -> GenerationPackage {
        let exposure = Exposure(
            commands: (commands + launched).map {
                .init(name: $0, path: "usr/bin/\($0)", needsLauncher: launched.contains($0))
            },
            data: data)
        let base = try store.add(name, exposure: exposure) { builder in
            try builder.file(try TreePath(parsing: "usr/bin/\(name)x".utf8), name)
        }.storePath
        return GenerationPackage(
            baseName: base, exposure: exposure,
            launchDescription: launched.isEmpty ? nil : Array("go\n".utf8),
            isPreferred: isPreferred)
    }

    private func make(_ packages: [GenerationPackage], parent: Int? = nil) throws -> Generation {
        try store.makeGeneration(profile: mainProfile, packages: packages, parent: parent, command: "test")
    }

    private func link(_ path: String) throws -> String? {
        try store.root.readSymlink(path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func aGenerationIsLinksToStorePathsAndLaunchers() throws {
        let emacs = try package(
            "emacs", commands: ["etags"], launched: ["emacs"],
            data: ["usr/share/man/man1/emacs.1.gz", "usr/share/emacs"])
        let generation = try make([emacs])
        let directory = "profiles/default/generation-1"
        #expect(generation.number == 1 && generation.parent == nil)
        #expect(try link("\(directory)/bin/etags") == "/usr/store/\(emacs.baseName)/usr/bin/etags")
        #expect(try link("\(directory)/bin/emacs") == "../../../../shims/\(emacs.baseName)/emacs")
        // The link leads to the launcher, which leads to the program.
        #expect(access("\(fixture.root)/\(directory)/bin/emacs", F_OK) != 0)
        try store.root.directory(beneath: "libexec").replaceFile("sxs", contents: [], mode: 0o755)
        #expect(access("\(fixture.root)/\(directory)/bin/emacs", X_OK) == 0)
        #expect(
            try store.root.open(beneath: "shims/\(emacs.baseName)/launch").readAll() == Array("go\n".utf8))
        #expect(
            try link("\(directory)/share/man/man1/emacs.1.gz")
                == "/usr/store/\(emacs.baseName)/usr/share/man/man1/emacs.1.gz")
        #expect(try link("\(directory)/share/emacs") == "/usr/store/\(emacs.baseName)/usr/share/emacs")
        #expect(try store.currentGeneration(of: mainProfile) == nil, "made, not switched to")
        try store.activate(1, in: mainProfile)
        #expect(try store.currentGeneration(of: mainProfile) == generation)
        #expect(try link("profiles/default/current") == "generation-1")
        var expected = emacs
        expected.launchDescription = nil
        #expect(try store.packages(of: generation) == [expected])
    }

    @Test func numbersGrowAndParentsAreKept() throws {
        let a = try package("a", commands: ["a"])
        _ = try make([a])
        _ = try make([], parent: 1)
        try store.activate(1, in: mainProfile)
        let third = try make([a], parent: 1)
        #expect(third.number == 3 && third.parent == 1)
        #expect(try store.generations(of: mainProfile).map(\.number) == [1, 2, 3])
        #expect(try store.generations(of: mainProfile).last == third)
        #expect(try store.profiles() == [mainProfile])
        #expect(throws: StoreError.unknownGeneration(profile: "default", number: 9)) {
            try store.activate(9, in: mainProfile)
        }
        #expect(try store.currentGeneration(of: mainProfile)?.number == 1)
    }

    @Test func aCollisionNamesBothOwnersAndChangesNothing() throws {
        let one = try package("one", commands: ["vi"], launched: ["own"])
        var two = try package("two", commands: ["vi"])
        #expect(throws: StoreError.collision(path: "bin/vi", owners: [one.baseName, two.baseName])) {
            try make([one, two])
        }
        #expect(try store.root.directory(beneath: "profiles").list().isEmpty)
        #expect(try store.root.directory(beneath: "shims").list().isEmpty)
        two.isPreferred = true
        _ = try make([one, two])
        #expect(try link("profiles/default/generation-1/bin/vi") == "/usr/store/\(two.baseName)/usr/bin/vi")
        #expect(try link("profiles/default/generation-1/bin/own") != nil)
    }

    @Test func aFileOverADirectoryIsACollisionToo() throws {
        let file = try package("file", commands: [], data: ["usr/share/x"])
        var below = try package("below", commands: [], data: ["usr/share/x/y"])
        #expect(throws: StoreError.collision(path: "share/x", owners: [file.baseName, below.baseName])) {
            try make([file, below])
        }
        below.isPreferred = true
        _ = try make([file, below])
        #expect(try link("profiles/default/generation-1/share/x/y") != nil)
    }

    @Test(arguments: ["", ".", "..", "a/b", "/a", "a\n", "launch"])
    func hostileCommandNamesAreRefused(name: String) throws {
        var package = try package("p", commands: [])
        package.exposure.commands = [.init(name: name, path: "usr/bin/x", needsLauncher: true)]
        #expect(throws: StoreError.invalidExposure(package: package.baseName, what: name)) {
            try make([package])
        }
    }

    @Test(arguments: ["usr/share", "usr/share/../../etc", "/usr/share/x", "etc/x", "usr/sharex/y", ""])
    func hostileDataPathsAreRefused(path: String) throws {
        let package = try package("p", commands: [], data: [path])
        #expect(throws: StoreError.invalidExposure(package: package.baseName, what: path)) {
            try make([package])
        }
        #expect(try store.root.directory(beneath: "profiles").list().isEmpty)
    }

    @Test func onlyRegisteredPackagesAreShown() throws {
        #expect(throws: StoreError.unknownPackage("nothing")) {
            try make([GenerationPackage(baseName: "nothing", exposure: Exposure())])
        }
    }

    @Test func aLostIndexIsRebuiltFromTheFiles() throws {
        let a = try package("a", commands: ["a"])
        let alias = AliasRecord(name: "al", target: "usr")
        try store.add("b", aliases: [alias]) { try $0.file("usr/b", "b") }
        let generation = try make([a])
        try store.activate(1, in: mainProfile)
        let packages = try store.packages().map(\.baseName)
        for suffix in ["", "-wal", "-shm"] { try store.root.unlink("index.sqlite\(suffix)") }
        let rebuilt = try fixture.store()
        #expect(try rebuilt.packages().map(\.baseName) == packages)
        #expect(try rebuilt.currentGeneration(of: mainProfile) == generation)
        #expect(try rebuilt.aliasOwner("al") != nil)
    }

    @Test func aGenerationThatACrashKeptOutOfTheIndexIsAdopted() throws {
        let a = try package("a", commands: ["a"])
        _ = try make([a])
        let other = try Descriptor.directory(fixture.root + "/profiles/default")
        let copied = try Fixture.run(
            ["cp", "-a", "\(other.path)/generation-1", "\(other.path)/generation-2"],
            output: fixture.path + "/output")
        #expect(copied.status == 0)
        #expect(try make([a]).number == 3)
        #expect(try store.generations(of: mainProfile).map(\.number) == [1, 2, 3])
    }

    @Test func aHundredPackagesCostLittle() throws {
        let packages = try (0..<100).map { number in
            try package(
                "p\(number)", commands: ["a\(number)", "b\(number)"], launched: ["c\(number)"],
                data: ["usr/share/man/man1/a\(number).1.gz"])
        }
        let again = packages.map { GenerationPackage(baseName: $0.baseName, exposure: $0.exposure) }
        _ = try make(packages)
        var usage = rusage()
        let seconds = {
            getrusage(RUSAGE_SELF.rawValue, &usage)
            return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        }
        let start = seconds()
        for _ in 0..<5 { _ = try make(again) }
        let each = (seconds() - start) / 5
        #expect(try store.root.directory(beneath: "profiles/default/generation-2/bin").list().count == 300)
        // Debug builds and other tests in this process count too; the promise is 10 ms in release.
        #expect(each < 0.5, "\(each) s")
        print("generation of 100 packages: \(each * 1000) ms of CPU")
    }
}
