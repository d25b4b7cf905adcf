private import CArchive
internal import Files
private import Glibc

/// The first chunk of a stream that was looked at, and then the rest.
final class PeekedStream: ByteStream {
    private let base: any ByteStream
    private var first: UnsafeRawBufferPointer?

    /// The first chunk; empty where there is none.
    let head: UnsafeRawBufferPointer

    init(_ base: any ByteStream) throws {
        self.base = base
        first = try base.next()
        head = first ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    func next() throws -> UnsafeRawBufferPointer? {
        guard let chunk = first else { return try base.next() }
        first = nil
        return chunk
    }

    func skip(_ count: Int) throws -> Bool {
        guard first == nil else { return false }
        return try base.skip(count)
    }
}

/// A stream decompressed by libarchive: bzip2, xz, lzma, lzip, zstd, lz4 and compress, told by content.
final class Decompressor: ByteStream {
    /// What libarchive's callback reads from, and what went wrong there.
    private final class Input {
        let stream: any ByteStream
        var failure: (any Error)?

        init(_ stream: any ByteStream) { self.stream = stream }
    }

    private let input: Input
    private let image: String
    private let archive: OpaquePointer
    /// Whether the stream is open: libarchive has found out what it is.
    private var isOpen = false
    private var isFinished = false

    /// The bytes of a tar archive without compression, whichever it has, and whether it has one.
    ///
    /// - Parameter image: What errors call the stream.
    static func plain(
        _ stream: any ByteStream, image: String
    ) throws -> (stream: any ByteStream, isCompressed: Bool) {
        let peeked = try PeekedStream(stream)
        // A tar archive is read as it is: libarchive might take a first member's name for a magic number,
        // and cannot pass over contents.
        if TarHeader(block: Bytes(peeked.head.prefix(TarHeader.blockSize))).isValid { return (peeked, false) }
        if peeked.head.starts(with: GzipDecompressor.magic) {
            return (try GzipDecompressor(peeked, image: image), true)
        }
        return (try Decompressor(peeked, image: image), true)
    }

    /// The same for what is read only in part, or is short.
    ///
    /// - Parameter budget: What the decompressed bytes count against.
    static func open(
        _ stream: any ByteStream, image: String, budget: ImageBudget
    ) throws -> any ByteStream {
        let (plain, isCompressed) = try plain(stream, image: image)
        return isCompressed ? BoundedStream(plain, budget: budget) : plain
    }

    /// - Parameter image: What errors call the stream.
    private init(_ stream: any ByteStream, image: String) throws {
        guard let archive = archive_read_new() else {
            throw SystemError("start reading", image, code: ENOMEM)
        }
        input = Input(stream)
        self.image = image
        self.archive = archive
        // One by one rather than all: some of the others run programs of the host.
        for support in [
            archive_read_support_filter_bzip2, archive_read_support_filter_xz,
            archive_read_support_filter_lzma, archive_read_support_filter_lzip,
            archive_read_support_filter_zstd, archive_read_support_filter_lz4,
            archive_read_support_filter_compress, archive_read_support_format_raw,
        ] {
            _ = support(archive)
        }
    }

    deinit { archive_read_free(archive) }

    func skip(_ count: Int) throws -> Bool { false }

    func next() throws -> UnsafeRawBufferPointer? {
        guard !isFinished else { return nil }
        if !isOpen { try open() }
        guard !isFinished else { return nil }
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: la_int64_t = 0
            switch archive_read_data_block(archive, &start, &count, &offset) {
            case ARCHIVE_OK:
                guard count > 0, let start else { continue }
                return UnsafeRawBufferPointer(start: start, count: count)
            case ARCHIVE_EOF:
                if let failure = input.failure { throw failure }
                isFinished = true
                return nil
            case ARCHIVE_RETRY: continue
            default: throw failure()
            }
        }
    }

    private func open() throws {
        let context = Unmanaged.passUnretained(input).toOpaque()
        let result = archive_read_open(
            archive, context, nil,
            { _, context, buffer in
                guard let context, let buffer else { return -1 }
                let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
                do {
                    guard let bytes = try input.stream.next() else { return 0 }
                    buffer.pointee = bytes.baseAddress
                    return bytes.count
                } catch {
                    input.failure = error
                    return -1
                }
            }, nil)
        guard result == ARCHIVE_OK else { throw failure() }
        var entry: OpaquePointer?
        switch archive_read_next_header(archive, &entry) {
        case ARCHIVE_OK, ARCHIVE_WARN: isOpen = true
        case ARCHIVE_EOF:
            if let failure = input.failure { throw failure }
            isFinished = true
        default: throw failure()
        }
    }

    private func failure() -> any Error {
        if let failure = input.failure { return failure }
        let text =
            archive_error_string(archive).map { String(cString: $0) } ?? "the compressed data ends early"
        if text.lowercased().contains("truncated") || archive_error_string(archive) == nil {
            return ImageError.truncated(image: image, detail: text)
        }
        return ImageError.damaged(image: image, detail: text)
    }
}
