import Files
import Glibc
import Store
import StoreLayout
import Testing

@Suite struct SharingTests {
    let fixture: Fixture
    let store: Store
    /// Another one, to lie over.
    let other: Fixture
    let base: Store

    init() throws {
        (fixture, other) = (try Fixture(), try Fixture())
        (store, base) = (try fixture.store(), try other.store())
    }

    @discardableResult
    private func add(_ name: String, to store: Store, aliases: [AliasRecord] = []) throws -> Metadata {
        try store.add(name, aliases: aliases) { try $0.file(TreePath(parsing: "usr/bin/\(name)".utf8), name) }
    }

    private func collect(_ store: Store, outside: () throws -> FoundRoots = { FoundRoots() }) throws
        -> CollectionPlan
    {
        try Store.openForCollection(root: store.path).collectGarbage(
            command: "test", retention: Retention(), limit: nil, hostName: "This", onWait: { _ in },
            outside: outside
        ).plan
    }

    // MARK: - Layers

    @Test func aReferenceIsAStorePathLikeAnyOther() throws {
        let path = try add("a", to: base, aliases: [AliasRecord(name: "abcdef", target: "usr/bin")]).storePath
        let entry = try store.addBase(other.root).base
        let made = try #require(try store.refer(to: path, in: entry, base))
        #expect(made.metadata == (try base.metadata(of: path)))
        #expect(made.registration == .registered)
        #expect(try store.root.readSymlink("store/\(path)") == Array("\(other.root)/store/\(path)".utf8))
        #expect(try store.root.readSymlink("aliases/abcdef") == Array("/usr/store/\(path)/usr/bin".utf8))
        #expect(try store.verify(#require(try store.package(baseName: path))).isEmpty)
        #expect(try store.tree(of: path).open(beneath: "usr/bin/a").readAll() == Array("a".utf8))
        // The base knows, and so does an index that is made again.
        #expect(try collect(base).doomed.isEmpty)
        for name in ["", "-wal", "-shm"] { try store.root.unlink("index.sqlite\(name)") }
        let again = try fixture.store()
        #expect(try again.packages().map(\.baseName) == [path])
        // Without a root here it goes, and is let go there.
        #expect(try collect(again).doomed.map(\.freed) == [0])
        #expect(try again.root.directory(beneath: "store").list().isEmpty)
        #expect(try base.root.directory(beneath: "gcroots/auto").list().isEmpty)
        #expect(try base.verify(#require(try base.package(baseName: path))).isEmpty)
        #expect(try collect(base).doomed.map(\.baseName) == [path])
    }

