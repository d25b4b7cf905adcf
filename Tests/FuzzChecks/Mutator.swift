/// Damages ELF files where it hurts: headers, tables and the offsets in them; the same seed gives the same files.
public struct Mutator: RandomNumberGenerator {
    private var state: UInt64

    /// Creates a mutator.
    public init(seed: UInt64) { state = seed }

    /// The next number (splitmix64).
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    private mutating func below(_ limit: Int) -> Int { limit <= 1 ? 0 : Int(next() % UInt64(limit)) }

    /// Numbers at which sums overflow, counts run away and comparisons turn.
    private static let odd: [UInt64] = [
        0, 1, 7, 0x7f, 0xff, 0xfff0, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff,
        0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0xffff_ffff_ffff_fff0, .max,
    ]

    /// A damaged copy.
    public mutating func mutate(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        guard bytes.count > 64 else { return bytes }
        for _ in 0...below(4) { mutateOnce(&bytes) }
        if below(16) == 0 { bytes.removeLast(below(bytes.count)) }
        return bytes
    }

    /// A damaged copy of bytes of any kind, with parts of others in it.
    public mutating func mutateAnything(_ original: [UInt8], others: [[UInt8]]) -> [UInt8] {
        var bytes = original
        for _ in 0...below(4) {
            guard !bytes.isEmpty else { return bytes }
            switch below(9) {
            case 0: bytes[below(bytes.count)] ^= 1 << UInt8(below(8))
            case 1: bytes[below(bytes.count)] = UInt8(truncatingIfNeeded: next())
            case 2: put(&bytes, at: below(bytes.count), width: [1, 2, 4, 8][below(4)])
            case 3: bytes.removeLast(below(bytes.count))
            case 4:
                let start = below(bytes.count)
                bytes.removeSubrange(start..<min(bytes.count, start + 1 + below(64)))
            case 5:
                let start = below(bytes.count)
                let part = Array(bytes[start..<min(bytes.count, start + 1 + below(512))])
                bytes.insert(contentsOf: part, at: below(bytes.count))
            case 6:
                guard let other = others.randomElement(using: &self), !other.isEmpty else { continue }
                let start = below(other.count)
                let part = other[start..<min(other.count, start + 1 + below(512))]
                let place = below(bytes.count)
                bytes.replaceSubrange(place..<min(bytes.count, place + part.count), with: part)
            case 7:
                // A number in digits, as headers and documents of text have it.
                let digits = Array(
                    ["0", "-1", "9223372036854775807", "18446744073709551616", "1e9"][below(5)].utf8)
                let place = bytes.firstIndex { (0x31...0x39).contains($0) } ?? 0
                bytes.replaceSubrange(place..<min(bytes.count, place + 1 + below(4)), with: digits)
            default:
                let place = below(bytes.count)
                bytes.insert(
                    contentsOf: Array(["../", "/", "\n", "\0", "=", "\"", "[", "%s"][below(8)].utf8),
                    at: place)
            }
        }
        return bytes
    }

    private mutating func mutateOnce(_ bytes: inout [UInt8]) {
        let wide = bytes[4] == 2
        let programs = (offset: word(bytes, at: wide ? 32 : 28, wide), count: half(bytes, at: wide ? 56 : 44))
        let sections = (offset: word(bytes, at: wide ? 40 : 32, wide), count: half(bytes, at: wide ? 60 : 48))
        switch below(8) {
        case 0:  // A field of the ELF header.
            put(&bytes, at: 4 + below(wide ? 60 : 48), width: [1, 2, 4, 8][below(4)])
        case 1, 2:  // A program header.
            let size = wide ? 56 : 32
            put(
                &bytes, at: programs.offset &+ below(programs.count) &* size &+ below(size / 4) &* 4,
                width: wide ? 8 : 4)
        case 3:  // A section header.
            let size = wide ? 64 : 40
            put(
                &bytes, at: sections.offset &+ below(sections.count) &* size &+ below(size / 4) &* 4,
                width: wide ? 8 : 4)
        case 4, 5:  // A dynamic entry, a relocation, a symbol: inside the parts that program headers name.
            let size = wide ? 56 : 32
            let header = programs.offset &+ below(programs.count) &* size
            let part = word(bytes, at: header &+ (wide ? 8 : 4), wide)
            let length = word(bytes, at: header &+ (wide ? 32 : 16), wide)
            put(&bytes, at: part &+ below(min(max(length, 1), 4096)) & ~3, width: wide ? 8 : 4)
        case 6:  // Part of the file over another part.
            let length = min(1 + below(256), bytes.count)
            let source = below(bytes.count - length + 1)
            let target = below(bytes.count - length + 1)
            let part = Array(bytes[source..<source + length])
            bytes.replaceSubrange(target..<target + length, with: part)
        default: bytes[below(bytes.count)] = UInt8(truncatingIfNeeded: next())
        }
    }

    /// Puts an odd number, or the old one a little changed.
    private mutating func put(_ bytes: inout [UInt8], at offset: Int, width: Int) {
        guard offset >= 0, offset <= bytes.count - width else { return }
        var value = Self.odd[below(Self.odd.count)]
        switch below(4) {
        case 0:
            let old = (0..<width).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
            value = old &+ UInt64(below(33)) &- 16
        case 1: value = UInt64(bytes.count) &+ UInt64(below(64)) &- 32
        default: break
        }
        for index in 0..<width {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }

    private func half(_ bytes: [UInt8], at offset: Int) -> Int {
        offset + 2 <= bytes.count ? Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 : 0
    }

    private func word(_ bytes: [UInt8], at offset: Int, _ wide: Bool) -> Int {
        guard offset >= 0, offset <= bytes.count - (wide ? 8 : 4) else { return 0 }
        let value = (0..<(wide ? 8 : 4)).reduce(UInt64(0)) {
            $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1)
        }
        return Int(clamping: value)
    }
}
