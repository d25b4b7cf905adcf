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

    @discardableResult
    private func make(
        _ packages: [GenerationPackage], parent: Int? = nil, cacheSources: [String]? = nil
    ) throws -> Generation {
        try store.withWriterLock(command: "test") {
            let made = try store.makeGeneration(
                profile: mainProfile, packages: packages, parent: parent, cacheSources: cacheSources,
                command: "test")
            try store.activate(made.number, in: mainProfile)
            return made
        }
    }

    @Test func whatCachesAreMadeFromIsAskedOnceOfEachPackage() throws {
        let paths: [TreePath] = ["usr/share/glib-2.0/schemas", "usr/share/mime/packages"]
        let source = try store.add("source", exposure: Exposure()) { builder in
            try builder.file("usr/share/mime/packages/x.xml", "x")
        }.storePath
        let packages = [
            try package("a", commands: ["a"]), GenerationPackage(baseName: source, exposure: Exposure()),
        ]
        let names = packages.map(\.baseName)
        #expect(try store.cacheSources(in: paths, among: names, like: nil) == [source])
        let noted = try make(packages, cacheSources: [source])
        // What is noted is not looked at again.
        try store.root.directory(beneath: "store").removeTree(source)
        #expect(try store.cacheSources(in: paths, among: names, like: noted) == [source])
        #expect(try store.cacheSources(in: paths, among: [names[0]], like: noted).isEmpty)
        #expect(try store.cacheSources(in: paths, among: names, like: nil).isEmpty)
        // Another package is.
        let other = try store.add("other", exposure: Exposure()) { builder in
            try builder.file("usr/share/glib-2.0/schemas/x.gschema.xml", "x")
        }.storePath
        #expect(try store.cacheSources(in: paths, among: names + [other], like: noted) == [source, other])
        // Of a generation of an older program nothing is noted.
        let unknown = try make([packages[0]], parent: noted.number)
        #expect(try store.cacheSources(in: paths, among: [other], like: unknown) == [other])
    }

    @Test func namesOfAGenerationsPackagesComeBackAsTheyWere() throws {
        try make([try package("b", commands: ["b"]), try package("a", commands: ["a"])])
        let generation = try #require(try store.currentGeneration(of: mainProfile))
        #expect(
            try store.packageNames(of: generation) == store.packages(of: generation).map(\.baseName))
        #expect(try store.packageNames(of: generation).count == 2)
        // As a damaged file may have them, which the next writer takes into the index.
        let odd = ["a\"b", "back\\slash", "\u{1}\u{1f}\u{7f}", "é", ""]
        let place = try store.root.directory(beneath: "profiles/default")
        let next = try make([], parent: generation.number)
        let lost = "generation-\(next.number + 1)"
        try place.makeDirectory(lost)
        let directory = try place.directory(beneath: lost)
        let description = try place.open(beneath: "generation-\(next.number)/generation.json").readAll()
        try directory.replaceFile("generation.json", contents: description)
        try directory.replaceFile(
            "packages", contents: ("sxs-packages 1\n" + odd.map { "package \($0)\n" }.joined()).utf8)
        let last = try make([], parent: next.number)
        let found = try #require(try store.generation(last.number - 1, of: mainProfile))
        #expect(try store.packageNames(of: found) == odd)
    }

    @Test func whatNobodySwitchedToIsTakenBack() throws {
        let packages = [try package("a", commands: ["a"])]
        let first = try make(packages)
        let second = try store.makeGeneration(
            profile: mainProfile, packages: [], parent: first.number, command: "cut short")
        #expect(try link("profiles/default/pending") == "generation-\(second.number)")
        try store.withWriterLock(command: "next") {}
        #expect(try store.generations(of: mainProfile) == [first])
        #expect(
            try store.root.directory(beneath: "profiles/default").list().map(\.text).sorted() == [
                "current", "generation-1",
            ])
        #expect(try store.root.directory(beneath: "tmp").list().isEmpty)
        #expect(try make([], parent: first.number).number == second.number)
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
                == "../../../../../../store/\(emacs.baseName)/usr/share/man/man1/emacs.1.gz")
        #expect(try link("\(directory)/share/emacs") == "../../../../store/\(emacs.baseName)/usr/share/emacs")
        #expect(try store.currentGeneration(of: mainProfile) == generation)
        #expect(try link("profiles/default/current") == "generation-1")
        var expected = emacs
        expected.launchDescription = nil
        #expect(try store.packages(of: generation) == [expected])
    }

    @Test func extensionsAreLinkedAndKnownToALaterIndex() throws {
        let kept = [
            GenerationExtension(fileName: "a b.raw", version: "1", location: "00-a b.raw"),
            GenerationExtension(fileName: "far", version: "2", location: "/opt/extensions/far"),
        ]
        let tool = try package("tool", commands: ["tool"])
        let generation = try store.withWriterLock(command: "test") {
            let made = try store.makeGeneration(
                profile: mainProfile, packages: [tool], parent: nil, extensions: kept, command: "test")
            try store.activate(made.number, in: mainProfile)
            return made
        }
        let directory = "profiles/default/generation-1/extensions"
        #expect(try link("\(directory)/a b.raw") == "../../../../extensions/00-a b.raw")
        #expect(try link("\(directory)/far") == "/opt/extensions/far")
        #expect(try store.extensions(of: generation) == kept)
        #expect(try store.packages(of: generation).count == 1)
        #expect(try store.extensions(of: make([], parent: 1)).isEmpty)
        try store.root.unlink("index.sqlite")
        let again = try fixture.store()
        let found = try #require(try again.generations(of: mainProfile).first)
        #expect(try again.extensions(of: found) == kept)
    }

    @Test(arguments: ["../../etc", "a/../../b", "", "a\tb"])
    func anExtensionThatCouldLeadElsewhereIsRefused(location: String) throws {
        #expect(throws: StoreError.invalidExposure(package: "x.raw", what: location)) {
            try store.makeGeneration(
                profile: mainProfile, packages: [], parent: nil,
                extensions: [GenerationExtension(fileName: "x.raw", version: "1", location: location)],
                command: "test")
        }
        #expect(try store.status("profiles/default/generation-1") == nil)
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
        #expect(try store.currentGeneration(of: mainProfile)?.number == 3)
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

    /// Inode numbers of all links of a generation, by path in it.
    private func inodes(_ generation: Generation) throws -> [String: UInt64] {
        let directory = try store.generationDirectory(generation.number, of: mainProfile)
        var result: [String: UInt64] = [:]
        for path in ["bin", "share/man/man1"] {
            for entry in try directory.directory(beneath: path).list() {
                result["\(path)/\(entry.text)"] = entry.inode
            }
        }
        return result
    }

    private func hundredPackages() throws -> [GenerationPackage] {
        try (0..<100).map { number in
            try package(
                "p\(number)", commands: ["a\(number)", "b\(number)"], launched: ["c\(number)"],
                data: ["usr/share/man/man1/a\(number).1.gz"])
        }
    }

    @Test func aGenerationOfAHundredPackagesMakesInodesForWhatChangedOnly() throws {
        let packages = try hundredPackages()
        let first = try make(Array(packages.dropLast()))
        let second = try make(try store.packages(of: first) + [packages[99]], parent: 1)
        let kept = try store.packages(of: second).filter { $0.baseName != packages[0].baseName }
        let third = try make(kept, parent: 2)
        let (one, two) = (try inodes(first), try inodes(second))
        #expect(one.count == 4 * 99 && two.count == 4 * 100)
        #expect(Set(one.values).count == one.count, "different links are different inodes")
        let added = two.filter { one[$0.key] == nil }
        #expect(
            added.keys.sorted() == ["bin/a99", "bin/b99", "bin/c99", "share/man/man1/a99.1.gz"])
        #expect(two.filter { one[$0.key] == $0.value }.count == one.count)
        #expect(try inodes(third) == two.filter { !["a0", "b0", "c0", "a0.1.gz"].contains(name($0.key)) })
    }

    private func name(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

    @Test func launchersOfKeptPackagesAreNotLookedAtAgain() throws {
        let packages = [
            try package("a", commands: [], launched: ["a"]), try package("b", commands: [], launched: ["b"]),
        ]
        let first = try make(packages)
        let kept = try store.packages(of: first)
        let shims = try store.root.directory(beneath: "shims")
        try shims.removeTree(packages[0].baseName)
        let second = try make(kept, parent: 1)
        #expect(try shims.list().map(\.text) == [packages[1].baseName])
        // What an installation brings is made whatever the parent has.
        _ = try make(packages, parent: 2)
        #expect(Set(try shims.list().map(\.text)) == Set(packages.map(\.baseName)))
        // Without a parent that has made it, it must be there.
        try shims.removeTree(packages[0].baseName)
        #expect(throws: StoreError.self) { try make(kept) }
        #expect(second.number == 2)
    }

    @Test func linksThatLeadElsewhereAreNotShared() throws {
        let a = try package("a", commands: ["vi", "same"])
        var b = try package("b", commands: ["vi"])
        let first = try make([a])
        b.isPreferred = true
        let second = try make([a, b], parent: 1)
        #expect(try link("profiles/default/generation-2/bin/vi") == "/usr/store/\(b.baseName)/usr/bin/vi")
        #expect(try link("profiles/default/generation-1/bin/vi") == "/usr/store/\(a.baseName)/usr/bin/vi")
        let inode = { (generation: Generation, name: String) in
            try store.generationDirectory(generation.number, of: mainProfile)
                .status(of: "bin/\(name)")?.st_ino
        }
        #expect(try inode(first, "vi") != inode(second, "vi"))
        #expect(try inode(first, "same") == inode(second, "same"))
    }

    @Test func aParentThatIsGoneCostsNothingButTime() throws {
        let a = try package("a", commands: ["a"], launched: ["b"])
        _ = try make([a])
        try store.root.directory(beneath: "profiles/default").removeTree("generation-1")
        let second = try make([a], parent: 1)
        #expect(second.number == 2 && second.parent == 1)
        #expect(try link("profiles/default/generation-2/bin/a") == "/usr/store/\(a.baseName)/usr/bin/a")
    }

    @Test func aPackageGivenTwiceIsThereOnce() throws {
        let a = try package("a", commands: ["a"])
        let generation = try make([a, a])
        #expect(try store.packageNames(of: generation) == [a.baseName])
        #expect(try store.packages(of: generation) == [a])
    }

    @Test func theIndexHasWhatAGenerationShowsHoweverItDiffersFromItsParent() throws {
        let all = try (0..<6).map { try package("p\($0)", commands: ["c\($0)"]) }
        // By which of them: at the beginning, in the middle, at the end, all others, none, in another order.
        let wanted = [
            [1, 2, 4], [0, 1, 2, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5], [0, 5], [3], [], [2], [2, 1, 0],
            [0, 1, 2],
        ]
        var parent: Int?
        for numbers in wanted {
            let packages = numbers.map { all[$0] }
            let made = try make(packages, parent: parent)
            #expect(try store.packageNames(of: made) == packages.map(\.baseName))
            #expect(try store.packages(of: made) == packages)
            parent = made.number
        }
        #expect(try !store.inconsistencies(readsContents: false).contains { $0.code == "index" })
    }

    @Test func whatDiffersBetweenTwoGenerationsIsFound() throws {
        let all = try (0..<5).map { try package("p\($0)", commands: ["c\($0)"], launched: ["l\($0)"]) }
        var other = all[2]
        other.exposure.commands.removeLast()
        let preferred = GenerationPackage(
            baseName: all[3].baseName, exposure: all[3].exposure, isPreferred: true)
        let kinds = [
            [], all, Array(all.dropFirst()), Array(all.dropLast()), [all[0], all[1], other, all[3], all[4]],
            [all[0], all[2], preferred, all[4]], [all[1], other], [other], [preferred, all[4]],
            all.reversed(),
        ]
        let made = try kinds.map { try make($0) }
        for (from, before) in zip(made, kinds) {
            for (to, after) in zip(made, kinds) {
                let shown = { (packages: [GenerationPackage]) in
                    packages.map { [$0.baseName, "\($0.exposure.commands)", "\($0.isPreferred)"] }
                }
                let (old, new) = (shown(before), shown(after))
                let (gone, come) = try store.contents(of: to).difference(from: store.contents(of: from))
                // Of those that are in another place, nothing has to be said.
                #expect(gone == old.filter { !new.contains($0) }.map { $0[0] })
                #expect(come == new.filter { !old.contains($0) }.map { $0[0] })
            }
        }
        let contents = try store.contents(of: made[1])
        #expect(contents.packageNames() == all.map(\.baseName))
        #expect(contents.commands().sorted() == (0..<5).flatMap { ["c\($0)", "l\($0)"] }.sorted())
        #expect(contents.hasCommands && !contents.isForSystem)
        #expect(try !store.contents(of: made[0]).hasCommands)
        #expect(
            try store.names(of: ["a\"b\\", all[1].baseName, "nothing", all[0].baseName]).map { $0?.name } == [
                nil, "p1", nil, "p0",
            ])
    }

    @Test func aDescriptionThatIsCutOffIsRefused() throws {
        let made = try make([try package("a", commands: ["a"])])
        let path = "profiles/default/generation-1"
        let directory = try store.root.directory(beneath: path)
        let text = try directory.open(beneath: "packages").readAll()
        for length in 0..<text.count {
            try directory.replaceFile("packages", contents: text[..<length])
            // What ends with a whole line is one that shows less.
            guard length == 0 || text[length - 1] != 0x0a || length < 15 else { continue }
            #expect(throws: StoreError.self) { try store.contents(of: made) }
        }
        try directory.replaceFile("packages", contents: text + Array("nonsense x\n".utf8))
        #expect(throws: StoreError.self) { try store.packages(of: made) }
    }

    @Test func namesOfAGenerationAreThoseOfItsPackages() throws {
        let packages = try ["a", "b", "c"].map { try package($0, commands: [$0]) }
        let all = try make(packages)
        let second = try make([packages[1]])
        let names = { (packages: [GenerationPackage], generation: Generation) in
            try store.names(of: packages, in: generation).map { $0.map { "\($0.name) \($0.version)" } }
        }
        #expect(try names(packages, all) == ["a 1", "b 1", "c 1"])
        #expect(try names([packages[1]], second) == ["b 1"])
        // In another order, or others than the index has.
        #expect(try names([packages[2], packages[0], packages[1]], all) == ["c 1", "a 1", "b 1"])
        #expect(try names([packages[0], packages[1]], second) == [nil, "b 1"])
        #expect(try names([packages[0]], all) == ["a 1"])
        // One that is not registered any more.
        let run = try Fixture.run(
            [
                "python3", "-c",
                "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute('DELETE FROM package WHERE name=\"a\"'); d.commit()",
                fixture.root + "/index.sqlite",
            ], output: fixture.path + "/output")
        #expect(run.status == 0, "\(run.text)")
        #expect(try names(packages, all) == [nil, "b 1", "c 1"])
    }

    @Test func whatCachesAreMadeFromIsKnownOfAnEarlierGeneration() throws {
        let paths = [try TreePath(parsing: "usr/share/icons".utf8)]
        let bases = try (10..<40).map { number in
            try store.add("p\(number)") { builder in
                let path = number % 3 == 0 ? "usr/share/icons/x" : "usr/share/x"
                try builder.file(try TreePath(parsing: path.utf8), "\(number)")
                try builder.file(try TreePath(parsing: "usr/share/own-\(number)".utf8), "")
            }.storePath
        }
        let real = Set(bases.enumerated().filter { ($0.offset + 10) % 3 == 0 }.map(\.element))
        // What is noted is believed: here it is not so.
        let shown = bases[..<20].enumerated().map { number, base in
            GenerationPackage(baseName: base, exposure: Exposure(data: ["usr/share/own-\(number + 10)"]))
        }
        let made = try store.makeGeneration(
            profile: mainProfile, packages: shown, parent: nil, cacheSources: [bases[1], bases[19]],
            command: "test")
        let found = { (asked: [String]) in try store.cacheSources(in: paths, among: asked, like: made) }
        #expect(try found(bases) == real.intersection(bases[20...]).union([bases[1], bases[19]]))
        #expect(try store.cacheSources(in: paths, among: bases, like: nil) == real)
        // Some are gone, and others came between.
        let some = Array(bases[..<2]) + Array(bases[25...]) + Array(bases[7..<20])
        #expect(try found(some) == real.intersection(bases[25...]).union([bases[1], bases[19]]))
        // Where more are gone than are passed over, or all come elsewhere, the trees are asked.
        #expect(try found([bases[0]] + bases[12..<20]) == real.intersection(bases[12..<20]))
        #expect(try found(bases[..<20].reversed()).isSubset(of: real.union([bases[1], bases[19]])))
        #expect(try found([]) == [])
    }

    @Test(arguments: [
        "", "sxs-packages 1", "sxs-packages 2\n", "sxs-packages 1\npackage x", "sxs-packages 1\ndata x\n",
        "sxs-packages 1\nlink a\tb\n", "sxs-packages 1\npackage x\nlink a\n", "sxs-packages 1\n\n",
        "sxs-packages 1\npackage x\nother y\n", "sxs-packages 1\npackage x\ndata a\tb\n",
    ])
    func aDamagedListOfPackagesIsRefused(text: String) throws {
        let a = try package("a", commands: ["a"])
        let generation = try make([a])
        let directory = try store.generationDirectory(1, of: mainProfile)
        try directory.replaceFile("packages", contents: text.utf8)
        let error = try #require(throws: StoreError.self) { try store.packages(of: generation) }
        #expect("\(error)".contains("generation-1/packages"))
        #expect("\(error)".contains("\nhint: "))
    }

    @Test func aGenerationThatOnlyTheIndexHasIsTakenBack() throws {
        let a = try package("a", commands: ["a"])
        try make([a])
        let lost = try store.makeGeneration(
            profile: mainProfile, packages: [a], parent: 1, command: "test")
        // As after a loss of power before the switch.
        let profile = try store.root.directory(beneath: "profiles/\(mainProfile)")
        try profile.removeTree("generation-\(lost.number)")
        try profile.unlink("pending")
        #expect(try store.generations(of: mainProfile).map(\.number) == [1])
        let found = try store.inconsistencies(readsContents: false).map {
            "\($0.severity) \($0.path): \($0.what)"
        }
        #expect(
            found.contains(
                "note profiles/default/generation-\(lost.number): the index has it, and it is not there"))
        #expect(try make([a], parent: 1).number == lost.number)
        #expect(try store.generations(of: mainProfile).map(\.number) == [1, lost.number])
    }

    @Test func theWriteAheadLogIsEmptiedByWhatCostsMuch() throws {
        // Not the suite's store, which stays open: the last connection empties it.
        let path = fixture.root + "/alone"
        do {
            let alone = try Store.open(root: path, forWriting: true)
            try alone.add("r") { try $0.file("x", "1") }
        }
        let log = try #require(try Descriptor.directory(path).status(of: "index.sqlite-wal"))
        #expect(log.st_size == 0)
        #expect(try Store.open(root: path, forWriting: false).packages().map(\.name) == ["r"])
    }
}
