internal import Files
private import Glibc

/// A gzip stream, of one member or several, whose checksums and lengths are compared.
///
/// libarchive passes over a member's trailer without looking, so that a changed byte would go unnoticed.
///
/// Source: RFC 1952.
final class GzipDecompressor: ByteStream {
    /// The first bytes of every member.
    static let magic: Bytes = [0x1f, 0x8b]

    private static let bufferSize = 1 << 18

    private let input: any ByteStream
    private let image: String
    private let inflater: Inflater
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 64)
    /// Whether bytes of a member came whose trailer did not.
    private var isInMember = true
    private var isFinished = false

    /// - Parameter image: What errors call the stream.
    init(_ input: any ByteStream, image: String) throws {
        self.input = input
        self.image = image
        guard let inflater = Inflater(.gzip) else { throw SystemError("start reading", image, code: ENOMEM) }
        self.inflater = inflater
    }

    deinit { buffer.deallocate() }

    func skip(_ count: Int) throws -> Bool { false }

    func next() throws -> UnsafeRawBufferPointer? {
        while !isFinished {
            if inflater.needsInput, try !fill() {
                guard !isInMember else {
                    throw ImageError.truncated(
                        image: image, detail: "the gzip data end before their checksum")
                }
                isFinished = true
                return nil
            }
            if !isInMember {
                guard beginMember() else { continue }
            }
            let (count, outcome) = inflater.inflate(into: buffer)
            switch outcome {
            case .some: break
            case .end: isInMember = false
            case .damaged(let reason):
                throw ImageError.damaged(image: image, detail: "gzip decompression: \(reason)")
            }
            if count > 0 { return UnsafeRawBufferPointer(rebasing: buffer[..<count]) }
        }
        return nil
    }

    /// Takes the next chunk; `false` at the end.
    private func fill() throws -> Bool {
        guard let bytes = try input.next() else { return false }
        inflater.input = bytes
        return true
    }

    /// After a member: zeros up to the end fill a tape's block, as gzip(1) has it; all else is another member.
    private func beginMember() -> Bool {
        let rest = inflater.input
        inflater.input = UnsafeRawBufferPointer(rebasing: rest.drop { $0 == 0 })
        guard !inflater.input.isEmpty else { return false }
        inflater.reset()
        isInMember = true
        return true
    }
}
