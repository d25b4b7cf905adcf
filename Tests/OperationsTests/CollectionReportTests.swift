import Files
import Foundation
import Operations
import Store
import StoreLayout
import Testing

@Suite struct CollectionReportTests {
    /// The report as the encoder writes it.
    private func encoded(_ report: CollectionReport) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(report), as: UTF8.self)
    }

    @Test func itsJSONIsThatOfTheEncoder() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let session = try fixture.session("root")
        _ = try session.install(["dir:" + fixture.tree.path], options: fixture.options())
        var options = CollectionOptions()
        options.isDryRun = true
        let kept = try session.collectGarbage(options)
        #expect(kept.kept.count == 1 && kept.removed.isEmpty)
        #expect(String(decoding: kept.json(), as: UTF8.self) == (try encoded(kept)))

        // One that goes, and roots whose names need escapes.
        try "more\n".write(
            to: fixture.tree.appendingPathComponent("more"), atomically: false, encoding: .utf8)
        _ = try session.importImage(
            "dir:" + fixture.tree.path,
            options: ImportOptions(name: PackageName("other"), version: PackageVersion("1")))
        for name in ["a\"b\\c", "tab\there", "line\nend", "bell\u{7}", "umlaut ä", "\u{8}\u{c}\r\u{1f}"] {
            try FileManager.default.createSymbolicLink(
                atPath: session.root + "/gcroots/" + name, withDestinationPath: "/nowhere/\(name)")
        }
        let plan = try session.collectGarbage(options)
        #expect(plan.removed.map(\.name) == ["other"] && plan.dangling.count == 6)
        #expect(String(decoding: plan.json(), as: UTF8.self) == (try encoded(plan)))
        options.limit = 0
        let spared = try session.collectGarbage(options)
        #expect(spared.spared.count == 1)
        #expect(String(decoding: spared.json(), as: UTF8.self) == (try encoded(spared)))
    }

    @Test func nothingGoesWhereEnoughIsFree() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let session = try fixture.session("root")
        _ = try session.importImage("dir:" + fixture.tree.path, options: fixture.options())
        var options = CollectionOptions()
        options.wantedFree = 1
        #expect(try session.collectGarbage(options).removed.isEmpty)
        options.wantedFree = .max
        #expect(try session.collectGarbage(options).removed.count == 1)
    }
}
