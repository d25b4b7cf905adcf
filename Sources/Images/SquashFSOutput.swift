private import CSquashFS
internal import Files
private import Glibc

/// An image that is being written.
final class SquashFSOutput {
    private static let none = UInt32.max

    private typealias InodePointer = UnsafeMutablePointer<sqfs_inode_generic_t>

    private let path: String
    private let time: UInt32
    private var header = sqfs_super_t()
    private var output: UnsafeMutablePointer<sqfs_file_t>?
    private var compressor: UnsafeMutablePointer<sqfs_compressor_t>?
    private var decompressor: UnsafeMutablePointer<sqfs_compressor_t>?
    private var blocks: UnsafeMutablePointer<sqfs_block_writer_t>?
    private var fragments: OpaquePointer?
    private var processor: OpaquePointer?
    private var identifiers: OpaquePointer?
    private var attributes: OpaquePointer?
    private var inodes: OpaquePointer?
    private var entries: OpaquePointer?
    private var directories: OpaquePointer?
    /// What libsquashfs makes of each content; it keeps the address until all is written.
    private var files: [ContentID: UnsafeMutablePointer<InodePointer?>] = [:]

    init(
        _ path: String, compression: SquashFSWriter.Compression, level: Int?, workers: Int, time: Int
    ) throws {
        let compression = Self.identifier(of: compression)
        self.path = path
        self.time = UInt32(clamping: time)
        // Not over what somebody else made at the place.
        output = sqfs_open_file(path, 0)
        guard let output else { throw SystemError("create", path) }
        try openCompressors(compression, level)
        guard let compressor, let decompressor else { throw unsupported() }
        try check(
            sqfs_super_init(&header, SquashFSWriter.blockSize, self.time, compression), "prepare a header of")
        // Room for it; it is written again once all is known.
        try check(sqfs_super_write(&header, output), "write to")
        let options = compressor.pointee.write_options(compressor, output)
        try check(options, "write to")
        if options > 0 { header.flags |= UInt16(SQFS_FLAG_COMPRESSOR_OPTIONS.rawValue) }

        blocks = sqfs_block_writer_create(output, 4096, 0)
        fragments = sqfs_frag_table_create(0)
        identifiers = sqfs_id_table_create(0)
        attributes = sqfs_xattr_writer_create(0)
        inodes = sqfs_meta_writer_create(output, compressor, 0)
        entries = sqfs_meta_writer_create(
            output, compressor, UInt32(SQFS_META_WRITER_KEEP_IN_MEMORY.rawValue))
        guard let blocks, let fragments, identifiers != nil, attributes != nil, inodes != nil, let entries
        else { throw outOfMemory() }
        directories = sqfs_dir_writer_create(entries, 0)
        guard directories != nil else { throw outOfMemory() }
        var description = sqfs_block_processor_desc_t()
        description.size = UInt32(MemoryLayout<sqfs_block_processor_desc_t>.size)
        description.max_block_size = UInt32(SquashFSWriter.blockSize)
        description.num_workers = UInt32(clamping: workers)
        // Blocks that wait: enough for no worker to.
        description.max_backlog = 10 * UInt32(clamping: workers)
        description.cmp = compressor
        description.wr = blocks
        description.tbl = fragments
        description.file = output
        description.uncmp = decompressor
        try check(sqfs_block_processor_create_ex(&description, &processor), "write to")
    }

    deinit {
        for object in [processor, directories, entries, inodes, attributes, identifiers, fragments] {
            if let object { sqfs_destroy(UnsafeMutableRawPointer(object)) }
        }
        if let blocks { sqfs_destroy(blocks) }
        if let decompressor { sqfs_destroy(decompressor) }
        if let compressor { sqfs_destroy(compressor) }
        if let output { sqfs_destroy(output) }
        for place in files.values {
            if let inode = place.pointee { sqfs_free(inode) }
            place.deallocate()
        }
    }

    private static func identifier(of compression: SquashFSWriter.Compression) -> SQFS_COMPRESSOR {
        switch compression {
        case .zstd: SQFS_COMP_ZSTD
        case .xz: SQFS_COMP_XZ
        case .gzip: SQFS_COMP_GZIP
        }
    }

