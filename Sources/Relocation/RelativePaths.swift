internal import ELF
internal import Files
internal import StoreLayout

/// A relative path in a program that puts `/usr/` before it when it runs.
struct RelativeSite {
    let range: Range<Int>
    let target: TreePath
}

extension Relocator {
    /// The relative paths of a program that hints know to put `/usr/` before them when it runs.
    ///
    /// Only named programs: Python, too, has `/usr` and `lib/python3.11`, but looks for the latter below other
    /// directories as well.
    func relativeCandidates(in elf: ELFFile, _ bytes: UnsafeRawBufferPointer, path: TreePath)
        -> [RelativeSite]
    {
        var result: [RelativeSite] = []
        var seen: Set<TreePath> = []
        for relative in hints.filter({ !$0.relative.isEmpty && $0.isMeant(path) }).flatMap(\.relative)
        where seen.insert(relative).inserted {
            guard let node = paths.find("/usr/".utf8 + relative.bytes) else { continue }
            let pattern = [0] + relative.bytes
            var offset = 0
            while offset < bytes.count,
                let found = UnsafeRawBufferPointer(rebasing: bytes[offset...]).firstOffset(of: pattern)
            {
                let range = (offset + found + 1)..<(offset + found + pattern.count)
                if range.upperBound < bytes.count, [0, UInt8(ascii: "/")].contains(bytes[range.upperBound]),
                    elf.region(atFileOffset: range.lowerBound) == .data
                {
                    result.append(RelativeSite(range: range, target: paths.path(node)))
                }
                offset += found + pattern.count
            }
        }
        return result
    }
}
