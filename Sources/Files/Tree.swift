/// An extended attribute (xattr(7)) of a file.
public struct ExtendedAttribute: Hashable, Sendable {
    /// Its full name, such as `user.mime_type`.
    public let name: Bytes

    /// Its value.
    public let value: Bytes

    /// Creates an attribute.
    public init(name: Bytes, value: Bytes) {
        self.name = name
        self.value = value
    }
}

extension ExtendedAttribute {
    /// The name of the attribute that has a file's SELinux label.
    public static let labelName = Bytes("security.selinux".utf8)

    /// A file's SELinux label, with the NUL after it that libselinux writes.
    public static func label(_ text: Bytes) -> ExtendedAttribute {
        ExtendedAttribute(name: labelName, value: text + [0])
    }
}

/// A file's contents: the number of a staged file in its ``Staging``.
public struct ContentID: Hashable, Sendable {
    /// The number, counted from 0.
    public let number: Int

    /// Creates an identifier.
    public init(_ number: Int) {
        self.number = number
    }
}

/// An image's tree in memory: what is where, without the contents of files.
///
/// Nothing of an image is ever unpacked to the path it names: contents go to a flat staging directory, and
/// this table says which belong where. So no symbolic link of an image can lead a write anywhere.
public struct Tree: Sendable {
    /// What a node is.
    public enum Kind: Hashable, Sendable {
        case directory
        case file(ContentID)
        case symlink(target: Bytes)
    }

    /// One file, directory or symbolic link.
    public struct Node: Hashable, Sendable {
        /// What it is.
        public var kind: Kind

        /// Permission bits, without set-id and sticky bits; 0o777 for a symbolic link.
        public var mode: UInt16

        /// Extended attributes that count, sorted by name.
        public var attributes: [ExtendedAttribute]

        /// Creates a node.
        public init(kind: Kind, mode: UInt16, attributes: [ExtendedAttribute] = []) {
            self.kind = kind
            self.mode = mode
            self.attributes = attributes
        }

        /// A directory that no image listed.
        public static let impliedDirectory = Node(kind: .directory, mode: 0o755)
    }

    /// Every node by its path; the root is there always.
    ///
    /// Each node's parent is present and a directory.
    public private(set) var nodes: [TreePath: Node]

    /// What is in each directory, by whole paths: they are in ``nodes`` anyway, and hashed faster than names.
    private var children: [TreePath: Set<TreePath>]

    /// The directory that the last node was put into: the next has the same, mostly.
    private var recent = TreePath.root

    /// Creates a tree with a root and nothing else.
    public init() {
        nodes = [.root: .impliedDirectory]
        children = [.root: []]
    }

    /// The node at `path`, following no link; `nil` where there is none.
    public subscript(path: TreePath) -> Node? {
        nodes[path]
    }

    /// Whether what `path` lies in is there, and a directory.
    public func hasParent(of path: TreePath) -> Bool {
        if path.isChild(of: recent) { return true }
        return path.parent.map { children[$0] != nil } ?? true
    }

    /// Puts a node at `path`, in place of what was there.
    ///
    /// A directory put over a directory keeps what is in it; anything else takes a subtree away first.
    /// Missing parents become implied directories.
    ///
    /// - Precondition: No parent of `path` is a file or a symbolic link. ``resolve(parentOf:)`` makes such a path.
    public mutating func insert(_ node: Node, at path: TreePath) {
        guard !path.bytes.isEmpty else {
            nodes[.root] = Node(kind: .directory, mode: 0o755, attributes: node.attributes)
            return
        }
        var isDirectory = false
        if case .directory = node.kind { isDirectory = true }
        if let old = nodes.updateValue(node, forKey: path) {
            // Its directory knows it.
            var wasDirectory = false
            if case .directory = old.kind { wasDirectory = true }
            guard wasDirectory != isDirectory else { return }
            removeChildren(of: path)
            children[path] = isDirectory ? [] : nil
            return
        }
        if isDirectory { children[path] = [] }
        let parent = path.isChild(of: recent) ? recent : path.parent ?? .root
        if let place = children.index(forKey: parent) {
            children.values[place].insert(path)
        } else {
            insert(.impliedDirectory, at: parent)
            children[parent, default: []].insert(path)
        }
        recent = parent
    }

