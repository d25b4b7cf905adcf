import Files
import Glibc
import Store
import StoreLayout
import Testing

@Suite struct StoreTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test func aNewStoreHasTheLayout() throws {
        let store = try fixture.store()
        for (name, mode) in StoreLayout.directories {
            #expect(try #require(try store.status(name)).st_mode & 0o7777 == mode, "\(name)")
        }
        #expect(try store.root.open(beneath: "format").readAll() == Array("1\n".utf8))
        #expect(try store.packages().isEmpty)
        #expect(try Store.open(root: fixture.root, forWriting: false).packages().isEmpty)
    }

    @Test func whatIsNoStoreIsLeftAlone() throws {
        #expect(throws: StoreError.noStore(path: fixture.root)) {
            try Store.open(root: fixture.root, forWriting: false)
        }
        try Descriptor.directory(fixture.path).replaceFile("precious", contents: [1])
        for forWriting in [false, true] {
            #expect(throws: StoreError.notAStore(path: fixture.path)) {
                try Store.open(root: fixture.path, forWriting: forWriting)
            }
        }
        #expect(try Descriptor.directory(fixture.path).list().map(\.text) == ["precious"])
    }

    @Test(arguments: [false, true])
    func aNewerFormatIsRefused(forWriting: Bool) throws {
        try fixture.store().root.replaceFile("format", contents: "2\n".utf8)
        #expect(throws: StoreError.newerFormat(path: fixture.root, version: 2)) {
            try Store.open(root: fixture.root, forWriting: forWriting)
        }
    }

    @Test func aNewerIndexIsRefused() throws {
        _ = try fixture.store()
        let run = try Fixture.run(
            [
                "python3", "-c",
                "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version=99')",
                fixture.root + "/index.sqlite",
            ], output: fixture.path + "/output")
        #expect(run.status == 0, "\(run.text)")
        for forWriting in [false, true] {
            #expect(throws: StoreError.newerFormat(path: fixture.root, version: 99)) {
                try Store.open(root: fixture.root, forWriting: forWriting)
            }
        }
    }

    @Test func aDamagedIndexIsAnErrorWithAHint() throws {
        _ = try fixture.store()
        let root = try Descriptor.directory(fixture.root)
        for suffix in ["-wal", "-shm"] { try root.unlink("index.sqlite\(suffix)") }
        try root.replaceFile("index.sqlite", contents: Bytes(repeating: 7, count: 8192))
        let error = #expect(throws: DatabaseError.self) { try fixture.store() }
        #expect(error?.description.contains("hint: 'sxs index rebuild'") == true)
    }

    @Test func aReaderChangesNothing() throws {
        _ = try fixture.store()
        let reader = try Store.open(root: fixture.root, forWriting: false)
        #expect(throws: StoreError.readOnly(path: fixture.root)) { try reader.makeImport() }
        #expect(throws: StoreError.readOnly(path: fixture.root)) { try reader.activate(1, in: mainProfile) }
    }

    @Test func readersSeeWhatIsWrittenMeanwhile() throws {
        let store = try fixture.store()
        let reader = try Store.open(root: fixture.root, forWriting: false)
        #expect(try reader.packages().isEmpty)
        let base = try store.add("a") { try $0.file("x", "1") }.storePath
        #expect(try reader.packages().map(\.baseName) == [base])
    }

    @Test func aSecondWriterIsToldWhomItWaitsFor() async throws {
        let first = try fixture.store()
        let root = fixture.root
        // Handed over by pipes: the first writer holds the lock until the second has been told.
        var told: [Int32] = [0, 0]
        try #require(pipe(&told) == 0)
        let (reading, writing) = (told[0], told[1])
        let second: Task<String, any Error> = try first.withWriterLock(command: "sxs install emacs") {
            let task = Task.detached {
                var holder = ""
                let store = try Store.open(root: root, forWriting: true)
                _ = try store.withWriterLock(
                    command: "second",
                    onWait: {
                        holder = $0
                        var byte: UInt8 = 1
                        write(writing, &byte, 1)
                    }
                ) { try store.add("a") { try $0.file("x", "1") } }
                return holder
            }
            var byte: UInt8 = 0
            #expect(read(reading, &byte, 1) == 1)
            let meanwhile = try first.packages()
            #expect(meanwhile.isEmpty)
            return task
        }
        #expect(try await second.value == "\(getpid()) sxs install emacs")
        #expect(try first.packages().count == 1)
        close(reading)
        close(writing)
    }

    @Test func anotherUserReadsTheStoreOfItsOwner() async throws {
        try #require(getuid() == 0, "the test needs root, to become somebody else")
        let path = fixture.root
        chmod(fixture.path, 0o755)
        let store = try fixture.store()
        try store.add("a") { try $0.file("x", "1") }
        let copy = "/tmp/sxs-other-user"
        try? Descriptor.directory("/tmp").unlink("sxs-other-user")
        symlink(path, copy)
        defer { unlink(copy) }
        await #expect(processExitsWith: .success) {
            guard setgid(65_534) == 0, setuid(65_534) == 0 else { exit(3) }
            let store = try Store.open(root: "/tmp/sxs-other-user", forWriting: false)
            guard try store.packages().map(\.name) == ["a"] else { exit(4) }
            let isRefused = (try? Store.open(root: "/tmp/sxs-other-user", forWriting: true)) == nil
            exit(isRefused ? 0 : 5)
        }
    }

    @Test func aStoreWithoutItsLogIsReadWhereNothingCanBeWritten() async throws {
        try #require(getuid() == 0, "the test needs root, to become somebody else")
        do {
            let store = try fixture.store()
            try store.add("a") { try $0.file("x", "1") }
        }
        // As on a read-only medium: the log was written back and left out, and none can be made.
        let root = try Descriptor.directory(fixture.root)
        for suffix in ["-wal", "-shm"] { try root.unlink("index.sqlite\(suffix)") }
        chmod(fixture.path, 0o755)
        try? Descriptor.directory("/tmp").unlink("sxs-read-only")
        symlink(fixture.root, "/tmp/sxs-read-only")
        defer { unlink("/tmp/sxs-read-only") }
        await #expect(processExitsWith: .success) {
            guard setgid(65_534) == 0, setuid(65_534) == 0 else { exit(3) }
            let store = try Store.open(root: "/tmp/sxs-read-only", forWriting: false)
            exit(try store.packages().map(\.name) == ["a"] ? 0 : 4)
        }
    }
}
