internal import ELF
internal import Files

/// A relative path in a program that puts `/usr/` before it when it runs.
struct RelativeSite {
    let range: Range<Int>
    let target: TreePath
}

/// Programs known to join `/usr` and a relative path at run time.
///
/// Only named programs: Python, too, has `/usr` and `lib/python3.11`, but looks for the latter below other
/// directories as well.
private let relativePrograms: [(name: String, paths: [String])] = [
    ("git", ["lib/git-core", "libexec/git-core", "share/git-core", "share/locale", "share/gitweb"]),
    ("nvim", ["share/nvim", "lib/nvim"]),
]

extension Relocator {
    /// The relative paths of a program that is known to have some.
    func relativeCandidates(in elf: ELFFile, _ bytes: UnsafeRawBufferPointer, path: TreePath)
        -> [RelativeSite]
    {
        let name = String(decoding: path.name, as: UTF8.self)
        let known = relativePrograms.first { name == $0.name || name.hasPrefix($0.name + "-") }
        var result: [RelativeSite] = []
        for relative in known?.paths ?? [] {
            guard let node = paths.find("/usr/\(relative)".utf8) else { continue }
            let pattern = [0] + Array(relative.utf8)
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