    @Test func whatABaseLostIsSaidAndFoundAgain() throws {
        let path = try add("a", to: base).storePath
        let entry = try store.addBase(other.root).base
        _ = try store.refer(to: path, in: entry, base)
        try Descriptor.directory(other.path).rename("root", to: Descriptor.directory(other.path), as: "moved")
        #expect(try store.lostReferences().map(\.baseName) == [path])
        #expect(try store.verify(#require(try store.package(baseName: path))).map(\.kind) == [.missing])
        #expect(
            throws: StoreError.lostTree(
                baseName: path, place: "\(other.root)/store/\(path)", source: "test:a")
        ) { try store.tree(of: path) }
        #expect(try !store.has(path))
        // Elsewhere, under another name.
        #expect(try store.addBase("\(other.path)/moved").found == 1)
        #expect(try store.lostReferences().isEmpty)
        try store.removeBase(other.root)
        #expect(throws: StoreError.baseInUse("\(other.path)/moved", packages: [path])) {
            try store.removeBase("\(other.path)/moved")
        }
        // An import takes the place of what is lost again.
        try Descriptor.directory(other.path).rename("moved", to: Descriptor.directory(other.path), as: "root")
        #expect(try add("a", to: store).storePath == path)
        #expect(try store.references().isEmpty)
        #expect(try store.verify(#require(try store.package(baseName: path))).isEmpty)
    }

    @Test func anAliasThatIsTakenHereIsNoReasonToFail() throws {
        let path = try add("a", to: base, aliases: [AliasRecord(name: "abcdef", target: "usr")]).storePath
        try add("b", to: store, aliases: [AliasRecord(name: "abcdef", target: "usr")])
        let entry = try store.addBase(other.root).base
        #expect(try store.refer(to: path, in: entry, base) == nil)
        #expect(try store.packages().map(\.name) == ["b"])
        #expect(try base.root.directory(beneath: "gcroots/auto").list().isEmpty)
    }

    @Test func aRootThatIsMadeWhileTreesAreMovedBringsThemBack() throws {
        let path = try add("a", to: store).storePath
        var looks = 0
        let plan = try collect(store) {
            looks += 1
            if looks == 2 {
                #expect(try store.root.status(of: "store/\(path)") == nil)
                try store.root.directory(beneath: "gcroots").replaceFile(
                    "late", contents: "/usr/store/\(path)\n".utf8)
            }
            return FoundRoots()
        }
        #expect(looks == 2)
        #expect(plan.doomed.isEmpty)
        #expect(plan.spared == [path])
        #expect(try store.verify(#require(try store.package(baseName: path))).isEmpty)
    }

    @Test(arguments: [(true, false), (false, true)])
    func aLayerThatHasLongBeenGoneIsForgotten(isOld: Bool, isKept: Bool) throws {
        let path = try add("a", to: store).storePath
        let top = try store.root.directory(beneath: "gcroots")
        try top.makeDirectory("auto")
        let roots = try top.directory(beneath: "auto")
        let machine = MachineIdentity.current().map { "machine \($0)\n" } ?? ""
        try roots.replaceFile(
            "layer",
            contents: "sxs-layer 1\nroot \(fixture.path)/nowhere\n\(machine)/usr/store/\(path)\n".utf8)
        if isOld { try roots.setTimes(1_000_000, of: "layer") }
        #expect(try collect(store).doomed.isEmpty == isKept)
        #expect(try (roots.status(of: "layer") != nil) == isKept)
    }

    // MARK: - Owners

    @Test func onlyTheOwnerWrites() throws {
        try store.root.setMode(0o777)
        #expect(throws: StoreError.openStore(path: fixture.root, mode: 0o777)) { try fixture.store() }
        try store.root.setMode(0o755)
        #expect(try #require(try store.root.status(of: "index.sqlite")).st_mode & 0o777 == 0o644)
        try store.withWriterLock(command: "test") {}
        #expect(try #require(try store.root.status(of: "lock")).st_mode & 0o777 == 0o600)
    }

    @Test func anEmptyDirectoryForEverybodyIsShut() throws {
        let place = try Descriptor.directory(fixture.path)
        for name in ["empty", "planted"] {
            try place.makeDirectory(name)
            try place.directory(beneath: name).setMode(0o1777)
        }
        try place.directory(beneath: "planted").makeDirectory("store")
        #expect(throws: StoreError.openStore(path: "\(fixture.path)/planted", mode: 0o1777)) {
            try Store.open(root: "\(fixture.path)/planted", forWriting: true)
        }
        _ = try Store.open(root: "\(fixture.path)/empty", forWriting: true)
        #expect(try #require(try place.status(of: "empty")).st_mode & 0o022 == 0)
    }

    @Test func anIndexThatIsALinkIsNotWritten() throws {
        for name in ["", "-wal", "-shm"] { try base.root.unlink("index.sqlite\(name)") }
        try base.root.makeSymlink("index.sqlite", target: Array("\(fixture.path)/planted".utf8))
        #expect(throws: StoreError.self) { try Store.open(root: base.path, forWriting: true) }
        #expect(access("\(fixture.path)/planted", F_OK) != 0)
    }

    // MARK: - Hosts

    private static let other = "0123456789abcdef0123456789abcdef"

    private func report(_ report: HostReport) throws {
        let roots = try store.root.directory(beneath: "gcroots")
        try roots.makeDirectory("hosts")
        try roots.directory(beneath: "hosts").replaceFile(Self.other, contents: report.text)
    }

    @Test func whatAnotherHostHasNotSpokenOfStays() throws {
        let path = try add("a", to: store).storePath
        let boot = try #require(MachineIdentity.currentBoot())
        try report(HostReport(boot: boot))
        #expect(try store.planCollection(outside: FoundRoots()).waiting == [path])
        let plan = try collect(store)
        #expect(plan.doomed.isEmpty)
        #expect(plan.waiting == [path])
        #expect(try store.isCondemned(path))
        // Again and again.
        #expect(try collect(store).waiting == [path])
        // It has looked, and runs it.
        let use = HostReport.Use(isProcess: true, what: "process 1 (a)", baseName: path)
        try report(HostReport(boot: boot, number: 100, name: "Other", uses: [use]))
        let kept = try collect(store)
        #expect(kept.waiting.isEmpty)
        #expect(kept.kept.map(\.root.chain) == [["host Other (01234567…)", "process 1 (a)"]])
        #expect(try !store.isCondemned(path))
        // It runs no more, which counts from the next condemnation on.
        try report(HostReport(boot: boot, number: 101, name: "Other"))
        #expect(try collect(store).waiting == [path])
        try report(HostReport(boot: boot, number: 1000, name: "Other"))
        try store.reprieve(path)
        #expect(try collect(store).waiting == [path])
        try report(HostReport(boot: boot, number: 2000, name: "Other"))
        #expect(try collect(store).doomed.map(\.baseName) == [path])
    }

    @Test func processesOfAnotherStartOfTheKernelHaveEnded() throws {
        let a = try add("a", to: store).storePath, b = try add("b", to: store).storePath
        try report(
            HostReport(
                boot: "another", number: 1, name: "Other",
                uses: [
                    .init(isProcess: true, what: "process 1 (a)", baseName: a),
                    .init(isProcess: false, what: "/etc/b", baseName: b),
                ]))
        let plan = try collect(store)
        #expect(plan.doomed.map(\.baseName) == [a])
        #expect(plan.kept.map(\.baseName) == [b])
        #expect(plan.waiting.isEmpty)
    }

    @Test func aReportThatIsCutOffKeepsWhatItNames() throws {
        let path = try add("a", to: store).storePath
        let whole = HostReport(
            boot: "another", number: 9, uses: [.init(isProcess: true, what: "x", baseName: path)])
        let roots = try store.root.directory(beneath: "gcroots")
        try roots.makeDirectory("hosts")
        try roots.directory(beneath: "hosts").replaceFile(Self.other, contents: whole.text.dropLast())
        #expect(try collect(store).doomed.isEmpty)
    }

    @Test func aHostThatWritesIsKnown() throws {
        guard let id = MachineIdentity.current() else {
            #expect(try store.root.status(of: "gcroots/hosts") == nil)
            return
        }
        let name = "gcroots/hosts/\(id)"
        #expect(try store.root.status(of: name) != nil)
        // After a restart of the kernel it is written anew.
        let old = HostReport(
            boot: "another", number: 5, name: "This",
            uses: [
                .init(isProcess: true, what: "process 1 (a)", baseName: "x"),
                .init(
                    isProcess: false, what: "/etc/b", baseName: "6lhg18n4gpk4s3vwpxrp05z9wrdwgrfh-empty-1"),
            ])
        try store.root.directory(beneath: "gcroots/hosts").replaceFile(id, contents: old.text)
        _ = try fixture.store()
        let new = HostReport(parsing: try store.root.open(beneath: name).readAll())
        #expect(new.boot == MachineIdentity.currentBoot())
        #expect(new.number == 0)
        #expect(new.uses.map(\.what) == ["/etc/b"])
    }
}
