import Files
import Foundation
import StoreLayout
import Testing

@Suite struct StorePathTests {
    /// The contract's second test vector: two directories, a script, and a link with a space in its name.
    static func helloTree() throws -> (tree: Tree, contents: Bytes) {
        let contents = Array("#!/bin/sh\necho hello\n".utf8)
        var tree = Tree()
        tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o755), at: "usr/bin/hello")
        tree.insert(Tree.Node(kind: .symlink(target: Array("hello".utf8)), mode: 0o777), at: "usr/bin/h i")
        return (tree, contents)
    }

    static func listing(_ tree: Tree, contents: Bytes = []) -> Bytes {
        TreeListing.render(tree) { _ in (contents.count, Digest(hashing: contents)) }
    }

    static func storePath(_ listing: Bytes, _ name: String, _ version: String) throws -> StorePath {
        StorePath(
            StorePath.Identity(
                tree: Digest(hashing: listing), name: try PackageName(name),
                version: try PackageVersion(version),
                architecture: .any))
    }

    @Test func theVectorsOfTheContractHold() throws {
        let contract = try String(contentsOf: top.appending(path: "store-layout/README.md"), encoding: .utf8)
        let empty = Self.listing(Tree())
        #expect(contract.contains(Digest(hashing: empty).hex))
        #expect(contract.contains(try Self.storePath(empty, "empty", "1").path))
        let (tree, contents) = try Self.helloTree()
        let hello = Self.listing(tree, contents: contents)
        #expect(contract.contains(Digest(hashing: hello).hex))
        #expect(contract.contains(try Self.storePath(hello, "hello", "2.12-1").path))
    }

    /// The same vectors from the text of the contract alone, by other hands.
    @Test func anIndependentProgramAgrees() throws {
        let program = """
            import hashlib
            def path(listing, name, version):
                tree = hashlib.sha256(listing).hexdigest()
                text = f"sxs-store-path 1\\ntree sha256:{tree}\\nname {name}\\nversion {version}\\narchitecture any\\nrecipe 1\\n"
                bits = int.from_bytes(hashlib.sha256(text.encode()).digest()[:20], "little")
                alphabet = "0123456789abcdfghijklmnpqrsvwxyz"
                digits = "".join(alphabet[bits >> 5 * n & 31] for n in reversed(range(32)))
                print(f"/usr/store/{digits}-{name}-{version}")
            head = b"#mtree sxs 1\\n/set uid=0 gid=0\\n. type=dir mode=0755\\n"
            path(head, "empty", "1")
            body = b"#!/bin/sh\\necho hello\\n"
            path(head + b"./usr type=dir mode=0755\\n./usr/bin type=dir mode=0755\\n"
                 b"./usr/bin/h\\\\040i type=link mode=0777 link=hello\\n"
                 b"./usr/bin/hello type=file mode=0755 size=%d sha256digest=%s\\n"
                 % (len(body), hashlib.sha256(body).hexdigest().encode()), "hello", "2.12-1")
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let (tree, contents) = try Self.helloTree()
        let expected = [
            try Self.storePath(Self.listing(Tree()), "empty", "1").path,
            try Self.storePath(Self.listing(tree, contents: contents), "hello", "2.12-1").path,
        ]
        #expect(output.split(separator: "\n").map(String.init) == expected)
    }

    @Test func everyPartOfTheIdentityChangesTheHash() throws {
        let tree = Digest(hashing: "tree".utf8)
        let base = StorePath.Identity(
            tree: tree, name: try PackageName("a"), version: try PackageVersion("1"), architecture: .any)
        let others = [
            StorePath.Identity(
                tree: Digest(hashing: "".utf8), name: base.name, version: base.version, architecture: .any),
            StorePath.Identity(
                tree: tree, name: try PackageName("b"), version: base.version, architecture: .any),
            StorePath.Identity(
                tree: tree, name: base.name, version: try PackageVersion("2"), architecture: .any),
            StorePath.Identity(tree: tree, name: base.name, version: base.version, architecture: .arm64),
            StorePath.Identity(
                tree: tree, name: base.name, version: base.version, architecture: .any, recipe: 2),
            StorePath.Identity(
                tree: tree, name: base.name, version: base.version, architecture: .any, aliasSalt: 1),
        ]
        #expect(Set((others + [base]).map { StorePath($0).hash }).count == others.count + 1)
    }

    @Test(arguments: ["", "-a", ".a", "a/b", "a b", "a\n", "ä", "a:b", String(repeating: "a", count: 65)])
    func refusesNamesThatAreNotAllowed(name: String) {
        #expect(throws: NameError.self) { try PackageName(name) }
    }

    @Test func aBaseNameIsReadBackOnlyWithItsNameAndVersion() throws {
        let path = try Self.storePath(Self.listing(Tree()), "a-b", "1-2")
        #expect(StorePath(baseName: path.baseName, name: path.name, version: path.version) == path)
        #expect(
            StorePath(
                baseName: path.baseName, name: try PackageName("a"), version: try PackageVersion("b-1-2"))
                != nil)
        #expect(StorePath(baseName: path.baseName, name: path.name, version: try PackageVersion("1")) == nil)
        #expect(StorePath(baseName: "x" + path.baseName, name: path.name, version: path.version) == nil)
    }

    private var top: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }
}

@Suite struct PackageVersionTests {
    /// The examples of the UAPI version format specification, in ascending order.
    static let ascending = [
        "122.1", "123~rc1-1", "123", "123-a", "123-a.1", "123-1", "123-1.1", "123^post1", "123.a-1",
        "123.1-1",
        "123a-1", "124-1",
    ]

    @Test func versionsAreOrderedAsTheSpecificationSays() throws {
        let versions = try Self.ascending.map { try PackageVersion($0) }
        for (index, left) in versions.enumerated() {
            for right in versions[(index + 1)...] {
                #expect(left < right, "\(left) < \(right)")
                #expect(!(right < left), "\(right) < \(left)")
            }
        }
    }

    @Test(arguments: [
        ("28.2", "30.1"), ("1.9", "1.10"), ("28.2+1-15+deb12u3", "28.2+1-15+deb12u4"), ("2.0~rc1", "2.0"),
    ])
    func newerVersionsOfDistributionsComeLater(older: String, newer: String) throws {
        #expect(try PackageVersion(older) < PackageVersion(newer))
    }
}

@Suite struct TreeListingTests {
    @Test func aListingIsReadBackAsItWasWritten() throws {
        var tree = Tree()
        let attribute = ExtendedAttribute(name: Array("user.note".utf8), value: [0, 10, 255])
        tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o640, attributes: [attribute]), at: "a b/ü")
        tree.insert(Tree.Node(kind: .symlink(target: Array("x=\\y z".utf8)), mode: 0o777), at: "link")
        let listing = TreeListing.render(tree) { _ in (3, Digest(hashing: "abc".utf8)) }
        let entries = try TreeListing.parse(listing)
        #expect(entries.map(\.path) == tree.sortedPaths)
        #expect(entries[2].kind == .file(size: 3, digest: Digest(hashing: "abc".utf8)))
        #expect(entries[2].mode == 0o640)
        #expect(entries[2].attributes == [attribute])
        #expect(entries[3].kind == .symlink(target: Array("x=\\y z".utf8)))
    }

    @Test func aListingCutAnywhereIsRefusedOrShorter() throws {
        let (tree, contents) = try StorePathTests.helloTree()
        let listing = StorePathTests.listing(tree, contents: contents)
        let whole = try TreeListing.parse(listing)
        for length in 0..<listing.count {
            guard let entries = try? TreeListing.parse(Array(listing.prefix(length))) else { continue }
            #expect(entries.count < whole.count)
        }
    }
}
