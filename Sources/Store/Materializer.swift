internal import Files
internal import Glibc
internal import StoreLayout

/// Makes a tree of what is in a staging directory, linking to files of the store that have the same contents.
///
/// Most files are where they belong.
///
/// Directories are filled on as many threads as there are processors.
final class Materializer: @unchecked Sendable {
    // Several threads use it. What changes meanwhile is guarded by the monitors.

    // An image has many files: what is known of each object is a few numbers, and names are made when they are used.

    /// What files of one key are links to.
    private struct Source {
        /// The first node that has the key.
        let node: Int32
        /// Where the bytes are: in a file of the store, in the content's own file in the staging directory, or in a copy of
        /// that.
        enum Origin {
            case object
            case content
            case copy(number: Int32)
        }
        let origin: Origin
        /// Which object of the key it is: those before have all the names that they can have.
        let number: Int32
    }

    /// What is known of the objects of some directories: threads that have others do not wait for each other.
    private final class Part: @unchecked Sendable {
        // All but the number is guarded by the monitor.
        let number: Int
        let monitor = Monitor()
        /// The last source of each key, with the key's hash.
        var sources: [(source: Source, hash: UInt32)] = []
        var table = NumberTable()
        /// Staged files that have become an object's, by number: another mode needs a copy.
        var claimed: Set<Int32> = []
        var copies: Int32 = 0
        /// New objects, as their sources.
        var made: [Source] = []

        init(number: Int) { self.number = number }

        /// A name in the staging directory that nothing has.
        func newName(_ prefix: String) -> Bytes {
            copies += 1
            return Self.name(prefix, number, copies)
        }

        static func name(_ prefix: String, _ part: Int, _ number: Int32) -> Bytes {
            Bytes("\(prefix)-\(part)-\(number)".utf8)
        }
    }

    private let staging: Staging
    /// The tree's nodes.
    private let nodes: Tree.SortedNodes
    private let finder: ObjectFinder?
    /// By node, whether it is a file that is where it belongs.
    private var isThere: [Bool]
    /// The node whose place a content's file has, by the file's number; -1 for files that are numbered.
    private var owners: [Int32]
    private let parts = (0..<16).map(Part.init)
    private let monitor = Monitor()
    /// Directories that get their mode when all is in its place, each with it.
    private var late: [(path: TreePath, mode: UInt16)] = []

    /// - Parameter nodes: The tree's ``Tree/sortedNodes``.
    init(_ nodes: Tree.SortedNodes, staging: Staging, finder: ObjectFinder?) {
        (self.nodes, self.staging, self.finder) = (nodes, staging, finder)
        isThere = Array(repeating: false, count: nodes.count)
        owners = Array(repeating: -1, count: staging.numberLimit)
    }

    /// One thread where another would take longer to begin than what it could do; `nil` for as many as there are processors.
    private static func threads(for count: Int) -> Int? { count < 256 ? 1 : nil }

    /// Makes the tree in `top`, that of the staging directory, which stays writable itself, after ``settle()``.
    func materialize(in top: Descriptor) throws {
        let children = Children(nodes)
        // A list rather than recursion: an image chooses the depth.
        let queue = WorkQueue([0])
        try queue.run(threads: Self.threads(for: nodes.count)) { number in
            for directory in try self.fill(number, children[number], in: top) { queue.add(directory) }
        }
        // The deepest first.
        for (path, mode) in late.sorted(by: { $1.path < $0.path }) {
            let directory = try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            try directory.setMode(UInt32(mode))
            try directory.setTimes(StoreLayout.modificationTime)
        }
    }

    /// Finds out which files are where they belong, and takes away what is not: the last that changes the staging area, so
    /// that others may read it from then on.
    func settle() throws {
        for number in nodes.indices {
            let node = nodes.node(at: number)
            guard case .file(let id) = node.kind,
                nodes.withPath(at: number, { staging.isFile(of: id, at: $0) })
            else { continue }
            // An object's other name has what the object has.
            guard
                staging[id].isStaged
                    || staging[id].finishedMode == node.storedMode && node.attributes.isEmpty
            else { continue }
            isThere[number] = true
            owners[staging[id].file] = Int32(number)
        }
        try staging.takeOut { owners[$0.file] >= 0 }
        try staging.removeHomes { nodes.hasDirectory($0) }
    }

    /// What is in each directory: numbers of nodes, by the number of the directory's, in order.
    private struct Children {
        /// Those of one directory after those of another.
        private var numbers: [Int32]
        /// Where those of each node begin; one more says where the last ones end.
        private var starts: [Int32]

