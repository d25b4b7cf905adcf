internal import Files

/// The text of a listing while it is made: an array makes sure with every byte that it has no other owner.
struct ListingText {
    private var buffer: UnsafeMutableRawBufferPointer
    private var count = 0

    /// - Parameter capacity: Bytes that may follow without a move.
    init(capacity: Int) {
        buffer = .allocate(byteCount: capacity, alignment: 16)
    }

    func deallocate() { buffer.deallocate() }

    /// What was added since it was taken last; good until more is added.
    mutating func take() -> UnsafeRawBufferPointer {
        defer { count = 0 }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    /// Bytes that wait to be taken.
    var pending: Int { count }

    /// The free rest, which has room for so many bytes.
    private mutating func rest(_ length: Int) -> UnsafeMutableRawBufferPointer {
        if buffer.count - count < length {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(2 * buffer.count, count + length), alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            buffer.deallocate()
            buffer = larger
        }
        return UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
    }

    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { self.rest($0.count).copyMemory(from: UnsafeRawBufferPointer($0)) }
        count += text.utf8CodeUnitCount
    }

    mutating func append(bytes: UnsafeRawBufferPointer) {
        rest(bytes.count).copyMemory(from: bytes)
        count += bytes.count
    }

    mutating func append(path: UnsafeRawBufferPointer) {
        append(".")
        guard !path.isEmpty else { return }
        append("/")
        append(escaping: path)
    }

    mutating func append(escaping bytes: Bytes) { bytes.withUnsafeBytes { append(escaping: $0) } }

    mutating func append(escaping bytes: UnsafeRawBufferPointer) {
        let rest = self.rest(4 * bytes.count)
        var length = 0
        for byte in bytes {
            if Self.isPlain[Int(byte)] {
                rest[length] = byte
                length += 1
            } else {
                rest[length] = UInt8(ascii: "\\")
                rest[length + 1] = UInt8(ascii: "0") + (byte >> 6)
                rest[length + 2] = UInt8(ascii: "0") + (byte >> 3 & 7)
                rest[length + 3] = UInt8(ascii: "0") + (byte & 7)
                length += 4
            }
        }
        count += length
    }

    /// The last three digits.
    mutating func append(octal number: UInt16) {
        let rest = self.rest(3)
        for place in 0..<3 {
            rest[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number >> (6 - 3 * place) & 7)
        }
        count += 3
    }

    /// A number that is not negative.
    mutating func append(decimal number: Int) {
        var length = 1
        var power = number / 10
        while power > 0 {
            power /= 10
            length += 1
        }
        let rest = self.rest(length)
        var digits = number
        for place in (0..<length).reversed() {
            rest[place] = UInt8(ascii: "0") + UInt8(digits % 10)
            digits /= 10
        }
        count += length
    }

    mutating func append(digest: Digest) {
        digest.writeHex(to: self.rest(2 * Digest.byteCount))
        count += 2 * Digest.byteCount
    }

    mutating func append(hexadecimal bytes: Bytes) {
        let rest = self.rest(2 * bytes.count)
        for (place, byte) in bytes.enumerated() {
            rest[2 * place] = Self.hexDigits[Int(byte >> 4)]
            rest[2 * place + 1] = Self.hexDigits[Int(byte & 15)]
        }
        count += 2 * bytes.count
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    private static let isPlain: [Bool] = (0..<256).map { value in
        let byte = UInt8(value)
        return (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "./_+,:@%~-".utf8.contains(byte)
    }
}
