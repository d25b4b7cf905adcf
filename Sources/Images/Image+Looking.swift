public import Files
private import Glibc

extension Image {
    /// Whether a file has a file system that Linux can mount, or a partition table: also those that sxs does not read.
    ///
    /// What is damaged further in is not noticed.
    public static func isMountable(_ path: String) throws -> Bool {
        switch try DiskFormat(of: Descriptor.file(path)) {
        case .squashFS, .gpt, .erofs, .ext4, .btrfs, .xfs: true
        case .iso, .qcow, .elf, .zip, .deb, .rpm, nil: false
        }
    }

    /// The names in a directory of the image, sorted, without reading the rest of it.
    ///
    /// - Returns: The names; `nil` where there is no such directory, and for formats that can only be read whole.
    /// - Throws: ``ImageError``, `SystemError`.
    public func names(in directory: TreePath) throws -> [Bytes]? {
        switch contents {
        case .squashFS(let file):
            return try SquashFSImage(file, budget: budget(stored: 0)).names(in: directory)
        case .directory(let top):
            do {
                return try top.open(beneath: directory.bytes, flags: O_RDONLY | O_DIRECTORY).list().map(
                    \.name)
            } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
                return nil
            }
        case .layered, .tar, .packages: return nil
        }
    }
}
