import Files
import StoreLayout
import Testing

@testable import Images

@Suite struct FormatTests {
    private func expectSame(_ sink: RecordingSink, _ other: RecordingSink, _ what: String) {
        #expect(Set(sink.withoutRoot.keys) == Set(other.withoutRoot.keys), "\(what)")
        for (path, entry) in sink.withoutRoot { #expect(other.entries[path] == entry, "\(what): \(path)") }
        #expect(other.links.count == 1, "\(what)")
        #expect(other.omissions["usr/lib/pipe"] == .pipe, "\(what)")
    }

    @Test func everyFormatGivesTheSameTree() throws {
        let fixture = try Fixture()
        try fixture.makeTree()
        let directory = try fixture.read("tree")
        #expect(directory.names.contains("usr/share/empty"))
        #expect(directory.holes > 2 << 20)
        #expect(directory.names.contains(#"usr/share/bad-\377\376"#))
        for (name, flags) in [
            ("pax", "--format=posix --xattrs"), ("pax00", "--format=posix --xattrs -S --sparse-version=0.0"),
            ("pax01", "--format=posix --xattrs -S --sparse-version=0.1"),
            ("pax10", "--format=posix --xattrs -S --sparse-version=1.0"),
        ] {
            try fixture.run("tar -C tree \(flags) -cf \(name).tar .")
            expectSame(directory, try fixture.read("\(name).tar"), name)
        }
        try fixture.run("bsdtar -C tree --xattrs -cf bsd.tar .")
        expectSame(directory, try fixture.read("bsd.tar"), "bsdtar")
        for compressor in ["gzip", "xz", "zstd", "bzip2", "lz4", "lzma"] {
            try fixture.run("\(compressor) -c < pax10.tar > pax.\(compressor)")
            expectSame(directory, try fixture.read("pax.\(compressor)"), compressor)
        }
        for compressor in ["gzip", "xz", "zstd", "lz4"] {
            try fixture.run("mksquashfs tree \(compressor).raw -comp \(compressor) -quiet -no-progress")
            expectSame(directory, try fixture.read("\(compressor).raw"), "squashfs \(compressor)")
        }
        for compression in ["", "gzip", "zstd"] {
            try fixture.makeLayout("oci\(compression)", layers: ["pax10.tar"], compression: compression)
            expectSame(directory, try fixture.read("oci\(compression)"), "oci \(compression)")
        }
        try fixture.run("tar -C ocigzip -cf oci.tar . && zstd -q oci.tar -o oci.tar.zst")
        try fixture.run("skopeo copy -q oci:ocigzip:latest docker-archive:docker.tar:repo/demo:3.1")
        for archive in ["oci.tar", "oci.tar.zst", "docker.tar"] {
            expectSame(directory, try fixture.read(archive), archive)
        }
        let oci = try fixture.open("oci.tar").facts
        #expect(oci.name == "demo" && oci.version == "2.0" && oci.architecture == .x86_64)
        #expect(oci.kind == "OCI archive" && oci.digest != nil && oci.entrypoint == ["/usr/bin/hello"])
        #expect(try fixture.open("docker.tar").facts.kind == "docker archive")
    }

    @Test func gnuTarsKeepHolesAndLongNames() throws {
        let fixture = try Fixture()
        try fixture.makeTree()
        try fixture.run("setfattr -x user.note tree/usr/bin/hello; tar -C tree --format=gnu -S -cf gnu.tar .")
        let sink = try fixture.read("gnu.tar")
        expectSame(try fixture.read("tree"), sink, "gnu")
        #expect(sink.holes > 2 << 20)
    }

    @Test func aFileOfAnotherFormatIsNamed() throws {
        let fixture = try Fixture()
        try fixture.run("truncate -s 1M e.raw; printf 'EFI PART' | dd of=e.raw bs=1 seek=512 conv=notrunc")
        #expect(throws: ImageError.self) { try fixture.open("e.raw") }
        do { _ = try fixture.open("e.raw") } catch { #expect("\(error)".contains("GPT")) }
        try fixture.run("mkdir d; echo hello > d/x; mksquashfs d lzo.raw -comp lzo -quiet -no-progress")
        do {
            _ = try fixture.read("lzo.raw")
            Issue.record("lzo was read")
        } catch { #expect("\(error)".contains("lzo")) }
    }
}
