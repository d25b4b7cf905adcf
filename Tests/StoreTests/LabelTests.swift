import Files
import Glibc
import Store
import StoreLayout
import Testing

/// SELinux labels of store paths: the kernel need not run SELinux to keep them, but wants root.
@Suite struct LabelTests {
    private let fixture: Fixture
    private let store: Store

    init() throws {
        try #require(getuid() == 0, "the test needs root, to give labels")
        fixture = try Fixture()
        store = try fixture.store()
    }

    /// What a policy might say.
    private static func label(_ path: TreePath, _ mode: UInt32) -> Bytes? {
        if path == "unlabelled" { return nil }
        let type = path == .root ? "usr_t" : path.isWithin("usr/bin") ? "bin_t" : "share_t"
        return Bytes("\(type):\(mode & S_IFMT == S_IFDIR ? "d" : mode & S_IFMT == S_IFLNK ? "l" : "f")".utf8)
    }

    private func label(_ package: Metadata, _ path: String) throws -> String? {
        let place = try store.tree(of: package.storePath)
        return try place.attribute("security.selinux", of: Bytes(path.utf8)).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    private func status(_ package: Metadata, _ path: String) throws -> stat {
        try #require(try store.tree(of: package.storePath).status(of: path))
    }

    @Test func everythingOfANewStorePathIsLabelled() throws {
        let package = try store.add("one", label: Self.label) { builder in
            try builder.file("usr/bin/program", "same", mode: 0o755)
            try builder.file("usr/share/program", "same", mode: 0o755)
            try builder.file("usr/share/empty", "")
            try builder.file("unlabelled", "x")
            try builder.symlink("usr/bin/link", target: Bytes("program".utf8))
        }
        #expect(try label(package, ".") == "usr_t:d\0")
        #expect(try label(package, "usr") == "share_t:d\0")
        #expect(try label(package, "usr/bin") == "bin_t:d\0")
        #expect(try label(package, "usr/bin/program") == "bin_t:f\0")
        #expect(try label(package, "usr/share/program") == "share_t:f\0")
        #expect(try label(package, "usr/share/empty") == "share_t:f\0")
        #expect(try label(package, "usr/bin/link") == "bin_t:l\0")
        #expect(try label(package, "unlabelled") == nil)
        // A label belongs to the inode.
        #expect(
            try status(package, "usr/bin/program").st_ino != status(package, "usr/share/program").st_ino)
        let registered = try #require(try store.packages().first)
        #expect(try store.verify(registered).isEmpty)
    }

    @Test func filesOfOtherStorePathsAreSharedOnlyWhereTheLabelIsTheSame() throws {
        let old = try store.add("old") { try $0.file("usr/bin/plain", "plain") }
        let first = try store.add("first", label: Self.label) { try $0.file("usr/bin/a", "same") }
        let second = try store.add("second", label: Self.label) { builder in
            try builder.file("usr/bin/b", "same")
            try builder.file("usr/share/b", "same")
            try builder.file("usr/bin/plain", "plain")
        }
        #expect(try status(first, "usr/bin/a").st_ino == status(second, "usr/bin/b").st_ino)
        #expect(try label(first, "usr/bin/a") == "bin_t:f\0")
        #expect(try label(second, "usr/share/b") == "share_t:f\0")
        #expect(try status(second, "usr/share/b").st_nlink == 1)
        // What was imported before the host had labels is not changed behind its back.
        #expect(try label(old, "usr/bin/plain") == nil)
        #expect(try label(second, "usr/bin/plain") == "bin_t:f\0")
        // The next relabelling has nothing to separate.
        let again = try store.relabel(Self.label)
        #expect(again.separatedCount == 0)
        #expect(try label(old, "usr/bin/plain") == "bin_t:f\0")
        #expect(try store.relabel(Self.label).changeCount == 0)
        for package in try store.packages() { #expect(try store.verify(package).isEmpty) }
    }

    @Test func aFailureLeavesNothing() throws {
        struct Failure: Error {}
        #expect(throws: Failure.self) {
            try store.add("one", label: { _, _ in throw Failure() }) { try $0.file("a", "x") }
        }
        for directory in ["store", "manifests", "tmp"] {
            #expect(try store.root.directory(beneath: directory).list().isEmpty)
        }
    }
}
