import Files
import Glibc
import Store
import StoreLayout
import Testing

/// Listings that are kept as differences: of the source from the tree's, and of a version from an earlier one.
@Suite struct ListingFilesTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// A version of a package with some hundred files, every thirtieth of which is its own.
    ///
    /// - Parameter isOwned: Whether its owner may write to all of it, as it came: then one listing says what the other does.
    @discardableResult
    private func add(
        _ version: Int, of name: String = "many", isOwned: Bool = false, to store: Store
    ) throws -> Metadata {
        try store.add(name, version: "\(version)") { builder in
            if !isOwned { try builder.file("usr/share/read-only", "read", mode: 0o444) }
            for number in 0..<600 {
                let own = number % 30 == 0 ? " in version \(version)" : ""
                let path = try TreePath(parsing: "usr/share/d\(number / 100)/file-\(number)".utf8)
                try builder.file(path, "file \(number)\(own)\n")
            }
        }
    }

    private func manifest(of metadata: Metadata, in store: Store) throws -> Descriptor {
        try store.root.directory(beneath: "manifests/" + metadata.storePath)
    }

    private func names(_ manifest: Descriptor) throws -> [String] { try manifest.list().map(\.text) }

    private func collect(_ store: Store, _ gone: Metadata) throws -> Collection {
        let roots = try store.root.directory(beneath: "gcroots")
        try roots.unlink(gone.name + gone.version)
        for other in try store.packages() where other.baseName != gone.storePath {
            try roots.replaceSymlink(
                other.name + other.version, target: "/usr/store/\(other.baseName)".utf8, through: roots)
        }
        return try store.collectGarbage(
            command: "gc", retention: Retention(), limit: nil, onWait: { _ in }, outside: { FoundRoots() })
    }

    /// Runs a shell command in the root.
    private func run(_ script: String) throws {
        let result = try Fixture.run(
            ["sh", "-ec", "cd \(fixture.root); \(script)"], output: fixture.path + "/output")
        try #require(result.status == 0, "\(result.text)")
    }

    /// The bytes of files that no earlier manifest has.
    private func size(of manifest: Descriptor, besides earlier: Descriptor?) throws -> Int {
        let known = try Set(earlier?.list().map(\.inode) ?? [])
        return try manifest.list().filter { !known.contains($0.inode) }.reduce(0) { sum, entry in
            try sum + Int(manifest.open(beneath: entry.text).status().st_size)
        }
    }

    @Test func aVersionTakesWhatItDiffersIn() throws {
        let store = try fixture.store()
        let first = try manifest(of: add(1, to: store), in: store)
        let second = try manifest(of: add(2, to: store), in: store)
        let third = try manifest(of: add(3, to: store), in: store)
        #expect(
            try names(first) == [
                "metadata.json", "report.json", "source.mtree.zst", "tree.mtree",
            ])
        let based = [
            "base.mtree", "metadata.json", "report.json", "source.mtree.zst", "tree.mtree.zst",
        ]
        #expect(try names(second) == based && names(third) == based)
        // Neither is based on one that is a difference itself.
        let inodes = try [
            first.status(of: "tree.mtree"), second.status(of: "base.mtree"), third.status(of: "base.mtree"),
        ]
        #expect(Set(inodes.compactMap { $0?.st_ino }).count == 1)
        let whole = try size(of: first, besides: nil)
        #expect(
            try size(of: second, besides: first) * 10 < whole && size(of: third, besides: second) * 10 < whole
        )
        for package in try store.packages() { #expect(try store.verify(package).isEmpty) }
    }

    @Test func whatTheListingSaysIsInNoOtherFile() throws {
        let store = try fixture.store()
        let first = try add(1, isOwned: true, to: store)
        let second = try add(2, isOwned: true, to: store)
        #expect(
            try names(manifest(of: first, in: store)) == ["metadata.json", "report.json", "tree.mtree"])
        let manifest = try manifest(of: second, in: store)
        #expect(
            try names(manifest) == ["base.mtree", "metadata.json", "report.json", "tree.mtree.zst"])
        let name = StoreLayout.Name.sourceListing
        let source = try #require(try ListingFiles.read(name, in: manifest, digest: second.tree))
        #expect(Digest(hashing: source).hex == second.tree)
        // What is not there is not taken for it.
        #expect(try ListingFiles.read(name, in: manifest, digest: first.tree) == nil)
        #expect(throws: StoreError.self) {
            try ListingFiles.readPresent(name, in: manifest, digest: first.tree)
        }
        for package in try store.packages() { #expect(try store.verify(package).isEmpty) }
        // One that is there counts, as in stores of older programs, and so does its damage.
        try run("printf x > manifests/\(second.storePath)/source.mtree")
        let package = try #require(try store.package(baseName: second.storePath))
        #expect(try store.verify(package) == [Problem(path: name, kind: .manifest)])
    }

    @Test func otherToolsReadTheDifferences() throws {
        let store = try fixture.store()
        try add(1, to: store)
        let second = try add(2, to: store)
        let place = "manifests/\(second.storePath)"
        try run(
            """
            zstd -q -d --patch-from=\(place)/base.mtree \(place)/tree.mtree.zst -o \(fixture.path)/tree
            sed 's/ mode=04/ mode=06/; s/ mode=05/ mode=07/' \(fixture.path)/tree > \(fixture.path)/writable
            zstd -q -d --patch-from=\(fixture.path)/writable \(place)/source.mtree.zst -o \(fixture.path)/source
            """)
        let manifest = try manifest(of: second, in: store)
        for (name, path) in [("tree.mtree", "tree"), ("source.mtree", "source")] {
            let text = try Descriptor.file(fixture.path + "/" + path).readAll()
            #expect(try ListingFiles.read(name, in: manifest) == text)
            #expect(text.starts(with: TreeListing.header.utf8))
        }
    }

    @Test func aVersionOutlivesTheOneThatItsListingIsBasedOn() throws {
        let store = try fixture.store()
        let first = try add(1, to: store)
        let second = try add(2, to: store)
        let third = try add(3, to: store)
        let plan = try collect(store, first).plan
        #expect(plan.doomed.map(\.baseName) == [first.storePath])
        #expect(try store.packages().map(\.baseName).sorted() == [second, third].map(\.storePath).sorted())
        for package in try store.packages() { #expect(try store.verify(package).isEmpty) }
        // Later ones are based on the same, still.
        let fourth = try add(4, to: store)
        let inodes = try [second, fourth].map {
            try manifest(of: $0, in: store).status(of: "base.mtree")?.st_ino
        }
        #expect(inodes[0] != nil && inodes[0] == inodes[1])
        #expect(try Store.rebuildIndex(root: fixture.root, command: "rebuild").packageCount == 3)
    }

    /// How many lists of objects the index has whole, and how many as changes.
    private func noted() throws -> String {
        let script = """
            import sqlite3, sys
            index = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
            for table in ("package_objects", "package_changes"):
                print(index.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            """
        let result = try Fixture.run(
            ["python3", "-c", script, fixture.root + "/index.sqlite"], output: fixture.path + "/output")
        return result.text
    }

    @Test func theIndexNotesWhichObjectsChanged() throws {
        let store = try fixture.store()
        let versions = try (1...4).map { try add($0, to: store) }
        #expect(try noted() == "1\n3\n")
        // The base of the others, and a version between: what is foreseen is what is freed.
        for (number, left) in [(0, "1\n2\n"), (2, "1\n1\n"), (1, "1\n0\n"), (3, "0\n0\n")] {
            let collection = try collect(store, versions[number])
            #expect(collection.plan.doomed.map(\.baseName) == [versions[number].storePath])
            #expect(collection.plan.freed == collection.freed && collection.freed > 0)
            #expect(try noted() == left)
            #expect(try store.inconsistencies(readsContents: true) == [])
            _ = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
            #expect(try noted() == left)
        }
    }

    @Test func whatIsOfAnotherKindIsWhole() throws {
        let store = try fixture.store()
        try add(1, to: store)
        let other = try store.add("many", version: "other") { builder in
            for number in 0..<600 {
                try builder.file(TreePath(parsing: "usr/lib/other-\(number)".utf8), "another \(number)\n")
            }
        }
        #expect(try manifest(of: other, in: store).status(of: "tree.mtree") != nil)
        let small = try store.add("small") { try $0.file("usr/share/small", "small") }
        #expect(try names(manifest(of: small, in: store)) == ["metadata.json", "report.json", "tree.mtree"])
        let odd = try store.add("odd") { try $0.file("usr/share/odd", "odd", mode: 0o444) }
        let listings = ["metadata.json", "report.json", "source.mtree", "tree.mtree"]
        #expect(try names(manifest(of: odd, in: store)) == listings)
    }

    static let damages: [(script: String, path: String, kind: Problem.Kind)] = [
        ("printf x > $DIR/tree.mtree.zst", "tree.mtree", .manifest),
        ("head -c 100 $DIR/tree.mtree.zst > t; cat t > $DIR/tree.mtree.zst", "tree.mtree", .manifest),
        ("rm -f $DIR/base.mtree", "tree.mtree", .manifest),
        ("rm -f $DIR/tree.mtree.zst", "tree.mtree", .missing),
        ("rm -f $DIR/source.mtree.zst", "source.mtree", .missing),
        (": > $DIR/source.mtree.zst", "source.mtree", .manifest),
        ("cp $DIR/tree.mtree.zst t; cat t > $DIR/source.mtree.zst", "source.mtree", .manifest),
        ("printf x > $DIR/source.mtree", "source.mtree", .manifest),
        // A frame that says it gives 1 TiB, with two bytes in it.
        (
            "printf '\\050\\265\\057\\375\\340\\000\\000\\000\\000\\000\\001\\000\\000\\021\\000\\000ab' > $DIR/tree.mtree.zst",
            "tree.mtree", .manifest
        ),
    ]

    @Test(arguments: damages.indices)
    func damageIsFoundAndRepaired(index: Int) throws {
        let (script, path, kind) = Self.damages[index]
        let store = try fixture.store()
        try add(1, to: store)
        let second = try add(2, to: store)
        let package = try #require(try store.package(baseName: second.storePath))
        let copy = fixture.path + "/copy"
        let copied = try Fixture.run(["cp", "-a", fixture.root, copy], output: fixture.path + "/cp")
        try #require(copied.status == 0)
        try run(
            "DIR=manifests/\(second.storePath); chmod u+w $DIR $DIR/*; \(script); rm -f t; chmod u-w $DIR/*")
        let found = try store.verify(package)
        // Nothing is known of a source listing whose base cannot be read.
        #expect(found == [Problem(path: path, kind: kind)])
        let result = try store.repair(
            [package], from: [OtherStore(root: copy)], isDryRun: false, command: "repair")
        #expect(result.lost.isEmpty && !result.repaired.isEmpty, "\(result)")
        #expect(try store.verify(package).isEmpty)
        let again = try store.repair([package], from: [], isDryRun: false, command: "repair")
        #expect(again == RepairResult())
    }
}
