import Files
import Glibc
import Store
import StoreLayout
import Synchronization
import Testing

/// Generations whose links a later one took over.
@Suite struct GenerationStubTests {
    let fixture: Fixture
    let store: Store

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
    }

    // MARK: - Packages and generations

    private func package(_ name: String, _ exposure: Exposure) throws -> GenerationPackage {
        let base = try store.add(name, exposure: exposure) { builder in
            let paths = exposure.commands.map(\.path) + exposure.data + exposure.system
            for path in paths.sorted() {
                try builder.file(try TreePath(parsing: path.utf8), "\(name) \(path)", mode: 0o755)
            }
        }.storePath
        return GenerationPackage(
            baseName: base, exposure: exposure,
            launchDescription: exposure.commands.contains(where: \.needsLauncher) ? Array("go\n".utf8) : nil)
    }

    private func packages(_ count: Int) throws -> [GenerationPackage] {
        try (0..<count).map { number in
            try package(
                "p\(number)",
                Exposure(
                    commands: [
                        .init(name: "c\(number)", path: "usr/bin/c\(number)", needsLauncher: false),
                        .init(name: "l\(number)", path: "usr/bin/l\(number)", needsLauncher: true),
                    ], data: ["usr/share/man/man1/c\(number).1"]))
        }
    }

    /// Makes a generation from the active one, and switches to it.
    @discardableResult
    private func install(
        _ packages: [GenerationPackage], files: [GenerationFile] = [],
        extensions: [GenerationExtension] = [], in profile: String = "default"
    ) throws -> Generation {
        let profile = try ProfileName(profile)
        return try store.withWriterLock(command: "test") {
            let made = try store.makeGeneration(
                profile: profile, packages: packages, parent: store.currentGeneration(of: profile)?.number,
                files: files, extensions: extensions, command: "test")
            try store.activate(made.number, in: profile)
            return made
        }
    }

    /// Generations of which the first is a stub; all begin with the same packages.
    private func installFour(_ packages: [GenerationPackage]) throws -> [[String: String]] {
        var trees: [[String: String]] = []
        for count in (packages.count - 3)...packages.count {
            let made = try install(Array(packages[..<count]))
            trees.append(try tree(made.number))
        }
        #expect(try stubs() == [1])
        return trees
    }

    private func place(_ number: Int, _ profile: String = "default") -> String {
        "profiles/\(profile)/generation-\(number)"
    }

    private func isStub(_ number: Int) throws -> Bool { try store.status(place(number) + "/stub") != nil }

    private func stubs() throws -> [Int] {
        try store.generations(of: mainProfile).map(\.number).filter { try isStub($0) }
    }

    /// All that a generation consists of, but its description: modes, targets and contents by path.
    private func tree(_ number: Int, _ profile: String = "default") throws -> [String: String] {
        let top = try store.root.directory(beneath: place(number, profile))
        var found: [String: String] = [:]
        var pending: [TreePath] = [.root]
        while let path = pending.popLast() {
            let directory =
                path.bytes.isEmpty ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            found["\(path)"] = octal(UInt32(try directory.status().st_mode))
            for entry in try directory.list() where entry.text != "generation.json" {
                let child = path.appending(entry.name)
                let status = try #require(try directory.status(of: entry.name))
                switch status.st_mode & S_IFMT {
                case S_IFDIR: pending.append(child)
                case S_IFLNK: found["\(child)"] = try directory.readSymlink(entry.name).displayed
                default:
                    let text = try directory.open(beneath: entry.name).readAll().displayed
                    found["\(child)"] = octal(UInt32(status.st_mode)) + " " + text
                }
            }
        }
        return found
    }

    /// What a tree has as a stub.
    private func stub(of tree: [String: String], files: [String] = []) -> [String: String] {
        var above: Set<String> = []
        for file in files {
            var path = Substring(file)
            while let slash = path.lastIndex(of: "/") {
                path = path[..<slash]
                above.insert(String(path))
            }
        }
        return tree.filter { path, _ in
            let top = path.split(separator: "/").first
            return top != "bin" && top != "share" || files.contains(path) || above.contains(path)
        }.merging(["stub": "100444 "]) { first, _ in first }
    }

    private func found() throws -> [String] {
        try store.inconsistencies(readsContents: false).map { "\($0.severity) \($0.path): \($0.what)" }
    }

    private func shell(_ script: String) throws {
        let result = try Fixture.run(
            ["bash", "-ec", "cd \(fixture.root); " + script], output: fixture.path + "/output")
        #expect(result.status == 0, "\(result.text)")
    }

    // MARK: - Tests

    @Test func theActiveGenerationAndTheTwoBeforeItHaveTheirLinks() throws {
        let packages = try packages(12)
        var trees: [[String: String]] = [[:]]
        for count in 4...12 {
            let made = try install(Array(packages[..<count]))
            trees.append(try tree(made.number))
            for number in max(1, made.number - 2)...made.number {
                #expect(try tree(number) == trees[number])
            }
            #expect(try stubs() == Array(1..<max(1, made.number - 2)))
        }
        for number in try stubs() { #expect(try tree(number) == stub(of: trees[number])) }
        // A rollback makes nothing, nor does the one after it.
        let before = try store.root.directory(beneath: place(7)).status().st_ino
        try store.activate(8, in: mainProfile)
        try store.activate(7, in: mainProfile)
        #expect(try store.root.directory(beneath: place(7)).status().st_ino == before)
        #expect(try stubs() == Array(1...6))
        #expect(try found() == [])
    }

    @Test func linksAreTakenOverRatherThanMade() throws {
        let packages = try packages(40)
        for count in 37...39 { try install(Array(packages[..<count])) }
        let inodes = { (number: Int) in
            try store.root.directory(beneath: place(number) + "/bin").list().reduce(into: [:]) {
                $0[$1.text] = $1.inode
            }
        }
        let bin = try store.root.directory(beneath: place(1) + "/bin")
        let before = try inodes(1)
        let status = try #require(try bin.status(of: "c0"))
        let made = try install(packages)
        #expect(try store.root.status(of: place(made.number) + "/bin")?.st_ino == bin.status().st_ino)
        let after = try inodes(made.number)
        #expect(after.count == 80)
        #expect(before.allSatisfy { after[$0.key] == $0.value })
        // The ones that only the parent has are the parent's; no link has got a name more than before.
        #expect(try after["c38"] == inodes(made.number - 1)["c38"])
        #expect(try bin.status(of: "c0")?.st_nlink == status.st_nlink)
    }

    @Test func aStubThatIsSwitchedToIsWhatItWas() throws {
        let packages = try packages(12)
        var trees: [[String: String]] = [[:]]
        for count in 4...12 { trees.append(try tree(install(Array(packages[..<count])).number)) }
        for number in [3, 1, 9, 5, 6, 2, 4, 8, 7, 1] {
            try store.activate(number, in: mainProfile)
            #expect(try tree(number) == trees[number])
            #expect(try store.currentGeneration(of: mainProfile)?.number == number)
            #expect(try found() == [])
            for other in 1...9 {
                let isStub = try isStub(other)
                #expect(try tree(other) == (isStub ? stub(of: trees[other]) : trees[other]))
            }
            // Links are taken over there, too.
            #expect(try stubs().count >= 4)
        }
        #expect(try store.root.directory(beneath: "tmp").list().isEmpty)
    }

    @Test func oneThatShowsOtherThingsGivesNoLinks() throws {
        let packages = try packages(12)
        for numbers in [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [0, 1, 4, 5, 8, 9]] {
            try install(numbers.map { packages[$0] })
        }
        #expect(try stubs() == [])
        // Of two, the nearer one.
        try install(Array(packages[4..<9]))
        #expect(try stubs() == [2])
    }

    @Test func whatWasPreparedForAnotherHostStaysWhole() throws {
        let packages = try packages(8)
        try install(Array(packages[..<6]))
        let prepared = try store.makeGeneration(
            profile: mainProfile, packages: packages, parent: 1, command: "test",
            host: ["ID": "next"], preparedOn: ["ID": "this"])
        for count in 5...8 { try install(Array(packages[..<count])) }
        #expect(try !isStub(prepared.number))
        #expect(try stubs() == [1, 3])
    }

    @Test func filesUnitsAndExtensionsStayInAStub() throws {
        var packages = try packages(6)
        packages.append(
            try package(
                "unit", Exposure(commands: [], system: ["usr/lib/systemd/system/u.service", "etc/u/u.conf"])))
        let files = [
            GenerationFile(path: "share/man/man1/c0.1", content: .bytes(Array("own".utf8))),
            GenerationFile(path: "share/icons/t/icon-theme.cache", content: .bytes(Array("cache".utf8))),
            GenerationFile(path: "lib/systemd/system/alias.service", content: .link(Array("u.service".utf8))),
        ]
        let extensions = [GenerationExtension(fileName: "far", version: "2", location: "/opt/far")]
        let first = try install(packages, files: files, extensions: extensions)
        let whole = try tree(first.number)
        for count in 5...7 { try install(Array(packages[..<count])) }
        #expect(try stubs() == [1])
        #expect(
            try tree(1) == stub(of: whole, files: ["share/man/man1/c0.1", "share/icons/t/icon-theme.cache"]))
        // What took their links over has none of them.
        let made = try store.root.directory(beneath: place(4))
        #expect(try made.readSymlink("share/man/man1/c0.1")?.isEmpty == false)
        #expect(try made.status(of: "share/icons") == nil && made.status(of: "extensions") == nil)
        #expect(try made.status(of: "lib/systemd/system/alias.service") == nil)
        #expect(try store.extensions(of: first) == extensions)
        #expect(try found() == [])
        try store.activate(1, in: mainProfile)
        #expect(try tree(1) == whole)
        let icons = try #require(try store.status(place(1) + "/share/icons/t"))
        #expect(icons.st_mtim.tv_sec == 315_619_200)
    }

    @Test func aLinkAmongDataThatFollowsFromNoPackageIsRefused() throws {
        let link = GenerationFile(path: "share/x", content: .link(Array("y".utf8)))
        #expect(throws: StoreError.self) { try install([], files: [link]) }
        #expect(try store.root.directory(beneath: "profiles").list().isEmpty)
    }

    @Test func timesOfDirectoriesAreThoseOfTheNewGeneration() throws {
        let packages = try packages(8)
        for count in 5...7 { try install(Array(packages[..<count])) }
        let directories = ["bin", "share", "share/man", "share/man/man1"]
        for directory in directories {
            try store.root.directory(beneath: "\(place(1))/\(directory)").setTimes(1_000_000)
        }
        // The same as the first, so that no directory is changed.
        let made = try install(Array(packages[..<5]))
        #expect(try stubs() == [1])
        for directory in directories {
            let status = try #require(try store.status("\(place(made.number))/\(directory)"))
            #expect(status.st_mtim.tv_sec > 1_000_000)
        }
    }

    @Test func whatIsWrongInTheDonorIsNotTakenOver() throws {
        let packages = try packages(8)
        for count in 5...7 { try install(Array(packages[..<count])) }
        try shell(
            """
            cd \(place(1)); rm bin/c0 share/man/man1/c1.1; echo x > bin/foreign; echo x > share/man/c2; ln -sfn /bin/sh bin/z
            mkdir bin/dir share/other; echo x > share/other/x; rm bin/c3; mkdir bin/c3; rm bin/l4; echo x > bin/l4
            touch bin/$'\\xff' "bin/\u{FFFD}"; mkdir share/$'\\xfe'; touch share/$'\\xfe'/x; chmod 700 bin
            """)
        let made = try install(packages)
        let fresh = try install(packages, in: "fresh")
        #expect(try stubs() == [1])
        #expect(try tree(made.number) == tree(fresh.number, "fresh"))
        try store.deleteGenerations([1], of: mainProfile)
        #expect(try found() == [])
    }

    @Test(arguments: [
        "rm -r bin", "rm -r share", "rm packages", "rm generation.json", "rm -r bin; touch bin",
    ])
    func aGenerationThatIsDamagedGivesNoLinks(damage: String) throws {
        let packages = try packages(8)
        for count in 5...7 { try install(Array(packages[..<count])) }
        try shell("cd \(place(1)); " + damage)
        let made = try install(packages)
        #expect(try stubs() == [])
        #expect(try tree(made.number) == tree(install(packages, in: "fresh").number, "fresh"))
    }

    @Test func whatFailsAfterLinksWereTakenOverLeavesAStub() throws {
        let packages = try packages(8)
        var trees: [[String: String]] = [[:]]
        for count in 5...7 { trees.append(try tree(install(Array(packages[..<count])).number)) }
        // Of a cache that is gone, after all links of its directory.
        let lost = GenerationFile(
            path: "share/lost", content: .derived(Digest(hashing: Array("x".utf8)), "lost"))
        #expect(throws: SystemError.self) { try install(packages, files: [lost]) }
        #expect(try store.currentGeneration(of: mainProfile)?.number == 3)
        #expect(try stubs() == [1])
        #expect(try store.root.directory(beneath: "tmp").list().isEmpty)
        #expect(try found() == [])
        for number in 2...3 { #expect(try tree(number) == trees[number]) }
        let made = try install(packages)
        #expect(made.number == 4)
        #expect(try tree(4) == tree(install(packages, in: "fresh").number, "fresh"))
        #expect(try stubs() == [1])
        try store.activate(1, in: mainProfile)
        #expect(try tree(1) == trees[1])
    }

    @Test func whatACrashLeftOfATakeoverIsRemoved() throws {
        let packages = try packages(8)
        let trees = try installFour(packages)
        // As after the exchange: the links are in `tmp`, and nobody holds them.
        try shell("mkdir tmp/half; cp -a \(place(4))/bin tmp/half/bin; cp -a \(place(2)) tmp/rest")
        try install(Array(packages[..<6]))
        #expect(try store.root.directory(beneath: "tmp").list().isEmpty)
        #expect(try tree(4) == trees[3])
        #expect(try found() == [])
    }

    @Test func stubsAreRootsOfCollectionUntilTheyAreDeleted() throws {
        let packages = try packages(8)
        try install(Array(packages[..<6]))
        for numbers in [[0, 1, 2, 3, 4, 6], [0, 1, 2, 3, 4, 6, 7], [0, 1, 2, 3, 4, 7]] {
            try install(numbers.map { packages[$0] })
        }
        #expect(try stubs() == [1])
        let collect = {
            try Store.openForCollection(root: fixture.root).collectGarbage(
                command: "test", retention: Retention(), limit: nil, onWait: { _ in },
                outside: { FoundRoots() }
            ).plan.doomed.map(\.baseName)
        }
        #expect(try collect() == [])
        try store.activate(1, in: mainProfile)
        try store.activate(4, in: mainProfile)
        try store.deleteGenerations([1], of: mainProfile)
        #expect(try store.status(place(1)) == nil)
        #expect(try collect() == [packages[5].baseName])
        #expect(try found() == [])
    }

    @Test func aDeletedParentGivesAStubAnother() throws {
        let packages = try packages(12)
        for count in 4...9 { try install(Array(packages[..<count])) }
        #expect(try stubs() == [1, 2, 3])
        try store.deleteGenerations([2], of: mainProfile)
        #expect(try store.generation(3, of: mainProfile)?.parent == 1)
        #expect(try isStub(3) && found() == [])
        try store.activate(3, in: mainProfile)
        #expect(try found() == [])
    }

    @Test func repairLeavesStubsAlone() throws {
        _ = try installFour(packages(8))
        let before = try tree(1)
        let repair = {
            try store.repairProfiles(
                isDryRun: false, command: "repair", launchDescription: { _, _ in nil },
                isReadable: { _, _ in true })
        }
        #expect(try repair() == RepairResult())
        #expect(try tree(1) == before)
        // What of it is no link in 'bin' or 'share' is looked at.
        try shell("rm \(place(1))/generation.json")
        #expect(try found().count == 1)
        #expect(try repair().repaired.map(\.path) == [place(1) + "/generation.json"])
        #expect(try found() == [])
    }

    @Test func aStubThatIsActiveIsFoundAndRepaired() throws {
        let trees = try installFour(packages(8))
        try shell("ln -sfn generation-1 profiles/default/current")
        #expect(try found().contains("error \(place(1))/stub: it is the active generation, and a stub"))
        #expect(try found().contains("error \(place(1))/bin: the directory is missing"))
        let result = try store.repairProfiles(
            isDryRun: false, command: "repair", launchDescription: { _, _ in nil },
            isReadable: { _, _ in true })
        #expect(result.lost == [])
        #expect(try found() == [])
        #expect(try tree(1) == trees[0])
    }

    @Test func anIndexThatIsMadeAnewKnowsStubs() throws {
        let trees = try installFour(packages(8))
        let generations = try store.generations(of: mainProfile)
        for suffix in ["", "-wal", "-shm"] { try store.root.unlink("index.sqlite\(suffix)") }
        let again = try fixture.store()
        #expect(try again.generations(of: mainProfile) == generations)
        #expect(try again.packages(of: generations[0]).count == 5)
        try again.activate(1, in: mainProfile)
        #expect(try tree(1) == trees[0])
    }

    @Test func aParentThatIsAStubGivesNoLinksAndTheTreeIsTheSame() throws {
        let packages = try packages(8)
        _ = try installFour(packages)
        let made = try store.withWriterLock(command: "test") {
            let made = try store.makeGeneration(
                profile: mainProfile, packages: packages, parent: 1, command: "test")
            try store.activate(made.number, in: mainProfile)
            return made.number
        }
        #expect(try tree(made) == tree(install(packages, in: "fresh").number, "fresh"))
    }

    @Test func readersFindEveryGenerationWhileLinksAreTakenOver() async throws {
        let packages = try packages(24)
        for count in 4...7 { try install(Array(packages[..<count])) }
        let root = fixture.root
        let isOver = Flag()
        async let rounds: Int = Task.detached {
            let reader = try Store.open(root: root, forWriting: false)
            var rounds = 0
            while !isOver.isSet || rounds == 0 {
                for generation in try reader.generations(of: mainProfile) {
                    // As many as were installed when it was made.
                    let count = try reader.contents(of: generation).packageNames().count
                    #expect(count == generation.number + 3)
                    _ = try reader.hostRelease(of: generation)
                }
                rounds += 1
            }
            return rounds
        }.value
        for count in 8...24 { try install(Array(packages[..<count])) }
        isOver.set()
        #expect(try await rounds > 0)
        #expect(try stubs() == Array(1...18))
    }

    // MARK: - Any sequence

    /// Packages of which each two show the same: commands, units, a file where the other has a directory.
    private func pairs() throws -> [GenerationPackage] {
        try (0..<24).map { number in
            let pair = number / 2
            var exposure = Exposure(
                commands: [
                    .init(name: "own\(number)", path: "usr/bin/own\(number)", needsLauncher: pair % 2 == 0),
                    .init(name: "any\(pair)", path: "usr/bin/any\(pair)", needsLauncher: pair % 3 == 0),
                ], data: ["usr/share/man/man\(number % 3)/own\(number)"])
            let isFile = number % 2 == 1 && pair % 3 == 0
            exposure.data +=
                isFile ? ["usr/share/d\(pair)"] : ["usr/share/d\(pair)/x", "usr/share/d\(pair)/\(number)"]
            if pair % 4 == 2 { exposure.system = ["usr/lib/systemd/system/u\(pair).service"] }
            return try package("q\(number)", exposure)
        }
    }

    @Test(arguments: 0..<6)
    func anySequenceGivesWhatAGenerationMadeOfNothingHas(seed: Int) throws {
        var random = RepeatableNumbers(state: UInt64(seed))
        let all = try pairs()
        var shown = Set((0..<24).filter { _ in Int.random(in: 0..<4, using: &random) > 0 })
        // Of each two, which wins.
        var winners = (0..<12).map { _ in Int.random(in: 0...1, using: &random) }
        var trees: [Int: [String: String]] = [:]
        while trees.count < 14 {
            if trees.count > 3, Int.random(in: 0..<4, using: &random) == 0 {
                let number = Int.random(in: 1...trees.count, using: &random)
                try store.activate(number, in: mainProfile)
                #expect(try tree(number) == trees[number])
                continue
            }
            shown.formSymmetricDifference([Int.random(in: 0..<24, using: &random)])
            if Bool.random(using: &random) {
                winners[Int.random(in: 0..<12, using: &random)] = Int.random(in: 0...1, using: &random)
            }
            let packages = shown.sorted().map { number in
                var package = all[number]
                package.isPreferred = winners[number / 2] == number % 2
                return package
            }
            var files: [GenerationFile] = []
            let places = [
                "share/d0/x", "share/d2/x", "share/icons/t/cache", "share/man/man1/own1",
                "lib/systemd/system/u2.service",
            ]
            for place in places where Bool.random(using: &random) {
                let text = Array("\(trees.count)".utf8)
                files.append(GenerationFile(path: try TreePath(parsing: place.utf8), content: .bytes(text)))
            }
            if Bool.random(using: &random) {
                files.append(
                    GenerationFile(
                        path: "lib/systemd/system/alias.service", content: .link(Array("u".utf8))))
            }
            let extensions =
                Bool.random(using: &random)
                ? [GenerationExtension(fileName: "e", version: "1", location: "/opt/e\(trees.count)")] : []
            let profile = "fresh\(trees.count)"
            let fresh = try install(packages, files: files, extensions: extensions, in: profile)
            let wanted = try tree(fresh.number, profile)
            let made = try install(packages, files: files, extensions: extensions)
            #expect(try tree(made.number) == wanted)
            trees[made.number] = wanted
            #expect(try store.root.directory(beneath: "tmp").list().isEmpty)
        }
        #expect(try stubs().count > 5)
        for number in trees.keys where try !isStub(number) { #expect(try tree(number) == trees[number]) }
        for number in trees.keys.sorted() {
            try store.activate(number, in: mainProfile)
            #expect(try tree(number) == trees[number])
        }
        #expect(try found() == [])
    }
}

/// Said by one thread to another.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    func set() { value.store(true, ordering: .releasing) }
}
