import Files
import Glibc
import Store
import StoreLayout
import Testing

/// Files are made where they belong while an image is read; what it says later may want something else there.
@Suite struct PlacedFilesTests {
    let fixture: Fixture
    let store: Store

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
    }

    /// Imports what `fill` builds, and looks whether it is whole; its store path.
    private func add(_ name: String, _ fill: (TreeBuilder) throws -> Void) throws -> String {
        let base = try store.add(name, fill).storePath
        #expect(try store.verify(try #require(try store.package(baseName: base))).isEmpty)
        #expect(try store.root.directory(beneath: "tmp").list().isEmpty)
        return base
    }

    private func text(_ base: String, _ path: String) throws -> String {
        String(decoding: try store.root.open(beneath: "store/\(base)/\(path)").readAll(), as: UTF8.self)
    }

    private func inode(_ path: String) throws -> ino_t { try #require(try store.status(path)).st_ino }

    /// The names in a directory of a store path.
    private func names(_ path: String) throws -> [String] {
        try store.root.directory(beneath: "store/\(path)").list().map(\.text).sorted()
    }

    @Test func theLastOfSeveralFilesStays() throws {
        let base = try add("twice") { builder in
            for text in ["one", "two", "one", "three"] { try builder.file("d/f", text) }
            try builder.file("d/other", "one")
        }
        #expect(try text(base, "d/f") == "three")
        #expect(try text(base, "d/other") == "one")
        #expect(try names("\(base)/d") == ["f", "other"])
    }

    @Test(arguments: [10, 400_000])
    func somethingElseTakesAFilesPlace(size: Int) throws {
        let text = String(repeating: "t", count: size)
        let base = try add("replaced") { builder in
            try builder.file("a", text)
            try builder.hardLink("kept", to: "a")
            try builder.directory("a", mode: 0o755, attributes: [])
            try builder.file("a/in", "in")
            try builder.file("b/in", text + "2")
            try builder.file("b", "b")
            try builder.file("c", text + "3")
            try builder.symlink("c", target: Array("a".utf8))
            try builder.file("c/through", "through")
            try builder.file("e/f/g", text + "4")
            try builder.remove("e")
            try builder.file("h/i", text + "5")
            try builder.removeChildren(of: "h")
        }
        #expect(try self.text(base, "kept") == text)
        #expect(try self.text(base, "a/through") == "through")
        #expect(try self.text(base, "b") == "b")
        #expect(try names(base) == ["a", "b", "c", "h", "kept"])
        #expect(try names("\(base)/a") == ["in", "through"])
        #expect(try names("\(base)/h").isEmpty)
    }

    /// Equal contents with other permissions or attributes are other objects, whoever has the bytes first.
    @Test func contentsThatFilesShareHaveWhatEachNeeds() throws {
        let attribute = ExtendedAttribute(name: Array("user.x".utf8), value: [1])
        let base = try add("shared") { builder in
            for number in 0..<20 {
                try builder.file(
                    try TreePath(parsing: "d\(number)/f".utf8), "text", mode: number % 3 == 0 ? 0o755 : 0o644,
                    attributes: number % 5 == 0 ? [attribute] : [])
            }
        }
        for number in 0..<20 {
            let status = try #require(try store.status("store/\(base)/d\(number)/f"))
            #expect(status.st_mode & 0o7777 == (number % 3 == 0 ? 0o555 : 0o444))
        }
        #expect(try inode("store/\(base)/d1/f") == inode("store/\(base)/d2/f"))
        #expect(try inode("store/\(base)/d1/f") != inode("store/\(base)/d3/f"))
        #expect(try inode("store/\(base)/d5/f") != inode("store/\(base)/d1/f"))
        #expect(try inode("store/\(base)/d5/f") == inode("store/\(base)/d10/f"))
    }

    @Test func whatTheStoreHasIsNotWrittenAgain() throws {
        let large = String(repeating: "l", count: 400_000)
        let fill: (TreeBuilder) throws -> Void = { builder in
            try builder.file("bin/run", "run", mode: 0o755)
            try builder.file("share/text", "text")
            try builder.file("share/large", large)
        }
        let first = try add("first", fill)
        let second = try add("second") { builder in
            try fill(builder)
            try builder.file("share/more", "more")
            try builder.file("share/text", "other text")
            try builder.file("share/run", "run")
        }
        for name in ["bin/run", "share/large"] {
            #expect(try inode("store/\(first)/\(name)") == inode("store/\(second)/\(name)"), "\(name)")
        }
        #expect(try text(second, "share/text") == "other text")
        #expect(try #require(try store.status("store/\(second)/share/run")).st_mode & 0o7777 == 0o444)
    }

    /// Relocation may make equal what was not, or what the store has.
    @Test func contentsThatBecameTheSameShareAnObject() throws {
        let area = try store.makeImport()
        defer { try? area.discard() }
        for name in ["a", "b"] {
            try area.builder.file(try TreePath(parsing: "bin/\(name)".utf8), "#!/usr/bin/\(name)")
        }
        try area.builder.finish()
        for name: TreePath in ["bin/a", "bin/b"] {
            guard case .file(let id) = try #require(area.builder.tree[name]).kind else { continue }
            try area.staging.patch(id, with: [(11, [UInt8(ascii: "x")])])
        }
        try area.staging.hashPatched()
        let base = try store.add(area, "same").storePath
        #expect(try text(base, "bin/a") == "#!/usr/bin/x")
        #expect(try inode("store/\(base)/bin/a") == inode("store/\(base)/bin/b"))
        let next = try store.makeImport()
        defer { try? next.discard() }
        try next.builder.file("bin/c", "#!/usr/bin/c")
        try next.builder.finish()
        guard case .file(let id) = try #require(next.builder.tree["bin/c"]).kind else { return }
        try next.staging.patch(id, with: [(11, [UInt8(ascii: "x")])])
        try next.staging.hashPatched()
        let other = try store.add(next, "next").storePath
        #expect(try inode("store/\(other)/bin/c") == inode("store/\(base)/bin/a"))
        #expect(try store.verify(try #require(try store.package(baseName: other))).isEmpty)
    }

    /// Names that are none of the host's encoding, or those of the staging directory's own.
    @Test func anyNameIsMadeAsItIs() throws {
        let odd: Bytes = [0x66, 0xff, 0xfe]
        let base = try add("odd") { builder in
            for name in [odd, Array("0".utf8), Array("tree".utf8), Array("copy-1-1".utf8)] {
                let path = try TreePath(parsing: name + Array("/x".utf8) + name)
                try builder.file(path, "text of \(name)")
                try builder.file(path, "again \(name)")
            }
        }
        let directory = try store.root.directory(beneath: "store/\(base)").open(
            beneath: odd, flags: O_RDONLY | O_DIRECTORY)
        #expect(try directory.list().map(\.name) == [[UInt8(ascii: "x")] + odd])
    }

    /// The longest path is longer than what the system takes below the staging directory.
    @Test func theLongestPathIsNotTooLong() throws {
        for length in [4080, 4089, 4090, 4091, 4095] {
            var name = ""
            while name.utf8.count + 201 < length { name += String(repeating: "d", count: 200) + "/" }
            let path = try TreePath(
                parsing: (name + String(repeating: "f", count: length - name.utf8.count)).utf8)
            #expect(path.bytes.count == length)
            let base = try store.add("long-\(length)") { builder in
                try builder.file(path, "\(length)")
                try builder.file(try TreePath(parsing: (name + "other").utf8), "other")
            }.storePath
            #expect(try store.verify(try #require(try store.package(baseName: base))).isEmpty)
        }
    }

    /// Directories that files were made in come and go, and come again.
    @Test func directoriesThatAreGoneAreNotThere() throws {
        let base = try add("gone") { builder in
            for round in 0..<3 {
                try builder.file("a/b/c/f", "\(round)")
                try builder.file("a/g", "\(round)")
                try builder.file("a/b/h", "\(round)")
                try builder.file("i", "\(round)")
                try builder.file("a/b/c/f2", "\(round)")
                if round == 1 { try builder.remove("a") }
            }
            try builder.remove("a/b")
        }
        #expect(try names("\(base)/a") == ["g"])
        #expect(try text(base, "a/g") == "2")
        #expect(try names(base) == ["a", "i"])
    }

    @Test func wideTreesTakeNoDescriptors() throws {
        let base = try add("wide") { builder in
            for number in 0..<3000 {
                try builder.file(try TreePath(parsing: "d\(number)/f".utf8), "\(number)")
            }
        }
        #expect(try text(base, "d2999/f") == "2999")
    }

    /// Whatever an image says, in any order: what is in the store is what its listing says, and nothing else.
    @Test(arguments: 0..<120)
    func anyOrderGivesWhatTheListingSays(seed: Int) throws {
        var random = RepeatableNumbers(state: UInt64(seed))
        let names = ["a", "b", "a/b", "a/c", "b/a", "a/b/c", "b/a/c", "a/b/c/d", "e/f/g/h", "e/f", "e"]
        let attribute = ExtendedAttribute(name: Array("user.x".utf8), value: [1])
        let large = String(repeating: "l", count: 300_000)
        func path() throws -> TreePath { try TreePath(parsing: names.randomElement(using: &random)!.utf8) }
        // Two in turn: the second finds what the first has brought.
        for round in 0..<2 {
            let base = try add("image-\(seed)-\(round)") { builder in
                try builder.file("z", "\(seed) \(round)")
                for _ in 0..<Int.random(in: 5...60, using: &random) {
                    let place = try path()
                    let text = ["", "one", "two", "#!/usr/bin/x", "three"].randomElement(using: &random)!
                    // Many are refused, such as a file in a file: then nothing has changed.
                    switch Int.random(in: 0..<12, using: &random) {
                    case 0: try? builder.directory(place, mode: 0o755, attributes: [])
                    case 1:
                        try? builder.symlink(
                            place, target: Array(["a", "e/f", "../b"].randomElement(using: &random)!.utf8))
                    case 2: try? builder.hardLink(place, to: try path())
                    case 3: try? builder.remove(place)
                    case 4: try? builder.removeChildren(of: place)
                    case 5: try? builder.file(place, large + text)
                    case 6: try? builder.file(place, text, attributes: [attribute])
                    case 7: try? builder.file(place, text, mode: 0o755)
                    case 8: try builder.finish()
                    default: try? builder.file(place, text)
                    }
                }
            }
            #expect(try store.status("store/\(base)/z") != nil)
        }
    }
}
