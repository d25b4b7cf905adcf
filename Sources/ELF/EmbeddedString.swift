/// A string in a file and the room it has there.
public struct EmbeddedString: Hashable, Sendable, CustomStringConvertible {
    /// Where it begins in the file, in bytes.
    public let offset: Int
    /// Its bytes, without the NUL.
    public let bytes: [UInt8]
    /// Bytes it may take in the file, the NUL included.
    public let room: Int

    /// The string as text; bytes that are not UTF-8 are replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The string as text.
    public var description: String { text }
}
