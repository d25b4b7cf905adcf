import Files
import Foundation
import Operations
import StoreLayout
import Testing

@testable import Relocation

/// `--strict`, what it refuses, and what the report says where it is not said.
@Suite struct StrictTests {
    /// A tree with a script whose interpreter the image lacks, or with half a program.
    static func writeBad(_ kind: String, in fixture: WalkFixture) throws {
        try fixture.writeHello()
        if kind == "interpreter" {
            try fixture.write("usr/bin/tcl", "#!/usr/bin/tclsh\n", mode: 0o755)
        } else {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "/bin/cat"))
            try bytes.prefix(bytes.count / 2).write(to: fixture.tree.appending(path: "usr/bin/half"))
        }
    }

    @Test(arguments: [("interpreter", "usr/bin/tcl"), ("damaged", "usr/bin/half")])
    func strictRefusesAndNothingIsRegistered(kind: String, file: String) throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        _ = try fixture.session().install([fixture.tar("other-1.tar")])
        try Self.writeBad(kind, in: fixture)
        let image = try fixture.tar("hello-1.tar")
        let before = try fixture.state()
        var options = try fixture.options()
        options.isStrict = true
        for attempt in [
            { _ = try fixture.session().importImage(image, options: options) },
            { _ = try fixture.session().install([image], options: options) },
        ] {
            do {
                try attempt()
                Issue.record("it was taken")
            } catch {
                #expect("\(error)".contains(file) && "\(error)".contains("hint: "), "\(error)")
            }
        }
        #expect(try fixture.state() == before)
        #expect(try fixture.session().pathInfo([]).map(\.name) == ["other"])

        // Without it the import goes on, and the report names the file; then strict refuses what is there, too.
        options.isStrict = false
        _ = try fixture.session().importImage(image, options: options)
        let report = try fixture.session().report("hello")
        #expect(report.files.first?.path == file)
        #expect(report.files.first?.severity == .severe)
        #expect(report.score < 100)
        options.isStrict = true
        #expect(throws: OperationError.self) { try fixture.session().importImage(image, options: options) }
        #expect(throws: OperationError.self) { try fixture.session().install(["hello"], options: options) }
    }

    @Test func strictTakesASoundImage() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        var options = try fixture.options()
        options.isStrict = true
        let change = try fixture.session().install([fixture.tar("hello-1.tar")], options: options)
        #expect(change.commands.contains("hello"))
        let report = try fixture.session().report("hello")
        #expect(report.score == 100)
        #expect(report.classes.map(\.name).contains("symlink"))
    }

    @Test func filesThatLostRightsAreNamed() throws {
        let fixture = try WalkFixture()
        let image = try BadInputTests.tar(
            fixture,
            """
            add('usr/bin/su', mode=0o4755); add('usr/bin/write', mode=0o2755); add('usr/bin/x', mode=0o755)
                add('usr/bin/ping', pax_headers={'SCHILY.xattr.security.capability': '\\x01\\x00\\x00\\x02'})
            """.replacingOccurrences(of: "\n    ", with: "\n"))
        _ = try fixture.session().importImage(image, options: ImportOptions())
        let report = try fixture.session().report("bad")
        #expect(
            report.dropped == [
                "set-id bit": ["usr/bin/su", "usr/bin/write"], "file capability": ["usr/bin/ping"],
            ])
        #expect(
            report.classes.filter { $0.kind == .dropped }.map { "\($0.count) \($0.name)" } == [
                "1 file capability", "2 set-id bit",
            ])
    }

    @Test func aDamagedReportIsToldAndNotFatal() throws {
        let fixture = try WalkFixture()
        try fixture.writeHello()
        let base = try fixture.session().importImage(
            fixture.tar("hello-1.tar"), options: fixture.options()
        ).metadata.storePath
        try fixture.run(
            "sh",
            [
                "-c",
                "chmod u+w root/manifests/\(base)/report.json; echo '{' > root/manifests/\(base)/report.json",
            ])
        do {
            _ = try fixture.session().report("hello")
            Issue.record("it was read")
        } catch {
            #expect("\(error)".contains("report.json") && "\(error)".contains("hint: "), "\(error)")
        }
    }
}

/// An alias that another store path of the root has, forced by trying versions until two share a name of 30 bits.
@Suite struct AliasClashTests {
    @Test func anImageWhoseAliasIsTakenGetsAnotherStorePath() throws {
        let fixture = try WalkFixture()
        try fixture.write("usr/lib/abc", "data")
        try fixture.write("usr/share/list", "/usr/lib/abc\n")
        let image = try fixture.tar("clash.tar")
        let first = try fixture.session("first").importImage(image, options: fixture.options("clash", "0"))
        let tree = try #require(Digest(hex: first.metadata.tree))
        let request = AliasNames.Request(length: 12, target: "usr/lib/abc")
        #expect(first.metadata.aliases.map(\.target) == ["usr/lib/abc"])

        var versions: [String: Int] = [:]
        var pair: (Int, Int)?
        for version in 0..<1_000_000 where pair == nil {
            let identity = StorePath.Identity(
                tree: tree, name: try PackageName("clash"), version: try PackageVersion("\(version)"),
                architecture: first.metadata.architecture)
            let name = AliasNames.name(request, storePath: StorePath(identity), attempt: 0)
            if let other = versions.updateValue(version, forKey: name) { pair = (other, version) }
        }
        let (one, other) = try #require(pair)
        let session = try fixture.session()
        let owner = try session.importImage(image, options: fixture.options("clash", "\(one)")).metadata
        let salted = try session.importImage(image, options: fixture.options("clash", "\(other)")).metadata
        #expect(owner.aliasSalt == 0)
        #expect(salted.aliasSalt == 1)
        #expect(salted.aliases.map(\.name) != owner.aliases.map(\.name))
        // The owner's link is as it was, and the salted one leads to its own tree.
        for package in [owner, salted] {
            let link = try fixture.run("readlink", ["root/aliases/\(package.aliases[0].name)"])
            #expect(link == "/usr/store/\(package.storePath)/usr/lib/abc\n")
        }
        // Where the name is free, it is taken: the salt came from the clash alone. And again it is the same.
        let alone = try fixture.session("alone").importImage(
            image, options: fixture.options("clash", "\(other)")
        ).metadata
        #expect(alone.aliasSalt == 0 && alone.aliases.map(\.name) == owner.aliases.map(\.name))
        let again = try session.importImage(image, options: fixture.options("clash", "\(other)"))
        #expect(again.wasKnown && again.metadata.storePath == salted.storePath)
    }
}
