import Files
import Foundation
import Images
import Store
import StoreLayout
import Testing

@testable import Operations

/// Image files that are known by their digests.
@Suite struct KnownFilesTests {
    private let fixture: WalkFixture

    init() throws { fixture = try WalkFixture() }

    /// A file, its digest known before it is read, and changed by then: what is read is not what the digest is of.
    @Test func aFileThatIsChangedAfterItWasHashedHasNoDigest() throws {
        try fixture.writeHello()
        let first = try fixture.tar("first.tar")
        let session = try fixture.session()
        // Known files are those that were settled when they were looked at.
        try fixture.run("touch", ["-d", "1 hour ago", first])
        let store = try session.openStoreForWriting()
        let mark = try KnownFiles.Mark(Descriptor.file(first))
        var known = KnownFiles(in: store.root)
        try known.remember(mark, Digest(hashing: Descriptor.file(first)))
        // A copy is hashed before it is read, because of its size.
        let copy = fixture.directory.appending(path: "copy.tar").path
        try fixture.run("cp", [first, copy])
        // As some file of that size was imported, whenever its times were settled.
        let text = fixture.directory.appending(path: "root/cache/files").path
        if !FileManager.default.fileExists(atPath: text) {
            let fields = mark.fields.map(String.init).joined(separator: " ")
            try "\(fields) \(Digest(hashing: Descriptor.file(first)).hex)\n".write(
                toFile: text, atomically: false, encoding: .utf8)
        }
        let image = try Image.open(ImageReference(parsing: copy))
        let recognition = try #require(try FileRecognition(image, in: store, isRead: true))
        #expect(image.facts.digest == (try Digest(hashing: Descriptor.file(first))))
        try fixture.run("sh", ["-c", "printf x | dd of='\(copy)' bs=1 seek=1000 conv=notrunc 2>/dev/null"])
        try recognition.finish()
        #expect(image.facts.digest == nil)
        // One that nobody touched keeps it.
        let other = try Image.open(ImageReference(parsing: first))
        let same = try #require(try FileRecognition(other, in: store, isRead: false))
        try same.finish()
        #expect(other.facts.digest == (try Digest(hashing: Descriptor.file(first))))
    }

    @Test(arguments: ["cat", "gzip", "zstd -q", "xz"])
    func theDigestThatReadingGivesIsThatOfTheFile(compressor: String) throws {
        let session = try fixture.session()
        let file = fixture.directory.appending(path: "image").path
        // An archive is over before its file is: blocks of zeros follow.
        try fixture.run(
            "sh",
            [
                "-c",
                "cd '\(fixture.directory.path)'; mkdir -p t/usr/share; seq 100000 > t/usr/share/a; tar -C t -b 64 -cf - . | \(compressor) > '\(file)'",
            ])
        let result = try session.importImage("tar:" + file, options: options)
        #expect(result.metadata.sourceDigest == (try Digest(hashing: Descriptor.file(file))).hex)
        #expect(try session.importImage("tar:" + file, options: options).wasKnown)
    }

    private var options: ImportOptions {
        get throws {
            var options = ImportOptions()
            (options.name, options.version) = (try PackageName("image"), try PackageVersion("1"))
            return options
        }
    }
}
