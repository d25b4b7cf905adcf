import Files
import Glibc
import Store
import StoreLayout
import Testing

/// What was damaged is as it was, or named as lost.
@Suite struct RepairTests {
    let fixture: Fixture
    let store: Store
    let package: Package
    let other: Package

    init() throws {
        fixture = try Fixture()
        store = try fixture.store()
        var bases: [String] = []
        for name in ["a", "b"] {
            let note = ExtendedAttribute(name: Array("user.note".utf8), value: Array("hi".utf8))
            bases.append(
                try store.add(name, aliases: [AliasRecord(name: "al\(name)", target: "usr")]) {
                    try $0.file("usr/bin/run", "run", mode: 0o755)
                    try $0.file(TreePath(parsing: "usr/share/own-\(name)".utf8), "own \(name)")
                    try $0.file("usr/share/text", "text", attributes: [note])
                    try $0.file("usr/share/deep/er/empty", "")
                    try $0.file("usr/share/deep/er/same", "run")
                    try $0.symlink("usr/link", target: Array("bin/run".utf8))
                }.storePath)
        }
        package = try #require(try store.package(baseName: bases[0]))
        other = try #require(try store.package(baseName: bases[1]))
        try shell("cp -a . ../copy; touch -d @1 ../copy")
    }

    private func shell(_ script: String) throws {
        let script =
            script.replacing("$BASE", with: package.baseName).replacing("$OTHER", with: other.baseName)
        let run = try Fixture.run(
            ["bash", "-ec", "cd \(fixture.root); \(script)"], output: fixture.path + "/output")
        try #require(run.status == 0, "\(run.text)")
    }

    private func repair(
        _ packages: [Package]? = nil, fromCopy: Bool = true, isDryRun: Bool = false
    ) throws -> RepairResult {
        let sources = fromCopy ? [try OtherStore(root: fixture.path + "/copy")] : []
        return try store.repair(
            packages ?? store.packages(), from: sources, isDryRun: isDryRun, command: "repair")
    }

    private func found() throws -> [Inconsistency] {
        try Store.open(root: fixture.root, forWriting: false).inconsistencies(readsContents: true)
    }

    /// Everything that is in a root but for what differs from time to time, with types, permissions, times, attributes
    /// and contents.
    private func listing(_ root: String) throws -> String {
        let script = """
            cd "$1"; find aliases manifests store ! -type l -printf '%p %y %m %s\\n' | sort
            find aliases store -type l -printf '%p %l\\n' | sort
            find store -mindepth 1 -printf '%p %T@\\n' | sort
            find manifests store -type f -exec sha256sum {} + | sort
            find store ! -type l -exec getfattr -d -m user. {} + | sort
            """
        let run = try Fixture.run(
            ["bash", "-ec", script, "bash", root], output: fixture.path + "/listing")
        try #require(run.status == 0, "\(run.text)")
        return run.text
    }

    @Test func thereIsNothingToRepair() throws {
        #expect(try repair() == RepairResult())
    }

