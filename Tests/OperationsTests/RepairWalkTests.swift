import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// What was damaged comes back from the image: imported anew, relocated anew, and believed where the same comes out.
@Suite struct RepairWalkTests {
    let fixture: WalkFixture
    let image: String
    let metadata: Metadata

    init() throws {
        fixture = try WalkFixture()
        try fixture.writeHello()
        image = try fixture.tar("hello-1.tar")
        metadata = try fixture.session().importImage(image, options: ImportOptions()).metadata
    }

    /// Overwrites a file in place, with all its names.
    private func damage(_ path: String = "usr/bin/hello") throws {
        let file = fixture.directory.appending(path: "root/store/\(metadata.storePath)/\(path)").path
        try fixture.run("sh", ["-c", "chmod u+w '\(file)' && echo other > '\(file)' && chmod 555 '\(file)'"])
    }

    private func isWhole() throws -> Bool {
        let session = try fixture.session()
        return try session.verify([]).allSatisfy(\.problems.isEmpty)
            && session.examineStore(readsContents: true).findings.isEmpty
    }

    @Test func theImageOfTheImportIsFoundAgain() throws {
        try damage()
        #expect(try !isWhole())
        let report = try fixture.session().repair(["hello"], options: RepairOptions())
        #expect(report.lost == [])
        #expect(report.repaired.contains { $0.path.hasSuffix("usr/bin/hello") && $0.what.contains(image) })
        #expect(try isWhole())
        // The relocated script, not the image's.
        let script = try String(
            contentsOf: fixture.directory.appending(
                path: "root/store/\(metadata.storePath)/usr/bin/hello"), encoding: .utf8)
        #expect(script.contains(StoreLayout.aliasDirectory))
    }

    @Test func anImageCanBeNamed() throws {
        try damage()
        let moved = fixture.directory.appending(path: "moved-2.tar").path
        try fixture.run("mv", [image, moved])
        let lost = try fixture.session().repair([], options: RepairOptions())
        #expect(lost.lost.count == 1 && lost.lost[0].path.hasSuffix("usr/bin/hello"))
        var options = RepairOptions()
        options.images = [moved]
        #expect(try fixture.session().repair([], options: options).lost == [])
        #expect(try isWhole())
    }

    @Test func anotherImageIsRefused() throws {
        try damage()
        try fixture.run("rm", [image])
        try fixture.writeHello(greeting: "another")
        var options = RepairOptions()
        options.images = [try fixture.tar("other-1.tar")]
        let report = try fixture.session().repair([], options: options)
        #expect(report.lost.contains { $0.what.contains("and not \(metadata.storePath)") }, "\(report)")
        #expect(try !isWhole())
        options.images = ["/nowhere.tar"]
        #expect(throws: (any Error).self) { try fixture.session().repair([], options: options) }
    }

    @Test(arguments: ["metadata.json", "tree.mtree", "source.mtree", "report.json"])
    func aManifestComesFromTheImage(file: String) throws {
        let path = fixture.directory.appending(path: "root/manifests/\(metadata.storePath)/\(file)")
        let before = try Data(contentsOf: path)
        try fixture.run("rm", ["-f", path.path])
        if file == "tree.mtree" { try damage() }
        let report = try fixture.session().repair([], options: RepairOptions())
        #expect(report.lost == [])
        #expect(try Data(contentsOf: path) == before)
        #expect(try isWhole())
    }

    @Test func launchersAreMadeAgain() throws {
        let session = try fixture.session()
        _ = try session.install([image])
        let root = fixture.directory.appending(path: "root").path
        let before = try fixture.run("sh", ["-c", "cat \(root)/shims/*/launch"])
        try fixture.run(
            "sh", ["-c", "rm -rf \(root)/shims/* \(root)/libexec/sxs \(root)/profiles/default/current"])
        #expect(try session.examineStore(readsContents: false).hasErrors)
        let report = try session.repair([], options: RepairOptions())
        #expect(report.lost == [])
        #expect(try fixture.run("sh", ["-c", "cat \(root)/shims/*/launch"]) == before)
        #expect(try isWhole())
    }
}
