import Files
import Glibc
import Store
import StoreLayout
import Testing

@Suite struct ImportTests {
    let fixture: Fixture
    let store: Store

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
    }

    private func inode(_ base: String, _ path: String) throws -> UInt64 {
        UInt64(try #require(try store.status("store/\(base)/\(path)")).st_ino)
    }

    @Test func equalContentsAreOneInodeAcrossPackages() throws {
        let first = try store.add("a") {
            try $0.file("usr/x", "same"); try $0.file("usr/y", "same")
        }
        let second = try store.add("b") {
            try $0.file("opt/z", "same"); try $0.file("opt/run", "same", mode: 0o755)
        }
        let shared = try inode(first.storePath, "usr/x")
        #expect(try inode(first.storePath, "usr/y") == shared)
        #expect(try inode(second.storePath, "opt/z") == shared)
        #expect(try inode(second.storePath, "opt/run") != shared, "another mode is another object")
        #expect(try #require(try store.status("store/\(first.storePath)/usr/x")).st_nlink == 3)
    }

    @Test func smallContentsThatTheStoreHasAreNotStaged() throws {
        try store.add("a") { try $0.file("x", "known") }
        let area = try store.makeImport()
        try area.builder.file("y", "known")
        try area.builder.file("z", "known", mode: 0o755)
        try area.builder.file("p", "#!/usr/bin/perl")
        try area.builder.finish()
        #expect(area.staging.contents.map(\.isStaged) == [false, true, true])
        let metadata = try store.add(area, "b")
        #expect(try store.verify(try #require(try store.package(baseName: metadata.storePath))).isEmpty)
    }

    @Test func attributesMakeAnotherObject() throws {
        let note = ExtendedAttribute(name: Array("user.note".utf8), value: Array("hi".utf8))
        let base = try store.add("a") { builder in
            try builder.file("plain", "text")
            try builder.file("noted", "text", attributes: [note])
        }.storePath
        #expect(try inode(base, "plain") != inode(base, "noted"))
        let file = try store.root.open(beneath: "store/\(base)/noted")
        #expect(try file.attributes().filter(\.counts) == [note])
    }

    @Test func everyFileHasItsModeAndTheOneTime() throws {
        let base = try store.add("a") { builder in
            try builder.directory("private", mode: 0o700, attributes: [])
            try builder.directory("closed", mode: 0o000, attributes: [])
            try builder.file("closed/in", "x", mode: 0o200)
            try builder.file("private/run", "run", mode: 0o4755)
            try builder.symlink("link", target: Array("private/run".utf8))
            try builder.file("empty", "")
            try builder.file("empty2", "")
        }.storePath
        let modes: [(String, UInt32)] = [
            ("", 0o555), ("private", 0o500), ("closed", 0), ("closed/in", 0), ("private/run", 0o555),
            ("empty", 0o444),
        ]
        for (path, mode) in modes {
            let status = try #require(try store.status("store/\(base)" + (path.isEmpty ? "" : "/" + path)))
            #expect(status.st_mode & 0o7777 == mode, "\(path)")
            #expect(status.st_mtim.tv_sec == StoreLayout.modificationTime, "\(path)")
        }
        #expect(
            try #require(try store.status("store/\(base)/link")).st_mtim.tv_sec
                == StoreLayout.modificationTime)
        #expect(try inode(base, "empty") != inode(base, "empty2"))
    }

    @Test func aFullLinkCountStartsANewObject() throws {
        let count = 65_100
        let base = try store.add("many") { builder in
            for number in 0..<count {
                let path = try TreePath(parsing: "d\(number % 100)/f\(number)".utf8)
                try builder.file(path, "one content")
            }
        }.storePath
        var links: [ino_t: Int] = [:]
        for number in 0..<count {
            let status = try #require(try store.status("store/\(base)/d\(number % 100)/f\(number)"))
            links[status.st_ino] = Int(status.st_nlink)
        }
        // ext4 stops at 65,000; a file system without a limit keeps one object.
        #expect(links.values.reduce(0, +) == count)
        #expect(links.count == (links.values.contains(65_000) ? 2 : 1))
        #expect(try store.verify(try #require(try store.package(baseName: base))).isEmpty)
        // Those after may find the full object, and share another.
        let bases = try ["next", "last"].map { name in
            try store.add(name) { try $0.file("f", "one content") }.storePath
        }
        let inodes = try bases.map { try inode($0, "f") }
        #expect(inodes[0] == inodes[1])
    }

    @Test func registeringTwiceGivesTheSame() throws {
        let first = try store.add("a") { try $0.file("x", "1") }
        let second = try store.add("a") { try $0.file("x", "1") }
        #expect(first == second)
        #expect(try store.packages().count == 1)
        #expect(try store.metadata(of: first.storePath) == first)
    }

    @Test func leftoversOfACrashAreReplaced() throws {
        let metadata = try store.add("a") { try $0.file("x", "1") }
        // What a crash between the renames and the index leaves: files without an entry.
        let other = try Fixture()
        let fresh = try other.store()
        try fresh.root.makeDirectory("store/\(metadata.storePath)")
        try fresh.root.makeDirectory("manifests/\(metadata.storePath)")
        try fresh.root.makeDirectory("store/\(metadata.storePath)/wrong", mode: 0o500)
        try fresh.root.directory(beneath: "store/\(metadata.storePath)").setMode(0o555)
        let again = try fresh.add("a") { try $0.file("x", "1") }
        #expect(again == metadata)
        #expect(try fresh.verify(try #require(try fresh.package(baseName: again.storePath))).isEmpty)
        #expect(try fresh.root.directory(beneath: "tmp").list().isEmpty)
    }

    @Test func anAliasOfAnotherStorePathIsRefusedAndNothingChanges() throws {
        let alias = AliasRecord(name: "abc123", target: "usr/share")
        let owner = try store.add("a", aliases: [alias]) { try $0.file("usr/share/x", "1") }
        let before = try snapshot()
        #expect(throws: StoreError.aliasClash(name: "abc123", owner: owner.storePath)) {
            try store.add("b", aliases: [alias]) { try $0.file("usr/share/new", "new contents") }
        }
        #expect(try snapshot() == before)
        let target = try #require(try store.root.readSymlink("aliases/abc123"))
        #expect(String(decoding: target, as: UTF8.self) == "/usr/store/\(owner.storePath)/usr/share")
        #expect(try store.aliasOwner("abc123") == owner.storePath)
    }

    private func snapshot() throws -> [String] {
        try ["store", "manifests", "aliases", "tmp", "profiles"].flatMap { name in
            try store.root.directory(beneath: name).list().map { "\(name)/\($0.text)" }
        } + store.packages().map(\.baseName)
    }

    @Test func aFailureAtTheIndexUndoesTheFiles() throws {
        let before = try snapshot()
        // The same name twice: the index refuses it, after all files are in place.
        let alias = AliasRecord(name: "twice", target: "x")
        #expect(throws: DatabaseError.self) {
            try store.add("a", aliases: [alias, alias]) { try $0.file("x", "1") }
        }
        #expect(try snapshot() == before)
        try store.add("a", aliases: [alias]) { try $0.file("x", "1") }
    }

    @Test func publicToolsAgreeWithTheListing() throws {
        let base = try store.add("a") { builder in
            try builder.file("usr/bin/run", "#!/bin/sh\n", mode: 0o755)
            try builder.file("usr/share/a file", "text")
            try builder.file("usr/share/r\u{e9}sum\u{e9}", "text")
            try builder.symlink("usr/bin/link", target: Array("run".utf8))
            try builder.file("empty", "")
        }.storePath
        let listing = "\(fixture.root)/manifests/\(base)/tree.mtree"
        let tree = "\(fixture.root)/store/\(base)"
        let output = fixture.path + "/output"
        let owner = getuid() == 0 ? [] : ["-k", "type,mode,link,size,sha256"]
        let agreed = try Fixture.run(["mtree", "-f", listing, "-p", tree] + owner, output: output)
        #expect(agreed.status == 0 && agreed.text.isEmpty, "\(agreed.text)")
        let listed = try Fixture.run(["bsdtar", "-tf", listing], output: output)
        #expect(listed.status == 0)
        #expect(listed.text.split(separator: "\n").count == 9, "\(listed.text)")
        chmod("\(tree)/usr/bin/run", 0o755)
        let damaged = try Fixture.run(["mtree", "-f", listing, "-p", tree] + owner, output: output)
        #expect(damaged.status != 0 && damaged.text.contains("usr/bin/run"))
    }

    @Test func deadImportsAreSweptAndLiveOnesStay() throws {
        try store.root.makeDirectory("tmp/dead")
        try store.root.makeDirectory("tmp/dead/below", mode: 0o500)
        let area = try store.makeImport()
        try area.builder.file("x", "1")
        try store.withWriterLock(command: "test") {}
        #expect(try store.root.directory(beneath: "tmp").list().map(\.text) == [area.name])
        _ = try store.add(area, "a")
    }

    @Test func sourcesAreFoundAgain() throws {
        let metadata = try store.add("a") { try $0.file("x", "1") }
        let source = ImportedSource(digest: "sha256:1", name: "a")
        #expect(try store.package(from: source) == nil)
        try store.record(source, gave: metadata.storePath)
        #expect(try store.package(from: source) == metadata.storePath)
        #expect(try store.package(from: ImportedSource(digest: "sha256:1")) == nil)
    }
}
