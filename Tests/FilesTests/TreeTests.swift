import Files
import Testing

@Suite struct TreePathTests {
    @Test(arguments: [("./usr/bin/", "usr/bin"), ("usr//bin", "usr/bin"), ("./", "."), ("a/./b", "a/b")])
    func namesOfArchivesBecomePaths(name: String, expected: String) throws {
        #expect("\(try TreePath(parsing: name.utf8))" == expected)
    }

    @Test(arguments: [
        "/usr", "..", "a/../b", "a\nb", "a\u{7f}", String(repeating: "a", count: 256),
        String(repeating: "a/", count: 2100),
    ])
    func otherNamesAreRefused(name: String) {
        #expect(throws: PathError.self) { try TreePath(parsing: name.utf8) }
    }

    @Test func pathsAreOrderedByTheirBytes() throws {
        let sorted: [TreePath] = ["usr", "usr-x", "usr/bin", "usr0"]
        #expect(sorted.reversed().sorted() == sorted)
        #expect(("usr/bin" as TreePath).isWithin("usr"))
        #expect(!("usr-x" as TreePath).isWithin("usr"))
        #expect(("usr/bin" as TreePath).isChild(of: "usr") && ("usr" as TreePath).isChild(of: .root))
        for (path, other) in [("usr", "usr"), ("usr/b/c", "usr"), ("usr-x", "usr"), ("us", "usr"), ("", "")]
            as [(TreePath, TreePath)]
        {
            #expect(!path.isChild(of: other))
        }
        #expect(!("usr/bin" as TreePath).isChild(of: .root))
    }
}

@Suite struct TreeTests {
    /// A directory's contents come after names that go on with bytes below a slash.
    @Test func pathsOfATreeAreOrderedByTheirBytes() {
        var tree = Tree()
        let names = [
            "a", "a-b", "a.d/x", "a/b", "a/b-c/d", "a/b/c", "a0", "a/b!/e", "b/", "A/z", "a/b/-", "a-/q",
        ]
        for name in names {
            guard let path = try? TreePath(parsing: name.utf8) else { continue }
            let isDirectory = ["a", "a/b", "b/"].contains(name)
            let kind = isDirectory ? Tree.Kind.directory : .symlink(target: [0x78])
            tree.insert(Tree.Node(kind: kind, mode: 0o777), at: path)
        }
        tree.insert(Tree.Node(kind: .symlink(target: [0x78]), mode: 0o777), at: "b")
        #expect(tree.sortedPaths == tree.nodes.keys.sorted())
        #expect(tree.sortedNodes.map(\.path) == tree.sortedPaths)
        #expect(tree.sortedNodes.allSatisfy { tree[$0.path] == $0.node })
        #expect(tree.sortedPaths.count == tree.nodes.count && tree.nodes.count > names.count)
    }

