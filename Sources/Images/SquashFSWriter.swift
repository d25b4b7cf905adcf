public import Files

/// Writes a tree as a SquashFS 4.0 image, with libsquashfs.
///
/// The same tree gives the same bytes, whatever the number of workers: owners are root, there is one time, and what
/// is written follows from the sorted paths. Files that share contents share blocks.
public struct SquashFSWriter {
    /// How contents are compressed.
    public enum Compression: String, CaseIterable, Sendable {
        case zstd
        case xz
        case gzip

        /// The levels it has; `nil` for none.
        public var levels: ClosedRange<Int>? {
            switch self {
            case .zstd: 1...22
            case .gzip: 1...9
            case .xz: nil
            }
        }
    }

    /// Bytes of a block, as mksquashfs has it.
    public static let blockSize = 128 << 10

    /// The file's size is a multiple of this, for devices.
    private static let padding = 4096

    private let compression: Compression
    private let level: Int?
    private let workers: Int
    private let time: Int

    /// Describes a writer.
    ///
    /// - Parameters:
    ///   - compression: How contents are compressed.
    ///   - level: How hard; `nil` for the library's default.
    ///   - workers: Threads that compress.
    ///   - time: The modification time of everything, in seconds since the epoch.
    public init(compression: Compression, level: Int?, workers: Int, time: Int) {
        self.compression = compression
        self.level = level
        self.workers = max(1, workers)
        self.time = time
    }

    /// Writes a tree to a new file.
    ///
    /// - Parameters:
    ///   - tree: The tree.
    ///   - path: The file, which must not be there; what an error leaves of it is the caller's to remove.
    ///   - contents: The contents of each identifier in the tree, asked for once.
    ///   - progress: Told how many bytes of contents were read.
    ///   - total: Bytes of all contents.
    /// - Throws: `SystemError`, ``ImageError``, or what `contents` throws.
    public func write(
        _ tree: Tree, to path: String, progress: any Progress, total: Int,
        contents: (ContentID) throws -> FileContents
    ) throws {
        let image = try SquashFSOutput(
            path, compression: compression, level: level, workers: workers, time: time)
        progress.begin("writing \(path)", total: total)
        defer { progress.end() }
        let paths = tree.sortedPaths
        var done = 0
        for path in paths {
            guard case .file(let id) = tree[path]?.kind, !image.has(id) else { continue }
            try image.beginFile(id)
            try contents(id).read { bytes in
                try image.append(bytes)
                done += bytes.count
                progress.advance(to: done)
            }
            try image.endFile()
        }
        try image.finishFiles()
        try image.writeTables(of: tree, paths: paths)
        try image.finish(multipleOf: Self.padding)
    }
}
