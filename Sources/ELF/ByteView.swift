private import Glibc

/// A file's bytes with its byte order and word size; every read is bounds-checked.
struct ByteView {
    let bytes: UnsafeRawBufferPointer
    let isLittleEndian: Bool
    let is64Bit: Bool

    /// Bytes of an address.
    var wordSize: Int { is64Bit ? 8 : 4 }

    /// Whether `count` bytes from `offset` on are in the file.
    func contains(_ offset: Int, _ count: Int) -> Bool {
        offset >= 0 && count >= 0 && count <= bytes.count && offset <= bytes.count - count
    }

    /// Reads an integer, or nothing where the file has ended.
    @inline(__always)
    func read<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T? {
        guard contains(offset, MemoryLayout<T>.size) else { return nil }
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        return isLittleEndian ? T(littleEndian: value) : T(bigEndian: value)
    }

    /// Reads an address: 8 bytes or 4.
    @inline(__always)
    func word(at offset: Int) -> UInt64? {
        is64Bit ? read(UInt64.self, at: offset) : read(UInt32.self, at: offset).map(UInt64.init)
    }

    /// The bytes up to a NUL that must come before `end`, `longest` bytes at most.
    func string(at offset: Int, before end: Int, longest: Int) -> [UInt8]? {
        guard offset >= 0, offset < end, end <= bytes.count, let base = bytes.baseAddress else { return nil }
        let room = min(end - offset, longest + 1)
        guard let nul = memchr(base + offset, 0, room) else { return nil }
        let count = UnsafeRawPointer(nul) - (base + offset)
        return Array(UnsafeRawBufferPointer(start: base + offset, count: count))
    }

    /// Whether `pattern` is at `offset`.
    func matches(_ pattern: [UInt8], at offset: Int) -> Bool {
        guard contains(offset, pattern.count), let base = bytes.baseAddress else { return false }
        return memcmp(base + offset, pattern, pattern.count) == 0
    }

    /// Offsets in `range` at which `pattern` is, up to `limit` of them.
    ///
    /// - Complexity: Linear; looks for the first byte at memory speed.
    func occurrences(of pattern: [UInt8], in range: Range<Int>, limit: Int = .max) -> [Int] {
        guard let first = pattern.first, let base = bytes.baseAddress else { return [] }
        let end = min(range.upperBound, bytes.count) - pattern.count + 1
        var offset = max(0, range.lowerBound)
        var found: [Int] = []
        while offset < end, found.count < limit,
            let hit = memchr(base + offset, Int32(first), end - offset)
        {
            offset = UnsafeRawPointer(hit) - base
            if matches(pattern, at: offset) { found.append(offset) }
            offset += 1
        }
        return found
    }

    /// The part of `offset ..< offset + size` that is in the file.
    func clamped(offset: UInt64, size: UInt64) -> Range<Int> {
        let total = UInt64(bytes.count)
        let start = min(offset, total)
        let count = min(size, total - start)
        return Int(start)..<Int(start + count)
    }

    /// `offset ..< offset + size`, or nothing when it is not wholly in the file.
    func range(offset: UInt64, size: UInt64) -> Range<Int>? {
        let range = clamped(offset: offset, size: size)
        return UInt64(range.count) == size && UInt64(range.lowerBound) == offset ? range : nil
    }
}