        init(_ nodes: Tree.SortedNodes) {
            let parents = nodes.parents()
            starts = [Int32](repeating: 0, count: nodes.count + 1)
            // The root, the first, is in none.
            for parent in parents.dropFirst() { starts[Int(parent) + 1] += 1 }
            for index in nodes.indices { starts[index + 1] += starts[index] }
            var next = starts
            numbers = [Int32](repeating: 0, count: max(0, nodes.count - 1))
            for (number, parent) in parents.enumerated().dropFirst() {
                numbers[Int(next[Int(parent)])] = Int32(number)
                next[Int(parent)] += 1
            }
        }

        subscript(number: Int) -> ArraySlice<Int32> { numbers[Int(starts[number])..<Int(starts[number + 1])] }
    }

    /// Makes all that is in a directory; the directories among it.
    private func fill(_ number: Int, _ children: ArraySlice<Int32>, in top: Descriptor) throws -> [Int] {
        let (path, node) = nodes[number]
        var directories: [Int] = []
        let directory =
            path.bytes.isEmpty ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
        let nameStart = path.bytes.isEmpty ? 0 : path.bytes.count + 1
        for child in children.lazy.map(Int.init) {
            let name = nodes.withPath(at: child) { Bytes($0[nameStart...]) }
            let childNode = nodes.node(at: child)
            switch childNode.kind {
            case .directory:
                try directory.makeDirectory(name, mode: 0o700, existing: true)
                directories.append(child)
            case .symlink(let target):
                try directory.makeSymlink(name, target: target)
                try directory.setTimes(StoreLayout.modificationTime, of: name)
            case .file(let id):
                try place(child, childNode, id, in: directory, as: name)
            }
        }
        for attribute in node.attributes { try directory.setAttribute(attribute) }
        if path.bytes.isEmpty {
            try directory.setTimes(StoreLayout.modificationTime)
        } else if node.storedMode & 0o500 == 0o500 {
            try directory.setMode(UInt32(node.storedMode))
            try directory.setTimes(StoreLayout.modificationTime)
        } else {
            // What its owner cannot search gets its mode at the end.
            monitor.withLock { late.append((path, node.storedMode)) }
        }
        return directories
    }

    /// The contents of a node that is a file.
    private func content(of number: Int32) -> ContentID? {
        guard case .file(let id) = nodes.node(at: Int(number)).kind else { return nil }
        return id
    }

    /// The key of a node that is a file.
    private func key(of number: Int32) -> ObjectKey? {
        let node = nodes.node(at: Int(number))
        guard case .file(let id) = node.kind else { return nil }
        return key(of: node, id)
    }

    private func key(of node: Tree.Node, _ id: ContentID) -> ObjectKey {
        ObjectKey(digest: staging[id].digest, mode: node.storedMode, attributes: node.attributes)
    }

    /// The name that a source has in the staging directory; `nil` for a file of the store.
    private func stagedName(_ source: Source, in part: Part) -> Bytes? {
        content(of: source.node).flatMap { stagedName(source, $0, in: part) }
    }

    /// The same, for who has the content of the source's node.
    private func stagedName(_ source: Source, _ id: ContentID, in part: Part) -> Bytes? {
        switch source.origin {
        case .object: return nil
        case .copy(let number): return Part.name("copy", part.number, number)
        case .content: return staging.fileName(of: id)
        }
    }

    private func part(of key: ObjectKey) -> Part {
        parts[Int(key.digest.start >> 56) % parts.count]
    }

    /// The inodes that no other store path has.
    func newInodes() throws -> Set<Inode> {
        var inodes: Set<Inode> = []
        for part in parts {
            for object in part.made {
                if let name = stagedName(object, in: part),
                    let status = try staging.directory.status(of: name)
                {
                    inodes.insert(Inode(status))
                }
            }
        }
        return inodes
    }

    /// The objects that the store did not have, by their fingerprints, in ascending order.
    var newObjects: [UInt64] {
        parts.lazy.flatMap(\.made).compactMap { self.key(of: $0.node)?.fingerprint }.sorted()
    }

