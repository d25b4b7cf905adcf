internal import CSodium
public import Files
internal import Glibc

/// A public key of minisign(1), by which a listing is known to be whose it says.
///
/// Source: minisign(1), "Public key format".
public struct VerifyingKey: Sendable, Hashable {
    /// Bytes that its file may have.
    static let longest = 4096
    private static let algorithm = Bytes("Ed".utf8)

    /// Tells keys apart: 8 bytes.
    let identifier: Bytes
    /// The key: 32 bytes.
    let bytes: Bytes

    init(identifier: Bytes, bytes: Bytes) {
        self.identifier = identifier
        self.bytes = bytes
    }

    /// Reads a key's file, or the one line of it that is the key; `nil` for anything else.
    public init?(parsing text: Bytes) {
        let lines = Minisign.lines(text)
        guard let line = lines.count == 1 ? lines[0] : lines.dropFirst().first,
            lines.count == 1 || lines[0].hasPrefix(Minisign.comment),
            let packed = Minisign.decoded(line), packed.count == 42, packed.starts(with: Self.algorithm)
        else { return nil }
        self.init(identifier: Bytes(packed[2..<10]), bytes: Bytes(packed[10...]))
    }

    /// The key as minisign writes it in one line.
    public var line: String { Minisign.encoded(Self.algorithm + identifier + bytes) }

    /// The identifier as minisign shows it: 16 hexadecimal digits.
    public var name: String {
        identifier.reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
    }

    /// The text of its file.
    public var text: String { "\(Minisign.comment)minisign public key \(name)\n\(line)\n" }

    /// Verifies a signature.
    ///
    /// - Returns: When the signature was made, in seconds since the epoch, where it says so.
    /// - Throws: ``MinisignError``.
    func verify(_ signature: Minisign, of data: Bytes) throws(MinisignError) -> Int? {
        guard signature.identifier == identifier else {
            throw .otherKey(signature.keyName)
        }
        let signed = signature.isHashed ? Minisign.hash(data, count: 64) : data
        guard isValid(signature.signature, of: signed) else { throw .otherData }
        guard isValid(signature.commentSignature, of: signature.signature + signature.trustedComment.utf8)
        else { throw .otherComment }
        return signature.time
    }

