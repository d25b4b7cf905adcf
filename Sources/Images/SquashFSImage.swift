internal import CSquashFS
internal import Files
private import Glibc

/// A SquashFS 4.0 image, read with libsquashfs.
final class SquashFSImage {
    /// Extended attributes an entry may have, and bytes of all of them.
    private static let attributeLimit = 1024
    private static let attributeSizeLimit = 1 << 20
    private static let none = UInt32.max

    private let file: Descriptor
    private var header = sqfs_super_t()
    private var input: UnsafeMutablePointer<sqfs_file_t>?
    private var compressor: UnsafeMutablePointer<sqfs_compressor_t>?
    private var tables: SquashFSTables?
    private var data: OpaquePointer?
    private var attributes: OpaquePointer?
    private let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    /// Files with several names, by the first of them.
    private var linked: [UInt32: TreePath] = [:]
    private let budget: ImageBudget

    /// Checks the header and opens the tables.
    init(_ file: Descriptor, budget: ImageBudget) throws {
        self.file = file
        self.budget = budget
        // Through the open file, so that it is the one whose size and magic number were looked at.
        input = sqfs_open_file("/proc/self/fd/\(file.number)", UInt32(SQFS_FILE_OPEN_READ_ONLY.rawValue))
        guard let input else { throw SystemError("open", file.path) }
        try check(sqfs_super_read(&header, input), "its header")
        let size = Int(try file.status().st_size)
        guard header.bytes_used <= UInt64(size) else {
            throw ImageError.truncated(
                image: file.path, detail: "its header says \(header.bytes_used) bytes, and it has \(size)")
        }
        guard header.block_size >= 4096, header.block_size <= 1 << 20 else { throw damaged("its block size") }
        try openCompressor()
        guard let compressor else { throw damaged("its compression") }
        try checkCounts()
        tables = try SquashFSTables(
            header, input: input, compressor: compressor, image: file.path, largestFile: budget.limits.size)
        data = sqfs_data_reader_create(input, Int(header.block_size), compressor, 0)
        attributes = sqfs_xattr_reader_create(0)
        guard let data, let attributes else {
            throw SystemError("read", file.path, code: ENOMEM)
        }
        try check(sqfs_data_reader_load_fragment_table(data, &header), "its fragment table")
        try check(sqfs_xattr_reader_load(attributes, &header, input, compressor), "its attribute table")
    }

    /// Throws for tables that say that they have more than there can be: libsquashfs allocates what they say.
    private func checkCounts() throws {
        guard Int(header.fragment_entry_count) <= budget.limits.files else {
            throw ImageError.limit(
                image: file.path, what: "has \(header.fragment_entry_count) fragments of files",
                option: "--max-files NUMBER")
        }
        // Of the table of fragments, whose entries have 16 bytes, each block of 8 KiB has its place in the image.
        let places = (Int(header.fragment_entry_count) * 16 + 8191) / 8192 * 8
        guard places == 0 || header.fragment_table_start <= header.bytes_used,
            places == 0 || places <= Int(header.bytes_used) - Int(header.fragment_table_start)
        else { throw damaged("its fragment table") }
    }

    deinit {
        for object in [data, attributes] {
            if let object { sqfs_destroy(UnsafeMutableRawPointer(object)) }
        }
        if let compressor { sqfs_destroy(compressor) }
        if let input { sqfs_destroy(input) }
        stored.deallocate()
        block.deallocate()
    }

    private func openCompressor() throws {
        let id = SQFS_COMPRESSOR(UInt32(header.compression_id))
        var configuration = sqfs_compressor_config_t()
        var result = sqfs_compressor_config_init(
            &configuration, id, Int(header.block_size), UInt16(SQFS_COMP_FLAG_UNCOMPRESS.rawValue))
        if result == 0 { result = sqfs_compressor_create(&configuration, &compressor) }
        guard result == 0, compressor != nil else {
            let name = sqfs_compressor_name_from_id(id).map { String(cString: $0) } ?? "number \(id.rawValue)"
            throw ImageError.unsupported(
                image: file.path, what: "is compressed with \(name), which sxs cannot read",
                hint: "repack it: unsquashfs IMAGE && mksquashfs squashfs-root NEW.raw -comp zstd")
        }
    }

