private import CZlib
internal import Files
private import Glibc

/// A gzip stream, of one member or several, whose checksums and lengths are compared.
///
/// libarchive passes over a member's trailer without looking, so that a changed byte would go unnoticed.
///
/// Source: RFC 1952; zlib.h, "inflateInit2".
final class GzipDecompressor: ByteStream {
    /// The first bytes of every member.
    static let magic: Bytes = [0x1f, 0x8b]

    private static let bufferSize = 1 << 18

    private let input: any ByteStream
    private let image: String
    /// On the heap: zlib keeps a pointer to it.
    private let zlib = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 64)
    private var isReady = false
    /// Whether bytes of a member came whose trailer did not.
    private var isInMember = true
    private var isFinished = false

    /// - Parameter image: What errors call the stream.
    init(_ input: any ByteStream, image: String) throws {
        self.input = input
        self.image = image
        zlib.initialize(to: z_stream())
        // 15 bits of window, and 16 for "gzip and nothing else".
        guard
            inflateInit2_(zlib, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw SystemError("start reading", image, code: ENOMEM) }
        isReady = true
    }

    deinit {
        if isReady { inflateEnd(zlib) }
        zlib.deinitialize(count: 1)
        zlib.deallocate()
        buffer.deallocate()
    }

    func skip(_ count: Int) throws -> Bool { false }

    func next() throws -> UnsafeRawBufferPointer? {
        while !isFinished {
            if zlib.pointee.avail_in == 0, try !fill() {
                guard !isInMember else {
                    throw ImageError.truncated(
                        image: image, detail: "the gzip data end before their checksum")
                }
                isFinished = true
                return nil
            }
            if !isInMember {
                guard try beginMember() else { continue }
            }
            zlib.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
            zlib.pointee.avail_out = UInt32(buffer.count)
            let result = inflate(zlib, Z_NO_FLUSH)
            let count = buffer.count - Int(zlib.pointee.avail_out)
            switch result {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: isInMember = false
            case Z_MEM_ERROR: throw SystemError("decompress", image, code: ENOMEM)
            default:
                let reason = zlib.pointee.msg.map { String(cString: $0) } ?? "no valid data"
                throw ImageError.damaged(image: image, detail: "gzip decompression: \(reason)")
            }
            if count > 0 { return UnsafeRawBufferPointer(rebasing: buffer[..<count]) }
        }
        return nil
    }

    /// Gives zlib the next chunk; `false` at the end.
    private func fill() throws -> Bool {
        guard let bytes = try input.next() else { return false }
        zlib.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        // A stream's chunks are far smaller than what the field holds.
        zlib.pointee.avail_in = UInt32(bytes.count)
        return true
    }

    /// After a member: zeros up to the end fill a tape's block, as gzip(1) has it; all else is another member.
    private func beginMember() throws -> Bool {
        while zlib.pointee.avail_in > 0, let byte = zlib.pointee.next_in, byte.pointee == 0 {
            zlib.pointee.next_in = byte + 1
            zlib.pointee.avail_in -= 1
        }
        guard zlib.pointee.avail_in > 0 else { return false }
        guard inflateReset(zlib) == Z_OK else { throw SystemError("decompress", image, code: ENOMEM) }
        isInMember = true
        return true
    }
}
