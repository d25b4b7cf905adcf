import Files
import Foundation
import StoreLayout
import Testing

@testable import Relocation

@Suite struct ReportTests {
    @Test func anImageWithNothingLeftScoresAHundred() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/thing")
        try fixture.text("usr/lib/a", "/usr/share/thing\n")
        let report = try fixture.relocate().report
        #expect(report.score == 100)
        #expect(report.worstFiles.isEmpty)
    }

    @Test func anImageWithNothingToMoveScoresAHundred() throws {
        let fixture = try RelocationFixture()
        try fixture.text("usr/lib/a", "text\n")
        #expect(try fixture.relocate().report.score == 100)
    }

    /// One path of weight 100 is moved in each; what is left beside it says how much that is worth.
    @Test(
        arguments: [
            // Too short, but every host has it: 1 of 101.
            ("usr/lib/x", "/usr/bin\n", RelocationReport.Reason.tooShort, .slight, 99.0),
            // Too short, and a program's data: 100 of 200.
            ("usr/lib/x", "/usr/lib/ab\n", .tooShort, .matters, 50.0),
            // Another file is matched against it: 1 of 101.
            ("usr/lib/x.mgc", "/usr/share/thing\n", .sealed, .slight, 99.0),
            // Its interpreter is the host's: 1000 of 1100.
            (
                "usr/bin/x", "#!/usr/bin/ab " + String(repeating: "x", count: 240) + "\n",
                .longShebang, .severe, 9.0
            ),
        ] as [(String, String, RelocationReport.Reason, RelocationReport.Severity, Double)])
    func theScoreWeighsWhatIsLeft(
        path: String, text: String, reason: RelocationReport.Reason, severity: RelocationReport.Severity,
        score: Double
    ) throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/thing")
        fixture.directory("usr/lib/ab")
        try fixture.file("usr/bin/ab", [1], mode: 0o755)
        try fixture.text("usr/lib/moved", "/usr/share/thing\n")
        try fixture.text(try TreePath(parsing: path.utf8), text)
        let report = try fixture.relocate().report
        let file = try #require(report.files.first { $0.path == path })
        #expect(file.left.map(\.reason) == [reason])
        #expect(file.severity == severity)
        #expect(report.score == score)
    }

    @Test func whatIsSevereComesFirst() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/lib/ab")
        let many = String(repeating: "/usr/lib/ab\n", count: 20)
        try fixture.text("usr/lib/many", many)
        try fixture.text("usr/lib/few", "/usr/lib/ab\n")
        try fixture.text("usr/bin/script", "#!/usr/bin/tclsh\n")
        let report = try fixture.relocate().report
        #expect(report.worstFiles.map(\.path) == ["usr/bin/script", "usr/lib/many", "usr/lib/few"])
        #expect(report.severeFiles.map(\.path) == ["usr/bin/script"])
    }

    @Test func aReportIsReadAsItWasWritten() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/lib/ab")
        try fixture.text("usr/lib/a", "/usr/lib/ab\n")
        var report = try fixture.relocate().report
        report.dropped = ["set-id bit": ["usr/bin/su"]]
        let data = try JSONEncoder().encode(report)
        #expect(try JSONDecoder().decode(RelocationReport.self, from: data) == report)
        // One that knows nothing of what was dropped.
        var old = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        old["dropped"] = nil
        report.dropped = [:]
        let oldData = try JSONSerialization.data(withJSONObject: old)
        #expect(try JSONDecoder().decode(RelocationReport.self, from: oldData) == report)
    }
}

/// Names of aliases that are the same, forced by asking for very many: 12 bytes leave 30 bits.
@Suite struct AliasNameTests {
    @Test func namesThatClashAreToldApart() throws {
        let storePath = StorePath(
            StorePath.Identity(
                tree: Digest(hashing: []), name: try PackageName("many"), version: try PackageVersion("1"),
                architecture: .any))
        let requests = try (0..<100_000).map {
            AliasNames.Request(length: shortestAlias, target: try TreePath(parsing: "usr/\($0)".utf8))
        }
        let first = Dictionary(grouping: requests) { AliasNames.name($0, storePath: storePath, attempt: 0) }
        let clashes = first.values.filter { $0.count > 1 }
        // 100,000 of 62^5 names: five pairs or so, the same in every run.
        try #require(!clashes.isEmpty)
        let names = AliasNames.assign(Set(requests), storePath: storePath)
        #expect(Set(names.values).count == requests.count)
        #expect(names.values.allSatisfy { $0.utf8.count == 5 })
        for clash in clashes {
            let sorted = clash.sorted()
            // The first in order keeps the name; the next gets the next.
            #expect(names[sorted[0]] == AliasNames.name(sorted[0], storePath: storePath, attempt: 0))
            #expect(names[sorted[1]] == AliasNames.name(sorted[1], storePath: storePath, attempt: 1))
        }
        // In whatever order they come.
        let again = AliasNames.assign(Set(requests.reversed()), storePath: storePath)
        #expect(again == names)
    }
}
