import Files
import StoreLayout
import Testing

@testable import Remotes

@Suite struct ChecksumListTests {
    static let digest = Digest(hashing: Bytes("a".utf8))
    static let hex = digest.hex

    private func parse(_ text: String) throws(RemoteError) -> ChecksumList {
        try ChecksumList(parsing: Bytes(text.utf8), url: "http://h/SHA256SUMS")
    }

    @Test(arguments: [
        "\(hex)  a.raw", "\(hex) *a.raw", "\(hex) a.raw", "\(hex)\ta.raw", "\(hex)  ./a.raw\r",
        "SHA256 (a.raw) = \(hex)", "\(hex.uppercased())  a.raw",
    ])
    func everyFormOfALine(line: String) throws {
        let list = try parse("# comment\n\n \t\n\(line)\n\(line)\n")
        #expect(list.files == [ListedFile(name: "a.raw", digest: Self.digest)])
        #expect(list.bestBefore == nil)
    }

    @Test func namesMayHaveSpaces() throws {
        #expect(try parse("\(Self.hex)  a b.raw").files.map(\.name) == ["a b.raw"])
        #expect(try parse("SHA256 (a (b).raw) = \(Self.hex)").files.map(\.name) == ["a (b).raw"])
        #expect(try parse("\(Self.hex)  *a.raw").files.map(\.name) == ["*a.raw"])
    }

    @Test func theEarliestDayCounts() throws {
        let text = "\(Self.hex)  BEST-BEFORE-2027-01-31\n\(Self.hex)  BEST-BEFORE-2026-12-01\n"
        let list = try parse(text)
        #expect(list.bestBefore == "2026-12-01" && list.files.isEmpty)
    }

    @Test(arguments: [
        ("x", "digest"), ("\(hex)", "digest"), ("\(hex.dropLast())  a", "digest"), ("\(hex)a", "digest"),
        ("\(hex)  a/b", "'/'"), ("\(hex)  ..", "name"), ("\(hex)  .", "name"), ("\(hex)  ", "name"),
        ("\\\(hex)  a\\nb", "digest"), ("\(hex)  a\u{7}", "name"), ("\(hex)  BEST-BEFORE-soon", "date"),
        ("\(hex)  BEST-BEFORE-2026-13-01", "date"), ("\(hex)  \(String(repeating: "a", count: 256))", "name"),
        ("SHA256 (a.raw) = 00", "digest"),
    ])
    func whatCannotBeIsNamed(line: String, word: String) {
        let error = #expect(throws: RemoteError.self) { try parse("\(Self.hex)  good\n\(line)\n") }
        #expect(error?.description.contains("line 2 ") == true && error?.description.contains(word) == true)
    }

    @Test func oneNameHasOneDigest() {
        let other = Digest(hashing: []).hex
        #expect(throws: RemoteError.self) { try parse("\(Self.hex)  a\n\(other)  a\n") }
    }

    @Test func linesAreBounded() {
        let text = (0...ChecksumList.mostFiles).map { "\(Self.hex)  \($0)\n" }.joined()
        #expect(throws: RemoteError.self) { try parse(text) }
    }
}

@Suite struct KeyringTests {
    @Test func textIsDecoded() throws {
        // The first packet of a key: new format, tag 6.
        let binary: Bytes = [0xc6, 0x33, 0x04] + Bytes(0..<100)
        let encoded =
            "xjMEAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1\nNjc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiYw=="
        let text =
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\n\(encoded)\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
        #expect(Keyring.binary(binary) == binary)
        #expect(Keyring.binary(Bytes(text.utf8)) == binary)
        // Several keys in one file, and line ends of another system.
        #expect(Keyring.binary(Bytes((text + text).replacing("\n", with: "\r\n").utf8)) == binary + binary)
    }

    @Test(arguments: [
        "", "hello", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n",
        "-----BEGIN PGP SIGNATURE-----\n\nxjME\n-----END PGP SIGNATURE-----\n",
    ])
    func whatIsNoKeyIsNone(text: String) { #expect(Keyring.binary(Bytes(text.utf8)) == nil) }
}

@Suite struct SignatureDateTests {
    /// A signature packet of version 4 with parts that are signed.
    private func signature(_ parts: Bytes, old: Bool = false) -> Bytes {
        let body: Bytes = [4, 0, 22, 8, 0, UInt8(parts.count)] + parts + [0, 0, 1, 2]
        return (old ? [0x88, UInt8(body.count)] : [0xc2, UInt8(body.count)]) + body
    }

