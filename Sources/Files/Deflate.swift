private import CZlib

/// Takes apart a stream of deflated bytes as they come.
///
/// Source: RFC 1951, RFC 1952; zlib.h, "inflateInit2".
public final class Inflater {
    // A class: zlib keeps a pointer to its state.

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
        /// There is no memory for it.
        case noMemory
    }

    private let zlib = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    /// Creates one; `nil` without memory.
    public init?(_ format: Format) {
        zlib.initialize(to: z_stream())
        // 15 bits of window, and 16 for "gzip and nothing else"; negative for nothing around.
        let bits: Int32 = format == .gzip ? 15 + 16 : -15
        // What was allocated is released by deinit, which follows.
        guard inflateInit2_(zlib, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
    }

    deinit {
        inflateEnd(zlib)
        zlib.deinitialize(count: 1)
        zlib.deallocate()
    }

    /// What was given and is not taken yet, less than 4 GiB.
    ///
    /// It must stay in place until it is taken.
    public var input: UnsafeRawBufferPointer {
        get { UnsafeRawBufferPointer(start: zlib.pointee.next_in, count: Int(zlib.pointee.avail_in)) }
        set {
            zlib.pointee.next_in = UnsafeMutablePointer(
                mutating: newValue.baseAddress?.assumingMemoryBound(to: UInt8.self))
            zlib.pointee.avail_in = UInt32(newValue.count)
        }
    }

    /// Fills the beginning of a buffer.
    ///
    /// - Returns: How many bytes of the buffer are filled, and how far it came.
    public func inflate(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, outcome: Outcome) {
        zlib.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        zlib.pointee.avail_out = UInt32(buffer.count)
        let result = CZlib.inflate(zlib, Z_NO_FLUSH)
        let count = buffer.count - Int(zlib.pointee.avail_out)
        switch result {
        case Z_OK, Z_BUF_ERROR: return (count, .some)
        case Z_STREAM_END: return (count, .end)
        case Z_MEM_ERROR: return (count, .noMemory)
        default: return (count, .damaged(zlib.pointee.msg.map { String(cString: $0) } ?? "no valid data"))
        }
    }

    /// Begins anew, with the input that is left; whether that could be.
    public func reset() -> Bool { inflateReset(zlib) == Z_OK }
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
