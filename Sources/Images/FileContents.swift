public import Files
private import Glibc

/// What is written as the contents of a file.
public enum FileContents {
    /// Bytes in memory.
    case bytes(Bytes)
    /// A whole file, with the size and digest that it has to have.
    case file(Descriptor, size: Int, digest: Digest)

    /// Their number in bytes.
    var size: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .file(_, let size, _): size
        }
    }

    /// Calls `body` with all bytes, and compares them with what a file has to have.
    ///
    /// - Throws: ``ImageError/changed(path:)`` after `body` for a file of other bytes, and what `body` throws.
    func read(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        switch self {
        case .bytes(let bytes): try bytes.withUnsafeBytes(body)
        case .file(let file, let size, let digest):
            guard Int(try file.status().st_size) == size else { throw ImageError.changed(path: file.path) }
            var hasher = Hasher256()
            // Read rather than mapped: most files are small, and another process may shorten one meanwhile.
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: min(max(size, 1), 1 << 18), alignment: 64)
            defer { buffer.deallocate() }
            var rest = size
            while rest > 0 {
                let count = try file.read(into: buffer)
                guard count > 0, count <= rest else { throw ImageError.changed(path: file.path) }
                let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                hasher.update(part)
                try body(part)
                rest -= count
            }
            guard hasher.finalize() == digest else { throw ImageError.changed(path: file.path) }
        }
    }
}
