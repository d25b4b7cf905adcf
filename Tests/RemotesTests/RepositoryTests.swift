import Files
import Foundation
import StoreLayout
import Testing

@testable import Remotes

/// A directory, removed with all that is in it.
private final class Place {
    let path = FileManager.default.temporaryDirectory.path + "/sxs-repository-tests-\(UUID())"

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func text(_ name: String) throws -> String {
        try String(contentsOfFile: path + "/" + name, encoding: .utf8)
    }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }

    var names: Set<String> {
        get throws { Set(try FileManager.default.contentsOfDirectory(atPath: path)) }
    }
}

@Suite struct RepositoryTests {
    private struct Unknown: Error {}

    /// Facts as a file's name has them: `NAME-VERSION.raw`.
    private func facts(_ file: String) throws -> Repository.Facts {
        let parts = file.dropLast(4).split(separator: "-").map(String.init)
        guard parts.count == 2 else { throw Unknown() }
        return Repository.Facts(
            name: parts[0], version: parts[1], architecture: .any, summary: nil, commands: [],
            release: parts[0] == "a" ? ["ID": "_any"] : [:])
    }

    private func repository(_ place: Place, _ description: RepositoryDescription = RepositoryDescription())
        throws
        -> Repository
    {
        try Repository.make(place.path, description)
        return try Repository(place.path)
    }

    @Test func theListingNamesWhatIsThereInTheOrderOfBytes() throws {
        let place = try Place()
        for name in ["b-1.raw", "a-10.raw", "a-9.raw", "notes.txt", ".hidden-1.raw"] {
            try place.write(name, name)
        }
        var description = RepositoryDescription()
        description.validDays = 1
        let outcome = try repository(place, description).index(time: 1_700_000_000, facts)
        #expect(outcome.index.packages.map(\.file) == ["a-10.raw", "a-9.raw", "b-1.raw"])
        #expect(outcome.bestBefore == "2023-11-15" && outcome.signers.isEmpty)
        let lines = try place.text("SHA256SUMS").split(separator: "\n").map { String($0.dropFirst(66)) }
        #expect(
            lines == [
                "BEST-BEFORE-2023-11-15", "a-10.manifest.gz", "a-10.raw", "a-9.manifest.gz", "a-9.raw",
                "b-1.raw", "index.json",
            ])
        #expect(try place.text("SHA256SUMS").contains("\(Digest(hashing: "b-1.raw".utf8).hex)  b-1.raw\n"))
        #expect(try place.text("a-9.raw.json").contains("\"image_name\" : \"a-9.raw\""))
        let manifest = Bytes(try Data(contentsOf: URL(fileURLWithPath: place.path + "/a-9.manifest.gz")))
        #expect(ImageMetadata(manifest: manifest)?.release == ["ID": "_any"])
    }

    @Test func eachListingIsNewerThanTheLastWhateverTheClockSays() throws {
        let place = try Place()
        let repository = try repository(place)
        var seen: [(Int, Int)] = []
        for time in [100, 100, 50] {
            let index = try repository.index(time: time, facts).index
            seen.append((index.serial, index.updated))
        }
        #expect(seen.map(\.0) == [1, 2, 3] && seen.map(\.1) == [100, 101, 102])
        let status = try FileManager.default.attributesOfItem(atPath: place.path + "/.sxs/current/SHA256SUMS")
        #expect((status[.modificationDate] as? Date)?.timeIntervalSince1970 == 102)
    }

    @Test func whatCannotBeListedLeavesTheListing() throws {
        let place = try Place()
        try place.write("a-1.raw", "a")
        let repository = try repository(place)
        _ = try repository.index(time: 1, facts)
        let before = try place.text("SHA256SUMS")
        try place.write("nonsense.raw", "b")
        #expect(throws: Unknown.self) { try repository.index(time: 2, facts) }
        #expect(try place.text("SHA256SUMS") == before)
        try FileManager.default.removeItem(atPath: place.path + "/nonsense.raw")
        try FileManager.default.createDirectory(
            atPath: place.path + "/dir-1.raw", withIntermediateDirectories: false)
        #expect(throws: RepositoryError.noFile(place.path + "/dir-1.raw")) {
            try repository.index(time: 2, facts)
        }
    }

    @Test func whatIsRemovedGoesAfterTheListingAndDoesNotComeBack() throws {
        let place = try Place()
        for name in ["a-1.raw", "a-2.raw"] { try place.write(name, name) }
        let repository = try repository(place)
        _ = try repository.index(time: 1, facts)
        let outcome = try repository.index(time: 2, removing: { _ in ["a-1.raw"] }, facts)
        #expect(outcome.index.packages.map(\.file) == ["a-2.raw"])
        #expect(try place.names.filter { $0.hasPrefix("a-1") }.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: place.path + "/.sxs/removed"))
    }

    /// Two forms of one image have one manifest, which the listing goes on naming.
    @Test func aManifestStaysAsLongAsAnImageHasIt() throws {
        let place = try Place()
        for name in ["a-1.raw", "a-1.raw.xz"] { try place.write(name, name) }
        let repository = try repository(place)
        let look = { (file: String) in
            Repository.Facts(
                name: "a", version: "1", architecture: .any, summary: nil, commands: [],
                release: file.hasSuffix(".xz") ? [:] : ["ID": "_any"])
        }
        _ = try repository.index(time: 1, look)
        _ = try repository.index(time: 2, removing: { _ in ["a-1.raw.xz"] }, look)
        let names = try place.names.filter { $0.hasPrefix("a-1") }
        #expect(names == ["a-1.raw", "a-1.raw.json", "a-1.manifest.gz"], "\(names)")
        #expect(try place.text("SHA256SUMS").contains("a-1.manifest.gz"))
    }

    @Test func aRemovalThatACrashCutOffIsFinishedOrForgotten() throws {
        let place = try Place()
        for name in ["a-1.raw", "a-2.raw"] { try place.write(name, name) }
        try Repository.make(place.path, RepositoryDescription())
        try _ = Repository(place.path).index(time: 1, facts)
        try place.write("b-1.raw", "of a removal whose listing was written")
        // Before the listing: the file stays. After it: it goes. A name that leads out is not followed.
        try place.write(".sxs/removed", "a-1.raw\nb-1.raw\n../escape\n")
        let index = try Repository(place.path).index(time: 2, facts).index
        #expect(index.packages.map(\.file) == ["a-2.raw", "a-1.raw"])
        #expect(try !place.names.contains("b-1.raw"))
    }

    @Test func collectionsAreFilesAndNameWhatIsThere() throws {
        let place = try Place()
        for name in ["a-1.raw", "b-1.raw"] { try place.write(name, name) }
        let repository = try repository(place)
        try repository.set(
            PackageCollection(
                name: PackageName("both"), summary: "x", packages: [PackageName("a"), PackageName("b")])
        ) {}
        let index = try repository.index(time: 1, facts).index
        #expect(index.collections["both"] == RepositoryIndex.Collection(summary: "x", packages: ["a", "b"]))
        #expect(try place.text("SHA256SUMS").contains("  both.collection\n"))
        #expect(throws: RepositoryError.brokenCollection("both", missing: "b")) {
            try repository.index(time: 2, removing: { _ in ["b-1.raw"] }, facts)
        }
        #expect(try place.names.contains("b-1.raw"))
    }

    @Test(arguments: [
        "", "[Collection]\n", "[Collection]\nPackages=\n", "[Collection]\nPackages=a/b\n",
        "[Collection]\nPackages=c\n",
        "nonsense", "[Other]\nPackages=a\n",
    ])
    func whatIsNoCollectionIsRefused(text: String) {
        #expect(throws: RepositoryError.self) {
            try PackageCollection(parsing: Bytes(text.utf8), file: "c.collection")
        }
    }

    @Test func aCollectionThatIsNotListedIsWhatItWas() throws {
        let place = try Place()
        for name in ["b-1.raw", "c-1.raw"] { try place.write(name, name) }
        let repository = try repository(place)
        let make = { (packages: [String]) in
            PackageCollection(
                name: try PackageName("many"), summary: nil,
                packages: try packages.map { try PackageName($0) })
        }
        #expect(throws: Unknown.self) { try repository.set(make(["b"])) { throw Unknown() } }
        #expect(try !place.names.contains("many.collection"))
        _ = try repository.set(make(["b"])) { try repository.index(time: 1, facts) }
        let before = try place.text("many.collection")
        #expect(throws: Unknown.self) { try repository.set(make(["b", "c"])) { throw Unknown() } }
        #expect(try place.text("many.collection") == before)
    }

    @Test func thereIsOneWriter() throws {
        let place = try Place()
        try Repository.make(place.path, RepositoryDescription())
        let lock = try withExtendedLifetime(Repository(place.path)) {
            let lock = try Descriptor.directory(place.path + "/.sxs").open(beneath: "lock", flags: O_RDWR)
            #expect(try !lock.tryLock())
            return lock
        }
        #expect(try lock.tryLock())
    }
}