    private func isValid(_ signature: Bytes, of data: Bytes) -> Bool {
        crypto_sign_verify_detached(signature, data, UInt64(data.count), bytes) == 0
    }
}

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
        guard packed[(start + 72)...].elementsEqual(checksum) else { throw MinisignError.noSecretKey(path) }
    }

    private var checksum: Bytes {
        Minisign.hash(Bytes("Ed".utf8) + verifying.identifier + secret, count: 32)
    }

    /// The text of its file, which nobody else may read.
    public var text: String {
        let packed =
            Self.head + Bytes(repeating: 0, count: Self.unused) + verifying.identifier + secret + checksum
        return "\(Minisign.comment)minisign secret key \(verifying.name), without a password\n\(Minisign.encoded(packed))\n"
    }

    /// Signs.
    ///
    /// - Parameters:
    ///   - data: What is signed.
    ///   - file: The name of its file, which is signed with it.
    ///   - time: When, in seconds since the epoch.
    public func sign(_ data: Bytes, file: String, time: Int) -> Minisign {
        let comment = "timestamp:\(time)\tfile:\(file)\thashed"
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

/// A detached signature of minisign(1).
///
/// Source: minisign(1), "Signature format".
public struct Minisign: Sendable, Equatable {
    /// Bytes that its file may have.
    static let longest = 16 << 10
    static let comment = "untrusted comment: "
    private static let trusted = "trusted comment: "

    let identifier: Bytes
    /// Whether the BLAKE2b-512 hash is signed rather than the data.
    let isHashed: Bool
    let signature: Bytes
    /// What was signed together with the signature.
    let trustedComment: String
    let commentSignature: Bytes

    init(
        identifier: Bytes, isHashed: Bool, signature: Bytes, trustedComment: String, commentSignature: Bytes
    ) {
        self.identifier = identifier
        self.isHashed = isHashed
        self.signature = signature
        self.trustedComment = trustedComment
        self.commentSignature = commentSignature
    }

    /// Reads a signature's file; `nil` for anything else.
    public init?(parsing text: Bytes) {
        guard text.count <= Self.longest else { return nil }
        let lines = Self.lines(text)
        guard lines.count == 4, lines[0].hasPrefix(Self.comment), lines[2].hasPrefix(Self.trusted),
            let packed = Self.decoded(lines[1]), packed.count == 74,
            let commentSignature = Self.decoded(lines[3]), commentSignature.count == 64
        else { return nil }
        switch packed[..<2] {
        case let head where head.elementsEqual("ED".utf8): isHashed = true
        case let head where head.elementsEqual("Ed".utf8): isHashed = false
        default: return nil
        }
        identifier = Bytes(packed[2..<10])
        signature = Bytes(packed[10...])
        trustedComment = String(lines[2].dropFirst(Self.trusted.count))
        self.commentSignature = commentSignature
    }

    /// The text of its file.
    public var text: String {
        """
        \(Self.comment)signature by key \(keyName)
        \(Self.encoded(Bytes((isHashed ? "ED" : "Ed").utf8) + identifier + signature))
        \(Self.trusted)\(trustedComment)
        \(Self.encoded(commentSignature))

        """
    }

    /// The key that made it, as minisign shows it.
    public var keyName: String { VerifyingKey(identifier: identifier, bytes: []).name }

    /// When it was made, in seconds since the epoch, where its trusted comment says so.
    var time: Int? {
        let mark = "timestamp:"
        return trustedComment.split(separator: "\t").first { $0.hasPrefix(mark) }.flatMap {
            Int($0.dropFirst(mark.count))
        }
    }

    static func lines(_ text: Bytes) -> [String] {
        guard let text = String(validating: text, as: UTF8.self) else { return [] }
        return text.split(separator: "\n").map { $0.hasSuffix("\r") ? String($0.dropLast()) : String($0) }
    }

    static func decoded(_ text: String) -> Bytes? {
        var result = Bytes(repeating: 0, count: text.utf8.count)
        var count = 0
        let code = sodium_base642bin(
            &result, result.count, text, text.utf8.count, nil, &count, nil, sodium_base64_VARIANT_ORIGINAL)
        return code == 0 ? Bytes(result[..<count]) : nil
    }

    static func encoded(_ bytes: Bytes) -> String {
        let count = (bytes.count + 2) / 3 * 4 + 1
        return String(unsafeUninitializedCapacity: count) { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                _ = sodium_bin2base64(
                    $0.baseAddress!, count, bytes, bytes.count, sodium_base64_VARIANT_ORIGINAL)
            }
            return count - 1
        }
    }

    /// BLAKE2b.
    static func hash(_ data: Bytes, count: Int) -> Bytes {
        var result = Bytes(repeating: 0, count: count)
        crypto_generichash(&result, count, data, UInt64(data.count), nil, 0)
        return result
    }
}

/// Why a key or signature of minisign is refused.
public enum MinisignError: Error, Equatable, CustomStringConvertible {
    /// It was made by a key that is not known.
    case otherKey(String)
    /// It is not of this data.
    case otherData
    /// Its trusted comment was changed.
    case otherComment
    /// A file that is no secret key.
    case noSecretKey(String)
    /// A secret key that needs a password.
    case password(String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .otherKey(let name): "it is signed with the key \(name), which is not trusted"
        case .otherData: "the signature is not over this listing"
        case .otherComment: "the signature's trusted comment was changed"
        case .noSecretKey(let path):
            """
            \(path) is no secret key of minisign
            hint: 'sxs key generate NAME' makes one
            """
        case .password(let path):
            """
            \(path) is a secret key with a password, which sxs does not ask for
            hint: 'minisign -C -W -s \(path)' takes the password away; or make another key with 'sxs key generate NAME'
            """
        }
    }
}
