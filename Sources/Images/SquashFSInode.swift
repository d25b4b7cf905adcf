internal import CSquashFS
internal import Files

/// An inode that libsquashfs allocated, freed when the value goes.
final class SquashFSInode {
    let pointer: UnsafeMutablePointer<sqfs_inode_generic_t>

    init(_ pointer: UnsafeMutablePointer<sqfs_inode_generic_t>) {
        self.pointer = pointer
    }

    deinit { sqfs_free(pointer) }

    var type: SQFS_INODE_TYPE { SQFS_INODE_TYPE(UInt32(pointer.pointee.base.type)) }
    var number: UInt32 { pointer.pointee.base.inode_number }
    var mode: UInt16 { pointer.pointee.base.mode & 0o7777 }
    var isDirectory: Bool { type == SQFS_INODE_DIR || type == SQFS_INODE_EXT_DIR }

    /// Names of a file; a basic inode has one.
    var linkCount: UInt32 { type == SQFS_INODE_EXT_FILE ? pointer.pointee.data.file_ext.nlink : 1 }

    /// What follows the fixed part.
    private var payload: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: UnsafeRawPointer(pointer) + MemoryLayout<sqfs_inode_generic_t>.size,
            count: Int(pointer.pointee.payload_bytes_used))
    }

    /// Sizes of a file's blocks as stored.
    var blockSizes: UnsafeBufferPointer<UInt32> { payload.bindMemory(to: UInt32.self) }

    /// A symbolic link's target.
    var target: Bytes {
        let size =
            type == SQFS_INODE_EXT_SLINK
            ? pointer.pointee.data.slink_ext.target_size : pointer.pointee.data.slink.target_size
        return Bytes(payload.prefix(Int(size)))
    }
}