    static func sample() -> Tree {
        var tree = Tree()
        tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o644), at: "usr/lib/x/a")
        for (path, target) in [("lib", "usr/lib"), ("loop", "loop"), ("up", "../../usr"), ("abs", "/lib/x")]
            as [(TreePath, String)]
        {
            tree.insert(Tree.Node(kind: .symlink(target: Array(target.utf8)), mode: 0o777), at: path)
        }
        return tree
    }

    @Test(
        arguments: [
            ("/lib/x/a", "usr/lib/x/a"), ("lib/x/../x/a", "usr/lib/x/a"), ("/up/lib", "usr/lib"),
            ("abs/a", "usr/lib/x/a"),
            ("/../../usr", "usr"), ("loop", nil), ("usr/nothing", nil), ("", "."),
        ] as [(String, String?)])
    func linksAreFollowedAsChrootWould(path: String, expected: String?) {
        #expect(Self.sample().resolve(path.utf8).map { "\($0)" } == expected)
    }

    @Test func aFileInPlaceOfADirectoryTakesAllBelowAway() {
        var tree = Self.sample()
        tree.insert(Tree.Node(kind: .file(ContentID(1)), mode: 0o644), at: "usr/lib")
        #expect(tree["usr/lib/x"] == nil)
        #expect(tree.sortedPaths.map { "\($0)" } == [".", "abs", "lib", "loop", "up", "usr", "usr/lib"])
    }

    /// Whatever is put where, in whatever order, each node's parent is a directory that knows it, and nothing else is there.
    @Test func whatLiesWhereIsKnownInBothWays() throws {
        var random = SystemRandomNumberGenerator()
        let names = ["a", "b", "c-d", "e"]
        for _ in 0..<200 {
            var tree = Tree()
            var expected: [TreePath: Tree.Kind] = [:]
            for number in 0..<40 {
                var path = TreePath.root
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    guard let name = names.randomElement(using: &random) else { continue }
                    path = path.appending(name.utf8)
                    if let kind = expected[path], kind != .directory { break }
                }
                let below = expected.keys.filter { $0 != path && $0.isWithin(path) }
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    tree.remove(path)
                    for gone in below + [path] { expected[gone] = nil }
                case 1:
                    tree.removeChildren(of: path)
                    for gone in below { expected[gone] = nil }
                case let choice:
                    let kind = choice == 2 ? Tree.Kind.directory : .file(ContentID(number))
                    tree.insert(Tree.Node(kind: kind, mode: 0o644), at: path)
                    if kind != .directory { for gone in below { expected[gone] = nil } }
                    expected[path] = kind
                    var parent = path.parent
                    while let above = parent, !above.bytes.isEmpty {
                        expected[above] = .directory
                        parent = above.parent
                    }
                }
                expected[.root] = .directory
                try #require(
                    Dictionary(uniqueKeysWithValues: tree.nodes.map { ($0.key, $0.value.kind) }) == expected)
                for (path, kind) in expected {
                    let children = Set(expected.keys.filter { $0.isChild(of: path) })
                    try #require(tree.children(of: path) == children)
                    try #require(kind == .directory || children.isEmpty)
                    try #require(tree.hasParent(of: path.appending("x".utf8)) == (kind == .directory))
                }
            }
        }
    }

    @Test func aDirectoryOverADirectoryKeepsWhatIsInIt() {
        var tree = Self.sample()
        tree.insert(Tree.Node(kind: .directory, mode: 0o700), at: "usr/lib")
        #expect(tree["usr/lib/x/a"] != nil)
        #expect(tree["usr/lib"]?.mode == 0o700)
        tree.removeChildren(of: "usr/lib")
        #expect(tree["usr/lib"] != nil)
        #expect(tree["usr/lib/x/a"] == nil)
    }
}

@Suite struct PathScannerTests {
    static func offsets(_ text: Bytes, chunks: [Int]) -> [UInt32] {
        var scanner = PathScanner()
        var rest = text[...]
        for length in chunks + [text.count] where !rest.isEmpty {
            Array(rest.prefix(length)).withUnsafeBytes { scanner.update($0) }
            rest = rest.dropFirst(length)
        }
        scanner.finish()
        return scanner.offsets
    }

    /// However the bytes arrive, what is found is what a plain search finds.
    @Test func chunksDoNotMatter() {
        let text = Array("x/usr/lib64/a /bin/sh /sbin/x /opt/ /etc/x /usrx //lib /bi /usr/".utf8)
        let patterns = ["/usr/", "/lib", "/bin/", "/sbin/", "/opt/", "/etc/"].map { Array($0.utf8) }
        let expected = text.indices.filter { start in patterns.contains { text[start...].starts(with: $0) } }
            .map(UInt32.init)
        #expect(Self.offsets(text, chunks: []) == expected)
        for size in 1...text.count {
            #expect(
                Self.offsets(text, chunks: Array(repeating: size, count: text.count / size)) == expected,
                "chunks of \(size)")
        }
        for cut in 0...text.count {
            #expect(Self.offsets(text, chunks: [cut]) == expected, "cut at \(cut)")
        }
    }

    /// Offsets that are not kept are found again.
    @Test func offsetsAreTheSameWhetherKeptOrNot() throws {
        // Nothing is written.
        let staging = Staging(try Descriptor.directory("/"))
        let many = Bytes((0..<Staging.offsetLimit).flatMap { _ in "/lib".utf8 })
        for text in [many, Bytes("x/usr/y /etc/".utf8), Bytes("nothing".utf8)] {
            var scanner = PathScanner()
            text.withUnsafeBytes { scanner.update($0) }
            scanner.finish()
            let digest = Digest(hashing: Bytes())
            let id = staging.add(
                try staging.reserveFile(), size: text.count, digest: digest, scanner: scanner,
                head: FileHead([]))
            #expect(staging[id].hasPaths == !scanner.offsets.isEmpty)
            let found = text.withUnsafeBytes { staging.pathOffsets(of: id, in: $0) }
            #expect(found == scanner.offsets)
        }
    }
}

@Suite struct DigestTests {
    @Test func digestsAreThoseOfTheStandard() throws {
        #expect(
            Digest(hashing: "abc".utf8).hex
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let digest = Digest(hashing: "".utf8)
        #expect(Digest(hex: digest.hex) == digest)
        #expect(Digest(bytes: digest.bytes) == digest)
        #expect(Digest(hex: digest.hex.dropLast() + "g") == nil)
        #expect(Digest(hex: digest.hex.uppercased()) == nil)
    }
}
