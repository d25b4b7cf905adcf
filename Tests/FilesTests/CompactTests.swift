import Files
import Foundation
import Testing

/// What keeps many small things without a place in memory for each.
@Suite struct CompactTests {
    /// Numbers whose hashes are few, so that they stand in each other's way.
    @Test(arguments: [1, 7, 1000] as [UInt32])
    func aTableOfNumbersKnowsWhatASetKnows(hashes: UInt32) {
        var random = SystemRandomNumberGenerator()
        var table = NumberTable()
        var expected: Set<Int32> = []
        let hash = { (number: Int32) in UInt32(number) % hashes &* 0x9e37_79b9 }
        for _ in 0..<3000 {
            let number = Int32.random(in: 0..<200, using: &random)
            if expected.remove(number) != nil {
                table.remove(number, hash: hash(number), hashOf: hash)
            } else {
                expected.insert(number)
                table.insert(number, hash: hash(number), hashOf: hash)
            }
            #expect(table.count == expected.count)
            for other in 0..<200 as Range<Int32> where other % 17 == number % 17 {
                let found = table.find(hash(other)) { $0 == other }
                #expect(found == (expected.contains(other) ? other : nil))
            }
        }
    }

    @Test(arguments: [0, 1, 4, 20, FileHead.limit, 100])
    func aHeadIsWhatAFileBeginsWith(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 200) }
        let head = FileHead(bytes)
        #expect(Array(head) == Array(bytes.prefix(FileHead.limit)))
        #expect(head.starts(with: bytes.prefix(4)))
    }

    @Test(arguments: [[], [5], [70_000], [40_000, 40_000, 3], [64 << 10, 1]])
    func aLongTextIsWhatCameInPieces(pieces: [Int]) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "sxs-text-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: path) }
        let directory = try Descriptor.directory(path.path)
        let text = SpilledText(in: directory, as: "text")
        var expected: Bytes = []
        for (number, count) in pieces.enumerated() {
            let piece = Bytes(repeating: UInt8(number + 1), count: count)
            try piece.withUnsafeBytes(text.append)
            expected += piece
        }
        #expect(try text.withBytes { Bytes($0) } == expected)
        #expect(try text.withBytes { $0.count } == expected.count)
        #expect(try directory.list().isEmpty)
    }
}

@Suite struct TreeCopyTests {
    private static func kinds(_ tree: Tree) -> [TreePath: Tree.Node] {
        Dictionary(uniqueKeysWithValues: tree.nodes.map { ($0.key, $0.value) })
    }

    private static func change(
        _ tree: inout Tree, _ expected: inout [TreePath: Tree.Node], marked mark: UInt8
    ) throws {
        for number in 0..<400 {
            let path = try TreePath(parsing: "d\(number % 7)/n\(Int.random(in: 0..<900))".utf8)
            switch Int.random(in: 0..<4) {
            case 0:
                tree.remove(path)
                expected[path] = nil
            case 1:
                let attribute = ExtendedAttribute(name: Bytes("user.x".utf8), value: [mark])
                let node = Tree.Node(kind: .file(ContentID(number)), mode: 0o640, attributes: [attribute])
                tree.insert(node, at: path)
                expected[path] = node
            default:
                let node = Tree.Node(kind: .symlink(target: Bytes(repeating: mark, count: 300)), mode: 0o777)
                tree.insert(node, at: path)
                expected[path] = node
            }
        }
    }

    /// Copies share what they have in common, whatever happens to any of them.
    @Test func aCopyIsATreeOfItsOwn() throws {
        var tree = Tree()
        var expected: [TreePath: Tree.Node] = [:]
        for number in 0..<7 {
            let path = try TreePath(parsing: "d\(number)".utf8)
            tree.insert(.impliedDirectory, at: path)
            expected[path] = .impliedDirectory
        }
        expected[.root] = .impliedDirectory
        var copies: [(Tree, [TreePath: Tree.Node])] = []
        // Long enough for the texts to be tidied, several times.
        for round in 0..<12 {
            try Self.change(&tree, &expected, marked: UInt8(0x61 + round))
            copies.append((tree, expected))
            if round % 3 == 2 {
                // From here on with an older one.
                (tree, expected) = copies[round - 2]
            }
        }
        for (copy, itsExpected) in copies {
            #expect(Self.kinds(copy) == itsExpected)
            #expect(copy.sortedPaths == itsExpected.keys.sorted())
            #expect(copy.count == itsExpected.count)
        }
    }

    @Test func aSortedNodeKnowsItsDirectory() throws {
        var tree = Tree()
        for name in ["a/b/c", "a-b", "a/b-c", "x", "a/b/d/e"] {
            tree.insert(.impliedDirectory, at: try TreePath(parsing: name.utf8))
        }
        tree.remove("a/b/c")
        tree.insert(.impliedDirectory, at: "x/y")
        let nodes = tree.sortedNodes
        let parents = nodes.parents()
        #expect(parents.count == nodes.count && parents[0] == 0)
        for index in nodes.indices.dropFirst() {
            #expect(nodes.path(at: index).parent == nodes.path(at: Int(parents[index])))
        }
    }

    /// A place that was given up, and one that another file has since.
    @Test func aPlaceHasTheContentsOfTheFileThatIsThere() {
        var tree = Tree()
        let node = { Tree.Node(kind: .file(ContentID($0)), mode: 0o644) }
        let place = tree.insert(node(1), at: "a/b")
        tree.setContent(ContentID(5), at: place)
        #expect(tree["a/b"]?.kind == .file(ContentID(5)))
        tree.remove("a/b")
        #expect(tree.content(at: place) == nil)
        tree.setContent(ContentID(6), at: place)
        #expect(tree["a/b"] == nil)
        let other = tree.insert(node(2), at: "c")
        #expect(tree.content(at: other) == ContentID(2))
        tree.insert(.impliedDirectory, at: "c")
        #expect(tree.content(at: other) == nil)
    }
}

@Suite struct DigestTableTests {
    @Test func theLastContentOfADigestIsKnown() {
        var table = DigestTable()
        let digests = (0..<3000).map { Digest(hashing: "\($0)".utf8) }
        for (number, digest) in digests.enumerated() {
            #expect(table[digest] == nil)
            table.set(ContentID(number), for: digest)
            if number % 3 == 0 { table.set(ContentID(number + 5000), for: digest) }
        }
        for (number, digest) in digests.enumerated() {
            #expect(table[digest] == ContentID(number % 3 == 0 ? number + 5000 : number))
        }
    }
}

@Suite struct TreeNamesTests {
    @Test func namesAreThoseOfFilesAndLinks() throws {
        var tree = Tree()
        for (path, kind) in [
            ("a/b", .file(ContentID(0))), ("a/c", .symlink(target: [0x62])), ("d/b", .file(ContentID(1))),
            ("e/f", .directory),
        ] as [(String, Tree.Kind)] {
            tree.insert(Tree.Node(kind: kind, mode: 0o755), at: try TreePath(parsing: path.utf8))
        }
        let names = Tree.Names(of: tree)
        for (name, isThere) in [
            ("b", true), ("c", true), ("a", false), ("f", false), ("bc", false), ("", false),
        ] {
            #expect(names.contains(Bytes(name.utf8)) == isThere, "\(name)")
        }
        var seen: [Bytes] = []
        #expect(
            !names.contains {
                seen.append($0); return false
            })
        #expect(seen.sorted { $0.lexicographicallyPrecedes($1) } == [[0x62], [0x63]])
    }
}
