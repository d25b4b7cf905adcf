import Files
import Glibc
import Testing

@testable import Images

@Suite struct HostileTests {
    @Test(arguments: [
        ("../evil", "leaves the image's tree"), ("/abs", "absolute"),
        ("a/../../b", "leaves the image's tree"),
        (#"new\nline"#, "control character"),
    ])
    func namesThatLeaveTheTreeAreRefused(name: String, reason: String) throws {
        let fixture = try Fixture()
        try fixture.run(
            "echo > f; python3 -c \"import tarfile; t=tarfile.open('x.tar','w'); "
                + "i=tarfile.TarInfo('\(name)'); t.addfile(i); t.close()\"")
        do {
            _ = try fixture.read("x.tar")
            Issue.record("\(name) was accepted")
        } catch {
            #expect("\(error)".contains(reason) && "\(error)".contains("x.tar"), "\(error)")
        }
    }

    @Test func anArchiveCutAnywhereIsRefused() throws {
        let fixture = try Fixture()
        try fixture.run(
            """
            mkdir t; echo hello > t/a; head -c 700 /dev/zero > t/b; ln -s a t/c
            tar -C t -b 1 --format=posix --pax-option=delete=atime,delete=ctime -cf x.tar .
            for c in gzip zstd xz bzip2 lz4; do $c -c < x.tar > x.$c; done
            mksquashfs t x.raw -quiet -no-progress -nopad
            """)
        try fixture.makeLayout("oci", layers: ["x.tar"], compression: "gzip")
        try fixture.run("tar -C oci -b 1 -cf oci.tar .")
        for name in ["x.tar", "x.gzip", "x.zstd", "x.xz", "x.bzip2", "x.lz4", "x.raw", "oci.tar"] {
            _ = try fixture.read(name)
            let whole = try Descriptor.file("\(fixture.path)/\(name)").readAll()
            let cut = try Descriptor.directory(fixture.path)
                .open(beneath: "cut", flags: O_RDWR | O_CREAT | O_TRUNC)
            try cut.write(whole, at: 0)
            for length in (0..<whole.count).reversed() {
                try #require(ftruncate(cut.number, off_t(length)) == 0)
                #expect(throws: (any Error).self, "\(name) cut to \(length) of \(whole.count)") {
                    try fixture.read("cut")
                }
            }
        }
    }

    @Test func changedBytesOfASquashFSImageNeverTrap() throws {
        let fixture = try Fixture()
        try fixture.run(
            "mkdir -p t/d/e; seq 999 > t/d/f; ln -s f t/d/g; setfattr -n user.a -v b t/d/f"
                + "; mksquashfs t x.raw -quiet -no-progress -nopad -noI -noId")
        let whole = try Descriptor.file("\(fixture.path)/x.raw").readAll()
        let copy = try Descriptor.directory(fixture.path).open(beneath: "y.raw", flags: O_RDWR | O_CREAT)
        try copy.write(whole, at: 0)
        var refused = 0
        for offset in whole.indices {
            try copy.write([whole[offset] ^ 0xff], at: offset)
            do { _ = try fixture.read("y.raw") } catch { refused += 1 }
            try copy.write([whole[offset]], at: offset)
        }
        #expect(refused > whole.count / 8)
        _ = try fixture.read("y.raw")
    }
}
