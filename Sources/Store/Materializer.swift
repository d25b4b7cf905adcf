internal import Files
internal import Glibc
internal import StoreLayout

/// Makes a tree of what is in a staging directory, linking to objects that the store has already.
///
/// Most files are where they belong. New objects get their names when all is written out, by ``commitObjects()``.
///
/// Directories are filled on as many threads as there are processors.
final class Materializer: @unchecked Sendable {
    // Several threads use it. What changes meanwhile is guarded by the monitors.

    // An image has many files: what is known of each object is a few numbers, and names are made when they are used.

    /// What files of one key are links to.
    private struct Source {
        /// The first node that has the key.
        let node: Int32
        /// Where the bytes are: an object that the store has, the content's own staged file, or a copy of it or another name.
        enum Origin {
            case object
            case content
            case copy(number: Int32)
        }
        var origin: Origin
        /// Which object of the key it is, or will be.
        let number: Int32
    }

    /// What is known of the objects of some directories: threads that have others do not wait for each other.
    private final class Part: @unchecked Sendable {
        // All but the number is guarded by the monitor.
        let number: Int
        let monitor = Monitor()
        /// The last source of each key, with the key's hash, and how many files asked for it.
        var sources: [(source: Source, hash: UInt32, uses: Int32)] = []
        var table = NumberTable()
        /// Staged files that have become an object's, by number: another mode needs a copy.
        var claimed: Set<Int32> = []
        var copies: Int32 = 0
        /// Objects to be, as their sources.
        var made: [Source] = []

        init(number: Int) { self.number = number }
    }

    private let staging: Staging
    /// The tree's nodes.
    private let nodes: Tree.SortedNodes
    private let objects: Descriptor
    /// By node, whether it is a file that is where it belongs.
    private var isThere: [Bool]
    /// The node whose place a content's file has, by the file's number; -1 for files that are numbered.
    private var owners: [Int32]
    private let parts = (0..<16).map(Part.init)
    private let monitor = Monitor()
    /// The directories of objects that there are: who fills them has the store for itself.
    private let directories: Set<String>
    /// Directories that get their mode when all is in its place, each with it.
    private var late: [(path: TreePath, mode: UInt16)] = []

