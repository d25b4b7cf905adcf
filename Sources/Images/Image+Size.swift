internal import Files
private import Glibc

extension Image {
    /// Bytes that its files take, as far as can be told before they are read.
    ///
    /// Of what is compressed, and does not say how large it was, the compressed size: it takes more.
    ///
    /// - Parameter enough: What is not asked for exactly: a directory is not gone through where its whole file system
    ///   has no more in it.
    /// - Returns: `nil` where it is no more than `enough`.
    /// - Throws: `SystemError`.
    public func expectedSize(above enough: Int) throws -> Int? {
        let size: Int
        switch contents {
        case .layered(let image): size = image.layers.reduce(0) { Self.sum($0, $1.expectedSize) }
        case .tar(let file), .squashFS(let file): size = Int(try file.status().st_size)
        case .packages(let files): size = files.reduce(0) { $0 + $1.size }
        case .directory(let directory):
            guard try directory.usedSpace() > enough else { return nil }
            size = try Self.size(of: directory)
        }
        return size > enough ? size : nil
    }

    /// Bytes that the files of a directory take on its disk, each once.
    private static func size(of top: Descriptor) throws -> Int {
        var total = 0
        var seen: Set<UInt64> = []
        var pending: [Bytes] = [[0x2e]]
        while let path = pending.popLast() {
            // What cannot be looked at is told of by whoever reads it.
            guard let directory = try? top.open(beneath: path, flags: O_RDONLY | O_DIRECTORY) else {
                continue
            }
            try directory.forEachEntry { name, _, _ in
                let name = Array(name)
                guard let status = try? directory.status(of: name) else { return }
                if status.st_mode & S_IFMT == S_IFDIR {
                    pending.append(path + [0x2f] + name)
                } else if status.st_nlink == 1 || seen.insert(UInt64(status.st_ino)).inserted {
                    total = sum(total, Int(status.st_blocks) * 512)
                }
            }
        }
        return total
    }

    private static func sum(_ one: Int, _ other: Int) -> Int {
        let (sum, overflow) = one.addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
