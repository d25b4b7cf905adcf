private import Glibc

/// Finds where absolute paths of an image may begin, in bytes that pass by once.
///
/// A hit is the offset of a `/` that begins `/usr/`, `/usr` and a newline, `/lib`, `/bin/`, `/sbin/`, `/opt/`,
/// `/etc/` or `/var/`. Whether it is a path, and of what, is for relocation to say.
public struct PathScanner: Sendable {
    /// Bytes a scan must see from a `/` on.
    private static let window = 6

    /// Hits that are kept of one file: a file that is nothing but paths may not fill the memory.
    public static let limit = 1 << 22

    /// Offsets found so far, ascending.
    ///
    /// Offsets past 4 GiB, and more than ``limit``, are not kept: see ``isTruncated``.
    public private(set) var offsets: [UInt32] = []

    /// Whether there were hits that are not kept.
    public private(set) var isTruncated = false

    /// Whether there were hits.
    public var hasHits: Bool { !offsets.isEmpty }

    /// Offset of the first byte in `carry`.
    private var position = 0

    /// The last bytes of the previous chunk: fewer than a window.
    private var carry: Bytes = []

    /// Creates a scanner at offset 0.
    public init() {}

    /// Scans the next bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if !carry.isEmpty {
            let joined = carry + bytes.prefix(Self.window - 1)
            let starts = carry.count
            joined.withUnsafeBytes { buffer in
                // A hit that begins in the carry; the rest is found below.
                let limit = bytes.count >= Self.window - 1 ? starts : max(0, joined.count - Self.window + 1)
                scan(buffer, startsBelow: limit, base: position)
            }
            if bytes.count < Self.window - 1 {
                let kept = min(joined.count, Self.window - 1)
                position += joined.count - kept
                carry = Array(joined.suffix(kept))
                return
            }
            position += starts
        }
        let starts = max(0, bytes.count - Self.window + 1)
        scan(bytes, startsBelow: starts, base: position)
        carry = Array(bytes[starts...])
        position += starts
    }

    /// Scans what is left at the end.
    public mutating func finish() {
        let padded = carry + Bytes(repeating: 0, count: Self.window)
        padded.withUnsafeBytes { scan($0, startsBelow: carry.count, base: position) }
        carry = []
    }

    private mutating func scan(_ bytes: UnsafeRawBufferPointer, startsBelow limit: Int, base: Int) {
        guard let start = bytes.baseAddress, limit > 0 else { return }
        var offset = 0
        // memchr on the rare byte: 15 GB/s on programs, which mostly have none.
        while offset < limit, let found = memchr(start + offset, 0x2f, limit - offset) {
            offset = UnsafeRawPointer(found) - start
            if isHit(start + offset) {
                let absolute = base + offset
                if let value = UInt32(exactly: absolute), offsets.count < Self.limit {
                    offsets.append(value)
                } else {
                    isTruncated = true
                }
            }
            offset += 1
        }
    }

    private func isHit(_ pointer: UnsafeRawPointer) -> Bool {
        let word = UInt32(littleEndian: pointer.loadUnaligned(as: UInt32.self))
        let next = pointer.load(fromByteOffset: 4, as: UInt8.self)
        switch word {
        // `prefix=/usr` ends a line of pkg-config files.
        case 0x7273_752f: return next == 0x2f || next == 0x0a
        // bin, opt, etc, var
        case 0x6e69_622f, 0x7470_6f2f, 0x6374_652f, 0x7261_762f: return next == 0x2f
        case 0x6269_6c2f: return true  // lib, lib64, lib32, libx32, libexec
        case 0x6962_732f:  // sbin
            return next == 0x6e && pointer.load(fromByteOffset: 5, as: UInt8.self) == 0x2f
        default: return false
        }
    }
}
