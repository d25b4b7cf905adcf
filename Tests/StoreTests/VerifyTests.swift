import Files
import Glibc
import Store
import StoreLayout
import Testing

@Suite struct VerifyTests {
    let fixture: Fixture
    let store: Store
    let package: Package
    let tree: String

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
        let note = ExtendedAttribute(name: Array("user.note".utf8), value: Array("hi".utf8))
        let alias = AliasRecord(name: "al", target: "usr")
        let base = try store.add("a", aliases: [alias]) { builder in
            try builder.file("usr/bin/run", "run", mode: 0o755)
            try builder.file("usr/share/text", "text", attributes: [note])
            try builder.symlink("usr/link", target: Array("bin/run".utf8))
        }.storePath
        package = try #require(try store.package(baseName: base))
        tree = fixture.root + "/store/" + base
    }

    private func shell(_ script: String) throws {
        let run = try Fixture.run(
            ["sh", "-ec", "chmod -R u+w store; cd store/\(package.baseName); \(script)"].withDirectory(
                fixture.root),
            output: fixture.path + "/output")
        try #require(run.status == 0, "\(run.text)")
    }

    @Test func anUntouchedPackageHasNoProblems() throws {
        #expect(try store.verify(package).isEmpty)
    }

    @Test(arguments: [
        ("printf RUN > usr/bin/run", "usr/bin/run", Problem.Kind.content),
        ("printf longer > usr/bin/run", "usr/bin/run", .content),
        ("rm usr/bin/run", "usr/bin/run", .missing),
        ("rm -r usr/bin", "usr/bin", .missing),
        ("rm usr/bin/run; mkdir usr/bin/run", "usr/bin/run", .type),
        ("rm -r usr/bin; ln -s /bin usr/bin", "usr/bin", .type),
        ("ln -sfn elsewhere usr/link", "usr/link", .target),
        ("touch usr/new", "usr/new", .extra),
        ("mkdir -p new/deep", "new", .extra),
        ("mkdir usr/__pycache__", "usr/__pycache__", .bytecode),
        ("touch usr/a.pyc", "usr/a.pyc", .extra),
        ("chmod 4555 usr/bin/run", "usr/bin/run", .mode),
        ("setfattr -x user.note usr/share/text", "usr/share/text", .attributes),
        ("setfattr -n user.more -v 1 usr/share", "usr/share", .attributes),
        ("rm ../../aliases/al", "al", .alias),
        ("ln -sfn /usr ../../aliases/al", "al", .alias),
        ("echo '# x' >> ../../manifests/$BASE/tree.mtree", "tree.mtree", .manifest),
        ("rm ../../manifests/$BASE/tree.mtree", "tree.mtree", .missing),
        ("echo x > ../../manifests/$BASE/metadata.json", "metadata.json", .manifest),
    ])
    func damageIsFound(script: String, path: String, kind: Problem.Kind) throws {
        let script = script.replacing("$BASE", with: package.baseName)
        try shell(
            "chmod -R u+w ../../manifests; \(script); find . -type f ! -perm -4000 -exec chmod a-w {} +; find . -type d -exec chmod 555 {} +"
        )
        #expect(try store.verify(package) == [Problem(path: path, kind: kind)])
    }

    /// Names that are before and behind a directory's own in the order of paths, and of which one begins another.
    @Test func namesAreFoundInTheirOrder() throws {
        let paths = [
            "a-b/y", "a.b", "a/-", "a/a", "a/b/c", "a/b/cd", "a/b0", "a/ö", "a0/z", "aa/a/a", "ab", "z",
        ]
        let base = try store.add("names") { builder in
            for path in paths { try builder.file(TreePath(parsing: path.utf8), path) }
        }.storePath
        let package = try #require(try store.package(baseName: base))
        #expect(try store.verify(package).isEmpty)
        try shell("chmod -R u+w ../\(base)")
        let extra = ["!", "a-", "a-b/a", "a-b/z", "a/b/b", "a/b/cde", "a/b1", "a0/zz", "a1", "zz", "~"]
        for path in extra { try shell("touch '../\(base)/\(path)'") }
        let found = try store.verify(package).filter { $0.kind == .extra }.map(\.path)
        #expect(found == extra.sorted())
    }

    @Test func aLostTreeIsOneProblem() throws {
        try store.root.directory(beneath: "store").removeTree(package.baseName)
        #expect(try store.verify(package) == [Problem(path: ".", kind: .missing)])
    }
}

extension [String] {
    /// The shell command of a list, run in another directory.
    func withDirectory(_ path: String) -> [String] {
        var list = self
        list[2] = "cd \(path); " + list[2]
        return list
    }
}