    private func openCompressors(_ compression: SQFS_COMPRESSOR, _ level: Int?) throws {
        for (flags, keyPath) in [
            (0, \SquashFSOutput.compressor), (SQFS_COMP_FLAG_UNCOMPRESS.rawValue, \.decompressor),
        ] as [(UInt32, ReferenceWritableKeyPath<SquashFSOutput, UnsafeMutablePointer<sqfs_compressor_t>?>)] {
            var configuration = sqfs_compressor_config_t()
            var result = sqfs_compressor_config_init(
                &configuration, compression, SquashFSWriter.blockSize, UInt16(flags))
            if let level, flags == 0 { configuration.level = UInt32(level) }
            if result == 0 { result = sqfs_compressor_create(&configuration, &self[keyPath: keyPath]) }
            guard result == 0 else { throw unsupported() }
        }
    }

    // MARK: - Contents

    func has(_ id: ContentID) -> Bool { files[id] != nil }

    func beginFile(_ id: ContentID) throws {
        let place = UnsafeMutablePointer<InodePointer?>.allocate(capacity: 1)
        place.initialize(to: nil)
        files[id] = place
        try check(sqfs_block_processor_begin_file(processor, place, nil, 0), "write to")
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        try check(sqfs_block_processor_append(processor, start, bytes.count), "write to")
    }

    func endFile() throws { try check(sqfs_block_processor_end_file(processor), "write to") }

    func finishFiles() throws { try check(sqfs_block_processor_finish(processor), "write to") }

    // MARK: - Tables

    /// Writes inodes and directories, what is in a directory before it.
    func writeTables(of tree: Tree, paths: [TreePath]) throws {
        guard let output else { return }
        header.inode_table_start = output.pointee.get_size(output)
        // Parents come before what is in them, and have to be known there.
        var numbers: [TreePath: UInt32] = [:]
        for (index, path) in paths.enumerated() { numbers[path] = UInt32(index + 1) }
        var references: [TreePath: UInt64] = [:]
        for path in paths.reversed() {
            guard let node = tree[path], let number = numbers[path] else { continue }
            let attributeIndex = try write(node.attributes)
            let inode: InodePointer
            switch node.kind {
            case .directory:
                inode = try directory(
                    path, in: tree, attributes: attributeIndex,
                    parent: path.parent.flatMap { numbers[$0] } ?? UInt32(paths.count + 1), numbers,
                    references)
            case .file(let id): inode = try file(id, attributes: attributeIndex)
            case .symlink(let target): inode = try symlink(target, attributes: attributeIndex)
            }
            defer { sqfs_free(inode) }
            inode.pointee.base.mode = Self.mode(of: node)
            inode.pointee.base.mod_time = time
            inode.pointee.base.inode_number = number
            var owner: UInt16 = 0
            try check(sqfs_id_table_id_to_index(identifiers, 0, &owner), "write to")
            inode.pointee.base.uid_idx = owner
            inode.pointee.base.gid_idx = owner
            var block: UInt64 = 0
            var offset: UInt32 = 0
            sqfs_meta_writer_get_position(inodes, &block, &offset)
            try check(sqfs_meta_writer_write_inode(inodes, inode), "write to")
            references[path] = block << 16 | UInt64(offset)
        }
        header.inode_count = UInt32(paths.count)
        header.root_inode_ref = references[.root] ?? 0
        try check(sqfs_meta_writer_flush(inodes), "write to")
        try check(sqfs_meta_writer_flush(entries), "write to")
        header.directory_table_start = output.pointee.get_size(output)
        try check(sqfs_meta_write_write_to_file(entries), "write to")
    }

    /// Writes the other tables and the header.
    func finish(multipleOf padding: Int) throws {
        guard let output else { return }
        try check(sqfs_frag_table_write(fragments, output, &header, compressor), "write to")
        try check(sqfs_id_table_write(identifiers, output, &header, compressor), "write to")
        try check(sqfs_xattr_writer_flush(attributes, output, &header, compressor), "write to")
        header.bytes_used = output.pointee.get_size(output)
        try check(sqfs_super_write(&header, output), "write to")
        let unit = UInt64(padding)
        let whole = (header.bytes_used + unit - 1) / unit * unit
        try check(output.pointee.truncate(output, whole), "set the length of")
    }

    private static func mode(of node: Tree.Node) -> UInt16 {
        let type =
            switch node.kind {
            case .directory: S_IFDIR
            case .file: S_IFREG
            case .symlink: S_IFLNK
            }
        return UInt16(type) | node.mode
    }

