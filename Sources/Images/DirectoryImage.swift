internal import Files
private import Glibc

/// A directory of the host as an image.
final class DirectoryImage {
    private struct FileID: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    /// Bytes per read.
    private static let bufferSize = 1 << 18

    private let root: Descriptor
    private let budget: ImageBudget
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 64)
    /// Files with several names, by the first of them.
    private var linked: [FileID: TreePath] = [:]

    init(_ root: Descriptor, budget: ImageBudget) {
        self.root = root
        self.budget = budget
    }

    deinit { buffer.deallocate() }

    /// Gives all entries to a sink.
    func read(
        into sink: any TreeSink, progress: any Progress, readsContents: (TreePath) -> Bool = { _ in true }
    ) throws {
        progress.begin("reading \(root.path)", total: nil)
        defer { progress.end() }
        let writer = EntryWriter(sink, image: root.path, isLayered: false, budget: budget)
        var done = 0
        // Paths rather than open directories: whoever made the tree chose its depth.
        var pending: [TreePath] = [.root]
        while let path = pending.popLast() {
            let directory =
                path.bytes.isEmpty
                ? root : try root.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            let status = try directory.status()
            try sink.directory(path, mode: Self.mode(status), attributes: directory.attributes())
            var below: [TreePath] = []
            for entry in try directory.list() {
                let child = try writer.path((path.bytes.isEmpty ? [] : path.bytes + [0x2f]) + entry.name)
                guard let status = try directory.status(of: entry.name) else {
                    throw ImageError.changed(path: directory.path(of: entry.name.displayed))
                }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: below.append(child)
                case S_IFREG:
                    done += try file(
                        child, in: directory, name: entry.name, writer: writer, isRead: readsContents(child))
                    progress.advance(to: done)
                case S_IFLNK: try writer.symlink(child, target: directory.readSymlink(entry.name))
                case S_IFCHR, S_IFBLK: sink.omit(.device, at: child)
                default: sink.omit(.pipe, at: child)
                }
            }
            pending += below.reversed()
        }
    }

    private func file(
        _ path: TreePath, in directory: Descriptor, name: Bytes, writer: EntryWriter, isRead: Bool
    ) throws -> Int {
        let file = try directory.open(beneath: name, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        let before = try file.status()
        guard before.st_mode & S_IFMT == S_IFREG else { throw ImageError.changed(path: file.path) }
        let id = FileID(device: UInt64(before.st_dev), inode: UInt64(before.st_ino))
        if before.st_nlink > 1 {
            if let first = linked[id] {
                try writer.sink.hardLink(path, to: first)
                return 0
            }
            linked[id] = path
        }
        let size = Int(before.st_size)
        // Of a file with holes, what it takes on the disk, in blocks of 512 bytes.
        budget.add(stored: Int(before.st_blocks) * 512)
        try writer.sink.beginFile(
            path, mode: Self.mode(before), attributes: file.attributes(), size: size)
        guard isRead else {
            try writer.sink.endFile()
            return 0
        }
        var offset = 0
        while let range = try file.storedRange(from: offset, size: size) {
            try writer.hole(range.lowerBound - offset)
            offset = range.lowerBound
            while offset < range.upperBound {
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[..<min(buffer.count, range.upperBound - offset)])
                let count = try file.read(into: part, at: offset)
                guard count > 0 else { throw ImageError.changed(path: file.path) }
                try writer.sink.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                offset += count
            }
        }
        try writer.hole(size - offset)
        let after = try file.status()
        guard after.st_size == before.st_size, Self.isEqual(after.st_mtim, before.st_mtim),
            Self.isEqual(after.st_ctim, before.st_ctim)
        else { throw ImageError.changed(path: file.path) }
        try writer.sink.endFile()
        return size
    }

    private static func mode(_ status: stat) -> UInt16 {
        UInt16(truncatingIfNeeded: status.st_mode & 0o7777)
    }

    private static func isEqual(_ left: timespec, _ right: timespec) -> Bool {
        left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec
    }
}
