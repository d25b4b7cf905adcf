extension Tree {
    /// The names that files and links of a tree have, each once.
    public struct Names: Sendable {
        private let tree: Tree
        /// A node of each name.
        private var table: NumberTable
        private var nodes: [Int32] = []

        /// Gathers the names of a tree.
        public init(of tree: Tree) {
            self.tree = tree
            table = NumberTable(capacity: tree.count)
            for number in tree.numbers where !tree.isDirectory(number) {
                let isNew = tree.withName(number) { name in
                    let hash = Self.hash(name)
                    guard find(name, hash) == nil else { return false }
                    table.insert(number, hash: hash) { other in tree.withName(other, Self.hash) }
                    return true
                }
                if isNew { nodes.append(number) }
            }
        }

        /// Whether a name is among them.
        public func contains(_ name: Bytes) -> Bool {
            name.withUnsafeBytes { find($0, Self.hash($0)) != nil }
        }

        /// Whether one is among them that is meant.
        public func contains(where isMeant: (Bytes) -> Bool) -> Bool {
            nodes.contains { tree.withName($0) { isMeant(Bytes($0)) } }
        }

        private func find(_ name: UnsafeRawBufferPointer, _ hash: UInt32) -> Int32? {
            table.find(hash) { number in tree.withName(number) { Tree.isEqual($0, name) } }
        }

        private static func hash(_ name: UnsafeRawBufferPointer) -> UInt32 { Tree.hash(name) }
    }
}
