internal import Files

/// OpenPGP data in text form: base64 between lines that say what it is.
///
/// Source: RFC 9580, 6.2.
enum OpenPGPText {
    /// The bytes of all blocks of a kind, such as `PUBLIC KEY BLOCK`; `nil` where there is none, or one is damaged.
    static func decoded(_ bytes: Bytes, kind: String) -> Bytes? {
        let begin = "-----BEGIN PGP \(kind)-----"
        let lines = String(decoding: bytes, as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        enum State {
            case outside, head, body
        }
        var result: Bytes = []
        var text = ""
        var state = State.outside
        for line in lines.map({ $0.filter { !$0.isWhitespace || $0 == " " } }) {
            switch state {
            case _ where line == begin:
                state = .head
                text = ""
            case .outside: break
            // Header fields end with an empty line.
            case .head: if line.isEmpty { state = .body }
            case .body where line.hasPrefix("-----END") || line.hasPrefix("="):
                guard let block = base64(text) else { return nil }
                result += block
                state = .outside
            case .body: text += line
            }
        }
        return result.isEmpty ? nil : result
    }

    private static func base64(_ text: String) -> Bytes? {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var values = [UInt8?](repeating: nil, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        var result: Bytes = []
        var (bits, count): (UInt32, Int) = (0, 0)
        for byte in text.utf8 where byte != UInt8(ascii: "=") {
            guard let value = values[Int(byte)] else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return result
    }
}
