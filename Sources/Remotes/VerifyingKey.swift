internal import CSodium
public import Files

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

    /// Verifies a signature, and what it says of itself.
    ///
    /// - Throws: ``MinisignError``.
    func verify(_ signature: Minisign, of data: Bytes) throws(MinisignError) {
        guard signature.identifier == identifier else {
            throw .otherKey(signature.keyName)
        }
        let signed = signature.isHashed ? Minisign.hash(data, count: 64) : data
        guard isValid(signature.signature, of: signed) else { throw .otherData }
        guard isValid(signature.commentSignature, of: signature.signature + signature.trustedComment.utf8)
        else { throw .otherComment }
    }

    private func isValid(_ signature: Bytes, of data: Bytes) -> Bool {
        crypto_sign_verify_detached(signature, data, UInt64(data.count), bytes) == 0
    }
}
