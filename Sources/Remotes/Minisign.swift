internal import CSodium
internal import Files

/// A detached signature of minisign(1).
///
/// Source: minisign(1), "Signature format".
struct Minisign: Sendable, Equatable {
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
    init?(parsing text: Bytes) {
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
    var text: String {
        """
        \(Self.comment)signature by key \(keyName)
        \(Self.encoded(Bytes((isHashed ? "ED" : "Ed").utf8) + identifier + signature))
        \(Self.trusted)\(trustedComment)
        \(Self.encoded(commentSignature))

        """
    }

    /// The key that made it, as minisign shows it.
    var keyName: String { VerifyingKey(identifier: identifier, bytes: []).name }

    /// When it was made, in seconds since the epoch, where its trusted comment says so.
    var time: Int? { number("timestamp:") }

    /// The how manieth signature of its file it is, where its trusted comment says so, as those of sxs do.
    var serial: Int? { number("serial:") }

    private func number(_ mark: String) -> Int? {
        trustedComment.split(separator: "\t").first { $0.hasPrefix(mark) }.flatMap {
            Int($0.dropFirst(mark.count))
        }
    }

    static func lines(_ text: Bytes) -> [String] {
        guard let text = String(validating: text, as: UTF8.self) else { return [] }
        // By bytes: to Swift a carriage return and a line feed are one character.
        return text.utf8.split(separator: 0x0a).map { line in
            String(Substring(line.last == 0x0d ? line.dropLast() : line))
        }.filter { !$0.isEmpty }
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
            let end = buffer.withMemoryRebound(to: CChar.self) { chars in
                chars.baseAddress.flatMap {
                    sodium_bin2base64($0, count, bytes, bytes.count, sodium_base64_VARIANT_ORIGINAL)
                }
            }
            return end == nil ? 0 : count - 1
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
