internal import Activation
internal import ELF
internal import Files
internal import Images
internal import StoreLayout

/// Takes in an image to be looked at: its tree, digests of its files, and what of them is asked for; no contents are
/// written anywhere.
final class ImageOutline: TreeSink {
    // A class, because sinks are.

    /// What is known of a file.
    struct Content {
        let size: Int
        let digest: Digest
        /// Its bytes, where they are of use: those of release files.
        let bytes: Bytes?
        /// The symbol versions that a library defines.
        let definitions: Set<String>
        /// What it and the loader have to do with each other; `nil` for what is no ELF file, or was not asked for.
        let linkage: Linkage?
    }

    /// What the loader is told by an ELF file.
    struct Linkage {
        /// The libraries it needs.
        let needed: [String]
        /// The name that others need it by.
        let soname: String?
    }

    /// Bytes of the largest library that is looked into.
    private static let largestLibrary = 512 << 20

    private(set) var tree = Tree()
    private(set) var contents: [Content] = []
    private let image: String
    private let wanted: TreePath?
    private let readsLinkage: Bool
    /// Files with set-id bits or capabilities, which no store keeps.
    private(set) var privileged: [TreePath] = []
    /// Devices, pipes and sockets, which no store keeps.
    private(set) var special: [TreePath] = []
    private var current: OpenFile?

    private final class OpenFile {
        // A class, so that its buffer grows in place.
        let path: TreePath
        let mode: UInt16
        let attributes: [ExtendedAttribute]
        let isRelease: Bool
        let isLibrary: Bool
        var hasher = Hasher256()
        var size = 0
        var bytes: Bytes = []
        /// Whether all of it is kept until it ends: an ELF file whose linkage is asked for.
        var isProgram = false

        init(path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], isWanted: Bool) {
            self.path = path
            self.mode = mode
            self.attributes = attributes
            isRelease = isWanted || path.isWithin(ExtensionLayout.releases)
            isLibrary = LibraryName(path.name) != nil
        }

        var limit: Int {
            isRelease ? ReleaseFile.longest : isLibrary || isProgram ? ImageOutline.largestLibrary : 0
        }
    }

    /// Creates an outline.
    ///
    /// - Parameters:
    ///   - image: What messages call the image.
    ///   - wanted: A file whose bytes are kept, beside those of the directory of extension-releases.
    ///   - readsLinkage: Whether ELF files are asked what they need.
    init(image: String, keeping wanted: TreePath? = nil, readsLinkage: Bool = false) {
        self.image = image
        self.wanted = wanted
        self.readsLinkage = readsLinkage
    }

    /// The bytes of a release file.
    func read(_ path: TreePath) throws(ReleaseFileError) -> Bytes {
        guard let content = content(of: path), let bytes = content.bytes else { return [] }
        guard bytes.count == content.size else { throw .tooLarge(content.size) }
        return bytes
    }

    /// What is known of the file at a path; `nil` where there is none.
    func content(of path: TreePath) -> Content? {
        guard case .file(let id) = tree[path]?.kind else { return nil }
        return contents[id.number]
    }

    func directory(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) throws {
        tree.insert(
            Tree.Node(kind: .directory, mode: mode & 0o777, attributes: attributes), at: try place(path))
    }

    func symlink(_ path: TreePath, target: Bytes) throws {
        tree.insert(Tree.Node(kind: .symlink(target: target), mode: 0o777), at: try place(path))
    }

    func hardLink(_ path: TreePath, to target: TreePath) throws {
        guard let node = tree[try place(target)], node.kind != .directory else {
            throw ImageError.damaged(
                image: image, detail: "'\(path)' is a hard link to '\(target)', which is no file")
        }
        tree.insert(node, at: try place(path))
    }

    func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) throws {
        let place = try place(path)
        current = OpenFile(path: place, mode: mode & 0o777, attributes: attributes, isWanted: place == wanted)
        let isCapable = attributes.contains { $0.name.elementsEqual("security.capability".utf8) }
        if mode & 0o6000 != 0 || isCapable { privileged.append(place) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard let current else { return }
        if readsLinkage, current.size == 0 { current.isProgram = ELFFile.isELF(bytes) }
        current.hasher.update(bytes)
        current.size += bytes.count
        if current.bytes.count + bytes.count <= current.limit { current.bytes.append(contentsOf: bytes) }
    }

    func appendHole(_ count: Int) throws {
        let zeros = Bytes(repeating: 0, count: min(count, 1 << 16))
        var rest = count
        while rest > 0 {
            let part = min(rest, zeros.count)
            try zeros.withUnsafeBytes { try append(UnsafeRawBufferPointer(rebasing: $0[..<part])) }
            rest -= part
        }
    }

    func endFile() throws {
        guard let open = current else { return }
        current = nil
        // A library that was not kept whole is not looked into.
        let isWhole = open.bytes.count == open.size
        let definitions =
            open.isLibrary && isWhole ? LibraryName.versionDefinitions(of: open.bytes) : []
        contents.append(
            Content(
                size: open.size, digest: open.hasher.finalize(), bytes: open.isRelease ? open.bytes : nil,
                definitions: definitions,
                linkage: readsLinkage && isWhole ? Self.linkage(of: open.bytes) : nil))
        let node = Tree.Node(
            kind: .file(ContentID(contents.count - 1)), mode: open.mode, attributes: open.attributes)
        tree.insert(node, at: open.path)
    }

    private static func linkage(of bytes: Bytes) -> Linkage? {
        try? ELFFile.withFile(parsing: bytes) { file in
            Linkage(
                needed: file.dynamic?.needed.map(\.text) ?? [], soname: file.dynamic?.soname?.text)
        }
    }

    func remove(_ path: TreePath) throws { tree.remove(try place(path)) }

    func removeChildren(of path: TreePath) throws { tree.removeChildren(of: try place(path)) }

    func omit(_ omission: Omission, at path: TreePath) {
        if [.device, .pipe].contains(omission) { special.append(path) }
    }

    /// A path with the links in its parents followed; what is missing of it stays as it is.
    private func place(_ path: TreePath) throws -> TreePath {
        guard let parent = path.parent else { return path }
        if tree[parent]?.kind == .directory { return path }
        var place = TreePath.root
        var rest = path.components[...]
        // From the top, so that each component is looked up once however deep the path is.
        while rest.count > 1, let name = rest.first {
            let next = place.appending(name)
            guard let node = tree[next] else { break }
            guard let found = node.kind == .directory ? next : tree.resolve(next.bytes),
                tree[found]?.kind == .directory
            else {
                throw ImageError.damaged(
                    image: image, detail: "'\(path)' goes through '\(next)', which is no directory")
            }
            place = found
            rest.removeFirst()
        }
        for name in rest { place = place.appending(name) }
        return try TreePath(parsing: place.bytes)
    }
}
