import Files
import Foundation
import StoreLayout
import Testing

@testable import Remotes

/// A directory with a root and a host, removed with all that is in it.
private final class Place {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/sxs-remotes-tests-\(UUID())"
        for directory in [
            "root/remotes", "root/tmp", "root/cache", "etc/sxs/remotes.d", "usr/lib/sxs/remotes.d",
        ] {
            try FileManager.default.createDirectory(
                atPath: path + "/" + directory, withIntermediateDirectories: true)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }

    var configuration: RemoteConfiguration { RemoteConfiguration(root: path + "/root", host: path) }
}

@Suite struct RemoteConfigurationTests {
    private static func text(_ location: String, _ more: String = "") -> String {
        "[Remote]\nKind=directory\nLocation=\(location)\n\(more)"
    }

    @Test func theFirstDirectoryWinsAndFilesHide() throws {
        let place = try Place()
        for name in ["a", "b", "c", "d"] {
            try place.write("usr/lib/sxs/remotes.d/\(name).conf", Self.text("/vendor"))
        }
        try place.write("usr/lib/sxs/remotes.d/readme.txt", "no remote")
        try place.write("etc/sxs/remotes.d/a.conf", Self.text("/host", "Priority=1"))
        try place.write("etc/sxs/remotes.d/b.conf", "")
        try FileManager.default.createSymbolicLink(
            atPath: place.path + "/etc/sxs/remotes.d/c.conf", withDestinationPath: "/dev/null")
        try place.write("root/remotes/d.conf", Self.text("/own"))
        try place.write("root/remotes/e.conf", Self.text("/own", "Priority=-1"))
        let remotes = try place.configuration.remotes()
        #expect(remotes.map { $0.name + $0.description.location.text } == ["a/host", "d/own", "e/own"])
        #expect(remotes.map(\.isOfRoot) == [false, true, true])
        #expect(throws: RemoteError.ofHost("a", file: place.path + "/etc/sxs/remotes.d/a.conf")) {
            try place.configuration.remove("a")
        }
    }

    @Test func sysextmgrsPlaceIsARemoteUnlessThereIsAFileOfItsName() throws {
        let place = try Place()
        for directory in ["usr/share/sysextmgr", "etc/sysextmgr/sysextmgr.conf.d"] {
            try FileManager.default.createDirectory(
                atPath: place.path + "/" + directory, withIntermediateDirectories: true)
        }
        #expect(try place.configuration.remotes().isEmpty)
        try place.write(
            "usr/share/sysextmgr/sysextmgr.conf",
            "[default]\nurl=https://example.org/vendor/\nverify_signature=false\nverbose=true\n")
        try place.write(
            "etc/sysextmgr/sysextmgr.conf.d/a.conf",
            "[sysextmgrd]\nurl = \"https://example.org/own/\"\nfilter=^(?!uki-).*\\.sysext\\.raw$\n")
        let remote = try #require(try place.configuration.remotes().first)
        #expect(remote.name == "sysextmgr" && !remote.isOfRoot)
        #expect(remote.description.location.text == "https://example.org/own")
        #expect(remote.description.isInsecure && remote.description.kind == .sysext)
        let takes = remote.description.makeFilter()
        #expect(takes("strace-1.x86-64.sysext.raw"))
        #expect(!takes("uki-1.sysext.raw") && !takes("strace-1.raw"))
        try place.write("etc/sysextmgr/sysextmgr.conf.d/b.conf", "[sysextmgrd]\nfilter=(\n")
        #expect(throws: RemoteDescriptionError.self) { try place.configuration.remotes() }
        try place.write("etc/sxs/remotes.d/sysextmgr.conf", "")
        #expect(try place.configuration.remotes().isEmpty)
    }

    @Test func addedOnceAndRemovedWithAllThatIsKeptOfIt() throws {
        let place = try Place()
        let remote = RemoteDescription(name: "r", kind: .directory, location: .path("/x"))
        let temporary = try Descriptor.directory(place.path + "/root/tmp")
        try place.configuration.add(remote, through: temporary)
        #expect(try place.configuration.remote("r").description == remote)
        #expect(throws: RemoteError.self) { try place.configuration.add(remote, through: temporary) }
        let root = try Descriptor.directory(place.path + "/root")
        try SeenListing(location: "/x", signed: 5, digest: "d", serial: 3).write("r", root: root)
        #expect(
            try SeenListing.read("r", root: root)
                == SeenListing(location: "/x", signed: 5, digest: "d", serial: 3))
        try place.configuration.remove("r")
        #expect(try SeenListing.read("r", root: root) == nil)
        #expect(throws: RemoteError.unknownRemote("r", known: [])) { try place.configuration.remove("r") }
        #expect(try temporary.list().isEmpty)
    }

    @Test func aFileThatCannotBeReadIsNamedAndCanBeRemoved() throws {
        let place = try Place()
        try place.write("root/remotes/r.conf", "[Remote]\nKind=directory\n")
        let error = #expect(throws: RemoteDescriptionError.self) { try place.configuration.remotes() }
        #expect(error.map { "\($0)".contains("r.conf has no Location=") } == true)
        try place.configuration.remove("r")
        #expect(try place.configuration.remotes().isEmpty)
    }
}

@Suite struct BlobCacheTests {
    @Test func whatIsDamagedIsNotGivenOut() throws {
        let place = try Place()
        let cache = try BlobCache(root: place.path + "/root")
        let bytes = Bytes("contents".utf8)
        let digest = Digest(hashing: bytes)
        #expect(try cache.find(digest) == nil)
        do {
            let part = try cache.part(of: digest) { Issue.record("nobody fetches it") }
            try part.restart("\"tag\"")
            try bytes.withUnsafeBytes { try part.append(UnsafeRawBufferPointer(rebasing: $0[..<3])) }
        }
        do {
            let part = try cache.part(of: digest) { Issue.record("nobody fetches it") }
            #expect(try part.validator() == "\"tag\"")
            try part.resume()
            #expect(part.size == 3)
            try bytes.withUnsafeBytes { try part.append(UnsafeRawBufferPointer(rebasing: $0[3...])) }
            _ = try part.finish(url: "x")
        }
        #expect(try cache.find(digest)?.readAll() == bytes)
        let path = place.path + "/root/cache/blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)"
        try Bytes("contentz".utf8).withUnsafeBytes { try Descriptor.create(path).write($0) }
        #expect(try cache.find(digest) == nil)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func aWrongPartIsNotKept() throws {
        let place = try Place()
        let cache = try BlobCache(root: place.path + "/root")
        let digest = Digest(hashing: Bytes("right".utf8))
        let part = try cache.part(of: digest) {}
        try part.restart("\"tag\"")
        try Bytes("wrong".utf8).withUnsafeBytes { try part.append($0) }
        #expect(throws: RemoteError.self) { try part.finish(url: "x") }
        #expect(try part.validator() == nil)
        try part.resume()
        #expect(part.size == 0)
    }

    @Test func garbageIsWhatIsOld() throws {
        let place = try Place()
        let root = place.path + "/root"
        let cache = try BlobCache(root: root)
        let digest = Digest(hashing: Bytes("a".utf8))
        let part = try cache.part(of: digest) {}
        try part.restart(nil)
        try Bytes("a".utf8).withUnsafeBytes { try part.append($0) }
        // Somebody fetches it.
        #expect(try BlobCache.collect(root: root, before: .max, isDryRun: false).count == 0)
        _ = try part.finish(url: "x")
        #expect(try BlobCache.collect(root: root, before: 1, isDryRun: false).count == 0)
    }
}
