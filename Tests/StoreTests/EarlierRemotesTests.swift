import Files
import Store
import StoreLayout
import Testing

/// Remotes were rows of the index once.
@Suite struct EarlierRemotesTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// Makes the index one from before remotes were files, with two of them.
    private func goBack() throws {
        do { _ = try fixture.store() }
        let script = """
            import sqlite3, sys
            index = sqlite3.connect(sys.argv[1])
            index.executescript('''
                CREATE TABLE remote (name TEXT PRIMARY KEY, kind TEXT NOT NULL, location TEXT NOT NULL)
                    STRICT, WITHOUT ROWID;
                INSERT INTO remote VALUES ('images', 'directory', '/srv/images'), ('b', 'directory', '/srv/a b');
                DROP TABLE package_changes;
                \(Fixture.earlierGenerations)
                ALTER TABLE package DROP COLUMN location;
                PRAGMA user_version = 5;
                ''')
            """
        let run = try Fixture.run(
            ["python3", "-c", script, fixture.root + "/index.sqlite"], output: fixture.path + "/output")
        #expect(run.status == 0, "\(run.text)")
    }

    private func files() throws -> [String: String] {
        let directory = try Descriptor.directory(fixture.root + "/remotes")
        return try Dictionary(
            uniqueKeysWithValues: directory.list().map {
                ($0.text, String(decoding: try directory.open(beneath: $0.text).readAll(), as: UTF8.self))
            })
    }

    @Test func theyBecomeFiles() throws {
        try goBack()
        // Whoever only reads finds them in the index.
        let before = try Store.open(root: fixture.root, forWriting: false).earlierRemotes()
        #expect(before.map(\.name) == ["b", "images"])
        #expect(try files().isEmpty)
        #expect(try fixture.store().earlierRemotes().isEmpty)
        let after = try files()
        #expect(after["images.conf"] == "[Remote]\nKind=directory\nLocation=/srv/images\n")
        let read = try RemoteDescription(
            parsing: Bytes((after["b.conf"] ?? "").utf8), name: "b", file: "b.conf")
        #expect(read.location == .path("/srv/a b") && read.kind == .directory)
    }

    @Test func aCrashBetweenFilesAndIndexDoesItAgain() throws {
        try goBack()
        try Descriptor.directory(fixture.root + "/remotes").replaceFile("b.conf", contents: "half".utf8)
        #expect(try fixture.store().earlierRemotes().isEmpty)
        #expect(try files()["b.conf"] == "[Remote]\nKind=directory\nLocation=/srv/a b\n")
    }
}