    /// Gives all entries to a sink.
    func read(
        into sink: any TreeSink, progress: any Progress, readsContents: (TreePath) -> Bool = { _ in true }
    ) throws {
        progress.begin("reading \(file.path)", total: Int(header.bytes_used))
        defer { progress.end() }
        let writer = EntryWriter(sink, image: file.path, isLayered: false, budget: budget)
        guard let tables else { throw damaged("its directories") }
        var pending: [(path: TreePath, inode: SquashFSInode)] = [(.root, try tables.root())]
        guard pending[0].inode.isDirectory else {
            throw ImageError.damaged(image: file.path, detail: "its root is no directory")
        }
        var seen: Set<UInt32> = []
        var done = 0
        while let (path, inode) = pending.popLast() {
            guard seen.insert(inode.number).inserted else {
                throw ImageError.damaged(image: file.path, detail: "the directory '\(path)' lies in itself")
            }
            try sink.directory(path, mode: inode.mode, attributes: attributes(of: inode, path))
            try tables.list(inode, path) { entry in
                let child = try writer.path((path.bytes.isEmpty ? [] : path.bytes + [0x2f]) + entry.name)
                guard child.parent == path else {
                    throw ImageError.damaged(
                        image: file.path, detail: "'\(entry.name.displayed)' in '\(path)' is no name")
                }
                let inode = try tables.inode(entry.reference, of: "the inode of '\(child)'")
                if inode.isDirectory {
                    pending.append((child, inode))
                } else {
                    done += try write(inode, at: child, writer: writer, isRead: readsContents(child))
                    progress.advance(to: min(done, Int(header.bytes_used)))
                }
            }
        }
    }

    /// The names in a directory, sorted; `nil` where there is none.
    func names(in path: TreePath) throws -> [Bytes]? {
        guard let tables else { throw damaged("its directories") }
        var directory = try tables.root()
        var place = TreePath.root
        for component in path.components {
            guard directory.isDirectory else { return nil }
            var found: UInt64?
            try tables.list(directory, place) { if $0.name == component { found = $0.reference } }
            guard let found else { return nil }
            place = place.appending(component)
            directory = try tables.inode(found, of: "the inode of '\(place)'")
        }
        guard directory.isDirectory else { return nil }
        var names: [Bytes] = []
        try tables.list(directory, path) { names.append($0.name) }
        return names
    }

    /// Gives anything but a directory; the bytes that it takes in the image.
    private func write(
        _ inode: SquashFSInode, at path: TreePath, writer: EntryWriter, isRead: Bool
    ) throws -> Int {
        switch inode.type {
        case SQFS_INODE_SLINK, SQFS_INODE_EXT_SLINK: try writer.symlink(path, target: inode.target)
        case SQFS_INODE_BDEV, SQFS_INODE_EXT_BDEV, SQFS_INODE_CDEV, SQFS_INODE_EXT_CDEV:
            writer.sink.omit(.device, at: path)
        case SQFS_INODE_FIFO, SQFS_INODE_EXT_FIFO, SQFS_INODE_SOCKET, SQFS_INODE_EXT_SOCKET:
            writer.sink.omit(.pipe, at: path)
        case SQFS_INODE_FILE, SQFS_INODE_EXT_FILE:
            if inode.linkCount > 1 {
                if let first = linked[inode.number] {
                    try writer.sink.hardLink(path, to: first)
                    return 0
                }
                linked[inode.number] = path
            }
            return try writeFile(inode, at: path, writer: writer, isRead: isRead)
        default: throw damaged("the inode of '\(path)'")
        }
        return 0
    }

    private func writeFile(
        _ inode: SquashFSInode, at path: TreePath, writer: EntryWriter, isRead: Bool
    ) throws -> Int {
        var whole: UInt64 = 0
        var start: UInt64 = 0
        try check(sqfs_inode_get_file_size(inode.pointer, &whole), "the size of '\(path)'")
        try check(sqfs_inode_get_file_block_start(inode.pointer, &start), "the blocks of '\(path)'")
        guard let size = Int(exactly: whole), var position = Int(exactly: start) else {
            throw damaged("the size of '\(path)'")
        }
        try writer.sink.beginFile(
            path, mode: inode.mode, attributes: attributes(of: inode, path), size: size)
        guard isRead else {
            try writer.sink.endFile()
            return 0
        }
        let began = position
        var rest = size
        for size in inode.blockSizes {
            let count = min(rest, Int(header.block_size))
            guard count > 0 else { throw damaged("the blocks of '\(path)'") }
            if size == 0 {
                try writer.hole(count)
            } else {
                position += try writeBlock(size, at: position, count: count, path: path, writer: writer)
            }
            rest -= count
        }
        if rest > 0 { try writeFragment(inode, count: rest, path: path, writer: writer) }
        try writer.sink.endFile()
        return position - began + rest
    }

