internal import Files
internal import Glibc
internal import StoreLayout

/// Makes a tree's files below a temporary directory, linking to objects that the store has already.
///
/// New objects stay in the staging directory until all is written out; ``commitObjects()`` then moves them.
///
/// Directories are filled on as many threads as there are processors.
final class Materializer: @unchecked Sendable {
    // Several threads use it. What changes meanwhile is guarded by the monitors.

    /// What files of one key are links to.
    private enum Source {
        case object(number: Int)
        case staged(name: String, number: Int)

        /// Which object of the key it is, or will be.
        var number: Int {
            switch self {
            case .object(let number), .staged(_, let number): number
            }
        }
    }

    /// An object to be: its name in the staging directory, and where it will be below `objects`.
    private struct NewObject {
        let staged: String
        let directory: String
        let path: String
    }

    /// What is known of the objects of some directories: threads that have others do not wait for each other.
    private final class Part: @unchecked Sendable {
        // All but the number is guarded by the monitor.
        let number: Int
        let monitor = Monitor()
        var sources: [ObjectKey: Source] = [:]
        /// Staged files that have become an object's, by number: another mode needs a copy.
        var claimed: Set<Int> = []
        var copies = 0
        var made: [NewObject] = []

        init(number: Int) { self.number = number }

        func known(_ key: ObjectKey, _ number: Int) -> Source? {
            guard let known = sources[key], known.number >= number else { return nil }
            return known
        }
    }

    private let staging: Staging
    private let objects: Descriptor
    private let parts = (0..<16).map(Part.init)
    private let monitor = Monitor()
    /// The directories of objects that there are: who fills them has the store for itself.
    private let directories: Set<String>
    /// Directories that get their mode when all is in its place, each with it.
    private var late: [(path: TreePath, mode: UInt16)] = []

    init(staging: Staging, objects: Descriptor) throws {
        self.staging = staging
        self.objects = objects
        directories = Set(try objects.list().map(\.text))
    }

    /// One thread where another would take longer to begin than what it could do; `nil` for as many as there are processors.
    private static func threads(for count: Int) -> Int? { count < 256 ? 1 : nil }

    /// Makes a tree in the empty directory `top`, which stays writable itself.
    ///
    /// - Parameter nodes: The tree's ``Tree/sortedNodes``.
    func materialize(_ nodes: [(path: TreePath, node: Tree.Node)], in top: Descriptor) throws {
        let children = Self.children(in: nodes)
        // A list rather than recursion: an image chooses the depth.
        let queue = WorkQueue([0])
        try queue.run(threads: Self.threads(for: nodes.count)) { number in
            for directory in try self.fill(number, of: nodes, children[number] ?? [], in: top) {
                queue.add(directory)
            }
        }
        // The deepest first.
        for (path, mode) in late.sorted(by: { $1.path < $0.path }) {
            let directory = try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            try directory.setMode(UInt32(mode))
            try directory.setTimes(StoreLayout.modificationTime)
        }
    }

    /// What is in each directory: numbers of nodes, by the number of the directory's.
    private static func children(in nodes: [(path: TreePath, node: Tree.Node)]) -> [Int: [Int]] {
        var directories: [TreePath: Int] = [:]
        var children: [Int: [Int]] = [:]
        // Most have the parent of the one before them.
        var recent = (path: TreePath.root, number: 0)
        for (number, (path, node)) in nodes.enumerated() {
            if case .directory = node.kind { directories[path] = number }
            if !path.isChild(of: recent.path) {
                // The root is in none.
                guard let parent = path.parent, let found = directories[parent] else { continue }
                recent = (parent, found)
            }
            children[recent.number, default: []].append(number)
        }
        return children
    }

