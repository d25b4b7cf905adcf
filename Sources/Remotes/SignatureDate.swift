internal import Files

/// When signatures were made, as they say in the part of them that is signed.
///
/// Nothing is verified here: another program does that, and does not tell the time.
///
/// Source: RFC 9580, 4.2, 5.2.3, 5.2.3.11.
enum SignatureDate {
    private static let signaturePacket: UInt8 = 2
    private static let creationTime: UInt8 = 2

    /// The earliest time of all signatures in a file, in seconds since the epoch; `nil` where one does not say.
    ///
    /// The earliest, for others can be put beside the one that holds.
    static func earliest(in bytes: Bytes) -> Int? {
        let isText = bytes.starts(with: "-----BEGIN".utf8)
        guard let binary = isText ? OpenPGPText.decoded(bytes, kind: "SIGNATURE") : bytes else { return nil }
        var rest = binary[...]
        var dates: [Int] = []
        while !rest.isEmpty {
            guard let (tag, body) = packet(&rest) else { return nil }
            guard tag == signaturePacket else { continue }
            guard let date = date(of: body) else { return nil }
            dates.append(date)
        }
        return dates.min()
    }

    private static func number(_ bytes: inout ArraySlice<UInt8>, octets: Int) -> Int? {
        guard bytes.count >= octets else { return nil }
        let value = bytes.prefix(octets).reduce(0) { $0 << 8 | Int($1) }
        bytes = bytes.dropFirst(octets)
        return value
    }

    private static func packet(_ rest: inout ArraySlice<UInt8>) -> (tag: UInt8, body: ArraySlice<UInt8>)? {
        guard let head = rest.popFirst(), head & 0x80 != 0 else { return nil }
        let length: Int?
        if head & 0x40 == 0 {
            // The old format; a length that is not known goes to the end.
            length = head & 3 == 3 ? rest.count : number(&rest, octets: 1 << Int(head & 3))
        } else {
            length = newLength(&rest)
        }
        guard let length, length <= rest.count else { return nil }
        defer { rest = rest.dropFirst(length) }
        return (head & 0x40 == 0 ? head >> 2 & 0xf : head & 0x3f, rest.prefix(length))
    }

    /// A length in the new format of packets; those that come in pieces are none of signatures.
    private static func newLength(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let first = rest.popFirst() else { return nil }
        switch first {
        case ..<192: return Int(first)
        case ..<224: return number(&rest, octets: 1).map { (Int(first) - 192) << 8 + $0 + 192 }
        case 255: return number(&rest, octets: 4)
        default: return nil
        }
    }

    /// A length as parts of signatures have it.
    private static func partLength(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let first = rest.popFirst() else { return nil }
        switch first {
        case ..<192: return Int(first)
        case ..<255: return number(&rest, octets: 1).map { (Int(first) - 192) << 8 + $0 + 192 }
        default: return number(&rest, octets: 4)
        }
    }

    private static func date(of signature: ArraySlice<UInt8>) -> Int? {
        var rest = signature
        guard let version = rest.popFirst(), version == 4 || version == 6, rest.count > 3 else { return nil }
        // Its type, its algorithm and that of its digest.
        rest = rest.dropFirst(3)
        guard let count = number(&rest, octets: version == 4 ? 2 : 4), count <= rest.count else { return nil }
        var parts = rest.prefix(count)
        while !parts.isEmpty {
            guard let length = partLength(&parts), length > 0, length <= parts.count, let type = parts.first
            else { return nil }
            var body = parts.prefix(length).dropFirst()
            parts = parts.dropFirst(length)
            // The highest bit says that it must be understood.
            if type & 0x7f == creationTime, body.count == 4 { return number(&body, octets: 4) }
        }
        return nil
    }
}
