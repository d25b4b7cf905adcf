import Files
import Glibc
import Store
import StoreLayout
import Testing

@Suite struct TreeBuilderTests {
    let fixture: Fixture
    let store: Store
    let area: ImportArea
    var builder: TreeBuilder { area.builder }

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
        area = try store.makeImport()
    }

    private func content(_ path: TreePath) throws -> Staging.Content {
        try builder.finish()
        let node = try #require(builder.tree[path])
        guard case .file(let id) = node.kind else { throw StoreError.rootIsNoDirectory }
        return area.staging[id]
    }

    @Test func linksInsideTheTreeAreFollowedToTheirDirectory() throws {
        try builder.directory("usr/lib", mode: 0o755, attributes: [])
        try builder.symlink("lib", target: Array("usr/./lib".utf8))
        try builder.symlink("usr/deep", target: Array("../lib".utf8))
        try builder.file("lib/a", "1")
        try builder.file("usr/deep/b", "2")
        #expect(builder.tree["usr/lib/a"] != nil && builder.tree["usr/lib/b"] != nil)
        try builder.remove("lib/a")
        #expect(builder.tree["usr/lib/a"] == nil)
    }

    @Test(arguments: ["/etc", "../etc", "usr/../../etc", "/", "../.."])
    func aLinkOutOfTheTreeIsRefused(target: String) throws {
        try builder.directory("usr", mode: 0o755, attributes: [])
        try builder.symlink("out", target: Array(target.utf8))
        #expect(throws: StoreError.escapes("out/passwd", by: "out")) { try builder.file("out/passwd", "x") }
        #expect(throws: StoreError.escapes("out/d", by: "out")) {
            try builder.directory("out/d", mode: 0o755, attributes: [])
        }
        try builder.file("good", "x")
        #expect(throws: StoreError.escapes("out/good", by: "out")) {
            try builder.hardLink("h", to: "out/good")
        }
        #expect(throws: StoreError.escapes("out/x", by: "out")) { try builder.remove("out/x") }
    }

    @Test func filesAndCirclesAreNoParents() throws {
        try builder.file("file", "x")
        #expect(throws: StoreError.throughFile("file/x", file: "file")) { try builder.file("file/x", "x") }
        try builder.symlink("one", target: Array("two".utf8))
        try builder.symlink("two", target: Array("one".utf8))
        #expect(throws: StoreError.circularLinks("one/x")) { try builder.file("one/x", "x") }
        #expect(throws: StoreError.rootIsNoDirectory) { try builder.file(.root, "x") }
    }

    @Test func hardLinksNeedAFile() throws {
        try builder.directory("d", mode: 0o755, attributes: [])
        #expect(throws: StoreError.badHardLink("h", target: "nothing")) {
            try builder.hardLink("h", to: "nothing")
        }
        #expect(throws: StoreError.badHardLink("h", target: "d")) { try builder.hardLink("h", to: "d") }
        try builder.file("f", "x")
        try builder.hardLink("h", to: "f")
        #expect(builder.tree["h"] == builder.tree["f"])
    }

    @Test func linksThatMakePathsTooLongAreRefused() throws {
        let long = String(repeating: "d", count: 200)
        let path = try TreePath(parsing: Array(repeating: long, count: 19).joined(separator: "/").utf8)
        try builder.symlink("l", target: path.bytes)
        #expect(throws: PathError.self) {
            try builder.file(try TreePath(parsing: "l/\(long)/\(long)".utf8), "x")
        }
    }

    @Test func privilegesAreTakenOffAndCounted() throws {
        let capability = ExtendedAttribute(name: Array("security.capability".utf8), value: [1])
        let label = ExtendedAttribute(name: Array("security.selinux".utf8), value: [1])
        let note = ExtendedAttribute(name: Array("user.b".utf8), value: [1])
        let first = ExtendedAttribute(name: Array("user.a".utf8), value: [1])
        try builder.file("su", "x", mode: 0o6755, attributes: [note, capability, label, first])
        try builder.directory("tmp", mode: 0o1777, attributes: [])
        let node = try #require(builder.tree["su"])
        #expect(node.mode == 0o755 && node.attributes == [first, note])
        #expect(builder.tree["tmp"]?.mode == 0o777)
        #expect(builder.omissions == [.setID: 1, .capability: 1, .attribute: 1])
        let bad = ExtendedAttribute(name: Array("user.\n".utf8), value: [])
        #expect(throws: StoreError.badAttribute("bad")) { try builder.file("bad", "x", attributes: [bad]) }
    }

    @Test func equalContentsAreStagedOnceUnlessTheyMayBeRelocated() throws {
        let large = String(repeating: "x", count: 300_000)
        for name in ["a", "b"] {
            try builder.file(try TreePath(parsing: "plain-\(name)".utf8), "plain")
            try builder.file(try TreePath(parsing: "large-\(name)".utf8), large)
            try builder.file(try TreePath(parsing: "script-\(name)".utf8), "#!/usr/bin/x")
            try builder.file(try TreePath(parsing: "elf-\(name)".utf8), "\u{7f}ELF")
            try builder.file(try TreePath(parsing: "\(name).pyc".utf8), "code")
        }
        try builder.finish()
        #expect(area.staging.contents.count == 8)
        #expect(try area.staging.directory.directory(beneath: Staging.treeName).list().count == 8)
        #expect(builder.tree["plain-a"]?.kind == builder.tree["plain-b"]?.kind)
        #expect(builder.tree["script-a"]?.kind != builder.tree["script-b"]?.kind)
    }

    /// More files than one batch has, so that several threads write them, in two rounds.
    @Test func contentsAreInTheOrderOfTheirFilesWhoeverWritesThem() throws {
        let text = { (number: Int) in number % 3 == 0 ? "same \(number % 9)" : "text \(number)" }
        for round in 0..<2 {
            for number in 0..<3000 {
                let path = try TreePath(parsing: "d\(number % 7)/f\(round)-\(number)".utf8)
                let padding = String(repeating: "p", count: number % 500 == 0 ? 200_000 : 0)
                try builder.file(path, text(number) + padding, mode: number % 2 == 0 ? 0o644 : 0o755)
            }
            try builder.finish()
        }
        #expect(area.staging.count == 6000)
        for number in 0..<6000 {
            let content = area.staging[ContentID(number)]
            let padding = String(repeating: "p", count: number % 3000 % 500 == 0 ? 200_000 : 0)
            let expected = Bytes((text(number % 3000) + padding).utf8)
            guard content.digest == Digest(hashing: expected) else {
                Issue.record("content \(number) is another")
                break
            }
        }
        // Each distinct text is one file, and every node says so.
        let distinct = Set(area.staging.contents.map(\.digest)).count
        #expect(Set(area.staging.contents.map(\.file)).count == distinct)
        let named = Set(
            builder.tree.nodes.values.compactMap { node -> ContentID? in
                guard case .file(let id) = node.kind else { return nil }
                return id
            })
        #expect(named.count == distinct)
        let base = try store.add(area, "many").storePath
        #expect(try store.verify(try #require(try store.package(baseName: base))).isEmpty)
        for (path, mode) in [("d0/f0-0", 0o444), ("d1/f0-1", 0o555)] {
            let status = try #require(try store.status("store/\(base)/\(path)"))
            #expect(Int(status.st_mode & 0o7777) == mode)
        }
    }

    /// Files that are hashed together, piece by piece, beside a stream that would rather not wait: what relocation changes in
    /// them is hashed from the step before.
    @Test func largeFilesAreHashedBesideWhatWaits() throws {
        let queue = DigestQueue.beside(builder.hasher, chunkSize: 1 << 16, chunkCount: 2)
        let unit = (0..<9_973).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 5) }
        let stream = Bytes(repeating: 7, count: 1 << 16)
        var expected: [ContentID: Bytes] = [:]
        var passed = 0
        for number in 0..<40 {
            let size = [300_000, 1 << 20, 3 << 20, 262_145, 640 * 1024][number % 5] + number / 10
            // Names that relocation may change for: their computations are kept.
            let path = try TreePath(parsing: "lib/f\(number).jar".utf8)
            var bytes = Bytes([UInt8(number)])
            while bytes.count < size { bytes.append(contentsOf: unit) }
            bytes.removeLast(bytes.count - size)
            try builder.beginFile(path, mode: 0o644, attributes: [], size: size)
            try bytes.withUnsafeBytes { try builder.append($0) }
            try builder.endFile()
            expected[ContentID(number)] = bytes
            if number % 2 == 0, let chunk = queue.take() {
                #expect(stream.withUnsafeBytes { chunk.append($0) } == stream.count)
                queue.pass(chunk)
                queue.put(chunk)
                passed += stream.count
            }
        }
        try builder.finish()
        #expect(queue.digest() == Digest(hashing: Bytes(repeating: 7, count: passed)))
        for (id, bytes) in expected { #expect(area.staging[id].digest == Digest(hashing: bytes)) }
        for number in 0..<40 {
            let (id, place) = (ContentID(number), (number * 77_777) % 262_000)
            try area.staging.patch(id, with: [(place, [0xaa])])
            expected[id]?[place] = 0xaa
        }
        try area.staging.hashPatched()
        for (id, bytes) in expected { #expect(area.staging[id].digest == Digest(hashing: bytes)) }
    }

    @Test func whatCannotBeWrittenIsToldAtTheEndAtTheLatest() throws {
        for number in 0..<600 { try builder.file(try TreePath(parsing: "f\(number)".utf8), "\(number)") }
        // The directory goes in which the next files are to be made.
        try area.staging.directory.removeTree(Staging.treeName)
        #expect(throws: SystemError.self) {
            for number in 600..<5000 {
                try builder.file(try TreePath(parsing: "f\(number)".utf8), "\(number)")
            }
            try builder.finish()
        }
    }

    @Test func holesAreZerosThatTakeNoSpace() throws {
        try builder.beginFile("sparse", mode: 0o644, attributes: [], size: nil)
        try Array("head".utf8).withUnsafeBytes { try builder.append($0) }
        try builder.appendHole(10 << 20)
        try Array("tail".utf8).withUnsafeBytes { try builder.append($0) }
        try builder.appendHole(1 << 20)
        try builder.endFile()
        try builder.finish()
        let expected =
            Array("head".utf8) + Bytes(repeating: 0, count: 10 << 20) + Array("tail".utf8)
            + Bytes(repeating: 0, count: 1 << 20)
        #expect(try content("sparse").digest == Digest(hashing: expected))
        #expect(try content("sparse").size == expected.count)
        let file = try area.staging.open(ContentID(0))
        #expect(try file.readAll() == expected)
        #expect(try file.status().st_blocks < 1000)
    }

    @Test func aHoleLargerThanAnyImageIsRefusedAtOnce() throws {
        try builder.beginFile("bomb", mode: 0o644, attributes: [], size: nil)
        #expect(throws: StoreError.tooLarge("bomb", limit: TreeBuilder.sizeLimit)) {
            try builder.appendHole(.max)
        }
    }

    @Test(arguments: [0, 1, 131_071, 131_072, 131_073, 400_000])
    func contentsAreTheSameInAnyChunks(size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        for (name, chunk) in [("x", 1 << 20), ("y", 4093)] {
            try builder.beginFile(try TreePath(parsing: name.utf8), mode: 0o644, attributes: [], size: size)
            for start in stride(from: 0, to: size, by: chunk) {
                try bytes[start..<min(size, start + chunk)].withUnsafeBytes { try builder.append($0) }
            }
            try builder.endFile()
        }
        for name: TreePath in ["x", "y"] {
            #expect(try content(name).digest == Digest(hashing: bytes))
            #expect(try content(name).size == size)
        }
        #expect(try area.staging.open(ContentID(0)).readAll() == bytes)
    }

    @Test func aVeryDeepTreeIsMadeVerifiedAndRemoved() throws {
        let path = try TreePath(parsing: Array(repeating: "d", count: 1800).joined(separator: "/").utf8)
        try builder.file(path.appending("f".utf8), "x")
        let base = try store.add(area, "deep").storePath
        #expect(try store.verify(try #require(try store.package(baseName: base))).isEmpty)
        try store.root.directory(beneath: "store").removeTree(base)
        #expect(try store.root.directory(beneath: "store").list().isEmpty)
    }

    @Test func namesNeedNotBeText() throws {
        let name = try TreePath(parsing: [0x66, 0xff, 0xfe])
        try builder.beginFile(name, mode: 0o644, attributes: [], size: nil)
        try builder.endFile()
        try builder.symlink(try TreePath(parsing: [0x6c, 0xff]), target: [0xff])
        let base = try store.add(area, "bytes").storePath
        let directory = try store.root.directory(beneath: "store/\(base)")
        #expect(try directory.list().map(\.name) == [[0x66, 0xff, 0xfe], [0x6c, 0xff]])
        #expect(try store.verify(try #require(try store.package(baseName: base))).isEmpty)
    }
}