    /// Makes all that is in a directory; the directories among it.
    private func fill(
        _ number: Int, of nodes: [(path: TreePath, node: Tree.Node)], _ children: [Int], in top: Descriptor
    ) throws -> [Int] {
        let (path, node) = nodes[number]
        var directories: [Int] = []
        let directory =
            path.bytes.isEmpty ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
        for child in children {
            let (childPath, childNode) = nodes[child]
            let name = childPath.name
            switch childNode.kind {
            case .directory:
                try directory.makeDirectory(name, mode: 0o700)
                directories.append(child)
            case .symlink(let target):
                try directory.makeSymlink(name, target: target)
                try directory.setTimes(StoreLayout.modificationTime, of: name)
            case .file(let id):
                try place(childNode, id, in: directory, as: name)
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

    private func part(of key: ObjectKey) -> Part {
        parts[Int(key.digest.start >> 56) % parts.count]
    }

    /// The inodes that no other store path has.
    func newInodes() throws -> Set<Inode> {
        var inodes: Set<Inode> = []
        for object in parts.lazy.flatMap(\.made) {
            if let status = try staging.directory.status(of: object.staged) { inodes.insert(Inode(status)) }
        }
        return inodes
    }

    /// Moves new objects to where other imports find them.
    ///
    /// Their bytes must be on disk.
    func commitObjects() throws {
        let count = parts.reduce(0) { $0 + $1.made.count }
        try inParallel(parts, threads: Self.threads(for: count)) { try self.commit($0.made) }
    }

    /// Moves objects of directories that no other thread fills.
    ///
    /// The kernel lets one thread at a time rename files across directories, so each gets its new name and then loses the
    /// old one.
    private func commit(_ made: [NewObject]) throws {
        var directories = directories
        for object in made {
            if directories.insert(object.directory).inserted { try objects.makeDirectory(object.directory) }
            do {
                try staging.directory.link(object.staged, to: objects, as: object.path)
                try staging.directory.unlink(object.staged)
            } catch let error as SystemError where error.code == EMLINK {
                // It has all the names that it can have.
                try staging.directory.rename(object.staged, to: objects, as: object.path)
            }
        }
    }

    /// Takes back what ``commitObjects()`` did, as far as it got: nothing had these names before.
    func withdrawObjects() {
        let made = parts.flatMap(\.made)
        for object in made {
            // The reason for withdrawing is what is reported; an object too many is collected later.
            try? objects.unlink(object.path)
        }
        // Only those that are empty now can be removed.
        for directory in Set(made.map(\.directory)) { try? objects.removeDirectory(directory) }
    }

    private func place(
        _ node: Tree.Node, _ id: ContentID, in directory: Descriptor, as name: Bytes
    ) throws {
        guard staging[id].size > 0 else {
            // Never linked: an empty file saves nothing, and would be the first to run out of links.
            let file = try directory.makeFile(name)
            return try finish(file, node)
        }
        let key = ObjectKey(digest: staging[id].digest, mode: node.storedMode, attributes: node.attributes)
        var source = try source(of: key, number: 0, node, id)
        while true {
            do {
                switch source {
                case .object(let number):
                    try objects.link(
                        key.path(number: number), to: directory, as: name)
                case .staged(let staged, _):
                    try staging.directory.link(staged, to: directory, as: name)
                }
                return
            } catch let error as SystemError where error.code == EMLINK {
                // The object has all the links that the file system allows: the next one takes over.
                source = try self.source(of: key, number: source.number + 1, node, id)
            }
        }
    }

    /// What a file of a key is a link to.
    ///
    /// - Parameter number: Which of the key's objects, at least: those before have all the links that they can have.
    private func source(
        of key: ObjectKey, number: Int, _ node: Tree.Node, _ id: ContentID
    ) throws -> Source {
        let part = part(of: key)
        if let known = part.monitor.withLock({ part.known(key, number) }) { return known }
        // Nobody is kept waiting for the disk: two threads may look for the same object.
        let path = key.path(number: number)
        let isThere = try directories.contains(key.directoryName) && objects.status(of: path) != nil
        var isFinished = false
        let source = try part.monitor.withLock { () -> Source in
            if let known = part.known(key, number) {
                isFinished = true
                return known
            }
            var source = Source.object(number: number)
            if isThere {
                isFinished = true
            } else {
                let staged: String
                (staged, isFinished) = try claim(id, for: node, in: part)
                part.made.append(NewObject(staged: staged, directory: key.directoryName, path: path))
                source = .staged(name: staged, number: number)
            }
            part.sources[key] = source
            return source
        }
        if case .staged(let staged, _) = source, !isFinished {
            try finish(try staging.directory.open(beneath: staged), node)
        }
        return source
    }

    /// A staged file that becomes a new object, and whether it is what it will be in the store.
    private func claim(_ id: ContentID, for node: Tree.Node, in part: Part) throws -> (
        name: String, isFinished: Bool
    ) {
        if staging[id].isStaged, part.claimed.insert(staging[id].file).inserted {
            let isFinished = node.attributes.isEmpty && staging[id].finishedMode == node.storedMode
            return (staging.fileName(of: id), isFinished)
        }
        part.copies += 1
        let staged = "copy-\(part.number)-\(part.copies)"
        let copy = try staging.directory.open(beneath: staged, flags: O_WRONLY | O_CREAT | O_EXCL)
        try copy.append(contentsOf: staging.open(id))
        return (staged, false)
    }

    private func finish(_ file: Descriptor, _ node: Tree.Node) throws {
        for attribute in node.attributes { try file.setAttribute(attribute) }
        try file.setMode(UInt32(node.storedMode))
        try file.setTimes(StoreLayout.modificationTime)
    }
}
