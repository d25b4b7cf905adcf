import Files
import StoreLayout
import Testing

@testable import Images

/// Archives as other programs write them, and what gzip's own checksum tells.
@Suite struct ArchiveTests {
    @Test func aChangedByteOfAGzipArchiveIsNoticed() throws {
        let fixture = try Fixture()
        try fixture.run("mkdir t; seq 2000 > t/a; tar -C t -b 1 -cf x.tar .; gzip -1nc x.tar > x.tar.gz")
        let original = try fixture.read("x.tar.gz").entries
        let whole = try Descriptor.file("\(fixture.path)/x.tar.gz").readAll()
        let copy = try Descriptor.directory(fixture.path).open(beneath: "y", flags: 0o102)
        try copy.write(whole, at: 0)
        var refused = 0
        for offset in whole.indices {
            try copy.write([whole[offset] ^ 0x10], at: offset)
            do {
                // A run of zeros may be copied from elsewhere in itself, and the header's time is nobody's concern.
                #expect(try fixture.read("y").entries == original, "byte \(offset) of \(whole.count)")
            } catch { refused += 1 }
            try copy.write([whole[offset]], at: offset)
        }
        #expect(refused > whole.count - 40)
        _ = try fixture.read("y")
    }

    @Test func gzipMembersFollowEachOtherAndZerosFillTheEnd() throws {
        let fixture = try Fixture()
        try fixture.run(
            """
            mkdir t; seq 2000 > t/a; tar -C t -cf x.tar .
            { head -c 3000 x.tar | gzip -c; tail -c +3001 x.tar | gzip -c; } > two.tgz
            { cat two.tgz; head -c 5000 /dev/zero; } > filled.tgz
            { cat two.tgz; echo rubbish; } > rubbish.tgz
            """)
        let plain = try fixture.read("x.tar")
        #expect(try fixture.read("two.tgz").entries == plain.entries)
        #expect(try fixture.read("filled.tgz").entries == plain.entries)
        #expect(throws: ImageError.self) { try fixture.read("rubbish.tgz") }
    }

    /// The last bytes of a member fill the buffer, and nothing comes after them.
    @Test(arguments: [1, 2, 3]) func aGzipMemberMayEndWhereABufferDoes(records: Int) throws {
        let fixture = try Fixture()
        try fixture.run(
            """
            mkdir t; head -c \(records * 256 * 1024 - 5000) /dev/urandom > t/a
            tar -C t -b 512 -cf x.tar .; gzip -k x.tar; test $(stat -c %s x.tar) = \(records * 256 * 1024)
            """)
        #expect(try fixture.read("x.tar.gz").entries == fixture.read("x.tar").entries)
    }

    @Test func globalHeadersHoldForAllThatFollows() throws {
        let fixture = try Fixture()
        try fixture.run(
            """
            python3 - <<'END'
            import io, tarfile
            t = tarfile.open("x.tar", "w", format=tarfile.PAX_FORMAT,
                pax_headers={"comment": "4f2a", "SCHILY.xattr.user.all": "yes"})
            for name in ("a", "b"):
                info = tarfile.TarInfo(name); info.size = 1
                if name == "b": info.pax_headers = {"SCHILY.xattr.user.all": "no"}
                t.addfile(info, io.BytesIO(b"x"))
            t.close()
            END
            git init -q g; cd g; echo 1 > f; git add f
            git -c user.name=x -c user.email=x commit -qm x; git archive -o ../git.tar HEAD
            """)
        let sink = try fixture.read("x.tar")
        let file = { (value: String) in
            RecordingSink.Entry.file(
                mode: 0o644, bytes: Array("x".utf8),
                attributes: [ExtendedAttribute(name: Array("user.all".utf8), value: Array(value.utf8))])
        }
        #expect(sink.entries["a"] == file("yes"))
        #expect(sink.entries["b"] == file("no"))
        // git writes the commit's name as a global header.
        #expect(try fixture.read("git.tar").names.contains("f"))
    }