    private static let first: Bytes = [5, 2, 0, 0, 1, 0]
    private static let second: Bytes = [2, 27, 1, 5, 0x82, 0, 0, 2, 0]

    @Test func theEarliestCounts() {
        #expect(SignatureDate.earliest(in: signature(Self.first)) == 256)
        #expect(SignatureDate.earliest(in: signature(Self.second, old: true)) == 512)
        #expect(SignatureDate.earliest(in: signature(Self.second) + signature(Self.first)) == 256)
        // A mark before it is another packet.
        #expect(SignatureDate.earliest(in: [0xca, 3, 0x50, 0x47, 0x50] + signature(Self.second)) == 512)
    }

    @Test func whatDoesNotSayHasNone() {
        #expect(SignatureDate.earliest(in: []) == nil)
        #expect(SignatureDate.earliest(in: signature([2, 27, 1])) == nil)
        #expect(SignatureDate.earliest(in: signature(Self.first) + signature([])) == nil)
    }

    @Test(arguments: 1..<18)
    func cutAnywhereItHasNone(length: Int) {
        #expect(SignatureDate.earliest(in: Bytes(signature(Self.first).prefix(length))) == nil)
    }

    @Test func lengthsThatLieAreNoTrap() {
        for byte in signature(Self.second).indices {
            for value: UInt8 in [0, 1, 127, 191, 192, 223, 224, 254, 255] {
                var bytes = signature(Self.second)
                bytes[byte] = value
                _ = SignatureDate.earliest(in: bytes)
            }
        }
    }
}

@Suite struct ImageMetadataTests {
    static let record = #"{"image_name":"a-1.raw","sysext":{"ID":"x","SYSEXT_VERSION_ID":"29.1","N":3}}"#

    @Test func recordsAloneAndInLists() {
        let expected = ["ID": "x", "SYSEXT_VERSION_ID": "29.1"]
        let read = { (text: String, image: String) in
            ImageMetadata(json: Bytes(text.utf8), image: image)?.release
        }
        #expect(read(Self.record, "a-1.raw") == expected)
        #expect(read("[\(Self.record), {\"image_name\":\"b\"}]", "a-1.raw") == expected)
        #expect(read("[\(Self.record)]", "other.raw") == nil)
        #expect(read(#"{"sysext":{"ID":"y"}}"#, "any.raw") == ["ID": "y"])
        #expect(read(#"{"image_name":"b"}"#, "b") == [:])
        #expect(read("[1]", "b") == nil)
        #expect(read("{", "b") == nil)
    }

    @Test func manifests() {
        let text =
            #"{"config":{"name":"gdb","version":"29.1"},"extension":{"ID":"y","A":"b\nID=z"},"packages":[]}"#
        let found = ImageMetadata(manifest: Bytes(text.utf8))
        #expect(found?.name == "gdb" && found?.version == "29.1")
        // A value with a line end could pretend to be another field.
        #expect(found?.release == ["ID": "y"])
        #expect(ImageMetadata(manifest: [0x1f, 0x8b, 8, 0]) == nil)
    }
}

@Suite struct CatalogTests {
    @Test func names() throws {
        let digest = Digest(hashing: []).hex
        let text = """
            [emacs]
            Remote=suse
            Package=emacs-gtk
            Version=30.1
            [gdb]
            Remote=https://h/ext/
            [tool]
            File=https://h/tool-1.raw
            Digest=sha256:\(digest)
            """
        let entries = try Catalog(parsing: Bytes(text.utf8), file: "c").entries
        #expect(entries.map(\.name) == ["emacs", "gdb", "tool"])
        #expect(entries[0].place == .remote(name: "suse") && entries[0].package == "emacs-gtk")
        #expect(entries[0].version == "30.1" && entries[1].version == nil)
        #expect(entries[1].place == .store(.url("https://h/ext")))
        #expect(entries[2].place == .file(.url("https://h/tool-1.raw"), Digest(hashing: [])))
    }

    @Test(arguments: [
        "[a]\nFile=https://h/x.raw", "[a]\nVersion=1", "[a]\nRemote=x\nFile=/y\nDigest=z", "[a b]\nRemote=x",
        "Remote=x", "[a]\nRemote=x\nColour=red", "[a]\nRemote", "[a]\nFile=/x\nDigest=00",
    ])
    func whatIsWrong(text: String) {
        #expect(throws: (any Error).self) { try Catalog(parsing: Bytes(text.utf8), file: "c") }
    }
}