    private func directory(
        _ path: TreePath, in tree: Tree, attributes: UInt32, parent: UInt32, _ numbers: [TreePath: UInt32],
        _ references: [TreePath: UInt64]
    ) throws -> InodePointer {
        try check(sqfs_dir_writer_begin(directories, 0), "write to")
        var links: UInt32 = 2
        for name in tree.names(in: path) {
            let child = path.appending(name)
            guard let node = tree[child], let number = numbers[child], let reference = references[child]
            else {
                continue
            }
            if node.kind == .directory { links += 1 }
            let result = (name + [0]).withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    sqfs_dir_writer_add_entry(
                        directories, $0.baseAddress, number, reference, Self.mode(of: node))
                }
            }
            try check(result, "write to")
        }
        try check(sqfs_dir_writer_end(directories), "write to")
        guard let inode = sqfs_dir_writer_create_inode(directories, 0, attributes, parent) else {
            throw outOfMemory()
        }
        if inode.pointee.base.type == UInt16(SQFS_INODE_EXT_DIR.rawValue) {
            inode.pointee.data.dir_ext.nlink = links
        } else {
            inode.pointee.data.dir.nlink = links
        }
        return inode
    }

    /// A file's inode: a copy of its contents', which other files may have too.
    private func file(_ id: ContentID, attributes: UInt32) throws -> InodePointer {
        guard let original = files[id]?.pointee else { throw SystemError("write to", path, code: EIO) }
        let size = MemoryLayout<sqfs_inode_generic_t>.size + Int(original.pointee.payload_bytes_used)
        let inode = try makeInode(size)
        memcpy(inode, original, size)
        inode.pointee.payload_bytes_available = original.pointee.payload_bytes_used
        if attributes == Self.none {
            try check(sqfs_inode_make_basic(inode), "write to")
        } else {
            try check(sqfs_inode_make_extended(inode), "write to")
            try check(sqfs_inode_set_xattr_index(inode, attributes), "write to")
            inode.pointee.data.file_ext.nlink = 1
        }
        return inode
    }

    private func symlink(_ target: Bytes, attributes: UInt32) throws -> InodePointer {
        let fixed = MemoryLayout<sqfs_inode_generic_t>.size
        let inode = try makeInode(fixed + target.count + 1)
        inode.pointee.base.type = UInt16(SQFS_INODE_SLINK.rawValue)
        inode.pointee.data.slink.nlink = 1
        inode.pointee.data.slink.target_size = UInt32(target.count)
        inode.pointee.payload_bytes_available = UInt32(target.count)
        inode.pointee.payload_bytes_used = UInt32(target.count)
        (UnsafeMutableRawPointer(inode) + fixed).copyMemory(from: target, byteCount: target.count)
        if attributes != Self.none {
            try check(sqfs_inode_make_extended(inode), "write to")
            try check(sqfs_inode_set_xattr_index(inode, attributes), "write to")
        }
        return inode
    }

    /// Zeroed memory that sqfs_free() gives back.
    private func makeInode(_ size: Int) throws -> InodePointer {
        guard let memory = calloc(1, size) else { throw outOfMemory() }
        return memory.bindMemory(to: sqfs_inode_generic_t.self, capacity: 1)
    }

    private func write(_ list: [ExtendedAttribute]) throws -> UInt32 {
        guard !list.isEmpty else { return Self.none }
        try check(sqfs_xattr_writer_begin(attributes, 0), "write to")
        for attribute in list {
            let result = (attribute.name + [0]).withUnsafeBufferPointer { name in
                name.withMemoryRebound(to: CChar.self) {
                    sqfs_xattr_writer_add(attributes, $0.baseAddress, attribute.value, attribute.value.count)
                }
            }
            try check(result, "write attribute \(attribute.name.displayed) to")
        }
        var index: UInt32 = 0
        try check(sqfs_xattr_writer_end(attributes, &index), "write to")
        return index
    }

    // MARK: - Errors

    private func check(_ result: Int32, _ attempt: String) throws {
        guard result < 0 else { return }
        // libsquashfs does not say why a write failed; what it left in errno does.
        let code = errno
        if result == SQFS_ERROR_ALLOC.rawValue { throw outOfMemory() }
        if result == SQFS_ERROR_OVERFLOW.rawValue { throw SystemError(attempt, path, code: EFBIG) }
        let known = [ENOSPC, EDQUOT, EFBIG, EIO, EROFS]
        throw SystemError(attempt, path, code: known.contains(code) ? code : EIO)
    }

    private func outOfMemory() -> SystemError { SystemError("write to", path, code: ENOMEM) }

    private func unsupported() -> ImageError {
        ImageError.unsupported(
            image: path, what: "cannot be compressed so by the libsquashfs that sxs was built with",
            hint: "choose another compression, such as zstd")
    }
}