    /// - Parameter nodes: The tree's ``Tree/sortedNodes``.
    init(_ nodes: Tree.SortedNodes, staging: Staging, objects: Descriptor) throws {
        (self.nodes, self.staging) = (nodes, staging)
        self.objects = objects
        isThere = Array(repeating: false, count: nodes.count)
        owners = Array(repeating: -1, count: staging.numberLimit)
        directories = Set(try objects.list().map(\.text))
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

    /// The name that a source has in the staging directory; `nil` for an object of the store.
    private func stagedName(_ source: Source, in part: Part) -> Bytes? {
        content(of: source.node).flatMap { stagedName(source, $0, in: part) }
    }

    /// The same, for who has the content of the source's node.
    private func stagedName(_ source: Source, _ id: ContentID, in part: Part) -> Bytes? {
        switch source.origin {
        case .object: return nil
        case .copy(let number): return Bytes("copy-\(part.number)-\(number)".utf8)
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

    /// Moves new objects to where other imports find them.
    ///
    /// Their bytes must be on disk.
    func commitObjects() throws {
        let count = parts.reduce(0) { $0 + $1.made.count }
        try inParallel(parts, threads: Self.threads(for: count)) { try self.commit($0) }
    }

    /// Gives objects of directories that no other thread fills their names.
    private func commit(_ part: Part) throws {
        var directories = directories
        for object in part.made {
            let node = nodes.node(at: Int(object.node))
            guard case .file(let id) = node.kind, let staged = stagedName(object, id, in: part) else {
                continue
            }
            let key = key(of: node, id)
            let path = key.path(number: Int(object.number))
            if directories.insert(key.directoryName).inserted { try objects.makeDirectory(key.directoryName) }
            if case .content = object.origin, staging[id].isInTree {
                // It keeps its name in the tree, and has few others.
                try staging.directory.link(staged, to: objects, as: path)
            } else {
                try move(staged, to: path)
            }
        }
    }

    /// Makes an object of a file that nothing else needs.
    ///
    /// The kernel lets one thread at a time rename files across directories, so it gets its new name and then loses the old
    /// one.
    private func move(_ name: Bytes, to path: String) throws {
        do {
            try staging.directory.link(name, to: objects, as: path)
            try staging.directory.unlink(name)
        } catch let error as SystemError where error.code == EMLINK {
            // It has all the names that it can have.
            try staging.directory.rename(name, to: objects, as: path)
        }
    }

    /// Takes back what ``commitObjects()`` did, as far as it got: nothing had these names before.
    func withdrawObjects() {
        var directories: Set<String> = []
        for object in parts.lazy.flatMap(\.made) {
            guard let key = key(of: object.node) else { continue }
            // The reason for withdrawing is what is reported; an object too many is collected later.
            try? objects.unlink(key.path(number: Int(object.number)))
            directories.insert(key.directoryName)
        }
        // Only those that are empty now can be removed.
        for directory in directories { try? objects.removeDirectory(directory) }
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
        if isThere[number] {
            // What claimed it has the same key.
            let file = Int32(staging[id].file)
            if part.monitor.withLock({ part.claimed.contains(file) }) { return }
            // The store has it by now, or another of the image's files became the same.
            try directory.unlink(name)
        }
        while true {
            do {
                if let staged = stagedName(source, in: part) {
                    try staging.directory.link(staged, to: directory, as: name)
                } else {
                    try objects.link(key.path(number: Int(source.number)), to: directory, as: name)
                }
                return
            } catch let error as SystemError where error.code == EMLINK {
                // The object has all the links that the file system allows: the next one takes over.
                source = try self.source(
                    of: key, in: part, number: source.number + 1, Int32(number), node, id)
            }
        }
    }

    /// What a file of a key is a link to.
    ///
    /// - Parameter number: Which of the key's objects, at least: those before have all the links that they can have.
    private func source(
        of key: ObjectKey, in part: Part, number: Int32, _ place: Int32, _ node: Tree.Node, _ id: ContentID
    ) throws -> Source {
        let hash = UInt32(truncatingIfNeeded: key.hashValue)
        let used = try part.monitor.withLock { try use(key, hash, in: part) }
        if let used, used.number >= number { return used }
        // Nobody is kept waiting for the disk: two threads may look for the same object.
        let isThere =
            try directories.contains(key.directoryName)
            && objects.status(of: key.path(number: Int(number))) != nil
        var isFinished = true
        let source = try part.monitor.withLock { () -> Source in
            let known = known(key, hash, in: part)
            if let known, known.source.number >= number { return known.source }
            var origin = Source.Origin.object
            if !isThere { (origin, isFinished) = try claim(id, for: node, in: part) }
            let source = Source(node: place, origin: origin, number: number)
            if !isThere { part.made.append(source) }
            if let known {
                part.sources[Int(known.place)].source = source
            } else {
                part.sources.append((source, hash, 1))
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

    /// Files that ask for a file of the tree before it gets another name for its object, while it can have one more.
    private static let spareAfter: Int32 = 1000

    /// The last source of a key, for one file more; `nil` where there is none yet.
    private func use(_ key: ObjectKey, _ hash: UInt32, in part: Part) throws -> Source? {
        guard let (place, source) = known(key, hash, in: part) else { return nil }
        part.sources[Int(place)].uses += 1
        guard case .content = source.origin, part.sources[Int(place)].uses == Self.spareAfter,
            let id = content(of: source.node), staging[id].isInTree
        else { return source }
        part.copies += 1
        var spare = source
        spare.origin = .copy(number: part.copies)
        let made = part.made.firstIndex { $0.node == source.node && $0.number == source.number }
        guard let made, let name = stagedName(spare, in: part) else { return source }
        try staging.directory.link(staging.fileName(of: id), to: staging.directory, as: name)
        part.made[made] = spare
        part.sources[Int(place)].source = spare
        return spare
    }

    /// The last source of a key, and its place; `nil` where there is none yet.
    private func known(_ key: ObjectKey, _ hash: UInt32, in part: Part) -> (place: Int32, source: Source)? {
        let place = part.table.find(hash) { place in
            let (source, itsHash, _) = part.sources[Int(place)]
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
        part.copies += 1
        let staged = "copy-\(part.number)-\(part.copies)"
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
