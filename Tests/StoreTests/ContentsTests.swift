import Files
import Glibc
import Store
import StoreLayout
import Testing

/// What the store has is found and linked, and nothing depends on the table that says where it is.
@Suite struct ContentsTests {
    let fixture: Fixture
    let store: Store

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
    }

    private func add(
        _ name: String, _ texts: [String], attributes: [ExtendedAttribute] = []
    ) throws -> String {
        try store.add(name) { builder in
            for (number, text) in texts.enumerated() {
                let path = try TreePath(parsing: "usr/share/\(name)/\(number)".utf8)
                try builder.file(path, text, attributes: attributes)
            }
        }.storePath
    }

    /// The number that a file of ``add(_:_:attributes:)`` has in the file system.
    private func inode(_ base: String, _ number: Int = 0) throws -> ino_t {
        let name = try #require(base.split(separator: "-").dropFirst().first)
        return try #require(try store.status("store/\(base)/usr/share/\(name)/\(number)")).st_ino
    }

    private func shell(_ script: String) throws {
        let run = try Fixture.run(
            ["bash", "-ec", "cd \(fixture.root); \(script)"], output: fixture.path + "/output")
        try #require(run.status == 0, "\(run.text)")
    }

    private func expectWhole() throws {
        for package in try store.packages() { #expect(try store.verify(package).isEmpty) }
        #expect(try store.root.directory(beneath: "tmp").list().isEmpty)
    }

    @Test func aStoreThatGrowsKnowsAllThatItHas() throws {
        var texts: [String] = []
        var bases: [String] = []
        // The table is made larger by each of them.
        for number in 0..<6 {
            let own = (0..<(100 << number)).map { "text \($0) of \(number)" }
            bases.append(try add("p\(number)", own))
            texts += own
        }
        let all = try add("all", texts)
        let expected = try bases.enumerated().flatMap { number, base in
            try (0..<(100 << number)).map { try inode(base, $0) }
        }
        #expect(try texts.indices.map { try inode(all, $0) } == expected)
        try expectWhole()
    }

    @Test func anImportMayTakeFromManyStorePaths() throws {
        // More than are remembered at a time, one after the other and over again.
        let count = 70
        let bases = try (0..<count).map { try add("p\($0)", ["one \($0)", "two \($0)"]) }
        let all = try add("all", (0..<count).map { "one \($0)" } + (0..<count).map { "two \($0)" })
        for number in 0..<count {
            #expect(try inode(all, number) == inode(bases[number], 0))
            #expect(try inode(all, count + number) == inode(bases[number], 1))
        }
    }

    @Test func attributesCount() throws {
        let note = ExtendedAttribute(name: Array("user.note".utf8), value: Array("hi".utf8))
        let plain = try add("plain", ["text"]), noted = try add("noted", ["text"], attributes: [note])
        #expect(try inode(plain) != inode(noted))
        #expect(try inode(add("other", ["text"], attributes: [note])) == inode(noted))
        #expect(try inode(add("last", ["text"])) == inode(plain))
    }

    @Test func whatTwoHadIsFoundWithTheOneThatStays() throws {
        let first = try add("first", ["shared", "own"]), second = try add("second", ["shared"])
        #expect(try inode(first) == inode(second))
        try store.root.directory(beneath: "gcroots").makeSymlink(
            "second", target: Array("/usr/store/\(second)".utf8))
        let collection = try Store.openForCollection(root: fixture.root).collectGarbage(
            command: "test", retention: Retention(), limit: nil, onWait: { _ in }, outside: { FoundRoots() })
        #expect(collection.plan.doomed.map(\.baseName) == [first])
        #expect(try inode(add("third", ["shared"])) == inode(second))
        try expectWhole()
    }

    /// What may become of the table, and whether the next import makes it anew.
    static let damages: [(String, Bool)] = [
        ("rm contents", true), (": > contents", true), ("truncate -s 1000 contents", true),
        ("truncate -s +16 contents", true), ("printf x > contents", true),
        ("rm contents; mkfifo contents", true), ("rm contents; ln -s /etc/passwd contents", true),
        ("rm contents; mkdir contents", false),
        // A number of places that is none, one that is too large, and more in use than there are.
        ("printf '\\3' | dd of=contents bs=1 seek=16 conv=notrunc status=none", true),
        (
            "printf '\\377\\377\\377\\377\\377\\377\\377\\377' | dd of=contents bs=1 seek=16 conv=notrunc",
            true
        ),
        ("printf '\\377\\377' | dd of=contents bs=1 seek=24 conv=notrunc status=none", true),
        // A power cut before its last entries: the header names the last store path.
        ("dd if=/dev/zero of=contents bs=1 seek=32 count=8 conv=notrunc status=none", true),
        // Entries are compared with what is there.
        ("dd if=/dev/zero of=contents bs=64 seek=1 count=64 conv=notrunc status=none", false),
        ("dd if=/dev/urandom of=contents bs=64 seek=1 count=64 conv=notrunc status=none", false),
        ("yes | dd of=contents bs=64 seek=1 count=64 iflag=fullblock conv=notrunc status=none", false),
    ]

    @Test(arguments: damages)
    func nothingDependsOnTheTable(script: String, isMadeAnew: Bool) throws {
        let first = try add("first", ["shared"])
        try shell(script)
        let second = try add("second", ["shared", "more"])
        #expect(try inode(second) == inode(first) || !isMadeAnew)
        _ = try add("third", ["shared", "more"])
        try expectWhole()
    }

    @Test func aStorePathThatIsNotInTheTableIsEntered() throws {
        _ = try add("first", ["first"])
        try shell("cp contents ../contents")
        let second = try add("second", ["second"])
        // Killed before it was entered.
        try shell("mv ../contents contents")
        #expect(try inode(add("third", ["second"])) == inode(second))
    }

    @Test func anIndexThatIsMadeAnewHasItsOwnRows() throws {
        let first = try add("first", ["text"])
        for suffix in ["", "-wal", "-shm"] { try store.root.unlink("index.sqlite\(suffix)") }
        let again = try fixture.store()
        let base = try again.add("again") { try $0.file("usr/share/again/0", "text") }.storePath
        #expect(try inode(base) == inode(first))
    }

    /// What can be seen to be another file without reading it is not shared.
    @Test(
        arguments: [
            "chmod 644 $FILE", "touch $FILE", "chmod u+w $FILE; printf longer > $FILE", "rm -f $FILE",
            "rm -f $FILE; mkdir $FILE", "rm -f $FILE; mkfifo $FILE", "rm -f $FILE; ln -s /etc/passwd $FILE",
            "rm -rf store/$BASE", "echo x > manifests/$BASE/tree.mtree", "rm -rf manifests/$BASE",
        ])
    func whatIsDamagedIsWrittenAgain(script: String) throws {
        let first = try add("first", ["text"])
        let file = "store/\(first)/usr/share/first/0"
        let script = script.replacing("$FILE", with: file).replacing("$BASE", with: first)
        try shell("chmod -R u+w store/\(first) manifests/\(first); chmod 444 \(file); \(script)")
        let second = try add("second", ["text", "text"])
        #expect(try inode(second) == inode(second, 1))
        let found = try store.status(file)
        #expect(try found?.st_ino != inode(second))
        #expect(try store.verify(#require(try store.package(baseName: second))).isEmpty)
        // From now on it is the new one that is found.
        #expect(try inode(add("third", ["text"])) == inode(second))
    }
}
