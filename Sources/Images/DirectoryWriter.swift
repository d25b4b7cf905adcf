public import Files
private import Glibc

/// Writes a tree as a directory.
public struct DirectoryWriter {
    private let time: Int

    /// Describes a writer.
    ///
    /// - Parameter time: The modification time of all files and directories, in seconds since the epoch.
    public init(time: Int) {
        self.time = time
    }

    /// Writes a tree into an empty directory.
    ///
    /// Owners are whoever writes.
    ///
    /// - Parameters:
    ///   - tree: The tree.
    ///   - top: The directory; what an error leaves in it is the caller's to remove.
    ///   - contents: The contents of each identifier in the tree.
    ///   - progress: Told how many bytes of contents were written.
    ///   - total: Bytes of all files.
    /// - Throws: `SystemError`, ``ImageError``, or what `contents` throws.
    public func write(
        _ tree: Tree, in top: Descriptor, progress: any Progress, total: Int,
        contents: (ContentID) throws -> FileContents
    ) throws {
        progress.begin("writing \(top.path)", total: total)
        defer { progress.end() }
        let paths = tree.sortedPaths
        var done = 0
        var directory = (path: TreePath.root, descriptor: top)
        for path in paths {
            guard let node = tree[path], let parent = path.parent else { continue }
            if parent != directory.path { directory = (parent, try Self.open(parent, in: top)) }
            let place = directory.descriptor
            switch node.kind {
            case .directory:
                try place.makeDirectory(path.name, mode: 0o700)
            case .symlink(let target):
                try place.makeSymlink(path.name, target: target)
                for attribute in node.attributes { try place.setAttribute(attribute, of: path.name) }
                try place.setTimes(time, of: path.name)
            case .file(let id):
                let file = try place.makeFile(path.name)
                try contents(id).read { bytes in
                    try file.write(bytes)
                    done += bytes.count
                    progress.advance(to: done)
                }
                for attribute in node.attributes { try file.setAttribute(attribute) }
                try file.setMode(UInt32(node.mode))
                try file.setTimes(time)
            }
        }
        // A directory's time changes with what is in it, and its mode may forbid that: the deepest first.
        for path in paths.reversed() {
            guard let node = tree[path], node.kind == .directory else { continue }
            let place = try Self.open(path, in: top)
            for attribute in node.attributes { try place.setAttribute(attribute) }
            try place.setMode(UInt32(node.mode))
            try place.setTimes(time)
        }
    }

    private static func open(_ path: TreePath, in top: Descriptor) throws -> Descriptor {
        path.bytes.isEmpty ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
    }
}