    static let damages = [
        "printf RUN > store/$BASE/usr/bin/run", "printf longer > store/$BASE/usr/bin/run",
        ": > store/$BASE/usr/share/own-a", "printf full > store/$BASE/usr/share/deep/er/empty",
        "rm store/$BASE/usr/bin/run", "rm -r store/$BASE/usr/bin", "rm -r store/$BASE/usr/share",
        "rm -r store/$BASE", "rm -r store/$BASE store/$OTHER",
        "rm store/$BASE/usr/bin/run; mkdir -p store/$BASE/usr/bin/run/with/more",
        "rm -r store/$BASE/usr/bin; ln -s /bin store/$BASE/usr/bin",
        "rm -r store/$BASE/usr; touch store/$BASE/usr",
        "ln -sfn elsewhere store/$BASE/usr/link", "rm store/$BASE/usr/link; touch store/$BASE/usr/link",
        "touch store/$BASE/usr/new", "mkdir -p store/$BASE/new/deep; chmod 0 store/$BASE/new/deep",
        "chmod 4755 store/$BASE/usr/bin/run", "chmod 777 store/$BASE/usr/share",
        "setfattr -x user.note store/$BASE/usr/share/text",
        "setfattr -n user.more -v 1 store/$BASE/usr/share",
        "setfattr -n user.note -v ho store/$OTHER/usr/share/text",
        "rm aliases/ala", "ln -sfn /usr aliases/ala", "rm aliases/ala; mkdir aliases/ala",
        "echo '# x' >> manifests/$BASE/tree.mtree", "rm manifests/$BASE/tree.mtree",
        "echo x > manifests/$BASE/source.mtree", "echo x > manifests/$BASE/metadata.json",
        "rm manifests/$BASE/metadata.json", "rm manifests/$BASE/report.json",
        "sed -i s/registered/forgotten/ manifests/$BASE/metadata.json",
        "sed -i 's/\"number\" : /&7/' manifests/$BASE/metadata.json", "rm -r manifests/$BASE",
        "rm manifests/$BASE/tree.mtree; printf RUN > store/$BASE/usr/bin/run",
        "for f in $(find store -type f); do echo > $f; done",
        "rm contents; printf RUN > store/$BASE/usr/bin/run",
    ]

    /// Lets a shell change what nobody may write to, and puts permissions back where damage left them.
    private func damage(_ script: String) throws {
        try shell(
            "chmod -R u+w store manifests; \(script); chmod 0755 manifests/*; chmod 0444 manifests/*/*; "
                + "find store -mindepth 1 -type d ! -perm -022 -exec chmod 555 {} +; "
                + "find store -type f ! -perm -4000 -exec chmod a-w {} +")
    }

    @Test(arguments: damages)
    func everythingIsAsItWas(script: String) throws {
        try damage(script)
        let result = try repair()
        #expect(result.lost == [], "\(result)")
        #expect(!result.repaired.isEmpty)
        for package in try store.packages() { #expect(try store.verify(package) == []) }
        #expect(try found() == [])
        #expect(try listing(fixture.root) == listing(fixture.path + "/copy"))
        #expect(try repair().repaired == [])
    }

    @Test(arguments: damages)
    func aDryRunChangesNothing(script: String) throws {
        try damage(script)
        let before = try listing(fixture.root)
        let result = try repair(isDryRun: true)
        #expect(!result.repaired.isEmpty)
        #expect(try listing(fixture.root) == before)
    }

    @Test func aSharedFileIsReplacedInEveryStorePath() throws {
        try damage("printf RUN > store/$BASE/usr/bin/run")
        let running = try Descriptor.file(fixture.root + "/store/\(other.baseName)/usr/bin/run")
        // Only one of the two was named.
        let result = try repair([package])
        #expect(result.lost == [])
        #expect(try store.verify(other) == [] && store.verify(package) == [])
        #expect(result.repaired.filter { $0.path.contains(other.baseName) }.count == 1)
        #expect(try running.readAll() == Array("RUN".utf8), "a program that maps it keeps what it has")
        let inodes = try [package, other].map {
            try #require(try store.status("store/\($0.baseName)/usr/bin/run")).st_ino
        }
        #expect(inodes[0] == inodes[1])
        #expect(try found() == [])
    }

    @Test func whatAnotherStorePathHasIsLinkedAgain() throws {
        try shell(
            "cd store/$BASE/usr/bin; chmod u+w .; rm -f run; printf RUN > run; chmod 555 run; chmod 555 .")
        let result = try repair(fromCopy: false)
        #expect(result.lost == [])
        #expect(result.repaired.map(\.what) == ["contents from store/\(other.baseName)/usr/bin/run"])
        let links = try [package, other].map {
            try #require(try store.status("store/\($0.baseName)/usr/bin/run")).st_nlink
        }
        #expect(links == [2, 2])
        #expect(try found() == [])
    }

    @Test func contentsComeFromAFileWithOtherPermissions() throws {
        // "run" is a program, and a text: two objects.
        try damage("printf RUN > store/$BASE/usr/bin/run")
        let result = try repair(fromCopy: false)
        #expect(result.lost == [])
        #expect(
            result.repaired.allSatisfy { $0.what.hasPrefix("contents from store/") }, "\(result.repaired)")
        #expect(try found() == [])
    }

