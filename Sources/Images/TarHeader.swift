internal import Files

/// One 512-byte block before an entry of a tar archive.
///
/// Source: POSIX.1-2017 pax(1), "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
struct TarHeader {
    /// Bytes of a block.
    static let blockSize = 512

    /// The block.
    let block: Bytes

    /// Whether the checksum is right, summed over unsigned bytes or, as old programs did, signed ones.
    var isValid: Bool {
        guard block.count == Self.blockSize, let stored = number(148..<156) else { return false }
        // In numbers of which many fit in a register: there are many headers.
        var sum: UInt32 = 0
        var high: UInt32 = 0
        block.withUnsafeBufferPointer { bytes in
            for byte in bytes {
                sum &+= UInt32(byte)
                high &+= UInt32(byte >> 7)
            }
        }
        var (unsigned, negative) = (Int(sum), Int(high))
        // The field itself counts as blanks.
        for byte in block[148..<156] {
            unsigned += 0x20 - Int(byte)
            negative -= Int(byte >> 7)
        }
        let signed = unsigned - 256 * negative
        return stored == unsigned || stored == signed
    }

    /// Whether it is one of the two blocks of zeros at the end.
    var isZero: Bool { block.allSatisfy { $0 == 0 } }

    /// The type flag.
    var type: UInt8 { block[156] }

    /// Permission bits.
    var mode: UInt16 { UInt16(truncatingIfNeeded: (number(100..<108) ?? 0) & 0o7777) }

    /// Bytes stored after the header; `nil` where the field is no number.
    var size: Int? { number(124..<136) }

    /// The name, with the prefix of POSIX archives.
    var name: Bytes {
        let name = text(0..<100)
        // GNU archives ("ustar  ") have times where POSIX ones have the prefix.
        guard block[257..<263].elementsEqual("ustar\0".utf8) else { return name }
        let prefix = text(345..<500)
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    /// The link's target.
    var linkName: Bytes { text(157..<257) }

    /// Bytes of a field up to its NUL.
    func text(_ field: Range<Int>) -> Bytes {
        Bytes(block[field].prefix { $0 != 0 })
    }

    /// A number: octal digits, or base 256 where the first bit is set; `nil` for anything else and negative ones.
    func number(_ field: Range<Int>) -> Int? {
        let bytes = block[field]
        if let first = bytes.first, first & 0x80 != 0 {
            guard first == 0x80 else { return nil }
            var value = 0
            for byte in bytes.dropFirst() {
                guard value <= Int.max >> 8 else { return nil }
                value = value << 8 | Int(byte)
            }
            return value
        }
        let digits = bytes.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        return Self.number(digits, radix: 8)
    }

    /// Digits as a number; 0 for none, `nil` for other characters and overflow.
    static func number(_ digits: some Collection<UInt8>, radix: Int) -> Int? {
        var value = 0
        for digit in digits {
            guard digit >= 0x30, Int(digit) < 0x30 + radix else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: radix)
            guard !overflow, scaled <= Int.max - 9 else { return nil }
            value = scaled + Int(digit - 0x30)
        }
        return value
    }
}