    /// Takes away the node at `path` and all below it; the root only loses what is in it.
    public mutating func remove(_ path: TreePath) {
        removeChildren(of: path)
        guard let parent = path.parent else { return }
        nodes[path] = nil
        children[path] = nil
        children[parent]?.remove(path)
    }

    /// Takes away all below the directory at `path`, and not the directory.
    public mutating func removeChildren(of path: TreePath) {
        guard children[path] != nil else { return }
        recent = .root
        // A list rather than recursion: an image chooses the depth.
        var pending = [path]
        while let directory = pending.popLast() {
            for child in children[directory] ?? [] {
                nodes[child] = nil
                pending.append(child)
            }
            children[directory] = directory == path ? [] : nil
        }
    }

    /// What is in the directory at `path`, in no order.
    public func children(of path: TreePath) -> Set<TreePath> { children[path] ?? [] }

    /// Names in the directory at `path`, sorted bytewise.
    public func names(in path: TreePath) -> [Bytes] {
        children(of: path).sorted().map(\.name)
    }

    /// All paths, sorted bytewise: the order of the canonical listing, parents before what is in them.
    public var sortedPaths: [TreePath] {
        let paths = Array(nodes.keys)
        return Self.order(paths).map { paths[$0] }
    }

    /// All paths and what is there, in the order of ``sortedPaths``.
    public var sortedNodes: [(path: TreePath, node: Node)] {
        let all = Array(nodes)
        return Self.order(all.map(\.key)).map { (all[$0].key, all[$0].value) }
    }

    /// The numbers of paths, in the order of these.
    private static func order(_ paths: [TreePath]) -> [Int] {
        // Their bytes lie side by side: to compare two arrays means to count references to them, which takes longer
        // than the comparison.
        struct Place {
            let start: Int
            let count: UInt32
            let number: UInt32
        }
        var text: Bytes = []
        text.reserveCapacity(paths.reduce(0) { $0 + $1.bytes.count })
        var places: [Place] = []
        places.reserveCapacity(paths.count)
        for (number, path) in paths.enumerated() {
            places.append(
                Place(start: text.count, count: UInt32(path.bytes.count), number: UInt32(number)))
            text.append(contentsOf: path.bytes)
        }
        text.withUnsafeBytes { text in
            places.sort { left, right in
                TreePath.comesFirst(
                    UnsafeRawBufferPointer(rebasing: text[left.start..<(left.start + Int(left.count))]),
                    UnsafeRawBufferPointer(rebasing: text[right.start..<(right.start + Int(right.count))]))
            }
        }
        return places.map { Int($0.number) }
    }
}

extension Tree {
    /// Links that may be followed in one resolution (as in the kernel).
    private static let linkLimit = 40

    /// What a path leads to when the tree is the root directory, following every link as chroot(2) would.
    ///
    /// - Parameters:
    ///   - path: A path, absolute or relative to the tree's root; `..` at the root stays there.
    ///   - followsLast: Whether a link in the last component is followed.
    /// - Returns: The path without links; `nil` where something is missing, or links go round in a circle.
    public func resolve(_ path: some Collection<UInt8>, followsLast: Bool = true) -> TreePath? {
        resolve(path, from: .root, followsLast: followsLast)
    }

    /// What `path` leads to, seen from the directory `start`.
    public func resolve(
        _ path: some Collection<UInt8>, from start: TreePath, followsLast: Bool = true
    ) -> TreePath? {
        let path = Array(path)
        var pending = Array(path.split(separator: UInt8(ascii: "/")).map(Array.init).reversed())
        var current = path.first == UInt8(ascii: "/") ? TreePath.root : start
        var followed = 0
        while let component = pending.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                current = current.parent ?? .root
                continue
            }
            let next = current.appending(component)
            guard let node = nodes[next] else { return nil }
            guard case .symlink(let target) = node.kind, followsLast || !pending.isEmpty else {
                current = next
                continue
            }
            followed += 1
            guard followed <= Self.linkLimit else { return nil }
            if target.first == UInt8(ascii: "/") { current = .root }
            pending.append(contentsOf: target.split(separator: UInt8(ascii: "/")).map(Array.init).reversed())
        }
        return current
    }
}
