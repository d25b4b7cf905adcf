internal import Files

/// Where a sparse file of a tar archive has bytes; the rest is zeros.
struct SparseMap {
    /// Ranges a map may have.
    static let longest = 1 << 20

    /// Ranges with bytes, ascending.
    private(set) var ranges: [Range<Int>] = []

    /// Adds a range; `false` where it overlaps an earlier one or is no range.
    mutating func append(offset: Int, count: Int) -> Bool {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard offset >= 0, count >= 0, !overflow, offset >= ranges.last?.upperBound ?? 0 else { return false }
        // An empty range marks the end of the file.
        guard count > 0 else { return true }
        guard ranges.count < Self.longest else { return false }
        ranges.append(offset..<end)
        return true
    }

    /// Bytes stored.
    var storedSize: Int { ranges.reduce(0) { $0 + $1.count } }

    /// Reads `offset,count,…` (GNU.sparse.map); `nil` where it is no such list.
    init?(list: Bytes) {
        let numbers = list.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard numbers.count % 2 == 0 || list.isEmpty else { return nil }
        for index in stride(from: 0, to: numbers.count - 1, by: 2) {
            guard let offset = TarHeader.number(numbers[index], radix: 10),
                let count = TarHeader.number(numbers[index + 1], radix: 10),
                append(offset: offset, count: count)
            else { return nil }
        }
    }

    /// Creates a map without ranges.
    init() {}

    /// Adds `count` pairs of 12-byte fields that begin at `start` (old GNU format); `false` where one is wrong.
    mutating func append(fieldsOf header: TarHeader, from start: Int, count: Int) -> Bool {
        for index in 0..<count {
            let field = start + index * 24
            guard header.block[field] != 0 else { return true }
            guard let offset = header.number(field..<field + 12),
                let size = header.number(field + 12..<field + 24), append(offset: offset, count: size)
            else { return false }
        }
        return true
    }
}
