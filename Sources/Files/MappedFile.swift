private import Glibc

/// A file's bytes, mapped for reading: memory that the kernel can take back.
public final class MappedFile {
    /// The bytes.
    public let bytes: UnsafeRawBufferPointer

    private let isMapped: Bool

    /// Bytes that are rather read than mapped for a short look: to take a mapping away costs more, where other threads
    /// run, for each processor has to forget it.
    private static let smallSize = 64 << 10

    /// Maps all of an open file.
    ///
    /// - Parameter isBrief: Whether it will not be kept: then a small one is read.
    public init(_ file: Descriptor, isBrief: Bool = false) throws {
        let size = Int(try file.status().st_size)
        guard size > 0 else {
            (bytes, isMapped) = (UnsafeRawBufferPointer(start: nil, count: 0), false)
            return
        }
        if isBrief, size <= Self.smallSize {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
            (bytes, isMapped) = (UnsafeRawBufferPointer(buffer), false)
            var count = 0
            while count < size {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                let length = try file.read(into: part, at: count)
                // One that got shorter meanwhile goes on with zeros, as in a mapping's last page.
                guard length > 0 else { break }
                count += length
            }
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).initializeMemory(
                as: UInt8.self, repeating: 0)
            return
        }
        guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.number, 0), address != MAP_FAILED
        else {
            throw SystemError("map", file.path)
        }
        (bytes, isMapped) = (UnsafeRawBufferPointer(start: address, count: size), true)
    }

    deinit {
        guard let address = bytes.baseAddress else { return }
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
        } else {
            bytes.deallocate()
        }
    }
}
