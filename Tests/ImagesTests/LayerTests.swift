import Files
import Glibc
import StoreLayout
import Testing

@testable import Images

@Suite struct LayerTests {
    /// The lower layer of every test here.
    private let lower =
        "mkdir -p a/d; echo 1 > a/d/old; echo 1 > a/keep; echo 1 > a/gone; tar -C a -cf a.tar ."

    @Test func whiteoutsHideLowerLayers() throws {
        let fixture = try Fixture()
        try fixture.run(lower + "; mkdir b; : > b/.wh.gone; mkdir b/.wh..wh.plnk; tar -C b -cf b.tar .")
        try fixture.makeLayout("oci", layers: ["a.tar", "b.tar"])
        #expect(try fixture.read("oci").names == [".", "d", "d/old", "keep"])
    }

    @Test(arguments: ["d d/.wh..wh..opq d/new", "d d/new d/.wh..wh..opq", "d/new d/.wh..wh..opq"])
    func opaqueDirectoriesHideOnlyLowerLayers(order: String) throws {
        let fixture = try Fixture()
        try fixture.run(
            lower + "; mkdir -p b/d; : > b/d/.wh..wh..opq; echo 2 > b/d/new"
                + "; tar -C b --no-recursion -cf b.tar \(order)")
        try fixture.makeLayout("oci", layers: ["a.tar", "b.tar"])
        #expect(try fixture.read("oci").names == [".", "d", "d/new", "gone", "keep"])
    }

    @Test(arguments: ["gone .wh.gone", ".wh.gone gone"])
    func aWhiteoutLeavesWhatItsOwnLayerHas(order: String) throws {
        let fixture = try Fixture()
        try fixture.run(
            lower + "; mkdir b; : > b/.wh.gone; echo 2 > b/gone; tar -C b --no-recursion -cf b.tar \(order)")
        try fixture.makeLayout("oci", layers: ["a.tar", "b.tar"])
        let sink = try fixture.read("oci")
        #expect(sink.entries["gone"] == .file(mode: 0o644, bytes: Array("2\n".utf8), attributes: []))
    }

    /// A directory that the last layer has, too, loses what each of the others put into it.
    @Test func whatAnyLowerLayerHasIsHidden() throws {
        let fixture = try Fixture()
        try fixture.run(
            lower + "; mkdir -p b/d/sub b/e; echo 2 > b/d/sub/mid; echo 2 > b/e/x; tar -C b -cf b.tar ."
                + "; mkdir -p c/d/sub; echo 3 > c/d/sub/new; : > c/.wh.e"
                + "; touch c/d/.wh..wh..opq; tar -C c -cf c.tar .")
        try fixture.makeLayout("oci", layers: ["a.tar", "b.tar", "c.tar"])
        #expect(
            try fixture.read("oci").names == [".", "d", "d/sub", "d/sub/new", "gone", "keep"])
    }

    @Test func whiteoutsOfTheFirstLayerHideNothing() throws {
        let fixture = try Fixture()
        try fixture.run(lower + "; touch a/.wh.keep a/d/.wh..wh..opq; tar -C a -cf a.tar .")
        try fixture.makeLayout("one", layers: ["a.tar"])
        #expect(try fixture.read("one").names == [".", "d", "d/old", "gone", "keep"])
    }

    @Test func aChangedBlobIsRefused() throws {
        let fixture = try Fixture()
        try fixture.run(lower)
        try fixture.makeLayout("oci", layers: ["a.tar"], compression: "gzip")
        _ = try fixture.read("oci")
        let blobs = try fixture.run("ls oci/blobs/sha256").split(separator: "\n")
        #expect(blobs.count == 3)
        for blob in blobs {
            try fixture.run(
                "cp -r oci bad; printf '\\x7e' | dd of=bad/blobs/sha256/\(blob) bs=1 seek=12 conv=notrunc")
            do {
                _ = try fixture.read("bad")
                Issue.record("\(blob) was accepted")
            } catch {
                #expect("\(error)".contains("digest") && "\(error)".contains(blob), "\(error)")
            }
            try fixture.run("rm bad/blobs/sha256/\(blob)")
            #expect(throws: ImageError.self) { try fixture.read("bad") }
            try fixture.run("rm -r bad")
        }
    }

    @Test func thePlatformIsChosen() throws {
        let fixture = try Fixture()
        try fixture.run(lower + "; mkdir b; echo > b/arm; tar -C b -cf b.tar .")
        try fixture.makeLayout("one", layers: ["a.tar"])
        try fixture.makeLayout("two", layers: ["b.tar"])
        try fixture.run(
            #"""
            sed -i 's/amd64/arm64/' two/blobs/sha256/*
            mkdir -p both/blobs/sha256; cp one/oci-layout both; cp one/blobs/sha256/* both/blobs/sha256
            d() { grep -o '"digest":"sha256:[0-9a-f]*","size":[0-9]*' $1/index.json; }
            c=$(grep -l '"architecture"' two/blobs/sha256/*); n=$(sha256sum < $c | cut -d' ' -f1)
            m=$(grep -l '"schemaVersion"' two/blobs/sha256/*); sed -i "s/$(basename $c)/$n/" $m
            cp $c both/blobs/sha256/$n; k=$(sha256sum < $m | cut -d' ' -f1); cp $m both/blobs/sha256/$k
            cp -n two/blobs/sha256/* both/blobs/sha256
            t='"mediaType":"application/vnd.oci.image.manifest.v1+json"'
            echo "{\"manifests\":[{$t,$(d one),\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}},{$t,\"digest\":\"sha256:$k\",\"size\":$(stat -c%s $m),\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"}}]}" > both/index.json
            """#)
        #expect(try fixture.read("both", platform: .x86_64).names.contains("keep"))
        #expect(try fixture.read("both", platform: .arm64).names == [".", "arm"])
        do {
            _ = try fixture.open("both", platform: .riscv64)
            Issue.record("riscv64 was found")
        } catch { #expect("\(error)".contains("linux/amd64, linux/arm64"), "\(error)") }
    }
}
