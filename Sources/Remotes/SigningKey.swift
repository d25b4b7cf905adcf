internal import CSodium
internal import Files
internal import Glibc

/// A secret key of minisign(1) without a password.
///
/// Source: minisign(1), "Secret key format".
public struct SigningKey: Sendable {
    private static let longest = 4096
    private static let head = Bytes("Ed".utf8) + [0, 0] + Bytes("B2".utf8)
    /// Salt and limits of the function that makes a key of a password, which is not used.
    private static let unused = 32 + 8 + 8

    /// The key that verifies what this one signs.
    public let verifying: VerifyingKey
    private let secret: Bytes

    /// Makes a new key.
    public init() {
        precondition(sodium_init() >= 0, "libsodium finds no random numbers")
        var (open, secret) = (Bytes(repeating: 0, count: 32), Bytes(repeating: 0, count: 64))
        crypto_sign_keypair(&open, &secret)
        var identifier = Bytes(repeating: 0, count: 8)
        randombytes_buf(&identifier, 8)
        verifying = VerifyingKey(identifier: identifier, bytes: open)
        self.secret = secret
    }

    /// Reads a key's file.
    ///
    /// - Parameter path: The file.
    /// - Throws: ``MinisignError``, `SystemError`.
    public init(file path: String) throws {
        let lines = Minisign.lines(try Descriptor.file(path).readAll(limit: Self.longest))
        guard lines.count == 2, lines[0].hasPrefix(Minisign.comment),
            let packed = Minisign.decoded(lines[1]), packed.count == 158, packed.starts(with: "Ed".utf8)
        else { throw MinisignError.noSecretKey(path) }
        guard packed[2..<4].elementsEqual([0, 0]) else { throw MinisignError.password(path) }
        let start = Self.head.count + Self.unused
        let identifier = Bytes(packed[start..<start + 8])
        secret = Bytes(packed[(start + 8)..<(start + 72)])
        // The second half of libsodium's secret key is the public key.
        verifying = VerifyingKey(identifier: identifier, bytes: Bytes(secret[32...]))
        // minisign 0.11 leaves the checksum of a key without a password empty.
        let found = packed[(start + 72)...]
        guard found.elementsEqual(checksum) || found.allSatisfy({ $0 == 0 }) else {
            throw MinisignError.noSecretKey(path)
        }
    }

    private var checksum: Bytes {
        Minisign.hash(Bytes("Ed".utf8) + verifying.identifier + secret, count: 32)
    }

    /// The text of its file, which nobody else may read.
    public var text: String {
        let packed =
            Self.head + Bytes(repeating: 0, count: Self.unused) + verifying.identifier + secret + checksum
        return
            "\(Minisign.comment)minisign secret key \(verifying.name), without a password\n\(Minisign.encoded(packed))\n"
    }

    /// Signs.
    ///
    /// - Parameters:
    ///   - data: What is signed.
    ///   - file: The name of its file, which is signed with it.
    ///   - time: When, in seconds since the epoch.
    ///   - serial: Counts what was signed of the file.
    func sign(_ data: Bytes, file: String, time: Int, serial: Int) -> Minisign {
        let comment = "timestamp:\(time)\tfile:\(file)\tserial:\(serial)\thashed"
        let signature = sign(Minisign.hash(data, count: 64))
        return Minisign(
            identifier: verifying.identifier, isHashed: true, signature: signature, trustedComment: comment,
            commentSignature: sign(signature + comment.utf8))
    }

    private func sign(_ data: Bytes) -> Bytes {
        var signature = Bytes(repeating: 0, count: 64)
        crypto_sign_detached(&signature, nil, data, UInt64(data.count), secret)
        return signature
    }
}