    @Test func anIndexMayStandInAnIndex() throws {
        let fixture = try Fixture()
        try fixture.run("mkdir a; echo 1 > a/file; tar -C a -cf a.tar .")
        try fixture.makeLayout("oci", layers: ["a.tar"])
        // Twice wrapped, as registries and buildx do, and named by the outermost.
        try fixture.run(
            #"""
            python3 - <<'END'
            import hashlib, json
            index = json.load(open("oci/index.json"))
            index["manifests"][0].pop("annotations")
            index["manifests"][0]["platform"] = {"os": "linux", "architecture": "amd64"}
            for depth in range(2):
                data = json.dumps(index).encode()
                name = hashlib.sha256(data).hexdigest()
                open("oci/blobs/sha256/" + name, "wb").write(data)
                index = {"schemaVersion": 2, "manifests": [{
                    "mediaType": "application/vnd.oci.image.index.v1+json", "size": len(data),
                    "digest": "sha256:" + name, "annotations": {"org.opencontainers.image.ref.name": "outer"}}]}
            json.dump(index, open("oci/index.json", "w"))
            END
            """#)
        #expect(try fixture.read("oci").names.contains("file"))
        #expect(try fixture.read("oci:oci:outer").names.contains("file"))
        #expect(throws: ImageError.self) { try fixture.open("oci", platform: .arm64) }
        // An index that names itself cannot have its own digest; one that is damaged is named.
        try fixture.run(
            "for f in oci/blobs/sha256/*; do if grep -q image.index $f; then echo ' ' >> $f; fi; done")
        #expect(throws: ImageError.self) { try fixture.open("oci") }
    }

    /// `ID/layer.tar` with links between them, as `docker save` wrote it before version 25.
    @Test func oldDockerArchivesAreRead() throws {
        let fixture = try Fixture()
        try fixture.run(
            #"""
            mkdir a b; echo 1 > a/one; echo 2 > b/two; : > b/.wh.gone; echo > a/gone
            python3 - <<'END'
            import hashlib, json, os, subprocess
            os.mkdir("save")
            ids, diffs = [], []
            for name in ("a", "b"):
                subprocess.run(["tar", "-C", name, "-cf", name + ".tar", "."], check=True)
                data = open(name + ".tar", "rb").read()
                ident = hashlib.sha256(name.encode()).hexdigest()
                os.mkdir("save/" + ident)
                open(f"save/{ident}/VERSION", "w").write("1.0")
                open(f"save/{ident}/json", "w").write("{}")
                open(f"save/{ident}/layer.tar", "wb").write(data)
                ids.append(ident); diffs.append("sha256:" + hashlib.sha256(data).hexdigest())
            # The same layer once more, as a link to the first.
            ident = hashlib.sha256(b"c").hexdigest()
            os.mkdir("save/" + ident)
            os.symlink(f"../{ids[1]}/layer.tar", f"save/{ident}/layer.tar")
            ids.append(ident); diffs.append(diffs[1])
            config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
            name = hashlib.sha256(config).hexdigest() + ".json"
            open("save/" + name, "wb").write(config)
            json.dump([{"Config": name, "RepoTags": ["demo:1.5"], "Layers": [i + "/layer.tar" for i in ids]}],
                open("save/manifest.json", "w"))
            json.dump({"demo": {"1.5": ids[-1]}}, open("save/repositories", "w"))
            END
            cd save; tar -cf ../save.tar *; tar -czf ../save.tgz *
            """#)
        for archive in ["save.tar", "save.tgz", "docker-archive:save.tar:demo:1.5"] {
            let image = try fixture.open(archive)
            #expect(image.facts.name == "demo" && image.facts.version == "1.5")
            #expect(image.facts.kind == "docker archive")
            #expect(try fixture.read(archive).names == [".", "one", "two"], "\(archive)")
        }
        // A layer that is not what the configuration says.
        try fixture.run(
            "cd save; d=$(ls -d */ | head -n 1); tar -C ../a -cf ${d}layer.tar .; tar -cf ../bad.tar *")
        do {
            _ = try fixture.read("bad.tar")
            Issue.record("a changed layer was accepted")
        } catch { #expect("\(error)".contains("digest"), "\(error)") }
    }

    @Test func dockerArchivesOfSkopeoAreRead() throws {
        let fixture = try Fixture()
        try fixture.makeTree()
        try fixture.run("rm tree/usr/lib/pipe; tar -C tree -cf a.tar .")
        try fixture.makeLayout("oci", layers: ["a.tar"], compression: "gzip")
        try fixture.run(
            """
            skopeo copy -q oci:oci:latest dir:plain
            skopeo copy -q dir:plain docker-archive:from-dir.tar:repo/demo:3.1
            skopeo copy -q oci:oci:latest docker-archive:from-oci.tar:repo/demo:3.1
            """)
        let expected = try fixture.read("oci")
        for archive in ["from-dir.tar", "from-oci.tar"] {
            #expect(try fixture.read(archive).entries == expected.entries, "\(archive)")
            #expect(try fixture.open(archive).facts.digest == nil)
        }
    }

    @Test func aSquashFSDirectoryInItselfIsRefused() throws {
        let fixture = try Fixture()
        try fixture.run(
            """
            mkdir -p t/looped/deep; echo > t/looped/deep/f
            mksquashfs t x.raw -quiet -no-progress -noI -noD -no-xattrs
            python3 - <<'END'
            import struct
            data = bytearray(open("x.raw", "rb").read())
            root, = struct.unpack_from("<Q", data, 32)
            assert root >> 16 == 0
            name = data.index(b"looped")
            # An entry: offset in the inode table's block, inode number, type, length of the name.
            assert struct.unpack_from("<HhHH", data, name - 8)[2:] == (1, 5)
            struct.pack_into("<H", data, name - 8, root & 0xffff)
            open("x.raw", "wb").write(data)
            END
            """)
        do {
            _ = try fixture.read("x.raw")
            Issue.record("a directory in itself was read")
        } catch { #expect("\(error)".contains("lies in itself"), "\(error)") }
    }
}
