/// The first bytes of a file, at most ``limit``: enough to tell a format.
///
/// An image has many files: this is no array, which is a place in memory of its own.
public struct FileHead: RandomAccessCollection, Sendable {
    /// How many bytes are kept.
    public static let limit = 24

    private var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
    private let length: UInt8

    /// Takes the first bytes of what a file begins with.
    public init(_ bytes: some Sequence<UInt8>) {
        var count = 0
        for byte in bytes.prefix(Self.limit) {
            let part = UInt64(byte) << (8 * UInt64(count % 8))
            switch count / 8 {
            case 0: words.0 |= part
            case 1: words.1 |= part
            default: words.2 |= part
            }
            count += 1
        }
        length = UInt8(count)
    }

    /// 0.
    public var startIndex: Int { 0 }
    /// How many bytes there are.
    public var endIndex: Int { Int(length) }

    /// A byte.
    public subscript(index: Int) -> UInt8 {
        precondition(index < length)
        let word = index < 8 ? words.0 : index < 16 ? words.1 : words.2
        return UInt8(truncatingIfNeeded: word >> (8 * UInt64(index % 8)))
    }
}
