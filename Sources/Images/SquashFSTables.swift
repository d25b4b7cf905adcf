internal import CSquashFS
internal import Files
private import Glibc

/// The inodes and directories of a SquashFS image.
///
/// libsquashfs allocates what an inode says that it needs, and fills it as long as its table has bytes, which may be four
/// hundred times as many as the image has: what an inode says is compared with what a file can have before.
final class SquashFSTables {
    /// One name in a directory.
    struct Entry {
        let name: Bytes
        /// Where its inode is.
        let reference: UInt64
    }

    private let image: String
    private var header: sqfs_super_t
    private let inodes: OpaquePointer
    private let listings: OpaquePointer
    /// Bytes that a file may have.
    private let largestFile: Int

    /// - Parameters:
    ///   - image: What errors call the image.
    ///   - largestFile: Bytes that a file may have.
    init(
        _ header: sqfs_super_t, input: UnsafeMutablePointer<sqfs_file_t>,
        compressor: UnsafeMutablePointer<sqfs_compressor_t>, image: String, largestFile: Int
    ) throws {
        self.header = header
        self.image = image
        self.largestFile = largestFile
        let end = min(header.id_table_start, header.fragment_table_start, header.export_table_start)
        guard
            let inodes = sqfs_meta_reader_create(
                input, compressor, header.inode_table_start, header.directory_table_start)
        else { throw SystemError("read", image, code: ENOMEM) }
        guard
            let listings = sqfs_meta_reader_create(
                input, compressor, header.directory_table_start, min(end, header.bytes_used))
        else {
            sqfs_destroy(UnsafeMutableRawPointer(inodes))
            throw SystemError("read", image, code: ENOMEM)
        }
        self.inodes = inodes
        self.listings = listings
    }

    deinit {
        sqfs_destroy(UnsafeMutableRawPointer(inodes))
        sqfs_destroy(UnsafeMutableRawPointer(listings))
    }

    /// The root directory's inode.
    func root() throws -> SquashFSInode { try inode(header.root_inode_ref, of: "its root directory") }

    /// An inode.
    ///
    /// - Parameter what: What errors call it.
    func inode(_ reference: UInt64, of what: @autoclosure () -> String) throws -> SquashFSInode {
        let (block, overflow) = header.inode_table_start.addingReportingOverflow(reference >> 16)
        guard !overflow else { throw damaged(what()) }
        let offset = Int(reference & 0xffff)
        try checkClaims(block: block, offset: offset, what())
        var found: UnsafeMutablePointer<sqfs_inode_generic_t>?
        // libsquashfs adds where the table begins by itself.
        try check(
            sqfs_meta_reader_read_inode(inodes, &header, reference >> 16, offset, &found), what())
        guard let found else { throw damaged(what()) }
        return SquashFSInode(found)
    }

    /// Gives the names in a directory, in order.
    func list(
        _ directory: SquashFSInode, _ path: TreePath, _ body: (Entry) throws -> Void
    ) throws {
        var state = sqfs_readdir_state_t()
        let what = { "the directory '\(path)'" }
        try check(sqfs_readdir_state_init(&state, &header, directory.pointer), what())
        while true {
            var entry: UnsafeMutablePointer<sqfs_dir_entry_t>?
            var reference: UInt64 = 0
            let result = sqfs_meta_reader_readdir(listings, &state, &entry, nil, &reference)
            if result > 0 { return }
            try check(result, what())
            guard let entry else { return }
            defer { sqfs_free(entry) }
            // The name follows the fixed part; its length is stored less one.
            let start = UnsafeRawPointer(entry) + MemoryLayout<sqfs_dir_entry_t>.size
            let name = Bytes(UnsafeRawBufferPointer(start: start, count: Int(entry.pointee.size) + 1))
            guard !name.contains(0x2f), !name.contains(0) else {
                throw ImageError.damaged(image: image, detail: "'\(name.displayed)' in '\(path)' is no name")
            }
            try body(Entry(name: name, reference: reference))
        }
    }

    /// Throws for an inode that says of itself what no file can have.
    private func checkClaims(block: UInt64, offset: Int, _ what: @autoclosure () -> String) throws {
        try check(sqfs_meta_reader_seek(inodes, block, offset), what())
        // Of all kinds: type, mode, owners, time, number.
        let type = try take(16, what()).number(at: 0, width: 2)
        switch SQFS_INODE_TYPE(UInt32(type)) {
        case SQFS_INODE_FILE:
            try check(size: take(16, what()).number(at: 12, width: 4), what())
        case SQFS_INODE_EXT_FILE:
            try check(size: take(16, what()).number(at: 8, width: 8), what())
        case SQFS_INODE_SLINK, SQFS_INODE_EXT_SLINK:
            guard try take(8, what()).number(at: 4, width: 4) <= UInt64(TreePath.longestPath) else {
                throw ImageError.damaged(image: image, detail: "\(what()) is a link that is too long")
            }
        case SQFS_INODE_EXT_DIR:
            // The number of index entries, of which each has a name.
            for _ in 0..<(try take(24, what()).number(at: 16, width: 2)) {
                let size = try take(12, what()).number(at: 8, width: 4)
                guard size < UInt64(TreePath.longestComponent) else { throw damaged(what()) }
                _ = try take(Int(size) + 1, what())
            }
        default: break
        }
    }

    private func check(size: UInt64, _ what: @autoclosure () -> String) throws {
        guard size <= UInt64(largestFile) else {
            throw ImageError.limit(
                image: image, what: "has a file of \(size) bytes (\(what()))", option: "--max-size SIZE")
        }
    }

    private func take(_ count: Int, _ what: @autoclosure () -> String) throws -> Bytes {
        var bytes = Bytes(repeating: 0, count: count)
        try check(sqfs_meta_reader_read(inodes, &bytes, count), what())
        return bytes
    }

    private func check(_ result: Int32, _ what: @autoclosure () -> String) throws {
        guard result >= 0 else { throw damaged(what()) }
    }

    private func damaged(_ what: String) -> ImageError {
        .damaged(image: image, detail: "\(what) cannot be read")
    }
}

extension Bytes {
    /// A number, the lowest byte first.
    fileprivate func number(at offset: Int, width: Int) -> UInt64 {
        self[offset..<offset + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
