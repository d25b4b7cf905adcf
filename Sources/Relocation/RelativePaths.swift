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
        let relatives = hints.filter { !$0.relative.isEmpty && $0.isMeant(path) }.flatMap(\.relative)
        guard !relatives.isEmpty else { return [] }
        let data = elf.ranges(of: .data)
        for relative in relatives where seen.insert(relative).inserted {
            guard let node = paths.find("/usr/".utf8 + relative.bytes) else { continue }
            let pattern = [0] + relative.bytes
            for part in data {
                // The byte before may be another part's.
                var offset = max(0, part.lowerBound - 1)
                let end = min(bytes.count, part.upperBound + pattern.count - 1)
                while offset < end,
                    let found = UnsafeRawBufferPointer(rebasing: bytes[offset..<end]).firstOffset(of: pattern)
                {
                    let range = (offset + found + 1)..<(offset + found + pattern.count)
                    if part.contains(range.lowerBound), range.upperBound < bytes.count,
                        [0, UInt8(ascii: "/")].contains(bytes[range.upperBound])
                    {
                        result.append(RelativeSite(range: range, target: paths.path(node)))
                    }
                    offset += found + pattern.count
                }
            }
        }
        return result
    }
}
