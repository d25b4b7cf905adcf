import Files
import Foundation
import FuzzChecks
import StoreLayout
import Testing

@testable import Relocation

/// Java archives whose manifests name others, made and read by Python's zipfile.
@Suite struct JarTests {
    /// Makes an archive with a manifest between two other entries.
    static func jar(
        _ lines: [String], newline: String = "\r\n", kind: String = "deflated", more: [String] = []
    ) throws -> Bytes {
        let script = """
            import io, sys, zipfile
            kind, manifest, more = sys.argv[1], sys.argv[2], sys.argv[3:]
            class Pipe(io.RawIOBase):
                def writable(self): return True
                def write(self, data): return sys.stdout.buffer.write(data)
            out = Pipe() if kind == 'streamed' else io.BytesIO()
            z = zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED if kind == 'stored' else zipfile.ZIP_DEFLATED)
            z.writestr('first.txt', 'x' * 300)
            z.writestr('META-INF/MANIFEST.MF', manifest)
            for name in more: z.writestr(name, name)
            z.writestr('last.class', bytes(range(256)) * 9)
            if kind == 'comment': z.comment = b'a comment'
            z.close()
            if kind != 'streamed': sys.stdout.buffer.write(out.getvalue())
            """
        return try python(script, [kind, lines.joined(separator: newline) + newline] + more)
    }

    static func python(_ script: String, _ arguments: [String]) throws -> Bytes {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script] + arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.fileReadCorruptFile) }
        return Bytes(data)
    }

    /// The manifest of an archive whose entries all have the checksums they say, and their names.
    private func read(_ jar: Bytes) throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "sxs-jar-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(jar).write(to: file)
        let script = """
            import sys, zipfile
            z = zipfile.ZipFile(sys.argv[1])
            assert z.testzip() is None
            assert len(z.read('last.class')) == 256 * 9 and len(z.read('first.txt')) == 300
            sys.stdout.buffer.write(z.read('META-INF/MANIFEST.MF'))
            """
        return String(decoding: try Self.python(script, [file.path]), as: UTF8.self)
    }

    private func fixture(_ jar: Bytes) throws -> RelocationFixture {
        let fixture = try RelocationFixture()
        for name in ["a", "guava", "one-with-a-very-long-name-indeed-so-that-lines-are-folded"] {
            try fixture.text(TreePath("usr/share/java").appending(Array((name + ".jar").utf8)), "x")
        }
        try fixture.file("usr/share/java/tool.jar", jar)
        return fixture
    }

    @Test(arguments: ["deflated", "stored", "streamed", "comment"], ["\r\n", "\n"])
    func pathsOfTheImageInTheClassPathBecomeStorePaths(kind: String, newline: String) throws {
        let jar = try Self.jar(
            [
                "Manifest-Version: 1.0", "Class-Path: /usr/share/java/a.jar file:/usr/share/java/gua",
                " va.jar b.jar /usr/share/java/gone.jar /usr/share/java/one-with-a-very-lo",
                " ng-name-indeed-so-that-lines-are-folded.jar", "Main-Class: T", "", "Name: x",
                "Class-Path: /usr/share/java/a.jar", "",
            ], newline: newline, kind: kind)
        let fixture = try fixture(jar)
        let relocated = try fixture.relocate()
        let store = relocated.storePath.path
        let lines = try read(fixture.bytes("usr/share/java/tool.jar", of: relocated.tree)).replacing(
            newline, with: "\n"
        ).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.allSatisfy { $0.utf8.count <= 72 })
        #expect(
            lines.joined(separator: "\n").replacing("\n ", with: "") == """
                Manifest-Version: 1.0
                Class-Path: \(store)/usr/share/java/a.jar file:\(store)/usr/share/java/guava.jar b.jar \
                /usr/share/java/gone.jar \
                \(store)/usr/share/java/one-with-a-very-long-name-indeed-so-that-lines-are-folded.jar
                Main-Class: T

                Name: x
                Class-Path: /usr/share/java/a.jar


                """)
        let report = relocated.report.files.first { $0.path == "usr/share/java/tool.jar" }
        #expect(report?.done == [.storePath: 3])
        #expect(report?.left.map(\.reason) == [.compressed])
    }

    @Test func whatNamesNothingOfTheImageOrIsSignedStays() throws {
        let path = "Class-Path: /usr/share/java/a.jar"
        for (lines, more) in [
            (["Class-Path: b.jar /opt/x.jar"], []), (["Main-Class: x"], []), ([""], []),
            (["Class-Path: //usr/share/java/a.jar"], []), ([path], ["META-INF/A.SF", "META-INF/A.RSA"]),
        ] as [([String], [String])] {
            let jar = try Self.jar(lines, more: more)
            let fixture = try fixture(jar)
            let relocated = try fixture.relocate()
            #expect(try fixture.bytes("usr/share/java/tool.jar", of: relocated.tree) == jar, "\(lines)")
            let reasons = relocated.left("usr/share/java/tool.jar").map(\.reason)
            #expect(reasons == (more.isEmpty ? [.compressed] : [.compressed, .sealed]))
        }
    }

    @Test func aDamagedArchiveStaysAndHarmsNobody() throws {
        let jar = try Self.jar(["Class-Path: /usr/share/java/a.jar"])
        var generator = Mutator(seed: 11)
        var changed = 0
        for turn in 0..<4000 {
            var damaged = jar
            if turn % 4 == 0 {
                damaged.removeLast(Int.random(in: 1...jar.count, using: &generator))
            } else {
                // Mostly in headers and the directory, where lengths and offsets are.
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let index = Int.random(in: 0..<jar.count, using: &generator)
                    damaged[index] = [0, 0xff, .random(in: 0...255, using: &generator)][turn % 3]
                }
            }
            damaged.withUnsafeBytes { bytes in
                guard let manifest = try? JarManifest(of: bytes) else { return }
                let (text, count) = manifest.changing { $0 + Bytes("x".utf8) }
                guard count > 0 else { return }
                let edits = manifest.edits(for: text, in: bytes)
                #expect(edits?.allSatisfy { $0.range.upperBound <= bytes.count } == true)
                #expect(edits.map { $0[0].range.upperBound <= $0[1].range.lowerBound } == true)
                changed += 1
            }
        }
        #expect(changed > 100, "most mutants do not get past the end record")
    }
}
