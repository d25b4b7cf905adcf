import Files
import Glibc
import Store
import StoreLayout
import Testing

/// Every way in which files, index and profiles can contradict each other is found, and named by its path.
@Suite struct ConsistencyTests {
    let fixture: Fixture
    let store: Store
    let base: String

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
        let exposure = Exposure(
            commands: [
                .init(name: "run", path: "usr/bin/run", needsLauncher: true),
                .init(name: "plain", path: "usr/bin/run", needsLauncher: false),
            ], data: ["usr/share/text"])
        base = try store.add("a", exposure: exposure, aliases: [AliasRecord(name: "al", target: "usr")]) {
            try $0.file("usr/bin/run", "run", mode: 0o755)
            try $0.file("usr/share/text", "text")
            try $0.symlink("usr/link", target: Array("bin/run".utf8))
        }.storePath
        let shown = GenerationPackage(
            baseName: base, exposure: exposure, launchDescription: Array("sxs-launch 1\n".utf8))
        for parent in [nil, 1] {
            try store.withWriterLock(command: "test") {
                let made = try store.makeGeneration(
                    profile: mainProfile, packages: [shown], parent: parent, command: "test \(parent ?? 0)")
                try store.activate(made.number, in: mainProfile)
            }
        }
    }

    private func shell(_ script: String) throws {
        let script = script.replacing("$BASE", with: base)
        let run = try Fixture.run(
            ["sh", "-ec", "cd \(fixture.root); \(script)"], output: fixture.path + "/output")
        try #require(run.status == 0, "\(run.text)")
    }

    private func found(contents: Bool = false) throws -> [Inconsistency] {
        try Store.open(root: fixture.root, forWriting: false).inconsistencies(readsContents: contents)
    }

    @Test(arguments: [false, true])
    func aStoreThatNobodyTouchedHasNone(contents: Bool) throws {
        #expect(try found(contents: contents) == [])
    }

    /// Damage, and code and path of what is found.
    static let damages: [(String, String, String)] = [
        ("rm -r manifests/$BASE", "manifest", "manifests/$BASE"),
        (
            "sed -i s/registered/forgotten/ manifests/$BASE/metadata.json", "manifest",
            "manifests/$BASE/metadata.json"
        ),
        (
            "sed -i 's/\"number\" : 1/\"number\" : 5/' manifests/$BASE/metadata.json", "index",
            "manifests/$BASE/metadata.json"
        ),
        (
            "chmod u+w manifests/$BASE/*; echo >> manifests/$BASE/source.mtree", "manifest",
            "manifests/$BASE/source.mtree"
        ),
        (
            "chmod u+w manifests/$BASE/*; echo >> manifests/$BASE/tree.mtree", "manifest",
            "manifests/$BASE/tree.mtree"
        ),
        ("rm -f manifests/$BASE/report.json", "manifest", "manifests/$BASE/report.json"),
        ("chmod 666 manifests/$BASE/report.json", "unsafe", "manifests/$BASE/report.json"),
        ("chmod 777 store", "unsafe", "store"),
        ("chmod 666 index.sqlite", "unsafe", "index.sqlite"),
        ("rm aliases/al", "alias", "aliases/al"),
        ("ln -s /usr/store/nobody aliases/stray", "alias", "aliases/stray"),
        (
            "chmod u+w store/$BASE/usr/bin; rm -f store/$BASE/usr/bin/run; chmod 555 store/$BASE/usr/bin",
            "tree", "store/$BASE/usr/bin/run"
        ),
        ("chmod 4555 store/$BASE/usr/bin/run", "tree", "store/$BASE/usr/bin/run"),
        (
            "mkdir store/00000000000000000000000000000000-x-1", "leftover",
            "store/00000000000000000000000000000000-x-1"
        ),
        (
            "mkdir manifests/00000000000000000000000000000000-x-1", "leftover",
            "manifests/00000000000000000000000000000000-x-1"
        ),
        (
            "mkdir shims/00000000000000000000000000000000-x-1", "leftover",
            "shims/00000000000000000000000000000000-x-1"
        ),
        ("touch store/mine", "stray", "store/mine"),
        ("rm shims/$BASE/run", "link", "profiles/default/generation-1/bin/run"),
        ("rm -f shims/$BASE/launch", "launcher", "shims/$BASE/launch"),
        ("ln -sfn /bin/sh shims/$BASE/run", "launcher", "shims/$BASE/run"),
        ("rm profiles/default/current", "current", "profiles/default/current"),
        ("ln -sfn generation-9 profiles/default/current", "current", "profiles/default/current"),
        ("rm profiles/default/generation-1/bin/plain", "link", "profiles/default/generation-1/bin/plain"),
        ("rm -r profiles/default/generation-1/share", "link", "profiles/default/generation-1/share"),
        ("mv profiles/default/generation-1 x", "generation", "profiles/default/generation-1"),
        (
            "cp -a profiles/default/generation-1 profiles/default/generation-7", "generation",
            "profiles/default/generation-7"
        ),
        (
            "echo x > profiles/default/generation-1/p; mv -f profiles/default/generation-1/p profiles/default/generation-1/packages",
            "generation", "profiles/default/generation-1/packages"
        ),
        (
            "sed -i s/test/other/ profiles/default/generation-1/generation.json", "index",
            "profiles/default/generation-1/generation.json"
        ),
        ("mkdir tmp/left", "leftover", "tmp/left"),
        (
            "python3 -c \"import sqlite3; d=sqlite3.connect('index.sqlite'); d.execute('update package set size=1'); d.commit()\"",
            "index", "manifests/$BASE/metadata.json"
        ),
        (
            "python3 -c \"import sqlite3; d=sqlite3.connect('index.sqlite'); d.execute('delete from alias'); d.commit()\"",
            "index", "manifests/$BASE/metadata.json"
        ),
        (
            "python3 -c \"import sqlite3; d=sqlite3.connect('index.sqlite'); d.execute('update package_objects set objects=x\\'00\\''); d.commit()\"",
            "index", "manifests/$BASE/tree.mtree"
        ),
        (
            "python3 -c \"import sqlite3; d=sqlite3.connect('index.sqlite'); d.execute('insert into alias values (\\'zz\\', 99, \\'usr\\')'); d.commit()\"",
            "index", "index.sqlite"
        ),
    ]

    @Test(arguments: damages)
    func damageIsFound(script: String, code: String, path: String) throws {
        try shell(script)
        let path = path.replacing("$BASE", with: base)
        let found = try found()
        #expect(found.contains { $0.code == code && $0.path.hasSuffix(path) }, "\(found)")
    }

    @Test func contentsAreReadWhereThatIsWanted() throws {
        try shell("f=store/$BASE/usr/bin/run; chmod u+w $f; printf RUN > $f; chmod 555 $f")
        #expect(try found() == [])
        let codes = try found(contents: true).map { [$0.code, $0.path] }
        #expect(codes == [["tree", "store/\(base)/usr/bin/run"]])
    }
}
