public import Files
internal import Glibc
internal import StoreLayout

/// Takes in an image: its tree in memory, its contents in a staging directory.
///
/// Contents are hashed, scanned and written as they come, in a tree of their own that has no links (``Staging``): no link of
/// an image is ever followed but in the tree in memory.
public final class TreeBuilder: TreeSink {
    /// Entries that one image may have.
    public static let entryLimit = 16_000_000
    /// Bytes that one image may have, zeros of sparse files included.
    public static let sizeLimit = 1 << 40
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

    /// What hashes contents.
    public var hasher: MessageHasher? { writer.hasher }

    private let writer: ContentWriter
    /// Bytes that stay free on the file system.
    private let minimumFree: Int
    /// Bytes of paths that may be looked up behind links: an image can make each of its paths lead through thousands.
    private static let linkLimit = 4 << 30
    /// Bytes of those that were.
    private var linked = 0
    /// Bytes written since that was looked at.
    private var unchecked = 0
    /// Bytes since the kernel was last told to write out what came.
    private var unsynchronized = 0
    private var synchronization: BackgroundTask<Void>?
    private var entries = 0
    private var totalSize = 0
    private var current: OpenFile?
    /// Where files and links to them were put since the last ``finish()``.
    private var placed: [Tree.Place] = []
    /// Places after which it is looked which have the same contents.
    private var placedLimit = 1 << 14

    /// The file between `beginFile` and `endFile`.
    private final class OpenFile {
        // A class, so that its computations grow in place.
        let path: TreePath
        let mode: UInt16
        let attributes: [ExtendedAttribute]
        let content: ContentWriter.File
        var size = 0
        /// Where its bytes go as they come, if it is large.
        var large: LargeFile?

        init(
            path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], content: ContentWriter.File
        ) {
            self.path = path
            self.mode = mode
            self.attributes = attributes
            self.content = content
        }
    }

    /// Creates a builder.
    ///
    /// - Parameters:
    ///   - staging: Where contents go.
    ///   - finder: Finds contents that the store has; `nil` if every content is to be staged.
    ///   - minimumFree: Bytes that stay free on the file system; looked at now and then.
    public init(staging: Staging, finder: ObjectFinder? = nil, minimumFree: Int = 0) {
        self.staging = staging
        writer = ContentWriter(staging, finder: finder)
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
        insert(node, at: place)
    }

    /// A regular file, replacing what is at the path; its bytes follow.
    public func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) throws
    {
        let place = try place(path)
        guard !place.bytes.isEmpty else { throw StoreError.rootIsNoDirectory }
        if mode & 0o6000 != 0 { strip(.setID, from: place) }
        let kept = try keep(attributes, of: place)
        let isVariable = [".pyc", ".jar"].contains { place.bytes.suffix(4).elementsEqual($0.utf8) }
        let open = OpenFile(
            path: place, mode: mode & 0o777, attributes: kept,
            content: try writer.begin(
                at: place, mode: mode & 0o555, attributes: kept, isVariable: isVariable))
        current = open
        if let size, size > ContentBatch.fileLimit { open.large = try writer.spill(open.content, size: size) }
    }

    /// The next bytes of the file.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard !bytes.isEmpty else { return }
        let open = try grow(by: bytes.count)
        if open.large == nil, open.size + bytes.count <= ContentBatch.fileLimit {
            writer.openBatch().append(bytes)
        } else {
            try writer.append(bytes, to: spill(open))
        }
        open.size += bytes.count
    }

    /// The next bytes of the file, all zeros.
    public func appendHole(_ count: Int) throws {
        guard count >= 0 else { throw StoreError.entryOrder("a hole of \(count) bytes") }
        let open = try grow(by: count)
        if open.large == nil, open.size + count <= ContentBatch.fileLimit {
            writer.openBatch().append(zeros: count)
        } else {
            try writer.appendHole(count, to: spill(open))
        }
        open.size += count
    }

    /// Ends the file; its digest is known after ``finish()``.
    public func endFile() throws {
        guard let open = current else { throw StoreError.entryOrder("a file ends that did not begin") }
        current = nil
        if let large = open.large { try writer.end(large) } else { try writer.end(open.content) }
        insert(
            Tree.Node(kind: .file(open.content.id), mode: open.mode, attributes: open.attributes),
            at: open.path)
    }

    private func insert(_ node: Tree.Node, at place: TreePath) {
        let place = tree.insert(node, at: place)
        guard case .file = node.kind else { return }
        placed.append(place)
        guard placed.count >= placedLimit else { return }
        shareContents()
        // Where most wait, they are not looked at each time.
        placedLimit = max(placedLimit, 2 * placed.count)
    }

    /// Gives files whose contents turned out to be the same the same in the tree, as far as that is known.
    private func shareContents() {
        placed.removeAll { place in
            // Something else may have taken the place: if that is a file, it is looked at here all the same.
            guard let id = tree.content(at: place) else { return true }
            guard id.number < staging.count else { return false }
            let first = staging[id].id
            if first != id { tree.setContent(first, at: place) }
            return true
        }
    }

    /// Waits until all contents so far are written: ``staging`` knows them from here on.
    ///
    /// Files whose contents turned out to be the same have the same in the tree.
    public func finish() throws {
        try checkNoFileIsOpen()
        try writer.finish()
        shareContents()
        if unsynchronized >= Self.synchronizeLeast { beginSynchronizing() }
    }

    /// Lets nothing go on that was begun: the image is not wanted.
    func abandon() {
        writer.abandon()
        try? synchronization?.value()
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
        unsynchronized += count
        if unsynchronized >= Self.synchronizeInterval { beginSynchronizing() }
        return open
    }

    /// Bytes after which what came so far is written out meanwhile, so that little is left to wait for at the end.
    private static let synchronizeInterval = 64 << 20
    /// Bytes that are not worth that.
    private static let synchronizeLeast = 4 << 20

    /// Lets the kernel write out what came so far; the kernel's threads do that, and one of ours waits for it.
    private func beginSynchronizing() {
        // One at a time, and none where a thread would be in the way of others.
        guard processorCount > 1, synchronization?.isOver != false else { return }
        unsynchronized = 0
        synchronization = BackgroundTask { [directory = staging.directory] in
            // Only to have less to do at the end: that tells of errors.
            try? directory.synchronizeFileSystem()
        }
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

    /// Where the open file's bytes go as they come: it is large.
    private func spill(_ open: OpenFile) throws -> LargeFile {
        let large = try open.large ?? writer.spill(open.content, size: nil)
        open.large = large
        return large
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
        guard entries <= Self.entryLimit, tree.count < Self.entryLimit else {
            throw StoreError.tooManyEntries(limit: Self.entryLimit)
        }
        return try resolveParent(of: path)
    }

    /// The path with every link in its parents followed; the last component stays as it is.
    ///
    /// Missing components stay as they are: they become directories.
    private func resolveParent(of path: TreePath) throws -> TreePath {
        guard !tree.hasParent(of: path), let parent = path.parent else { return path }
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