    private func place(
        _ number: Int, _ node: Tree.Node, _ id: ContentID, in directory: Descriptor, as name: Bytes
    ) throws {
        guard staging[id].size > 0 else {
            // Never linked: an empty file saves nothing, and would be the first to run out of links.
            return try finish(
                isThere[number] ? directory.open(beneath: name) : directory.makeFile(name), node)
        }
        // Another name of an object.
        if isThere[number], !staging[id].isStaged { return }
        let key = key(of: node, id)
        let part = part(of: key)
        var source = try source(of: key, in: part, number: 0, Int32(number), node, id)
        while true {
            // What claimed it has the same key.
            let file = Int32(staging[id].file)
            if isThere[number], part.monitor.withLock({ part.claimed.contains(file) }) { return }
            if !isThere[number] {
                if try link(source, key, id, in: part, to: directory, as: name) { return }
            } else {
                // The store has it by now, or another of the image's files became the same: that takes its place.
                let other = part.monitor.withLock { part.newName("link") }
                if try link(source, key, id, in: part, to: staging.directory, as: other) {
                    return try staging.directory.rename(
                        String(decoding: other, as: UTF8.self), to: directory, as: name)
                }
            }
            // It has all the names that it can have, or is damaged: the next one takes over.
            source = try self.source(
                of: key, in: part, number: source.number + 1, Int32(number), node, id)
        }
    }

    /// Gives what a source is another name; whether that could be done.
    private func link(
        _ source: Source, _ key: ObjectKey, _ id: ContentID, in part: Part, to directory: Descriptor,
        as name: Bytes
    ) throws -> Bool {
        guard let staged = stagedName(source, in: part) else {
            return try finder?.link(key, size: staging[id].size, to: directory, as: name) ?? false
        }
        do {
            try staging.directory.link(staged, to: directory, as: name)
            return true
        } catch let error as SystemError where error.code == EMLINK {
            return false
        }
    }

    /// What a file of a key is a link to.
    ///
    /// - Parameter number: Which of the key's objects, at least: those before have all the links that they can have.
    private func source(
        of key: ObjectKey, in part: Part, number: Int32, _ place: Int32, _ node: Tree.Node, _ id: ContentID
    ) throws -> Source {
        let hash = UInt32(truncatingIfNeeded: key.hashValue)
        let known = part.monitor.withLock { self.known(key, hash, in: part) }
        if let known, known.source.number >= number { return known.source }
        // Nobody is kept waiting for the disk: two threads may look for the same object.
        let isThere = try number == 0 && finder?.path(of: key) != nil
        var isFinished = true
        let source = try part.monitor.withLock { () -> Source in
            let known = self.known(key, hash, in: part)
            if let known, known.source.number >= number { return known.source }
            var origin = Source.Origin.object
            if !isThere { (origin, isFinished) = try claim(id, for: node, in: part) }
            let source = Source(node: place, origin: origin, number: number)
            if !isThere { part.made.append(source) }
            if let known {
                part.sources[Int(known.place)].source = source
            } else {
                part.sources.append((source, hash))
                let sources = part.sources
                part.table.insert(Int32(sources.count - 1), hash: hash) { sources[Int($0)].hash }
            }
            return source
        }
        if !isFinished, let staged = stagedName(source, in: part) {
            try finish(try staging.directory.open(beneath: staged), node)
        }
        return source
    }

    /// The last source of a key, and its place; `nil` where there is none yet.
    private func known(_ key: ObjectKey, _ hash: UInt32, in part: Part) -> (place: Int32, source: Source)? {
        let place = part.table.find(hash) { place in
            let (source, itsHash) = part.sources[Int(place)]
            return itsHash == hash && self.key(of: source.node) == key
        }
        return place.map { ($0, part.sources[Int($0)].source) }
    }

    /// A staged file that becomes a new object, and whether it is what it will be in the store.
    private func claim(_ id: ContentID, for node: Tree.Node, in part: Part) throws -> (Source.Origin, Bool) {
        if staging[id].isStaged, isFor(node, id), part.claimed.insert(Int32(staging[id].file)).inserted {
            let isFinished = node.attributes.isEmpty && staging[id].finishedMode == node.storedMode
            return (.content, isFinished)
        }
        let staged = part.newName("copy")
        let copy = try staging.directory.open(beneath: staged, flags: O_WRONLY | O_CREAT | O_EXCL)
        try copy.append(contentsOf: staging.open(id))
        return (.copy(number: part.copies), false)
    }

    /// Whether a content's file may become what a node needs: one that has another node's place, only what that needs.
    private func isFor(_ node: Tree.Node, _ id: ContentID) -> Bool {
        let owner = owners[staging[id].file]
        return owner < 0 || key(of: owner) == key(of: node, id)
    }

    private func finish(_ file: Descriptor, _ node: Tree.Node) throws {
        for attribute in node.attributes { try file.setAttribute(attribute) }
        try file.setMode(UInt32(node.storedMode))
        try file.setTimes(StoreLayout.modificationTime)
    }
}
