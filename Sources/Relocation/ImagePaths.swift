internal import Files
private import Glibc

/// Every path of an image, found without making strings: relocation asks about millions of them.
///
/// Links are followed as chroot(2) into the image would, so `/lib/x` and `/usr/lib/x` are one place where `/lib` is a
/// link to `usr/lib`.
struct ImagePaths {
    /// A place in the image.
    typealias Node = Int32

    static let root: Node = 0

    /// A place's directory, and what the place is once links are followed; -1 where they lead nowhere.
    private struct Entry {
        let parent: Node
        var followed: Node
    }

    /// A content, and the first place that has it.
    struct File {
        let id: ContentID
        let node: Node
    }

    /// Links that may be followed in one resolution (as in the kernel).
    private static let linkLimit = 40

    /// Absolute paths that stay as they are, with all below them, in the file that is looked at.
    var kept: [Bytes] = []

    /// Every content once, with the first place that has it, in order of these.
    private(set) var files: [File] = []

    /// The symbolic links, in order of their paths.
    private(set) var links: [Node] = []

    /// What is where: a place is the index of a node.
    private let nodes: Tree.SortedNodes

    private var entries: [Entry] = []

    /// Open addressing over hashes of (parent, name): a power of two of slots, -1 where empty.
    private var slots: [Node]
    private let mask: Int

    /// - Parameter nodes: A tree's, sorted.
    init(_ nodes: Tree.SortedNodes) {
        self.nodes = nodes
        var capacity = 64
        while capacity * 2 < nodes.count * 3 { capacity *= 2 }
        slots = [Node](repeating: -1, count: capacity)
        mask = capacity - 1
        entries = nodes.parents().enumerated().map { Entry(parent: $1, followed: Node($0)) }
        var seen: [Bool] = []
        for index in nodes.indices {
            let number = Node(index)
            switch nodes.node(at: index).kind {
            case .directory: break
            case .symlink: links.append(number)
            case .file(let id):
                while seen.count <= id.number { seen.append(false) }
                if !seen[id.number] { files.append(File(id: id, node: number)) }
                seen[id.number] = true
            }
            guard number != Self.root else { continue }
            let parent = entries[index].parent
            nodes.withPath(at: index) { path in
                var start = path.count
                while start > 0, path[start - 1] != UInt8(ascii: "/") { start -= 1 }
                var slot = Self.hash(parent, UnsafeRawBufferPointer(rebasing: path[start...])) & mask
                while slots[slot] >= 0 { slot = (slot + 1) & mask }
                slots[slot] = number
            }
        }
        for link in links { entries[Int(link)].followed = follow(link) ?? -1 }
    }

    /// What a link leads to, as ``Tree/resolve(_:followsLast:)`` finds it; `nil` where something is missing, or links
    /// go round in a circle.
    private func follow(_ link: Node) -> Node? {
        // Targets that are looked at, and how far: the last one first.
        var pending: [(target: Bytes, position: Int)] = []
        var followed = 0
        var current = link
        while true {
            if let target = target(current) {
                followed += 1
                guard followed <= Self.linkLimit else { return nil }
                current = target.first == UInt8(ascii: "/") ? Self.root : entries[Int(current)].parent
                pending.append((target, 0))
            }
            guard let name = Self.nextName(of: &pending) else { return current }
            let next = pending[pending.count - 1].target.withUnsafeBytes { target in
                child(of: current, named: UnsafeRawBufferPointer(rebasing: target[name]))
            }
            guard let next else { return nil }
            current = next
        }
    }

    /// Where the next component is in the last of the targets, without those that are over.
    private static func nextName(of pending: inout [(target: Bytes, position: Int)]) -> Range<Int>? {
        let slash = UInt8(ascii: "/")
        while let (target, position) = pending.last {
            guard let start = target[position...].firstIndex(where: { $0 != slash }) else {
                pending.removeLast()
                continue
            }
            let end = target[start...].firstIndex(of: slash) ?? target.count
            pending[pending.count - 1].position = end
            return start..<end
        }
        return nil
    }

    /// Where a symbolic link leads, as the image has it.
    func target(_ link: Node) -> Bytes? {
        if case .symlink(let target) = nodes.node(at: Int(link)).kind { return target }
        return nil
    }

    /// The place called `name` in the directory `parent`, its own link not followed.
    func child(of parent: Node, named name: UnsafeRawBufferPointer) -> Node? {
        if name.count == 1, name[0] == UInt8(ascii: ".") { return parent }
        if name.count == 2, name[0] == UInt8(ascii: "."), name[1] == UInt8(ascii: ".") {
            return entries[Int(parent)].parent
        }
        var slot = Self.hash(parent, name) & mask
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].parent == parent, nodes.withPath(at: index, { Self.hasName($0, name) }) {
                return slots[slot]
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// What a place is once links are followed; `nil` where they lead nowhere in the image.
    func followed(_ node: Node) -> Node? {
        let followed = entries[Int(node)].followed
        return followed < 0 ? nil : followed
    }

    func isDirectory(_ node: Node) -> Bool { nodes.isDirectory(at: Int(node)) }

    func path(_ node: Node) -> TreePath { nodes.path(at: Int(node)) }

    /// The place an absolute path of the image leads to, its last link not followed; `nil` where nothing is, or
    /// where the last link leads nowhere.
    func find(_ absolute: some Collection<UInt8>) -> Node? {
        var directory = Self.root
        var last = Self.root
        for component in absolute.split(separator: UInt8(ascii: "/")) {
            let found = Array(component).withUnsafeBytes { child(of: directory, named: $0) }
            guard let found, let followed = followed(found) else { return nil }
            last = found
            directory = followed
        }
        return last
    }

    private static func hasName(_ path: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool {
        guard path.count >= name.count else { return false }
        let start = path.count - name.count
        guard start == 0 || path[start - 1] == UInt8(ascii: "/") else { return false }
        guard let bytes = path.baseAddress, let nameBytes = name.baseAddress else { return name.isEmpty }
        return memcmp(bytes + start, nameBytes, name.count) == 0
    }

    /// FNV-1a: short keys, no attacker gains more than slowness bounded by the image's own size.
    private static func hash(_ parent: Node, _ name: UnsafeRawBufferPointer) -> Int {
        var hash = 0xcbf2_9ce4_8422_2325 ^ UInt64(UInt32(bitPattern: parent))
        hash = hash &* 0x100_0000_01b3
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int(truncatingIfNeeded: (hash ^ hash >> 29) & 0x7fff_ffff_ffff_ffff)
    }
}
