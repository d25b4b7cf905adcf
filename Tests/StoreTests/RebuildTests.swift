import Files
import Glibc
import Store
import StoreLayout
import Testing

/// An index that is made anew is the one that was lost, row by row.
@Suite struct RebuildTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// A store with everything that an index knows of, and a deleted generation and a collected store path in its past.
    private func fill(_ store: Store) throws {
        let profile = try mainProfile
        var bases: [String] = []
        for (index, name) in ["one", "two", "gone", "three"].enumerated() {
            let command = Exposure.Command(name: name, path: "usr/bin/\(name)", needsLauncher: false)
            let note = ExtendedAttribute(name: Array("user.note".utf8), value: Array(name.utf8))
            let package = try store.add(
                name, version: "\(index)",
                exposure: Exposure(commands: [command], data: ["usr/share/\(name)"]),
                aliases: [
                    AliasRecord(name: "a\(index)", target: "usr"), AliasRecord(name: "b\(index)", target: ""),
                ]
            ) { builder in
                try builder.file(TreePath(parsing: "usr/bin/\(name)".utf8), name, mode: 0o755)
                try builder.file(
                    TreePath(parsing: "usr/share/\(name)".utf8), "data of \(name)", attributes: [note])
                try builder.file("usr/share/empty", "")
                try builder.file("usr/lib/same", "the same in all")
            }
            bases.append(package.storePath)
            let shown = GenerationPackage(baseName: package.storePath, exposure: package.exposure)
            try store.withWriterLock(command: "test") {
                let made = try store.makeGeneration(
                    profile: profile, packages: [shown], parent: index == 0 ? nil : index,
                    command: "sxs install \(name)")
                try store.activate(made.number, in: profile)
            }
            try store.record(
                ImportedSource(digest: Digest(hashing: name.utf8).hex, name: name, hints: "h"),
                gave: package.storePath)
        }
        // The same image under another name, and one that another store path came of later.
        let digest = Digest(hashing: "other".utf8).hex
        try store.record(ImportedSource(digest: digest, version: "1", architecture: "any"), gave: bases[0])
        try store.record(ImportedSource(digest: digest), gave: bases[0])
        try store.record(ImportedSource(digest: digest), gave: bases[1])
        try store.withWriterLock(command: "test") {
            let shown = GenerationPackage(
                baseName: bases[1], exposure: try store.metadata(of: bases[1]).exposure, isPreferred: true)
            _ = try store.makeGeneration(
                profile: try ProfileName("second"), packages: [shown], parent: nil, command: "sxs switch")
            try store.activate(1, in: try ProfileName("second"))
        }
        try store.deleteGenerations([3], of: profile)
        _ = try store.collectGarbage(
            command: "gc", retention: Retention(count: nil, age: nil), limit: nil, onWait: { _ in },
            outside: { FoundRoots() })
        #expect(try store.package(baseName: bases[2]) == nil)
    }

    /// All rows of all tables.
    private func rows() throws -> String {
        let script = """
            import sqlite3, sys
            d = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
            print(d.execute("PRAGMA user_version").fetchall())
            for name, sql in sorted(d.execute("SELECT name, sql FROM sqlite_master").fetchall()):
                print(name, sql)
                if sql and sql.startswith("CREATE TABLE"):
                    for row in sorted(map(repr, d.execute(f"SELECT * FROM {name}"))): print("   ", row)
            """
        let result = try Fixture.run(
            ["python3", "-c", script, fixture.root + "/index.sqlite"], output: fixture.path + "/rows")
        try #require(result.status == 0, "\(result.text)")
        return result.text
    }

    /// What may become of an index, as a shell command in the root.
    static let damages = [
        "true", "rm index.sqlite*", "rm index.sqlite", ": > index.sqlite", "printf garbage > index.sqlite",
        "head -c 20000 /dev/urandom > index.sqlite", "truncate -s 8192 index.sqlite",
        "dd if=/dev/urandom of=index.sqlite bs=4096 seek=2 count=3 conv=notrunc",
        "printf garbage > index.sqlite; printf garbage > index.sqlite-wal",
    ]

    @Test(arguments: damages)
    func aRebuiltIndexIsTheLostOne(damage: String) throws {
        try fill(fixture.store())
        let before = try rows()
        #expect(before.contains("'sxs switch'") && before.contains("'h'"))
        let result = try Fixture.run(
            ["sh", "-ec", "cd \(fixture.root); \(damage)"], output: fixture.path + "/damage")
        try #require(result.status == 0, "\(result.text)")
        let rebuilt = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
        #expect(rebuilt.packageCount == 3 && rebuilt.generationCount == 4 && rebuilt.leftOut.isEmpty)
        #expect(try rows() == before)
        // It is one like any other from then on, for whoever may only read, too.
        let status = try #require(
            try Store.open(root: fixture.root, forWriting: false).status("index.sqlite"))
        #expect(status.st_mode & 0o777 == 0o644)
        let store = try fixture.store()
        for package in try store.packages() { #expect(try store.verify(package).isEmpty) }
    }

    @Test func anEmptyIndexIsFilledByTheNextWriter() throws {
        try fill(fixture.store())
        let before = try rows()
        try Descriptor.directory(fixture.root).unlink("index.sqlite")
        try fixture.store().withWriterLock(command: "any") {}
        #expect(try rows() == before)
    }

    @Test func whoeverHasTheIndexOpenGoesOn() throws {
        let writer = try fixture.store()
        try fill(writer)
        let reader = try Store.open(root: fixture.root, forWriting: false)
        let packages = try reader.packages()
        _ = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
        #expect(try reader.packages() == packages)
        // Another file has the name now: what this writer has open is nobody's.
        let garbage = try Descriptor.create(fixture.root + "/index.sqlite.new")
        try garbage.write("garbage".utf8, at: 0)
        let root = try Descriptor.directory(fixture.root)
        try root.rename("index.sqlite.new", to: root, as: "index.sqlite")
        _ = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
        let added = try writer.add("late") { try $0.file("usr/late", "late") }
        let fresh = try Store.open(root: fixture.root, forWriting: false)
        #expect(try fresh.package(baseName: added.storePath) != nil)
        #expect(try fresh.packages().count == packages.count + 1)
    }

    @Test func whatCannotBeReadIsLeftOutAndNamed() throws {
        let store = try fixture.store()
        try fill(store)
        let base = try store.packages()[0].baseName
        let manifest = try store.root.directory(beneath: "manifests/" + base)
        try manifest.replaceFile("metadata.json", contents: "{}".utf8)
        let rebuilt = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
        #expect(rebuilt.packageCount == 2)
        #expect(rebuilt.leftOut.map(\.path) == ["manifests/" + base])
        #expect(rebuilt.leftOut[0].reason.contains("metadata.json cannot be read"))
    }

    /// Takes the registration out of a manifest; gives its text as programs wrote it that kept it in a file of its own.
    @discardableResult
    private func forgetRegistration(of baseName: String, in store: Store) throws -> String {
        let script = """
            import json, sys
            metadata = json.load(open(sys.argv[1]))
            r = metadata.pop("registration")
            json.dump(metadata, open(sys.argv[1], "w"))
            fields = [[s[f] for f in ("digest", "name", "version", "architecture", "hints")] for s in r.get("sources", [])]
            print("sxs-registration 1", f"number {r['number']}", f"registered {r['registered']}",
                  *("source " + "\\t".join(f) for f in fields), sep="\\n")
            """
        let path = "\(fixture.root)/manifests/\(baseName)/metadata.json"
        try Descriptor.file(path).setMode(0o644)
        let result = try Fixture.run(["python3", "-c", script, path], output: fixture.path + "/output")
        try #require(result.status == 0, "\(result.text)")
        return result.text
    }

    @Test func registrationsInFilesOfTheirOwnAreReadAndReplaced() throws {
        let store = try fixture.store()
        try fill(store)
        let before = try rows()
        let bases = try store.packages().map(\.baseName)
        for base in bases {
            let text = try forgetRegistration(of: base, in: store)
            try store.root.directory(beneath: "manifests/" + base).replaceFile(
                "registration", contents: text.utf8)
        }
        #expect(try store.inconsistencies(readsContents: false).filter { $0.severity == .error } == [])
        _ = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
        #expect(try rows() == before)
        try store.record(ImportedSource(digest: Digest(hashing: "new".utf8).hex), gave: bases[0])
        let manifest = try store.root.directory(beneath: "manifests/" + bases[0])
        #expect(try manifest.status(of: "registration") == nil)
        let after = try rows()
        _ = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
        #expect(try rows() == after && after != before)
    }

    @Test func registrationsOfOlderProgramsAreFiledByTheNextWriter() throws {
        let store = try fixture.store()
        try fill(store)
        let before = try rows()
        let script = """
            import sqlite3, sys
            d = sqlite3.connect(sys.argv[1])
            d.executescript("\(Fixture.earlierGenerations)")
            d.execute("DROP TABLE package_changes"); d.execute("DROP TABLE unfiled")
            d.execute("ALTER TABLE package DROP COLUMN location"); d.execute("PRAGMA user_version = 4"); d.commit()
            """
        let result = try Fixture.run(
            ["python3", "-c", script, fixture.root + "/index.sqlite"], output: fixture.path + "/output")
        try #require(result.status == 0, "\(result.text)")
        for package in try store.packages() { try forgetRegistration(of: package.baseName, in: store) }
        try fixture.store().withWriterLock(command: "any") {}
        #expect(try rows() == before)
        _ = try Store.rebuildIndex(root: fixture.root, command: "rebuild")
        #expect(try rows() == before)
    }
}