    @Test func whatNobodyHasIsNamedFileByFile() throws {
        try damage("printf OWN > store/$BASE/usr/share/own-a; printf RUN > store/$BASE/usr/bin/run")
        let result = try repair(fromCopy: false)
        #expect(result.lost.map(\.path) == ["store/\(package.baseName)/usr/share/own-a"])
        #expect(result.lost[0].what == "no source has its contents")
        #expect(try store.verify(package).map(\.path) == ["usr/share/own-a"])
        #expect(try store.verify(other) == [])
        // With the same contents elsewhere it is found.
        #expect(try repair().lost == [])
        #expect(try found() == [])
    }

    @Test func aSourceThatLiesIsNotBelieved() throws {
        try damage("printf OWN > store/$BASE/usr/share/own-a")
        try shell(
            "cd ../copy; chmod -R u+w store; for f in $(find store -type f); do printf 'own b' > $f; done")
        #expect(try repair().lost.map(\.path) == ["store/\(package.baseName)/usr/share/own-a"])
        #expect(try store.verify(package).map(\.path) == ["usr/share/own-a"])
    }

    @Test func generationsAndLaunchersAreMadeAgain() throws {
        let exposure = Exposure(
            commands: [
                .init(name: "run", path: "usr/bin/run", needsLauncher: true),
                .init(name: "plain", path: "usr/bin/run", needsLauncher: false),
            ], data: ["usr/share/text"])
        let text = Array("sxs-launch 1\n".utf8)
        let shown = GenerationPackage(baseName: package.baseName, exposure: exposure, launchDescription: text)
        try store.withWriterLock(command: "test") {
            _ = try store.makeGeneration(
                profile: mainProfile, packages: [shown], parent: nil, command: "test")
            try store.activate(1, in: mainProfile)
        }
        try shell(
            """
            cd profiles/default; rm current generation-1/bin/plain generation-1/generation.json
            ln -sfn /bin/sh generation-1/bin/run; rm -r generation-1/share
            rm -f ../../shims/$BASE/launch; ln -sfn /bin/sh ../../shims/$BASE/run
            ln -s /usr/store/00000000000000000000000000000000-x-1 ../../aliases/stray
            """)
        let repaired = try store.repairProfiles(
            isDryRun: false, command: "repair",
            launchDescription: { base, exposure in
                #expect(base == package.baseName && exposure.commands.map(\.name) == ["run"])
                return text
            }, isReadable: { found, _ in found == text })
        #expect(repaired.lost == [])
        #expect(try found() == [])
        #expect(
            try store.root.readSymlink("profiles/default/generation-1/bin/run")
                == Array("../../../../shims/\(package.baseName)/run".utf8))
    }

    @Test func theActiveGenerationIsNotGuessed() throws {
        for parent in [nil, 1] {
            try store.withWriterLock(command: "test") {
                let made = try store.makeGeneration(
                    profile: mainProfile,
                    packages: [
                        GenerationPackage(
                            baseName: package.baseName, exposure: Exposure(data: ["usr/share/text"]))
                    ], parent: parent, command: "test")
                try store.activate(made.number, in: mainProfile)
            }
        }
        try shell("rm profiles/default/current")
        let result = try store.repairProfiles(
            isDryRun: false, command: "repair", launchDescription: { _, _ in nil },
            isReadable: { _, _ in true })
        #expect(result.lost.map(\.path) == ["profiles/default/current"])
        #expect(result.lost[0].what.contains("choose one of 1, 2"))
        try store.activate(2, in: mainProfile)
        #expect(try found() == [])
    }
}
