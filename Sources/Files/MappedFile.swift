private import Glibc

/// A file's bytes, mapped for reading: memory that the kernel can take back.
public final class MappedFile {
    /// The bytes.
    public let bytes: UnsafeRawBufferPointer

    /// Maps all of an open file.
    public init(_ file: Descriptor) throws {
        let size = Int(try file.status().st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.number, 0), address != MAP_FAILED
        else {
            throw SystemError("map", file.path)
        }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
    }

    deinit {
        guard let address = bytes.baseAddress else { return }
        munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }
}
