internal import Glibc

/// A file by its number, whatever its names.
struct Inode: Hashable, Sendable {
    private let device: UInt64
    private let number: UInt64

    /// The inode that a status is of.
    init(_ status: stat) {
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
    }
}
