public import Files
internal import Glibc
internal import StoreLayout

/// Takes in an image: its tree in memory, its contents in a staging directory.
///
/// Contents are hashed, scanned and written in one pass. Nothing is written to a path that an image names.
public final class TreeBuilder: TreeSink {
    /// Entries that one image may have.
    public static let entryLimit = 16_000_000
    /// Bytes that one image may have, zeros of sparse files included.
    public static let sizeLimit = 1 << 40
    /// Bytes of a file that are kept in memory, to be written only where the store has no equal object.
    private static let bufferLimit = 128 << 10

    /// The tree so far.
    public private(set) var tree = Tree()
    /// The contents so far.
    public let staging: Staging
    /// What was left out so far.
    public private(set) var omissions: [Omission: Int] = [:]
    /// Which files lost a set-id bit or a capability, in the image's order; the first ``namedLimit`` of each.
    public private(set) var stripped: [Omission: [TreePath]] = [:]
    /// Files named in ``stripped`` for one reason.
    public static let namedLimit = 1000

    private let objects: Descriptor?
    /// Bytes that stay free on the file system.
    private let minimumFree: Int
    /// Bytes of paths that may be looked up behind links: an image can make each of its paths lead through thousands.
    private static let linkLimit = 4 << 30
    /// Bytes of those that were.
    private var linked = 0
    /// Bytes written since that was looked at.
    private var unchecked = 0
    private var entries = 0
    private var totalSize = 0
    private var current: OpenFile?
    /// Staged contents that no file needs as its own, by digest.
    private var shared: [Digest: ContentID] = [:]
    /// Contents that are in the store, by object.
    private var stored: [ObjectKey: ContentID] = [:]
    private static let zeros = Bytes(repeating: 0, count: 64 << 10)

    /// The file between `beginFile` and `endFile`.
    private final class OpenFile {
        // A class, so that its buffers grow in place.
        let path: TreePath
        let mode: UInt16
        let attributes: [ExtendedAttribute]
        var hasher = ResumableHasher()
        var scanner = PathScanner()
        var head: Bytes = []
        var buffer: Bytes = []
        var size = 0
        var file: Descriptor?

        init(path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) {
            self.path = path
            self.mode = mode
            self.attributes = attributes
        }
    }

    /// Creates a builder.
    ///
    /// - Parameters:
    ///   - staging: Where contents go.
    ///   - objects: The store's objects; `nil` if every content is to be staged.
    ///   - minimumFree: Bytes that stay free on the file system; looked at now and then.
    public init(staging: Staging, objects: Descriptor?, minimumFree: Int = 0) {
        self.staging = staging
        self.objects = objects
        self.minimumFree = minimumFree
    }

    /// A directory; one that is there keeps what is in it.
    public func directory(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) throws {
        let place = try place(path)
        let kept = try keep(attributes, of: path)
        tree.insert(Tree.Node(kind: .directory, mode: mode & 0o777, attributes: kept), at: place)
    }

    /// A symbolic link.
    public func symlink(_ path: TreePath, target: Bytes) throws {
        let place = try place(path)
        guard !place.bytes.isEmpty else { throw StoreError.rootIsNoDirectory }
        guard !target.isEmpty, target.count <= TreePath.longestPath, !target.contains(0) else {
            throw StoreError.badLinkTarget(path)
        }
        tree.insert(Tree.Node(kind: .symlink(target: target), mode: 0o777), at: place)
    }

    /// Another name of a file that came before.
    public func hardLink(_ path: TreePath, to target: TreePath) throws {
        let place = try place(path)
        guard !place.bytes.isEmpty else { throw StoreError.rootIsNoDirectory }
        guard let node = tree[try resolveParent(of: target)] else {
            throw StoreError.badHardLink(path, target: target)
        }
        if case .directory = node.kind { throw StoreError.badHardLink(path, target: target) }
        tree.insert(node, at: place)
    }