@Suite struct RepositoryServerTests {
    @Test(arguments: [
        ("/a.raw", "a.raw"), ("/a%20b", "a b"), ("/a?x=/y", "a"), ("/%41", "A"), ("/", nil), ("a", nil),
        ("/.a", nil),
        ("/a/b", nil), ("/a%2fb", nil), ("/%2e%2e", nil), ("/a%00", nil), ("/%4", nil), ("/%zz", nil),
        ("/%ff", nil),
        ("", nil),
    ])
    func onlyFilesOfTheDirectoryHaveNames(target: String, name: String?) {
        #expect(RepositoryServer.fileName(of: target) == name)
    }

    @Test(
        arguments: [
            ("bytes=0-9", 0..<10), ("bytes=5-", 5..<100), ("bytes=-7", 93..<100), ("bytes=-700", 0..<100),
            ("bytes=99-200", 99..<100), ("bytes=100-", 0..<0), ("bytes=0-1,5-6", nil), ("bytes=5-2", nil),
            ("bytes=-", nil),
            ("bytes=x-", nil), ("lines=0-1", nil), ("bytes=99999999999999999999-", nil), ("bytes=--5", nil),
        ] as [(String, Range<Int>?)])
    func rangesAreThoseOfBytes(text: String, range: Range<Int>?) {
        #expect(RepositoryServer.range(text, size: 100) == range)
    }

    @Test func timesAreThoseOfHTTP() {
        #expect(RepositoryServer.date(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}

@Suite struct TransferTests {
    /// A server may say any number, of which several are added.
    @Test(arguments: [("0", 0), ("5", 5), ("9223372036854775807", nil), ("-1", nil), ("x", nil)])
    func lengthsAreThoseThatFilesCanHave(text: String, length: Int?) {
        #expect(Transfer.Head(status: 200, fields: ["content-length": text]).length == length)
    }

    @Test func pausesAreBoundedHoweverOftenIsAsked() {
        #expect((0..<3).map { Fetcher.pause(after: $0, delay: nil) } == [500_000, 1_000_000, 2_000_000])
        #expect(
            (3..<100).allSatisfy { (2_000_000...10_000_000).contains(Fetcher.pause(after: $0, delay: nil)) })
        #expect(Fetcher.pause(after: 0, delay: 7) == 7_000_000)
        #expect(Fetcher.pause(after: 0, delay: 1 << 40) == 10_000_000)
    }
}
