private import CISAL
private import CZlib
internal import Glibc

/// Takes apart a stream of deflated bytes as they come.
///
/// By ISA-L, which takes less than half as long as zlib.
///
/// Source: RFC 1951, RFC 1952; igzip_lib.h, "isal_inflate".
public final class Inflater {
    // A class: it owns ISA-L's state.

    /// What is around the deflated bytes.
    public enum Format: Sendable {
        /// Members of gzip(1), whose checksums and lengths are compared.
        case gzip
        /// Nothing, as in a zip archive.
        case raw
    }

    /// How far a call came.
    public enum Outcome: Equatable, Sendable {
        /// There may be more.
        case some
        /// This was the end of the stream, or of a member.
        case end
        /// The bytes are none that were deflated: why.
        case damaged(String)
    }

    private let state: UnsafeMutableRawPointer
    /// Whether there may be more to come of what was taken.
    private var wasFull = false

    /// Creates one; `nil` without memory.
    public init?(_ format: Format) {
        guard let state = sxs_inflate_make(format == .gzip ? 1 : 0) else { return nil }
        self.state = state
    }

    deinit { free(state) }

    /// What was given and is not taken yet, less than 4 GiB.
    ///
    /// It must stay in place until it is taken.
    public var input: UnsafeRawBufferPointer {
        get { UnsafeRawBufferPointer(start: sxs_inflate_next(state), count: Int(sxs_inflate_left(state))) }
        set {
            sxs_inflate_give(
                state, newValue.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(newValue.count))
        }
    }

    /// Whether nothing comes without more input: all that was given is taken, and what came of it was handed out.
    public var needsInput: Bool { input.isEmpty && !wasFull }

    /// Fills the beginning of a buffer.
    ///
    /// - Returns: How many bytes of the buffer are filled, and how far it came.
    public func inflate(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, outcome: Outcome) {
        let before = input.count
        var filled: UInt32 = 0
        let result = sxs_inflate(
            state, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(buffer.count), &filled)
        let count = Int(filled)
        guard result >= 0 else { return (count, .damaged(Self.reason(result))) }
        let isOver = sxs_inflate_is_over(state) != 0
        // At the end nothing is held back, even where the last bytes just filled the buffer.
        wasFull = !isOver && count == buffer.count
        if isOver { return (count, .end) }
        // Nobody may wait for what never comes.
        guard count > 0 || before == 0 || input.count < before else {
            return (0, .damaged("no valid data"))
        }
        return (count, .some)
    }

    /// Begins anew, with the input that is left.
    public func reset() {
        wasFull = false
        sxs_inflate_reset(state)
    }

    private static func reason(_ result: Int32) -> String {
        switch result {
        case ISAL_INVALID_BLOCK: "an invalid block"
        case ISAL_INVALID_SYMBOL: "an invalid code"
        case ISAL_INVALID_LOOKBACK: "a distance that leads too far back"
        case ISAL_INVALID_WRAPPER: "an invalid header"
        case ISAL_UNSUPPORTED_METHOD: "an unknown method of compression"
        case ISAL_INCORRECT_CHECKSUM: "a wrong checksum or length"
        default: "no valid data"
        }
    }
}

/// Deflated bytes in memory, as zip archives have them.
public enum Deflate {
    /// The bytes that were deflated; `nil` unless they are exactly so many.
    public static func inflated(_ bytes: UnsafeRawBufferPointer, count: Int) -> Bytes? {
        guard let inflater = Inflater(.raw) else { return nil }
        inflater.input = bytes
        // One more, so that a stream of the right length comes to its end.
        var result = Bytes(repeating: 0, count: count + 1)
        let outcome = result.withUnsafeMutableBytes { inflater.inflate(into: $0) }
        guard outcome == (count, .end) else { return nil }
        result.removeLast()
        return result
    }

    /// The deflated bytes, the same for equal bytes; `nil` without memory.
    public static func deflated(_ bytes: Bytes) -> Bytes? {
        var stream = z_stream()
        // 8 is zlib's default for memory, 9 the best compression.
        guard
            deflateInit2_(
                &stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var result = Bytes(repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
        let isWhole = bytes.withUnsafeBytes { input in
            result.withUnsafeMutableBytes { output in
                stream.next_in = UnsafeMutablePointer(
                    mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = UInt32(output.count)
                return deflate(&stream, Z_FINISH) == Z_STREAM_END
            }
        }
        guard isWhole else { return nil }
        result.removeLast(Int(stream.avail_out))
        return result
    }

    /// The CRC-32 of bytes, as gzip and zip have it.
    public static func checksum(_ bytes: Bytes) -> UInt32 {
        UInt32(crc32(0, bytes, UInt32(bytes.count)))
    }
}
