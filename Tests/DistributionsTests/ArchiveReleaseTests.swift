import Distributions
import Files
import Testing

@Suite struct ArchiveReleaseTests {
    private static let digest = String(repeating: "0a", count: 32)
    private static let text = """
        Origin: Tests
        Suite: stable
        Codename: tested
        Acquire-By-Hash: yes
        Valid-Until: Sat, 21 Nov 2026 20:12:33 UTC
        Components: main contrib
        Architectures: all amd64
        SHA256:
         \(digest) 100 main/binary-amd64/Packages
         \(digest) 30 main/binary-amd64/Packages.gz
         \(digest) 20 main/binary-amd64/Packages.xz
         \(digest) 10 main/binary-amd64/Packages.lz4
         \(digest) 10 contrib/binary-amd64/Packages.lz4

        """

    private func parse(_ text: String) throws -> ArchiveRelease {
        try ArchiveRelease(parsing: Bytes(text.utf8), file: "Release")
    }

    @Test func whatItSays() throws {
        let release = try parse(Self.text)
        #expect(release.suite == "stable")
        #expect(release.codename == "tested")
        #expect(release.hasFilesByDigest)
        #expect(!release.isNotAutomatic)
        #expect(release.hasOwnIndexForAll)
        #expect(release.validUntil == 1_795_291_953)
        #expect(release.components == ["main", "contrib"])
    }

    @Test func theBestCompressedFileIsTaken() throws {
        let release = try parse(Self.text)
        let found = try #require(release.entry("main/binary-amd64/Packages"))
        #expect(found.file.path == "main/binary-amd64/Packages.xz")
        #expect(found.file.size == 20)
        #expect(found.unpacked == 100)
        // Nobody here reads lz4.
        #expect(release.entry("contrib/binary-amd64/Packages") == nil)
    }

    @Test(arguments: [
        ("main/binary-amd64/Packages.xz", "../../Packages.xz"), ("Sat, 21 Nov 2026", "Sat, 21 Foo 2026"),
        ("20:12:33 UTC", "20:12:33 CET"), ("SHA256:", "SHA1:"), (" 100 main", " many main"),
        ("Packages.gz", "Packages.xz"), ("Origin: Tests", "Origin: Tests\n\nOrigin: Others"),
    ])
    func whatCannotBeIsRefused(part: String, other: String) {
        #expect(throws: DistributionError.self) { try parse(Self.text.replacing(part, with: other)) }
    }
}
