import Files
import Glibc
import Store
import StoreLayout
import Testing

@Suite struct CollectionTests {
    let fixture: Fixture
    let store: Store

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
    }

    @discardableResult
    private func collect(
        _ retention: Retention = Retention(), limit: Int? = nil, outside: FoundRoots = FoundRoots()
    ) throws -> Collection {
        try Store.openForCollection(root: fixture.root).collectGarbage(
            command: "test", retention: retention, limit: limit, onWait: { _ in }, outside: { outside })
    }

    private func add(
        _ name: String, _ files: [String: String], aliases: [AliasRecord] = []
    ) throws -> Metadata {
        try store.add(name, aliases: aliases) { builder in
            for (path, text) in files.sorted(by: { $0.key < $1.key }) {
                try builder.file(try TreePath(parsing: path.utf8), text)
            }
        }
    }

    private func install(_ packages: [Metadata], parent: Int? = nil) throws -> Int {
        let shown = packages.map { package in
            GenerationPackage(
                baseName: package.storePath,
                exposure: Exposure(commands: [
                    .init(name: package.name, path: "usr/bin/\(package.name)", needsLauncher: true)
                ]), launchDescription: Array("go\n".utf8))
        }
        // In one go: a generation that nobody switched to is taken back by the next writer.
        return try store.withWriterLock(command: "test") {
            let made = try store.makeGeneration(
                profile: mainProfile, packages: shown, parent: parent, command: "test")
            try store.activate(made.number, in: mainProfile)
            return made.number
        }
    }

    private func names(_ directory: String) throws -> [String] {
        try store.root.directory(beneath: directory).list().map(\.text)
    }

    private func isClean() throws {
        for package in try store.packages() { #expect(try store.verify(package).isEmpty) }
        #expect(try names("tmp").isEmpty)
        #expect(try store.status("objects") == nil)
    }

    @Test func whatNoGenerationHasGoesWithAllThatLeadsToIt() throws {
        let kept = try add("kept", ["usr/bin/kept": "kept", "shared": "both"])
        let alias = AliasRecord(name: "abcde1", target: "shared")
        let gone = try add(
            "gone", ["usr/bin/gone": "gone gone", "shared": "both", "empty": ""], aliases: [alias])
        _ = try install([kept])
        let plan = try store.planCollection(outside: FoundRoots())
        #expect(plan.doomed.map(\.baseName) == [gone.storePath])
        #expect(plan.freed == 9, "what another store path has is not freed")
        #expect(plan.kept.map(\.root.text) == ["profile default -> generation 1 (active)"])
        let collection = try collect()
        #expect(collection.freed == 9 && collection.objectCount == 1)
        for directory in ["store", "manifests"] { #expect(try names(directory) == [kept.storePath]) }
        #expect(try names("aliases").isEmpty)
        #expect(try names("shims") == [kept.storePath])
        #expect(try store.packages().map(\.name) == ["kept"])
        try isClean()
        #expect(try collect().plan.doomed.isEmpty)
    }

    @Test func whatIsCollectedCanBeImportedAgain() throws {
        let alias = AliasRecord(name: "abcde1", target: "x")
        let first = try add("a", ["x": "1"], aliases: [alias])
        try collect()
        #expect(try names("store").isEmpty)
        #expect(try add("a", ["x": "1"], aliases: [alias]) == first)
        try isClean()
    }

    @Test func deepAndClosedDirectoriesGo() throws {
        try store.add("deep") { builder in
            var path = "d"
            for _ in 0..<600 { path += "/d" }
            try builder.file(try TreePath(parsing: path.utf8), "x")
            try builder.directory("closed", mode: 0o000, attributes: [])
            try builder.file("closed/f", "y")
        }
        try collect()
        #expect(try names("store").isEmpty)
        try isClean()
    }

    @Test func generationsGoByRuleButNeverTheActiveOneAndItsParent() throws {
        let packages = try (1...5).map { try add("p\($0)", ["usr/bin/p\($0)": "program \($0)"]) }
        var parent: Int?
        for package in packages { parent = try install([package], parent: parent) }
        try store.activate(3, in: mainProfile)
        let plan = try store.planCollection(retention: Retention(count: 1), outside: FoundRoots())
        #expect(plan.generations.map(\.number) == [1, 4])
        #expect(plan.doomed.compactMap(\.name) == ["p1", "p4"])
        try collect(Retention(count: 1))
        let left = try store.generations(of: mainProfile)
        #expect(left.map(\.number) == [2, 3, 5])
        #expect(left.map(\.parent) == [nil, 2, 3], "the parent of one that went is handed on")
        #expect(try names("profiles/default") == ["current", "generation-2", "generation-3", "generation-5"])
        #expect(try store.packages().map(\.name) == ["p2", "p3", "p5"])
        // The files say the same as the index.
        for suffix in ["", "-wal", "-shm"] { try store.root.unlink("index.sqlite\(suffix)") }
        #expect(try fixture.store().generations(of: mainProfile).map(\.parent) == [nil, 2, 3])
        #expect(
            try store.planCollection(retention: Retention(age: 3600), outside: FoundRoots()).generations
                .isEmpty)
    }

    @Test func deletingTheActiveOrAnUnknownGenerationChangesNothing() throws {
        let package = try add("a", ["usr/bin/a": "a"])
        let first = try install([package])
        let second = try install([], parent: first)
        #expect(throws: StoreError.generationIsActive(profile: "default", number: second)) {
            try store.deleteGenerations([first, second], of: mainProfile)
        }
        #expect(throws: StoreError.unknownGeneration(profile: "default", number: 9)) {
            try store.deleteGenerations([first, 9], of: mainProfile)
        }
        #expect(try store.generations(of: mainProfile).count == 2)
        try store.deleteGenerations([first], of: mainProfile)
        #expect(try store.currentGeneration(of: mainProfile)?.parent == nil)
        // A number is not given out again while a later one is there.
        #expect(try install([package], parent: second) == 3)
    }

    @Test func aLimitStopsWhenEnoughIsFreed() throws {
        for name in ["a", "b", "c"] { _ = try add(name, [name: String(repeating: name, count: 100)]) }
        let collection = try collect(limit: 150)
        #expect(collection.freed == 200)
        #expect(collection.plan.spared.count == 1)
        #expect(try store.packages().map(\.name) == ["c"])
        try isClean()
    }

    @Test func anObjectOfTwoThatGoIsFreedWithTheSecond() throws {
        _ = try add("a", ["x": "12345", "own": "a"])
        _ = try add("b", ["y": "12345"])
        #expect(try store.planCollection(outside: FoundRoots()).doomed.map(\.freed) == [1, 5])
    }

    @Test func manyStorePathsAndObjectsArePlannedByWhatEachHas() throws {
        // More names and objects than the tables have room for at first.
        let count = 40, own = 60
        var packages: [Metadata] = []
        for number in 0..<count {
            var files = ["shared": "shared by all"]
            for index in 0..<own { files["f\(index)"] = "\(number) \(index)" }
            files["pair"] = "pair \(number / 2)"
            packages.append(try add("p\(number)", files))
        }
        // Of each fourth pair the first stays.
        let kept = packages.indices.filter { $0 % 8 == 0 }
        _ = try install(kept.map { packages[$0] })
        let plan = try store.planCollection(outside: FoundRoots())
        #expect(plan.kept.map(\.baseName) == kept.map { packages[$0].storePath }.sorted())
        #expect(plan.doomed.compactMap(\.name) == packages.indices.filter { $0 % 8 != 0 }.map { "p\($0)" })
        let expected = packages.indices.filter { $0 % 8 != 0 }.reduce(0) { total, number in
            let sizes = (0..<own).map { "\(number) \($0)".utf8.count }.reduce(0, +)
            // A pair's object goes with its second, unless its first stays.
            return total + sizes + (number % 2 == 1 && number % 8 != 1 ? "pair \(number / 2)".utf8.count : 0)
        }
        #expect(plan.freed == expected)
        let collection = try collect()
        #expect(collection.freed == expected)
        try isClean()
    }

    @Test func anImageThatCannotFitIsRefused() throws {
        let package = try add("a", ["x": String(repeating: "x", count: 1000)])
        // What the store has may be all that it is made of.
        try store.checkRoom(for: "image", minimumFree: 0) { $0 + package.size }
        #expect(throws: StoreError.self) {
            try store.checkRoom(for: "image", minimumFree: 0) { $0 + package.size + (1 << 30) }
        }
        #expect(throws: StoreError.self) {
            try store.checkRoom(for: "image", minimumFree: .max / 2) { $0 + package.size + (1 << 30) }
        }
        try store.checkRoom(for: "image", minimumFree: 0) { _ in nil }
    }

    @Test func linksAndFilesInGcrootsKeepAndThoseThatLeadNowhereAreNamed() throws {
        let a = try add("a", ["x": "1"]), b = try add("b", ["x": "2"]), c = try add("c", ["x": "3"])
        let d = try add("d", ["x": "4"])
        let roots = try store.root.directory(beneath: "gcroots")
        try roots.makeSymlink("a", target: Array("/usr/store/\(a.storePath)".utf8))
        try roots.makeDirectory("more")
        try roots.directory(beneath: "more").replaceFile(
            "list", contents: "# mine\n/usr/store/\(b.storePath)/x\n".utf8)
        // Through a link that the user may change, as Nix's indirect roots.
        try Descriptor.directory(fixture.path).makeSymlink(
            "result", target: Array("\(fixture.root)/store/\(c.storePath)".utf8))
        try roots.makeDirectory("auto")
        try roots.makeSymlink("auto/1", target: Array("\(fixture.path)/result".utf8))
        try roots.makeSymlink("auto/2", target: Array("\(fixture.path)/nothing".utf8))
        try roots.makeSymlink("stale", target: Array("\(fixture.path)/nothing".utf8))
        let collection = try collect()
        #expect(collection.plan.doomed.map(\.baseName) == [d.storePath])
        #expect(collection.plan.dangling.map(\.path) == ["auto/2", "stale"])
        #expect(try names("gcroots/auto") == ["1"])
        #expect(try names("gcroots").filter { $0 != "hosts" } == ["a", "auto", "more", "stale"])
        let chain = try #require(
            try store.roots(of: [c.storePath], outside: FoundRoots())[c.storePath]?.first?.chain)
        #expect(
            chain == ["gcroots/auto/1", "\(fixture.path)/result", "\(fixture.root)/store/\(c.storePath)"])
    }

    @Test func aProfileOfAnotherRootKeepsWhatItsGenerationsHave() throws {
        let a = try add("a", ["usr/bin/a": "1"])
        let other = try Fixture()
        let foreign = try other.store()
        let same = try foreign.add("a") { try $0.file("usr/bin/a", "1") }
        #expect(same.storePath == a.storePath)
        let exposure = Exposure(commands: [.init(name: "a", path: "usr/bin/a", needsLauncher: false)])
        _ = try foreign.makeGeneration(
            profile: mainProfile, packages: [.init(baseName: a.storePath, exposure: exposure)], parent: nil,
            command: "test")
        try store.root.makeDirectory("gcroots/auto")
        try store.root.makeSymlink("gcroots/auto/u", target: Array("\(other.root)/profiles/default".utf8))
        #expect(try collect().plan.doomed.isEmpty)
        try store.root.unlink("gcroots/auto/u")
        #expect(try collect().plan.doomed.count == 1)
    }

    @Test func aLeaseKeepsAsLongAsItLives() throws {
        let a = try add("a", ["x": "1"])
        do {
            let lease = try store.makeLease()
            #expect(try store.keep(a.storePath, by: lease))
            #expect(try collect().plan.doomed.isEmpty)
            withExtendedLifetime(lease) {}
        }
        #expect(try collect().plan.doomed.count == 1)
        let late = try store.makeLease()
        #expect(try !store.keep(a.storePath, by: late), "what is gone cannot be kept")
    }

    @Test func anImportKeepsTheObjectsThatItFound() throws {
        _ = try add("a", ["x": "contents of an object"])
        let area = try store.makeImport()
        try area.builder.file("y", "contents of an object")
        try area.builder.file("z", "contents of an object", mode: 0o755)
        try area.builder.finish()
        #expect(area.staging.contents.map(\.isStaged) == [false, true])
        try collect()
        #expect(try store.packages().isEmpty)
        let metadata = try store.add(area, "b")
        try area.discard()
        #expect(try store.verify(try #require(try store.package(baseName: metadata.storePath))).isEmpty)
        try isClean()
    }

    @Test func leftoversOfCrashesGo() throws {
        let alias = AliasRecord(name: "abcde1", target: "x")
        let kept = try add("kept", ["usr/bin/kept": "kept"])
        _ = try install([kept])
        let gone = try add("gone", ["x": "gone"], aliases: [alias])
        // A collection that was killed after its transaction, or an import before its own.
        let run = try Fixture.run(
            [
                "python3", "-c",
                "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute('PRAGMA foreign_keys=ON'); d.execute('DELETE FROM package WHERE name=\"gone\"'); d.commit()",
                fixture.root + "/index.sqlite",
            ], output: fixture.path + "/output")
        #expect(run.status == 0, "\(run.text)")
        try store.root.makeDirectory("tmp/dead")
        try store.root.directory(beneath: "tmp/dead").replaceFile("file", contents: [1])
        // What a store has of an earlier version.
        try store.root.makeDirectory("objects")
        try store.root.makeDirectory("objects/00")
        try store.root.directory(beneath: "objects/00").replaceFile(
            String(repeating: "0", count: 64) + "-444", contents: [1, 2])
        let collection = try collect()
        #expect(collection.plan.doomed.map(\.baseName) == [gone.storePath])
        #expect(collection.freed == 0, "nobody knows what it shared")
        #expect(try names("aliases").isEmpty)
        #expect(try names("manifests") == [kept.storePath])
        try isClean()
    }

    @Test func aHalfMovedStorePathIsTakenAway() throws {
        let alias = AliasRecord(name: "abcde1", target: "x")
        let gone = try add("gone", ["x": "gone"], aliases: [alias])
        let other = try add("other", ["x": "other"])
        _ = try install([other])
        // Killed after the tree was moved: alias and manifest are left.
        let area = "tmp/killed"
        try store.root.makeDirectory(area)
        let tree = try store.root.directory(beneath: "store/\(gone.storePath)")
        try tree.setMode(0o755)
        try store.root.rename("store/\(gone.storePath)", to: store.root, as: area + "/tree")
        #expect(try names("aliases") == ["abcde1"])
        try collect()
        #expect(try names("aliases").isEmpty)
        #expect(try names("manifests") == [other.storePath])
        try isClean()
    }

    @Test func derivedCachesOfNoGenerationGo() throws {
        let package = try add("a", ["usr/bin/a": "a"])
        let made = Digest(hashing: "used".utf8), unused = Digest(hashing: "unused".utf8)
        for key in [made, unused] {
            _ = try store.derive(key) { work in
                try work.makeDirectory("out")
                try work.directory(beneath: "out").replaceFile("cache", contents: key.hex.utf8)
                return try work.directory(beneath: "out")
            }
        }
        let exposure = Exposure(commands: [.init(name: "a", path: "usr/bin/a", needsLauncher: false)])
        try store.withWriterLock(command: "test") {
            let generation = try store.makeGeneration(
                profile: mainProfile, packages: [.init(baseName: package.storePath, exposure: exposure)],
                parent: nil,
                files: [GenerationFile(path: "share/cache", content: .derived(made, "cache"))],
                command: "test")
            try store.activate(generation.number, in: mainProfile)
        }
        #expect(try collect().plan.derived == [unused.hex])
        #expect(try names("cache/derived") == [made.hex])
    }

    @Test func aStoreFromBeforeIsPlannedOnceItsObjectsAreNoted() throws {
        _ = try add("a", ["x": "12345"])
        let run = try Fixture.run(
            [
                "python3", "-c",
                "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.executescript('\(Fixture.earlierGenerations) DROP TABLE package_changes; DROP TABLE package_objects; DROP TABLE deleted_generation; DROP TABLE unfiled; ALTER TABLE package DROP COLUMN location'); d.execute('PRAGMA user_version=2'); d.commit()",
                fixture.root + "/index.sqlite",
            ], output: fixture.path + "/output")
        #expect(run.status == 0, "\(run.text)")
        let reader = try Store.open(root: fixture.root, forWriting: false)
        #expect(try reader.planCollection(outside: FoundRoots()).doomed.map(\.freed) == [0])
        let collection = try collect()
        #expect(collection.plan.freed == 5 && collection.freed == 5)
    }

    @Test func theReserveIsMadeAndGivenUpForACollection() throws {
        #expect(try #require(try store.status("reserve")).st_size == StoreLayout.reserveSize)
        _ = try Store.openForCollection(root: fixture.root)
        #expect(try store.status("reserve") == nil)
        try collect()
        #expect(try store.status("reserve") != nil)
    }

    @Test func aRootFromOutsideKeeps() throws {
        let a = try add("a", ["x": "1"])
        var outside = FoundRoots()
        outside.add(CollectionRoot(kind: .process, chain: ["process 1"]), of: a.storePath)
        let plan = try collect(outside: outside).plan
        #expect(plan.doomed.isEmpty && plan.kept.map(\.root.kind) == [.process])
    }
}
