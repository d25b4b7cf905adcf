internal import Files

/// Records of a pax extended header that matter here.
///
/// Source: POSIX.1-2017 pax(1), "pax Extended Header"; GNU tar manual, "Storing Sparse Files".
struct PaxRecords {
    /// Bytes that the extended headers of one entry may have: attributes may be long.
    static let longest = 8 << 20

    var path: Bytes?
    var linkPath: Bytes?
    var size: Int?
    /// Extended attributes by name.
    var attributes: [Bytes: Bytes] = [:]
    /// The name of a sparse file; ``path`` is a made-up one then.
    var sparseName: Bytes?
    /// The size of a sparse file with its holes.
    var sparseSize: Int?
    /// The map in versions 0.0 and 0.1.
    var sparseMap: SparseMap?
    /// Whether the map is in front of the data (version 1.0).
    var hasMapInData = false

    private var sparseOffset: Int?

    init() {}

    /// Takes over the records of one extended header.
    ///
    /// - Returns: `false` where the bytes are no records.
    mutating func read(_ bytes: Bytes) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            // Some writers pad with NULs.
            if rest.first == 0 { return rest.allSatisfy { $0 == 0 } }
            guard let space = rest.firstIndex(of: 0x20), space > rest.startIndex,
                let length = TarHeader.number(rest[..<space], radix: 10),
                length <= rest.count, length > space - rest.startIndex + 1,
                rest[rest.startIndex + length - 1] == 0x0a
            else { return false }
            let end = rest.startIndex + length
            let record = rest[(space + 1)..<(end - 1)]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { return false }
            guard take(key: record[..<equals], value: Bytes(record[(equals + 1)...])) else { return false }
            rest = rest[end...]
        }
        return true
    }

    private mutating func take(key: ArraySlice<UInt8>, value: Bytes) -> Bool {
        let schily = "SCHILY.xattr."
        let libarchive = "LIBARCHIVE.xattr."
        if key.hasPrefix(schily) {
            attributes[Bytes(key.dropFirst(schily.utf8.count))] = value
            return true
        }
        if key.hasPrefix(libarchive) {
            guard let name = Self.percentDecoded(key.dropFirst(libarchive.utf8.count)),
                let decoded = Self.base64Decoded(value)
            else { return false }
            attributes[name] = decoded
            return true
        }
        // Most records are of times and owners.
        guard let first = key.first, "plsG".utf8.contains(first) else { return true }
        switch String(decoding: key, as: UTF8.self) {
        case "path": path = value.isEmpty ? nil : value
        case "linkpath": linkPath = value.isEmpty ? nil : value
        case "size":
            guard !value.isEmpty else { size = nil; return true }
            return Self.assign(value, to: &size)
        case "GNU.sparse.name": sparseName = value
        case "GNU.sparse.size", "GNU.sparse.realsize": return Self.assign(value, to: &sparseSize)
        case "GNU.sparse.major": hasMapInData = value.elementsEqual("1".utf8)
        case "GNU.sparse.numblocks": sparseMap = sparseMap ?? SparseMap()
        case "GNU.sparse.map":
            guard let map = SparseMap(list: value) else { return false }
            sparseMap = map
        case "GNU.sparse.offset": return Self.assign(value, to: &sparseOffset)
        case "GNU.sparse.numbytes":
            guard let offset = sparseOffset, let count = TarHeader.number(value, radix: 10) else {
                return false
            }
            var map = sparseMap ?? SparseMap()
            sparseMap = nil
            guard map.append(offset: offset, count: count) else { return false }
            sparseMap = map
        default: break
        }
        return true
    }

    private static func assign(_ value: Bytes, to number: inout Int?) -> Bool {
        guard !value.isEmpty, let parsed = TarHeader.number(value, radix: 10) else { return false }
        number = parsed
        return true
    }

    private static func percentDecoded(_ text: ArraySlice<UInt8>) -> Bytes? {
        var result: Bytes = []
        var index = text.startIndex
        while index < text.endIndex {
            guard text[index] == UInt8(ascii: "%") else {
                result.append(text[index])
                index += 1
                continue
            }
            guard index + 2 < text.endIndex,
                let value = UInt8(String(decoding: text[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            else { return nil }
            result.append(value)
            index += 3
        }
        return result
    }

    private static func base64Decoded(_ text: Bytes) -> Bytes? {
        var result: Bytes = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text where byte != UInt8(ascii: "=") && byte != 0x0a {
            let value: UInt8
            switch byte {
            case 0x41...0x5a: value = byte - 0x41
            case 0x61...0x7a: value = byte - 0x61 + 26
            case 0x30...0x39: value = byte - 0x30 + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return result
    }
}