    /// Gives one block of a file; the bytes that it takes in the image.
    private func writeBlock(
        _ field: UInt32, at position: Int, count: Int, path: TreePath, writer: EntryWriter
    ) throws -> Int {
        // Bit 24 says that the block is not compressed.
        let size = Int(field & ~(1 << 24))
        guard size <= Int(header.block_size), position >= 0, position <= Int(header.bytes_used) - size else {
            throw damaged("the blocks of '\(path)'")
        }
        var got = 0
        while got < size {
            let part = UnsafeMutableRawBufferPointer(rebasing: stored[got..<size])
            let read = try file.read(into: part, at: position + got)
            guard read > 0 else {
                throw ImageError.truncated(image: file.path, detail: "it ends within '\(path)'")
            }
            got += read
        }
        if field & 1 << 24 != 0 {
            guard size == count else { throw damaged("the blocks of '\(path)'") }
            try writer.sink.append(UnsafeRawBufferPointer(rebasing: stored[..<count]))
            return size
        }
        guard let compressor, let from = stored.baseAddress, let to = block.baseAddress else { return 0 }
        let result = compressor.pointee.do_block(
            compressor, from.assumingMemoryBound(to: UInt8.self), UInt32(size),
            to.assumingMemoryBound(to: UInt8.self), header.block_size)
        guard result == count else { throw damaged("the blocks of '\(path)'") }
        try writer.sink.append(UnsafeRawBufferPointer(rebasing: block[..<count]))
        return size
    }

    /// Gives the end of a file, which shares a block with others.
    private func writeFragment(_ inode: SquashFSInode, count: Int, path: TreePath, writer: EntryWriter) throws
    {
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        guard count < Int(header.block_size), let data else { throw damaged("the end of '\(path)'") }
        try check(sqfs_data_reader_get_fragment(data, inode.pointer, &size, &bytes), "the end of '\(path)'")
        guard let bytes else { throw damaged("the end of '\(path)'") }
        defer { sqfs_free(bytes) }
        guard size == count else { throw damaged("the end of '\(path)'") }
        try writer.sink.append(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    private func attributes(of inode: SquashFSInode, _ path: TreePath) throws -> [ExtendedAttribute] {
        var index = Self.none
        try check(sqfs_inode_get_xattr_index(inode.pointer, &index), "the attributes of '\(path)'")
        guard index != Self.none, let attributes else { return [] }
        // libsquashfs reads through a null pointer where the image has no table of them.
        guard header.flags & UInt16(SQFS_FLAG_NO_XATTRS.rawValue) == 0,
            header.xattr_id_table_start != UInt64.max
        else { return [] }
        var description = sqfs_xattr_id_t()
        let what = "the attributes of '\(path)'"
        try check(sqfs_xattr_reader_get_desc(attributes, index, &description), what)
        guard description.count <= Self.attributeLimit else { throw damaged(what) }
        try check(sqfs_xattr_reader_seek_kv(attributes, &description), what)
        var result: [ExtendedAttribute] = []
        var size = 0
        for _ in 0..<description.count {
            var key: UnsafeMutablePointer<sqfs_xattr_entry_t>?
            try check(sqfs_xattr_reader_read_key(attributes, &key), what)
            guard let key else { throw damaged(what) }
            defer { sqfs_free(key) }
            var value: UnsafeMutablePointer<sqfs_xattr_value_t>?
            try check(sqfs_xattr_reader_read_value(attributes, key, &value), what)
            guard let value else { throw damaged(what) }
            defer { sqfs_free(value) }
            size += Int(key.pointee.size) + Int(value.pointee.size)
            guard size <= Self.attributeSizeLimit else {
                throw ImageError.excessive(
                    image: file.path, what: "too many bytes of attributes of '\(path)'",
                    limit: Self.attributeSizeLimit)
            }
            // libsquashfs ends the name, with its prefix, by a NUL; the value has its length in front.
            let name = UnsafeRawPointer(key) + MemoryLayout<sqfs_xattr_entry_t>.size
            let bytes = UnsafeRawPointer(value) + MemoryLayout<sqfs_xattr_value_t>.size
            result.append(
                ExtendedAttribute(
                    name: Bytes(UnsafeRawBufferPointer(start: name, count: strlen(name))),
                    value: Bytes(UnsafeRawBufferPointer(start: bytes, count: Int(value.pointee.size)))))
        }
        return result.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    private func check(_ result: Int32, _ what: String) throws {
        guard result < 0 else { return }
        if result == SQFS_ERROR_ALLOC.rawValue {
            throw ImageError.damaged(
                image: file.path, detail: "\(what) takes more memory than there is")
        }
        throw damaged(what)
    }

    private func damaged(_ what: String) -> ImageError {
        .damaged(image: file.path, detail: "\(what) cannot be read")
    }
}
