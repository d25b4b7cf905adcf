import Files
import Glibc
import Testing

@testable import Images

/// Damaged and hostile packages of distributions.
@Suite struct PackageFileTests {
    private let fixture: Fixture

    init() throws {
        fixture = try Fixture()
        try fixture.run(
            #"""
            umask 022
            mkdir -p d/DEBIAN d/usr/bin; printf 'Package: a\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: y\n' > d/DEBIAN/control
            printf '#!/bin/sh\n' > d/usr/bin/a
            dpkg-deb --root-owner-group -Zgzip --build d a.deb >/dev/null
            printf 'Name: a\nVersion: 1\nRelease: 1\nSummary: y\nLicense: x\nBuildArch: noarch\n%%description\n%%install\nmkdir -p %%{buildroot}/usr/bin; echo hello > %%{buildroot}/usr/bin/a; ln %%{buildroot}/usr/bin/a %%{buildroot}/usr/bin/b\n%%files\n/usr/bin/a\n/usr/bin/b\n' > a.spec
            rpmbuild -bb --define "_topdir $PWD/rpm" --define '_binary_payload w3.gzdio' --dbpath $PWD/db --nodeps a.spec >/dev/null 2>&1
            mv rpm/RPMS/noarch/a-1-1.noarch.rpm a.rpm
            mkdir p; mkdir -p p/usr/bin; echo x > p/usr/bin/a; printf 'pkgname = a\npkgver = 1-1\n' > p/.PKGINFO
            bsdtar -C p -cf - .PKGINFO usr | zstd -cq > a.pkg.tar.zst
            """#)
    }

    private func read(_ name: String) throws -> RecordingSink {
        let sink = RecordingSink()
        try Image.open(ImageReference(path: fixture.path + "/" + name)).read(
            into: sink, progress: NoProgress())
        return sink
    }

    @Test(arguments: ["a.deb", "a.rpm", "a.pkg.tar.zst"])
    func aPackageCutAnywhereIsRefused(name: String) throws {
        #expect(try read(name).names.contains("usr/bin/a"))
        let whole = try Descriptor.file("\(fixture.path)/\(name)").readAll()
        let cut = try Descriptor.directory(fixture.path).open(
            beneath: "cut", flags: O_RDWR | O_CREAT | O_TRUNC)
        try cut.write(whole, at: 0)
        for length in (0..<whole.count).reversed() {
            try #require(ftruncate(cut.number, off_t(length)) == 0)
            // An archive of members may end without the byte that makes the last one's size even.
            let isPadding = name == "a.deb" && length == whole.count - 1
            if isPadding, whole.last == 0x0a { continue }
            #expect(throws: (any Error).self, "\(name) cut to \(length) of \(whole.count)") {
                try read("cut")
            }
        }
    }

    @Test(arguments: ["a.deb", "a.rpm", "a.pkg.tar.zst"])
    func changedBytesNeverTrapAndNeverChangeAFile(name: String) throws {
        let good = try read(name).entries
        let whole = try Descriptor.file("\(fixture.path)/\(name)").readAll()
        let copy = try Descriptor.directory(fixture.path).open(
            beneath: "changed", flags: O_RDWR | O_CREAT | O_TRUNC)
        var refused = 0
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x20
            try copy.write(bytes, at: 0)
            do {
                // What says nothing of the files may change: times, names of members that are padding.
                #expect(try read("changed").entries == good, "byte \(index)")
            } catch {
                refused += 1
            }
        }
        #expect(refused > whole.count / 4)
    }

    @Test func unknownCompressionsAndVersionsAreNamed() throws {
        try fixture.run(
            """
            ar x a.deb; mv data.tar.gz data.tar.foo; ar qc b.deb debian-binary control.tar.gz data.tar.foo
            echo 3.0 > debian-binary; mv data.tar.foo data.tar.gz; ar qc c.deb debian-binary control.tar.gz data.tar.gz
            ar qc d.deb debian-binary
            """)
        for (name, text) in [
            ("b.deb", "unknown compression '.foo'"), ("c.deb", "version '3.0'"), ("d.deb", ""),
        ] {
            let error = #expect(throws: ImageError.self) { try read(name) }
            #expect(
                "\(error.map { "\($0)" } ?? "")".contains(text)
                    && "\(error.map { "\($0)" } ?? "")".contains("hint:"))
        }
    }

    @Test(arguments: ["../evil", "/usr/../../evil", "a/../../b"])
    func namesThatLeaveTheTreeAreRefused(path: String) throws {
        try fixture.run(
            """
            python3 -c "
            import tarfile, io
            t = tarfile.open('data.tar', 'w')
            i = tarfile.TarInfo('\(path)'); t.addfile(i); t.close()"
            ar x a.deb; ar qc b.deb debian-binary control.tar.gz data.tar
            """)
        let error = #expect(throws: ImageError.self) { try read("b.deb") }
        #expect("\(error.map { "\($0)" } ?? "")".contains("hint:"))
    }

    /// A header's short lists, which name one long directory often.
    @Test func pathsOfAHeaderCannotFillTheMemory() throws {
        let count = 600
        let number = { (value: Int, width: Int) in
            (0..<width).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
        func header(_ values: [(tag: RPMHeader.Tag, type: Int, count: Int, bytes: Bytes)]) -> Bytes {
            var entries: Bytes = []
            var store: Bytes = []
            for value in values {
                entries += [Int(value.tag.rawValue), value.type, store.count, value.count].flatMap {
                    number($0, 4)
                }
                store += value.bytes
            }
            return [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0] + number(values.count, 4) + number(store.count, 4)
                + entries
                + store
        }
        let lead = Bytes([0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0]) + Bytes(repeating: 0, count: 88)
        let long = Bytes("/".utf8) + Bytes(repeating: UInt8(ascii: "x"), count: 50_000) + Bytes("/\0".utf8)
        let main = header([
            (.name, 6, 1, Bytes("a\0".utf8)), (.version, 6, 1, Bytes("1\0".utf8)),
            (.directoryNames, 8, 1, long),
            (.baseNames, 8, count, Bytes(String(repeating: "a\0", count: count).utf8)),
            (.directoryIndexes, 4, count, Bytes(repeating: 0, count: count * 4)),
            (.fileModes, 3, count, Bytes(repeating: 0, count: count * 2)),
            (.fileFlags, 4, count, Bytes(repeating: 0, count: count * 4)),
            (.fileSizes, 4, count, Bytes(repeating: 0, count: count * 4)),
        ])
        let path = fixture.path + "/long.rpm"
        try Descriptor.create(path).write(lead + header([]) + main + [0], at: 0)
        let error = #expect(throws: ImageError.self) {
            try Image.open(ImageReference(path: path), limits: ImageLimits(files: 1000))
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("names and attributes"))
    }

    /// rpm's own form of cpio, which it writes where a file has 4 GiB or more: numbers of files instead of headers.
    @Test func payloadsWithoutNamesAreRead() throws {
        let file = { (path: String, mode: UInt32, size: Int) in
            RPMPackage.File(
                path: Bytes(path.utf8), mode: UInt16(mode), size: size, isGhost: false, capability: [])
        }
        var files = [
            file("/usr", S_IFDIR | 0o755, 4096), file("/usr/a", S_IFREG | 0o644, 5),
            file("/usr/b", S_IFREG | 0o755, 5), file("/usr/c", S_IFLNK | 0o777, 1),
        ]
        files[1].isLinkedLater = true
        for index in 1...2 { files[index].inode = 7 }
        var bytes: Bytes = []
        func entry(_ index: Int, _ contents: String) {
            let digits = String(index, radix: 16)
            bytes +=
                Bytes(("07070X" + String(repeating: "0", count: 8 - digits.count) + digits).utf8) + [0, 0]
            bytes += Bytes(contents.utf8)
            while bytes.count % 4 != 0 { bytes.append(0) }
        }
        entry(0, "")
        entry(1, "")
        entry(2, "hello")
        entry(3, "a")
        bytes += Bytes(("070701" + String(repeating: "0", count: 8 * 11) + "0000000b" + "00000000").utf8)
        bytes += Bytes("TRAILER!!!\0".utf8)
        while bytes.count % 4 != 0 { bytes.append(0) }
        let path = fixture.path + "/payload"
        try Descriptor.create(path).write(bytes, at: 0)
        let read = { (count: Int) throws -> RecordingSink in
            let sink = RecordingSink()
            let stream = FileStream(try Descriptor.file(path), range: 0..<count, image: "x")
            let budget = ImageBudget(ImageLimits(), image: "x", stored: count)
            try CpioReader(stream, image: "x", files: files).read(
                into: EntryWriter(sink, image: "x", isLayered: false, budget: budget))
            return sink
        }
        let sink = try read(bytes.count)
        #expect(sink.entries["usr/a"] == .file(mode: 0o755, bytes: Bytes("hello".utf8), attributes: []))
        #expect(sink.entries["usr/a"] == sink.entries["usr/b"])
        #expect(sink.entries["usr/c"] == .symlink(Bytes("a".utf8)))
        for count in 0..<(bytes.count - 1) { #expect(throws: (any Error).self) { try read(count) } }
    }
}
