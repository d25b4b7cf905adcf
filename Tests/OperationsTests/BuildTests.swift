import Foundation
import Operations
import StoreLayout
import Testing

/// Recipes are built: into the store, and as images.
@Suite struct BuildTests {
    private let fixture: WalkFixture
    private var recipe: String { fixture.directory.appending(path: "tools.yaml").path }

    init() throws {
        fixture = try WalkFixture()
        let one = try fixture.deb(
            "one",
            files: ["usr/bin/one": "#!/bin/sh\n", "usr/share/one/drop": "x", "usr/share/one/keep": "x"])
        try fixture.run("mv", [one, fixture.directory.appending(path: "one.deb").path])
        try fixture.write(
            "tools.yaml",
            """
            name: tools
            version: 7
            description: what the test needs
            packages: ./one.deb
            drop: usr/share/one/drop
            expose: [one, eins]
            environment: {ONE_STYLE: plain}
            files:
              usr/bin/eins: {link: one}
              etc/one.conf:
                source: ./one.conf
                mode: 0640
            """, in: fixture.directory)
        try fixture.write("one.conf", "a=b\n", in: fixture.directory)
    }

    private func text() throws -> String {
        try String(contentsOfFile: recipe, encoding: .utf8)
    }

    @Test func aRecipeGivesTheSameOnTwoRootsAndAnImage() throws {
        let session = try fixture.session("one")
        let image = fixture.directory.appending(path: "tools.raw").path
        let first = try session.build(recipe, output: image)
        #expect(!first.isLocked && first.image?.path == image)
        let metadata = first.package.metadata
        #expect(
            metadata.name == "tools" && metadata.version == "7" && metadata.summary == "what the test needs")
        #expect(metadata.exposure.commands.map(\.name) == ["eins", "one"])
        #expect(metadata.launch.rules?.first?.environment == ["ONE_STYLE": "plain"])
        let top = fixture.directory.appending(path: "one/store/\(metadata.storePath)")
        #expect(try String(contentsOf: top.appending(path: "etc/one.conf"), encoding: .utf8) == "a=b\n")
        #expect(!FileManager.default.fileExists(atPath: top.appending(path: "usr/share/one/drop").path))
        #expect(FileManager.default.fileExists(atPath: top.appending(path: "usr/share/one/keep").path))
        let lock = try session.lock(recipe, isUpdate: false)
        #expect(lock.added == ["./one.deb"])
        try fixture.run("mkdir", ["other"])
        let other = fixture.directory.appending(path: "other/tools.raw").path
        let second = try fixture.session("two").build(recipe, output: other)
        #expect(second.isLocked && second.package.metadata.storePath == metadata.storePath)
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: image)) == Data(contentsOf: URL(fileURLWithPath: other))
        )
    }

    @Test func aPackageThatIsNotTheLockedOneIsRefused() throws {
        let session = try fixture.session()
        _ = try session.lock(recipe, isUpdate: false)
        let newer = try fixture.deb("one", version: "2", files: ["usr/bin/one": "#!/bin/sh\necho 2\n"])
        try fixture.run("mv", [newer, fixture.directory.appending(path: "one.deb").path])
        #expect(throws: RecipeError.self) { try session.build(recipe, output: nil) }
        #expect(throws: RecipeError.self) { try session.lock(recipe, isUpdate: false) }
        #expect(try session.pathInfo([]).isEmpty)
        #expect(try session.lock(recipe, isUpdate: true).changed == ["./one.deb"])
        #expect(try session.build(recipe, output: nil).isLocked)
        try fixture.write(
            "tools.yaml",
            try text().replacing("packages: ./one.deb", with: "packages: [./one.deb, ./two.deb]"),
            in: fixture.directory)
        #expect(throws: RecipeError.unlocked("./two.deb", lock: recipe + ".lock")) {
            try session.build(recipe, output: nil)
        }
    }
}
