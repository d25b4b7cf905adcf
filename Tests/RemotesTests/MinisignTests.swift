import Files
import Foundation
import Testing

@testable import Remotes

/// What minisign 0.11 made of `hello` and a newline.
private enum Vector {
    static let data = Bytes("hello\n".utf8)
    static let key = "RWSAUFqp78B8dYmLeSNYftmzQPMbiQqkgrr2mTiFP06oFGffuVPZgDfP"
    static let secret = """
        untrusted comment: minisign encrypted secret key
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgFBaqe/AfHV9WyuC13am0fNMpWSmI6YRnQIDDW7DZ9RtFHL/pk0yl4mLeSNYftmzQPMbiQqkgrr2mTiFP06oFGffuVPZgDfPAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

        """
    static let hashed = """
        untrusted comment: signature from minisign secret key
        RUSAUFqp78B8dVyD/u3/mefVkcwk9TvLqMAdJH+dKb+ma8t0Sf2Mlz6OmlOSa7sexj5oLpolsBx2UFnFF1YBVdGNxDm605C8QgA=
        trusted comment: timestamp:1700000000\tfile:data\thashed
        3FQ4VjNd6MueEaHxjeiYQAA9OD3yghXOGyOgLlifh79wdqYIPbAnB2R4emK9naR9JHdnEMztV1B9/uv8AozgDA==

        """
    static let plain = """
        untrusted comment: signature from minisign secret key
        RWSAUFqp78B8dT/cK/o6L3NeGAeyvyo52FJabXKqMJ5ev7rXI7Rp+1xjHNxVOsBCvEhvBwqgYepoCa4/UfPeccarWqcE92SvLwg=
        trusted comment: timestamp:1700000001\tfile:data
        p5K7o0DXIBbU6umGnFg4tDfqjj2bZWYnUGTR+q5B+TRdsobOHnYVuagC3nlWkM6iyS1RFgnfirMt0K8N6MtIAg==

        """
}

@Suite struct MinisignTests {
    private func secretKey(_ text: String) throws -> SigningKey {
        let path = FileManager.default.temporaryDirectory.path + "/sxs-minisign-\(UUID())"
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try SigningKey(file: path)
    }

    @Test func signaturesOfMinisignHold() throws {
        let key = try #require(VerifyingKey(parsing: Bytes(Vector.key.utf8)))
        #expect(key.name == "757CC0EFA95A5080")
        #expect(VerifyingKey(parsing: Bytes(key.text.utf8)) == key && key.line == Vector.key)
        for (text, time) in [(Vector.hashed, 1_700_000_000), (Vector.plain, 1_700_000_001)] {
            let signature = try #require(Minisign(parsing: Bytes(text.utf8)))
            try key.verify(signature, of: Vector.data)
            #expect(signature.time == time && signature.serial == nil)
            #expect(throws: MinisignError.otherData) { try key.verify(signature, of: Bytes("hello".utf8)) }
        }
    }

    @Test func linesMayEndAsOnOtherSystems() throws {
        let key = try #require(VerifyingKey(parsing: Bytes(Vector.key.utf8)))
        let text = Vector.hashed.replacing("\n", with: "\r\n")
        try key.verify(try #require(Minisign(parsing: Bytes(text.utf8))), of: Vector.data)
        #expect(VerifyingKey(parsing: Bytes(key.text.replacing("\n", with: "\r\n").utf8)) == key)
    }

    @Test func everyByteOfASignatureCounts() throws {
        let key = try #require(VerifyingKey(parsing: Bytes(Vector.key.utf8)))
        let bytes = Bytes(Vector.hashed.utf8)
        // The first line says nothing; the last byte ends a line; base64 has two bits of padding.
        let first = try #require(bytes.firstIndex(of: 0x0a))
        var taken: [Int] = []
        for index in bytes.indices where index > first {
            var changed = bytes
            changed[index] ^= 1
            guard let signature = Minisign(parsing: changed) else { continue }
            if (try? key.verify(signature, of: Vector.data)) != nil { taken.append(index) }
        }
        #expect(taken.isEmpty, "changes at \(taken) were not found")
    }

    @Test func everyCutIsNoSignatureOrDoesNotHold() throws {
        let key = try #require(VerifyingKey(parsing: Bytes(Vector.key.utf8)))
        let bytes = Bytes(Vector.hashed.utf8)
        for length in 0..<bytes.count - 1 {
            guard let signature = Minisign(parsing: Bytes(bytes[..<length])) else { continue }
            #expect(throws: MinisignError.self) { try key.verify(signature, of: Vector.data) }
        }
    }

    @Test func keysOfMinisignSign() throws {
        let key = try secretKey(Vector.secret)
        #expect(key.verifying.line == Vector.key)
        // Ed25519 signs the same the same way each time.
        let signature = key.sign(Vector.data, file: "data", time: 5, serial: 7)
        #expect(signature.time == 5 && signature.serial == 7)
        let theirs = try #require(Minisign(parsing: Bytes(Vector.hashed.utf8)))
        #expect(signature.signature == theirs.signature)
        #expect(Minisign(parsing: Bytes(signature.text.utf8)) == signature)
        try key.verifying.verify(signature, of: Vector.data)
    }

    @Test func ownKeysAreReadBackAndDamageIsFound() throws {
        let key = SigningKey()
        #expect(try secretKey(key.text).verifying == key.verifying)
        #expect(SigningKey().verifying != key.verifying)
        let lines = key.text.split(separator: "\n")
        var packed = try #require(Minisign.decoded(String(lines[1])))
        packed[80] ^= 1
        #expect(throws: MinisignError.self) { try secretKey("\(lines[0])\n\(Minisign.encoded(packed))\n") }
        packed[80] ^= 1
        // What says which function makes a key of a password.
        packed[2] = UInt8(ascii: "S")
        packed[3] = UInt8(ascii: "c")
        let error = #expect(throws: MinisignError.self) {
            try secretKey("\(lines[0])\n\(Minisign.encoded(packed))\n")
        }
        #expect(error?.description.contains("with a password") == true)
    }

    @Test(arguments: [
        "", "x", "RW", "RWSAUFqp78B8dYmLeSNYftmzQPMbiQqkgrr2mTiFP06oFGffuVPZgDf", "untrusted comment: x\n",
        "comment: x\nRWSAUFqp78B8dYmLeSNYftmzQPMbiQqkgrr2mTiFP06oFGffuVPZgDfP\n", "\u{0}\n\u{0}\n",
    ])
    func whatIsNoKeyIsNone(text: String) { #expect(VerifyingKey(parsing: Bytes(text.utf8)) == nil) }
}
