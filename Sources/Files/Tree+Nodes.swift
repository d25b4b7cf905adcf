extension Tree {
    /// Every node by its path; the root is there always.
    ///
    /// Each node's parent is present and a directory. They are in no order.
    public var nodes: Nodes { Nodes(tree: self) }

    /// What ``Tree/nodes`` gives.
    public struct Nodes: Sequence {
        fileprivate let tree: Tree

        /// How many there are.
        public var count: Int { tree.count }

        /// All paths.
        public var keys: [TreePath] { tree.numbers.map(tree.path) }

        /// What is at each path.
        public var values: LazyMapSequence<[Int32], Node> { tree.numbers.lazy.map(tree.node) }

        /// Gives each path and what is there.
        public func makeIterator() -> AnyIterator<(key: TreePath, value: Node)> {
            var numbers = tree.numbers.makeIterator()
            return AnyIterator { [tree] in numbers.next().map { (tree.path($0), tree.node($0)) } }
        }
    }

    /// All nodes of a tree, sorted by their paths bytewise, as one of these numbers each.
    ///
    /// A path, and what is there, is made when it is asked for.
    public struct SortedNodes: RandomAccessCollection, Sendable {
        private let tree: Tree
        private let order: [Int32]

        init(_ tree: Tree, _ order: [Int32]) { (self.tree, self.order) = (tree, order) }

        /// 0.
        public var startIndex: Int { 0 }
        /// How many there are.
        public var endIndex: Int { order.count }

        /// A path and what is there.
        public subscript(index: Int) -> (path: TreePath, node: Node) { (path(at: index), node(at: index)) }

        /// A path.
        public func path(at index: Int) -> TreePath { tree.path(order[index]) }

        /// What is there.
        public func node(at index: Int) -> Node { tree.node(order[index]) }

        /// Whether a directory is there.
        public func isDirectory(at index: Int) -> Bool { tree.isDirectory(order[index]) }

        /// Whether a directory is at a path.
        public func hasDirectory(_ path: TreePath) -> Bool { tree[path]?.kind == .directory }

        /// Calls `body` with a path's bytes.
        public func withPath<Result>(
            at index: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
        ) rethrows -> Result {
            try tree.withPath(order[index], body)
        }

        /// For each, the index of the directory it is in; the root's own for the root.
        public func parents() -> [Int32] {
            var places = [Int32](repeating: 0, count: tree.numberLimit)
            for (place, number) in order.enumerated() { places[Int(number)] = Int32(place) }
            return order.map { number in
                let parent = tree.parent(of: number)
                return parent < 0 ? 0 : places[Int(parent)]
            }
        }
    }
}

extension Tree {
    /// A node by its number, which need not be that of the same path for ever: where something was taken away, what
    /// comes later may get it.
    public struct Place: Sendable {
        let number: Int32
    }

    /// The contents of the file at a place; `nil` where no file is, or no longer.
    public func content(at place: Place) -> ContentID? {
        guard isUsed(place.number), case .file(let id) = node(place.number).kind else { return nil }
        return id
    }

    /// Gives the file at a place other contents.
    public mutating func setContent(_ id: ContentID, at place: Place) {
        guard content(at: place) != nil else { return }
        setContent(id, of: place.number)
    }
}