    /// A regular file, replacing what is at the path; its bytes follow.
    public func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) throws
    {
        let place = try place(path)
        guard !place.bytes.isEmpty else { throw StoreError.rootIsNoDirectory }
        if mode & 0o6000 != 0 { strip(.setID, from: place) }
        current = OpenFile(path: place, mode: mode & 0o777, attributes: try keep(attributes, of: place))
    }

    /// The next bytes of the file.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard !bytes.isEmpty else { return }
        let open = try grow(by: bytes.count)
        open.hasher.update(bytes)
        open.scanner.update(bytes)
        open.head.append(contentsOf: bytes.prefix(64 - open.head.count))
        if open.file == nil, open.size + bytes.count <= Self.bufferLimit {
            open.buffer.append(contentsOf: bytes)
        } else {
            let file = try spill(open)
            // A hole before leaves the file's offset behind.
            guard lseek(file.number, off_t(open.size), SEEK_SET) >= 0 else {
                throw SystemError("write to", file.path)
            }
            try file.write(bytes)
        }
        open.size += bytes.count
    }

    /// The next bytes of the file, all zeros.
    public func appendHole(_ count: Int) throws {
        guard count >= 0 else { throw StoreError.entryOrder("a hole of \(count) bytes") }
        let open = try grow(by: count)
        open.head.append(contentsOf: Bytes(repeating: 0, count: min(count, 64 - open.head.count)))
        var rest = count
        while rest > 0 {
            let length = min(rest, Self.zeros.count)
            Self.zeros.withUnsafeBytes { zeros in
                let part = UnsafeRawBufferPointer(rebasing: zeros[..<length])
                open.hasher.update(part)
                open.scanner.update(part)
            }
            rest -= length
        }
        if open.file == nil, open.size + count <= Self.bufferLimit {
            open.buffer.append(contentsOf: Bytes(repeating: 0, count: count))
        } else {
            _ = try spill(open)
        }
        open.size += count
    }

    /// Ends the file: its digest is known from here on.
    public func endFile() throws {
        guard let open = current else { throw StoreError.entryOrder("a file ends that did not begin") }
        current = nil
        open.scanner.finish()
        let digest = open.hasher.finalize()
        // What relocation may change stays a content of its own, for the change depends on the file's name.
        let isShareable =
            open.scanner.offsets.isEmpty && !open.scanner.isTruncated
            && !open.head.starts(with: [0x7f, 0x45, 0x4c, 0x46])
            && ![".pyc", ".jar"].contains { open.path.bytes.suffix(4).elementsEqual($0.utf8) }
        let node = { Tree.Node(kind: .file($0), mode: open.mode, attributes: open.attributes) }
        let size = open.size

        if isShareable, let id = shared[digest] {
            if open.file != nil { try staging.directory.unlink(staging.fileName(of: staging.nextID)) }
            tree.insert(node(id), at: open.path)
            return
        }
        var key: ObjectKey?
        if isShareable, open.file == nil, size > 0, let objects {
            let made = ObjectKey(digest: digest, mode: open.mode & 0o555, attributes: open.attributes)
            if let id = stored[made] {
                tree.insert(node(id), at: open.path)
                return
            }
            if try borrow(made, from: objects) { key = made }
        }
        if let file = open.file {
            try file.setSize(open.size)
        } else if key == nil {
            let name = staging.fileName(of: staging.nextID)
            let file = try staging.directory.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
            try open.buffer.withUnsafeBytes { try file.write($0) }
        }
        let id = staging.add(
            size: size, digest: digest, scanner: open.scanner, head: open.head,
            object: key.map { $0.directoryName + "/" + $0.fileName() },
            hashStates: isShareable ? [] : open.hasher.states)
        if let key {
            stored[key] = id
        } else if isShareable {
            shared[digest] = id
        }
        tree.insert(node(id), at: open.path)
    }

    /// Gives the next content the bytes of an equal object, if there is one: by a further link, so that whoever
    /// collects garbage meanwhile leaves it.
    private func borrow(_ key: ObjectKey, from objects: Descriptor) throws -> Bool {
        do {
            try objects.link(
                key.directoryName + "/" + key.fileName(), to: staging.directory,
                as: staging.fileName(of: staging.nextID))
            return true
        } catch let error as SystemError where [ENOENT, EMLINK].contains(error.code) {
            // One with all the links it can have is staged like a new one, and becomes the next of its key.
            return false
        }
    }

    /// Removes what earlier layers put at a path.
    public func remove(_ path: TreePath) throws {
        try checkNoFileIsOpen()
        tree.remove(try resolveParent(of: path))
    }

    /// Removes what earlier layers put below a path.
    public func removeChildren(of path: TreePath) throws {
        try checkNoFileIsOpen()
        tree.removeChildren(of: try resolveParent(of: path))
    }

    /// Counts something that is not taken over.
    public func omit(_ omission: Omission, at path: TreePath) {
        omissions[omission, default: 0] += 1
    }

    private func strip(_ omission: Omission, from path: TreePath) {
        omissions[omission, default: 0] += 1
        guard (stripped[omission]?.count ?? 0) < Self.namedLimit else { return }
        stripped[omission, default: []].append(path)
    }

    // MARK: - Contents

    /// Counts bytes of the open file, before they are taken in.
    private func grow(by count: Int) throws -> OpenFile {
        guard let open = current else { throw StoreError.entryOrder("bytes that belong to no file") }
        let (sum, overflow) = totalSize.addingReportingOverflow(count)
        guard !overflow, sum <= Self.sizeLimit else {
            throw StoreError.tooLarge(open.path, limit: Self.sizeLimit)
        }
        totalSize = sum
        try checkFreeSpace(after: count)
        return open
    }

    /// Bytes between two looks at how much is free.
    private static let checkInterval = 8 << 20

    private func checkFreeSpace(after count: Int) throws {
        guard minimumFree > 0 else { return }
        unchecked += count
        guard unchecked >= Self.checkInterval else { return }
        unchecked = 0
        try staging.directory.checkFreeSpace(minimumFree)
    }

    /// The open file's staging file, with what was buffered written to it.
    private func spill(_ open: OpenFile) throws -> Descriptor {
        if let file = open.file { return file }
        let name = staging.fileName(of: staging.nextID)
        let file = try staging.directory.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
        try open.buffer.withUnsafeBytes { try file.write($0) }
        open.buffer = []
        open.file = file
        return file
    }

    /// The attributes that count, sorted; others are counted as left out.
    private func keep(_ attributes: [ExtendedAttribute], of path: TreePath) throws -> [ExtendedAttribute] {
        guard !attributes.isEmpty else { return [] }
        var kept: [Bytes: ExtendedAttribute] = [:]
        for attribute in attributes {
            guard attribute.counts else {
                if attribute.name.elementsEqual("security.capability".utf8) {
                    strip(.capability, from: path)
                } else {
                    omissions[.attribute, default: 0] += 1
                }
                continue
            }
            // XATTR_NAME_MAX and XATTR_SIZE_MAX of linux/limits.h.
            guard attribute.name.count <= 255, !attribute.name.elementsEqual("user.".utf8),
                !attribute.name.contains(where: { $0 <= 0x20 || $0 == 0x7f }),
                attribute.value.count <= 65_536
            else { throw StoreError.badAttribute(path) }
            kept[attribute.name] = attribute
        }
        // XATTR_LIST_MAX: their names, each with a NUL, are listed at once.
        guard kept.keys.reduce(0, { $0 + $1.count + 1 }) <= 65_536 else {
            throw StoreError.badAttribute(path)
        }
        return kept.values.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    // MARK: - Places

    private func checkNoFileIsOpen() throws {
        guard current == nil else { throw StoreError.entryOrder("an entry inside a file") }
    }

    /// Where a new entry goes; counts it.
    private func place(_ path: TreePath) throws -> TreePath {
        try checkNoFileIsOpen()
        entries += 1
        guard entries <= Self.entryLimit, tree.nodes.count < Self.entryLimit else {
            throw StoreError.tooManyEntries(limit: Self.entryLimit)
        }
        return try resolveParent(of: path)
    }

    /// The path with every link in its parents followed; the last component stays as it is.
    ///
    /// Missing components stay as they are: they become directories.
    private func resolveParent(of path: TreePath) throws -> TreePath {
        guard let parent = path.parent else { return path }
        if let node = tree[parent], case .directory = node.kind { return path }
        var pending = Array(parent.components.reversed())
        var current = TreePath.root
        var followed = 0
        var link = TreePath.root
        while let component = pending.popLast() {
            if component.elementsEqual("..".utf8) {
                // Only link targets have these.
                guard let above = current.parent else { throw StoreError.escapes(path, by: link) }
                current = above
                continue
            }
            let next = current.appending(component)
            linked += next.bytes.count
            guard linked <= Self.linkLimit else { throw StoreError.tooManyLinks(path) }
            guard let node = tree[next] else {
                current = next
                continue
            }
            switch node.kind {
            case .directory: current = next
            case .file: throw StoreError.throughFile(path, file: next)
            case .symlink(let target):
                followed += 1
                guard followed <= 40 else { throw StoreError.circularLinks(path) }
                link = next
                guard target.first != UInt8(ascii: "/") else { throw StoreError.escapes(path, by: link) }
                let parts = target.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
                pending.append(contentsOf: parts.map(Array.init).reversed())
            }
        }
        // Links make paths longer, and their targets are checked by no one else.
        return try TreePath(parsing: current.appending(path.name).bytes)
    }
}
