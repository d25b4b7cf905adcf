internal import Files

/// The mounts that this process sees.
struct MountTable {
    private let mountPoints: [Bytes]

    /// Reads `/proc/self/mountinfo`; `nil` where `/proc` is not mounted.
    init?() {
        guard let text = try? Descriptor.file("/proc/self/mountinfo").readAll(limit: 16 << 20) else {
            return nil
        }
        self.init(parsing: text)
    }

    /// Reads the text of a mountinfo file (proc(5)).
    init(parsing text: Bytes) {
        mountPoints = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            return fields.count > 4 ? Self.unescaped(fields[4]) : nil
        }
    }

    /// Whether something is mounted below a directory, given by its path without links.
    func hasMounts(below directory: Bytes) -> Bool {
        let prefix = directory + [UInt8(ascii: "/")]
        return mountPoints.contains { $0.count > prefix.count && $0.starts(with: prefix) }
    }

    /// Spaces, tabs, newlines and backslashes are written as `\ooo`.
    static func unescaped(_ field: ArraySlice<UInt8>) -> Bytes {
        guard field.contains(UInt8(ascii: "\\")) else { return Array(field) }
        var result: Bytes = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                digits.allSatisfy({ (0x30...0x37).contains($0) })
            {
                result.append(digits.reduce(0) { ($0 & 0o37) << 3 | ($1 & 7) })
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
