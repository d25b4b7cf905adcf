private import CCrypto

/// A SHA-256 digest.
///
/// Source: FIPS 180-4.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Length in bytes.
    public static let byteCount = 32

    private let words: SIMD4<UInt64>

    /// Creates a digest from its 32 bytes; `nil` for any other number of them.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words = SIMD4<UInt64>()
        for (index, byte) in bytes.enumerated() {
            words[index / 8] = words[index / 8] << 8 | UInt64(byte)
        }
        self.words = words
    }

    fileprivate init(words: SIMD4<UInt64>) { self.words = words }

    /// - Parameter state: The eight words that FIPS 180-4 calls H.
    init(state: SIMD8<UInt32>) {
        words = SIMD4(truncatingIfNeeded: state.evenHalf) &<< 32 | SIMD4(truncatingIfNeeded: state.oddHalf)
    }

    /// Creates a digest from 64 lower-case hexadecimal digits; `nil` for any other text.
    public init?(hex: some StringProtocol) {
        self.init(digits: Array(hex.utf8)[...])
    }

    /// Creates a digest from the bytes of its 64 lower-case hexadecimal digits; `nil` for any others.
    public init?(digits: ArraySlice<UInt8>) {
        guard digits.count == Self.byteCount * 2 else { return nil }
        var words = SIMD4<UInt64>()
        for (index, digit) in digits.enumerated() {
            guard let value = Self.value(of: digit) else { return nil }
            words[index / 16] = words[index / 16] << 4 | UInt64(value)
        }
        self.words = words
    }

    /// Creates the digest of `bytes`.
    public init(hashing bytes: some Sequence<UInt8>) {
        var hasher = Hasher256()
        Array(bytes).withUnsafeBytes { hasher.update($0) }
        self = hasher.finalize()
    }

    /// The 32 bytes.
    public var bytes: Bytes {
        (0..<Self.byteCount).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64(56 - $0 % 8 * 8)) }
    }

    /// The first eight bytes as a number, which tell most digests apart.
    public var start: UInt64 { words[0] }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        String(unsafeUninitializedCapacity: Self.byteCount * 2) { buffer in
            writeHex(to: UnsafeMutableRawBufferPointer(buffer))
            return Self.byteCount * 2
        }
    }

    /// Puts its 64 lower-case hexadecimal digits at the beginning of a buffer.
    ///
    /// - Precondition: There is room for them.
    public func writeHex(to buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count >= Self.byteCount * 2)
        for number in 0..<4 {
            var rest = words[number]
            for place in (0..<16).reversed() {
                let digit = UInt8(truncatingIfNeeded: rest) & 15
                buffer[number * 16 + place] = digit < 10 ? 0x30 + digit : 0x57 + digit
                rest >>= 4
            }
        }
    }

    /// Hashes the whole of a file.
    public init(hashing file: Descriptor) throws {
        var hasher = Hasher256()
        try hasher.update(with: file)
        self = hasher.finalize()
    }

    /// The algorithm's name, a colon and the digest in hexadecimal.
    public var description: String { "sha256:" + hex }

    /// Whether one comes before the other, bytewise.
    public static func < (left: Digest, right: Digest) -> Bool {
        for index in 0..<4 where left.words[index] != right.words[index] {
            return left.words[index] < right.words[index]
        }
        return false
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}

/// A running SHA-256 computation.
public struct Hasher256: Sendable {
    private var context = SHA256_CTX()

    /// Starts a computation over no bytes.
    public init() {
        SHA256_Init(&context)
    }

    /// Takes a computation up.
    ///
    /// - Parameters:
    ///   - state: The eight words that FIPS 180-4 calls H.
    ///   - count: Bytes so far: whole blocks.
    init(state: SIMD8<UInt32>, count: UInt64) {
        self.init()
        withUnsafeMutableBytes(of: &context.h) { $0.storeBytes(of: state, as: SIMD8<UInt32>.self) }
        (context.Nl, context.Nh) = (
            UInt32(truncatingIfNeeded: count << 3), UInt32(truncatingIfNeeded: count >> 29)
        )
    }

    /// The eight words that FIPS 180-4 calls H, after whole blocks.
    var state: SIMD8<UInt32> {
        withUnsafeBytes(of: context.h) { $0.loadUnaligned(as: SIMD8<UInt32>.self) }
    }

    /// Bytes so far.
    var count: UInt64 { (UInt64(context.Nh) << 32 | UInt64(context.Nl)) >> 3 }

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        SHA256_Update(&context, bytes.baseAddress, bytes.count)
    }

    /// Adds the whole of a file.
    ///
    /// - Returns: Its length in bytes.
    @discardableResult
    public mutating func update(with file: Descriptor) throws -> Int {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { buffer.deallocate() }
        var offset = 0
        while case let count = try file.read(into: buffer, at: offset), count > 0 {
            update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += count
        }
        return offset
    }

    /// The digest of everything added; the computation is over.
    public mutating func finalize() -> Digest {
        var words = SIMD4<UInt64>()
        withUnsafeMutableBytes(of: &words) { buffer in
            _ = SHA256_Final(buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
        }
        for index in 0..<4 { words[index] = UInt64(bigEndian: words[index]) }
        return Digest(words: words)
    }
}

/// A running SHA-256 computation that can be taken up again at some places: where a file changes from some byte on, its
/// new digest takes only what follows.
public struct ResumableHasher: Sendable {
    /// Bytes between the places.
    public static let step = 64 << 10
    /// Places that are kept of one computation: of the first 256 MiB, so that no file fills the memory.
    static let most = 4096

    /// The computation after each step.
    public internal(set) var states: [Hasher256] = []
    var hasher = Hasher256()
    /// Bytes since the last step.
    var pending = 0

    /// Starts a computation over no bytes.
    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while pending + rest.count >= Self.step {
            let count = Self.step - pending
            hasher.update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            if states.count < Self.most { states.append(hasher) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            pending = 0
        }
        hasher.update(rest)
        pending += rest.count
    }

    /// The digest of everything added; the computation is over.
    public mutating func finalize() -> Digest { hasher.finalize() }

    /// How many bytes of a message are still to be hashed, where it begins as that of a computation did.
    ///
    /// - Parameters:
    ///   - count: Its bytes.
    ///   - states: The ``states`` of the computation.
    ///   - common: How many bytes, at least, are the same.
    public static func length(of count: Int, after states: [Hasher256], common: Int) -> Int {
        count - steps(of: count, after: states, common: common) * step
    }

    /// Steps that need not be done again.
    static func steps(of count: Int, after states: [Hasher256], common: Int) -> Int {
        min(states.count, common / step, count / step)
    }
}
