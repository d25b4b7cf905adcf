internal import Files
private import Glibc

/// Lengths of files in a `Packages` index.
enum PackageSizes {
    /// Calls a closure with the digest and the length of each package's file.
    ///
    /// - Parameter text: The index; what is no field of either is passed over.
    static func read(_ text: Bytes, _ take: (Digest, UInt64) -> Void) {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            var (size, digest): (UInt64?, Digest?) = (nil, nil)
            func end() {
                if let size, let digest { take(digest, size) }
                (size, digest) = (nil, nil)
            }
            var start = 0
            while start < bytes.count {
                let rest = bytes.count - start
                let stop = memchr(base + start, 0x0a, rest).map { UnsafeRawPointer($0) - base }
                let line = UnsafeRawBufferPointer(rebasing: bytes[start..<(stop ?? bytes.count)])
                start = (stop ?? bytes.count) + 1
                // Nearly all lines begin otherwise.
                guard let first = line.first else {
                    end()
                    continue
                }
                guard first == UInt8(ascii: "S") else { continue }
                if let value = Self.value(line, "Size:") {
                    size = UInt64(value)
                } else if let value = Self.value(line, "SHA256:") {
                    digest = Digest(hex: value)
                }
            }
            end()
        }
    }

    private static func value(_ line: UnsafeRawBufferPointer, _ name: StaticString) -> String? {
        let count = name.utf8CodeUnitCount
        guard line.count > count, let start = line.baseAddress, memcmp(start, name.utf8Start, count) == 0
        else { return nil }
        let value = line[count...].drop { $0 == 0x20 || $0 == 0x09 }.prefix { $0 > 0x20 }
        return String(decoding: value, as: UTF8.self)
    }
}
