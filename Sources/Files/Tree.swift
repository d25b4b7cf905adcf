private import Glibc

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
    // There are as many as an image has files.
    private let stored: Int32

    /// The number, counted from 0.
    public var number: Int { Int(stored) }

    /// Creates an identifier.
    public init(_ number: Int) {
        stored = Int32(number)
    }
}

/// An image's tree in memory: what is where, without the contents of files.
///
/// This table says what is where, and resolves every link itself: the files of an image are made (``Staging``) where there
/// are only directories and files, so no symbolic link of an image can lead a write anywhere.
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

    // An image has many files: each is a record of 40 bytes, its path among those of others, and a place in a table.

    /// What is known of a node.
    private struct Record: Sendable {
        /// The path, and right after it a link's target.
        var text: TextStore.Place
        /// The path's, so that it need not be read to move its place.
        var hash: UInt32
        /// The directory it is in: -1 for the root, which is in none, and -2 for a record that is free.
        var parent: Int32
        /// The first of what is in it.
        var child: Int32 = -1
        /// Others in the same directory; of a free record, the next free one.
        var next: Int32 = -1
        var previous: Int32 = -1
        /// The number of a file's contents, the length of a link's target.
        var value: UInt32 = 0
        var pathLength: UInt32
        var mode: UInt16 = 0
        var form = Form.directory
        /// Whether it has attributes.
        var hasAttributes = false

        var isFree: Bool { parent == -2 }
    }

    /// The kind of a node, without what belongs to it.
    private enum Form: UInt8 {
        case directory
        case file
        case symlink
    }

    private var texts = TextStore()
    private var records = SegmentedArray<Record>()
    /// Nodes by their paths.
    private var table = NumberTable()
    /// Of the few nodes that have some.
    private var attributes: [Int32: [ExtendedAttribute]] = [:]
    /// The first free record.
    private var free: Int32 = -1
    /// Bytes of texts that no node has any more.
    private var unused = 0
    /// The directory that the last node was put into: the next has the same, mostly.
    private var recent = Self.rootNumber

    private static let rootNumber: Int32 = 0

    /// Creates a tree with a root and nothing else.
    public init() {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let hash = Self.hash(nothing)
        records.append(Record(text: texts.add(nothing, nothing), hash: hash, parent: -1, pathLength: 0))
        setNode(Self.rootNumber, .impliedDirectory)
        table.insert(Self.rootNumber, hash: hash) { [records] in records[Int($0)].hash }
    }

    /// How many nodes there are, with the root.
    public var count: Int { table.count }

    /// The node at `path`, following no link; `nil` where there is none.
    public subscript(path: TreePath) -> Node? {
        find(path).map(node)
    }

    /// Whether what `path` lies in is there, and a directory.
    public func hasParent(of path: TreePath) -> Bool {
        if isChild(path, of: recent) { return true }
        guard let parent = path.parent else { return true }
        return find(parent).map { records[Int($0)].form == .directory } ?? false
    }

    /// Puts a node at `path`, in place of what was there.
    ///
    /// A directory put over a directory keeps what is in it; anything else takes a subtree away first.
    /// Missing parents become implied directories.
    ///
    /// - Precondition: No parent of `path` is a file or a symbolic link. ``resolve(parentOf:)`` makes such a path.
    /// - Returns: Its place.
    @discardableResult
    public mutating func insert(_ node: Node, at path: TreePath) -> Place {
        guard !path.bytes.isEmpty else {
            setNode(Self.rootNumber, Node(kind: .directory, mode: 0o755, attributes: node.attributes))
            return Place(number: Self.rootNumber)
        }
        let hash = path.bytes.withUnsafeBytes(Self.hash)
        if let number = path.bytes.withUnsafeBytes({ find($0, hash) }) {
            if node.kind != .directory {
                removeChildren(of: number)
                if recent == number { recent = Self.rootNumber }
            }
            setNode(number, node)
            return Place(number: number)
        }
        let parent: Int32
        if isChild(path, of: recent) {
            parent = recent
        } else {
            let above = path.parent ?? .root
            parent = find(above) ?? insert(.impliedDirectory, at: above).number
            recent = parent
        }
        let first = records[Int(parent)].child
        let place = path.bytes.withUnsafeBytes { path in
            node.target.withUnsafeBytes { texts.add(path, $0) }
        }
        var record = Record(
            text: place, hash: hash, parent: parent, pathLength: UInt32(path.bytes.count))
        record.next = first
        let number: Int32
        if free >= 0 {
            number = free
            free = records[Int(number)].next
            records[Int(number)] = record
        } else {
            number = Int32(records.count)
            records.append(record)
        }
        if first >= 0 { records[Int(first)].previous = number }
        records[Int(parent)].child = number
        table.insert(number, hash: hash) { [records] in records[Int($0)].hash }
        setNode(number, node, hasTarget: true)
        return Place(number: number)
    }

    /// Makes the node of a number what `node` says.
    ///
    /// - Parameter hasTarget: Whether a link's target follows its path already.
    private mutating func setNode(_ number: Int32, _ node: Node, hasTarget: Bool = false) {
        var record = records[Int(number)]
        if record.hasAttributes { attributes[number] = nil }
        record.hasAttributes = !node.attributes.isEmpty
        if record.hasAttributes { attributes[number] = node.attributes }
        if record.form == .symlink, !hasTarget { unused += Int(record.value) }
        record.mode = node.mode
        switch node.kind {
        case .directory: (record.form, record.value) = (.directory, 0)
        case .file(let content):
            (record.form, record.value) = (.file, UInt32(bitPattern: Int32(content.number)))
        case .symlink(let target):
            (record.form, record.value) = (.symlink, UInt32(target.count))
            if !hasTarget {
                // The path is where it is until the texts are tidied: blocks do not move.
                let path = texts.bytes(record.text, count: Int(record.pathLength))
                record.text = target.withUnsafeBytes { texts.add(path, $0) }
                unused += path.count
            }
        }
        records[Int(number)] = record
        tidy()
    }

    /// Makes the texts anew where most of their bytes are of use to nobody: an image may take away what it brings, again
    /// and again.
    private mutating func tidy() {
        guard unused > 1 << 16, unused > texts.size / 2 else { return }
        let old = texts
        texts = TextStore()
        unused = 0
        for number in 0..<records.count where !records[number].isFree {
            let record = records[number]
            let length = Int(record.pathLength) + (record.form == .symlink ? Int(record.value) : 0)
            records[number].text = texts.add(
                old.bytes(record.text, count: length), UnsafeRawBufferPointer(start: nil, count: 0))
        }
        withExtendedLifetime(old) {}
    }

    /// Takes away the node at `path` and all below it; the root only loses what is in it.
    public mutating func remove(_ path: TreePath) {
        guard let number = find(path) else { return }
        removeChildren(of: number)
        guard number != Self.rootNumber else { return }
        let record = records[Int(number)]
        if record.previous >= 0 {
            records[Int(record.previous)].next = record.next
        } else {
            records[Int(record.parent)].child = record.next
        }
        if record.next >= 0 { records[Int(record.next)].previous = record.previous }
        release(number)
        tidy()
    }

    /// Takes away all below the directory at `path`, and not the directory.
    public mutating func removeChildren(of path: TreePath) {
        if let number = find(path) { removeChildren(of: number) }
    }

    private mutating func removeChildren(of number: Int32) {
        guard records[Int(number)].child >= 0 else { return }
        // A list rather than recursion: an image chooses the depth.
        var gone = numbers(in: number)
        var looked = 0
        while looked < gone.count {
            gone += numbers(in: gone[looked])
            looked += 1
        }
        records[Int(number)].child = -1
        for number in gone { release(number) }
        tidy()
    }

    /// Frees a record that nothing refers to.
    private mutating func release(_ number: Int32) {
        var record = records[Int(number)]
        table.remove(number, hash: record.hash) { [records] in records[Int($0)].hash }
        unused += Int(record.pathLength) + (record.form == .symlink ? Int(record.value) : 0)
        if record.hasAttributes { attributes[number] = nil }
        (record.parent, record.child, record.next, free) = (-2, -1, free, number)
        records[Int(number)] = record
        if recent == number { recent = Self.rootNumber }
    }

    /// What is in the directory at `path`, in no order.
    public func children(of path: TreePath) -> Set<TreePath> {
        Set(find(path).map { numbers(in: $0).map(self.path) } ?? [])
    }

    /// Names in the directory at `path`, sorted bytewise.
    public func names(in path: TreePath) -> [Bytes] {
        guard let number = find(path) else { return [] }
        let start = path.bytes.isEmpty ? 0 : path.bytes.count + 1
        return order(numbers(in: number)).map { child in
            withPath(child) { Bytes($0[start...]) }
        }
    }

    /// All paths, sorted bytewise: the order of the canonical listing, parents before what is in them.
    public var sortedPaths: [TreePath] { order(numbers).map(path) }

    /// All paths and what is there, in the order of ``sortedPaths``.
    public var sortedNodes: SortedNodes { SortedNodes(self, order(numbers)) }

    // MARK: - Numbers

    /// The numbers of all nodes; each stays while its node is there.
    var numbers: [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(count)
        for number in 0..<records.count where !records[number].isFree { result.append(Int32(number)) }
        return result
    }

    /// The highest number of a node, and one.
    var numberLimit: Int { records.count }

    private func numbers(in directory: Int32) -> [Int32] {
        var result: [Int32] = []
        var child = records[Int(directory)].child
        while child >= 0 {
            result.append(child)
            child = records[Int(child)].next
        }
        return result
    }

    /// The number of the directory that a node is in; -1 for the root.
    func parent(of number: Int32) -> Int32 { records[Int(number)].parent }

    func path(_ number: Int32) -> TreePath { withPath(number, TreePath.init(copying:)) }

    /// Calls `body` with the bytes of a node's path.
    func withPath<Result>(_ number: Int32, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        let record = records[Int(number)]
        return try withExtendedLifetime(texts) {
            try body(texts.bytes(record.text, count: Int(record.pathLength)))
        }
    }

    /// Calls `body` with the last component of a node's path.
    func withName<Result>(_ number: Int32, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        try withPath(number) { path in
            var start = path.count
            while start > 0, path[start - 1] != UInt8(ascii: "/") { start -= 1 }
            return try body(UnsafeRawBufferPointer(rebasing: path[start...]))
        }
    }

    static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        guard let start = left.baseAddress, let other = right.baseAddress else { return true }
        return memcmp(start, other, left.count) == 0
    }

    func isDirectory(_ number: Int32) -> Bool { records[Int(number)].form == .directory }

    func node(_ number: Int32) -> Node {
        let record = records[Int(number)]
        let kind: Kind
        switch record.form {
        case .directory: kind = .directory
        case .file: kind = .file(ContentID(Int(Int32(bitPattern: record.value))))
        case .symlink:
            let length = Int(record.pathLength)
            kind = .symlink(
                target: Bytes(texts.bytes(record.text, count: length + Int(record.value))[length...]))
        }
        return Node(
            kind: kind, mode: record.mode, attributes: record.hasAttributes ? attributes[number] ?? [] : [])
    }

    func isUsed(_ number: Int32) -> Bool { !records[Int(number)].isFree }

    /// Gives a file other contents.
    mutating func setContent(_ id: ContentID, of number: Int32) {
        records[Int(number)].value = UInt32(bitPattern: Int32(id.number))
    }

    static func hash(_ path: UnsafeRawBufferPointer) -> UInt32 {
        // An image chooses the paths: the hash is one that it cannot know.
        var hasher = Hasher()
        hasher.combine(bytes: path)
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }

    private func find(_ path: TreePath) -> Int32? {
        path.bytes.withUnsafeBytes { find($0, Self.hash($0)) }
    }

    private func find(_ path: UnsafeRawBufferPointer, _ hash: UInt32) -> Int32? {
        table.find(hash) { number in
            let record = records[Int(number)]
            return record.hash == hash
                && Self.isEqual(texts.bytes(record.text, count: Int(record.pathLength)), path)
        }
    }

    private func isChild(_ path: TreePath, of number: Int32) -> Bool {
        withPath(number) { parent in path.bytes.withUnsafeBytes { TreePath.isChild($0, of: parent) } }
    }

    /// Numbers in the order of their paths.
    private func order(_ numbers: [Int32]) -> [Int32] {
        struct Item {
            let start: UnsafeRawPointer
            let count: UInt32
            let number: Int32
        }
        return withExtendedLifetime(texts) {
            // Their bytes do not move: to look for each with every comparison takes longer than to compare it.
            var items = numbers.map { number in
                let record = records[Int(number)]
                return Item(start: texts.address(record.text), count: record.pathLength, number: number)
            }
            items.sort { left, right in
                TreePath.comesFirst(
                    UnsafeRawBufferPointer(start: left.start, count: Int(left.count)),
                    UnsafeRawBufferPointer(start: right.start, count: Int(right.count)))
            }
            return items.map(\.number)
        }
    }
}

extension Tree.Node {
    /// Where a link leads; nothing for what is none.
    fileprivate var target: Bytes {
        if case .symlink(let target) = kind { return target }
        return []
    }
}
