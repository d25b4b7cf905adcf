internal import Files
internal import Glibc
internal import StoreLayout

/// Makes a tree's files below a temporary directory, linking to objects that the store has already.
///
/// New objects stay in the staging directory until all is written out; ``commitObjects()`` then moves them.
///
/// Directories are filled on as many threads as there are processors.
final class Materializer: @unchecked Sendable {
    // Several threads use it while a tree is made. What changes meanwhile is guarded by the monitor.

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

    /// What is known of the objects whose digests begin alike: threads that have others do not wait for each other.
    private final class Part {
        // All but the number is guarded by the monitor.
        let number: Int
        let monitor = Monitor()
        var sources: [ObjectKey: Source] = [:]
        /// Staged files that have become an object's, by number: another mode needs a copy.
        var claimed: Set<Int> = []
        var copies = 0
        /// Objects to be: name in the staging directory, directory and name below `objects`.
        var made: [(staged: String, directory: String, name: String)] = []

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
    /// Directories that get their mode when all is in its place, each with it.
    private var late: [(path: TreePath, mode: UInt16)] = []

    init(staging: Staging, objects: Descriptor) {
        self.staging = staging
        self.objects = objects
    }

    /// One thread where another would take longer to begin than what it could do; `nil` for as many as there are processors.
    private static func threads(for count: Int) -> Int? { count < 256 ? 1 : nil }

    /// Makes `tree` in the empty directory `top`, which stays writable itself.
    func materialize(_ tree: Tree, in top: Descriptor) throws {
        // A list rather than recursion: an image chooses the depth.
        let queue = WorkQueue([TreePath.root])
        try queue.run(threads: Self.threads(for: tree.nodes.count)) { path in
            for directory in try self.fill(path, of: tree, in: top) { queue.add(directory) }
        }
        // The deepest first.
        for (path, mode) in late.sorted(by: { $1.path < $0.path }) {
            let directory = try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            try directory.setMode(UInt32(mode))
            try directory.setTimes(StoreLayout.modificationTime)
        }
    }

    /// Makes all that is in a directory; the directories among it.
    private func fill(_ path: TreePath, of tree: Tree, in top: Descriptor) throws -> [TreePath] {
        guard let node = tree[path] else { return [] }
        var directories: [TreePath] = []
        let directory =
            path.bytes.isEmpty ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
        for name in tree.names(in: path) {
            let childPath = path.appending(name)
            guard let child = tree[childPath] else { continue }
            switch child.kind {
            case .directory:
                try directory.makeDirectory(name, mode: 0o700)
                directories.append(childPath)
            case .symlink(let target):
                try directory.makeSymlink(name, target: target)
                try directory.setTimes(StoreLayout.modificationTime, of: name)
            case .file(let id):
                try place(child, id, at: childPath, in: directory, as: name)
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

    /// Objects to be, of all parts.
    private var made: [(staged: String, directory: String, name: String)] { parts.flatMap(\.made) }

    private func part(of key: ObjectKey) -> Part { parts[Int(key.digest.start % UInt64(parts.count))] }

    /// The inodes that no other store path has.
    func newInodes() throws -> Set<Inode> {
        Set(try made.compactMap { try staging.directory.status(of: $0.staged).map(Inode.init) })
    }

    /// Moves new objects to where other imports find them.
    ///
    /// Their bytes must be on disk.
    func commitObjects() throws {
        // One after the other: the kernel lets nobody else into either directory meanwhile.
        var directories: Set<String> = []
        for object in made {
            if directories.insert(object.directory).inserted { try objects.makeDirectory(object.directory) }
            try staging.directory.rename(object.staged, to: objects, as: object.directory + "/" + object.name)
        }
    }

    /// Takes back what ``commitObjects()`` did, as far as it got: nothing had these names before.
    func withdrawObjects() {
        for object in made {
            // The reason for withdrawing is what is reported; an object too many is collected later.
            try? objects.unlink(object.directory + "/" + object.name)
        }
        // Only those that are empty now can be removed.
        for directory in Set(made.map(\.directory)) { try? objects.removeDirectory(directory) }
    }

    private func place(
        _ node: Tree.Node, _ id: ContentID, at path: TreePath, in directory: Descriptor, as name: Bytes
    ) throws {
        guard staging[id].size > 0 else {
            // Never linked: an empty file saves nothing, and would be the first to run out of links.
            let file = try directory.makeFile(name)
            return try finish(file, node)
        }
        let key = ObjectKey(digest: staging[id].digest, mode: node.storedMode, attributes: node.attributes)
        var source = try source(of: key, number: 0, node, id, at: path)
        while true {
            do {
                switch source {
                case .object(let number):
                    try objects.link(
                        key.directoryName + "/" + key.fileName(number: number), to: directory, as: name)
                case .staged(let staged, _):
                    try staging.directory.link(staged, to: directory, as: name)
                }
                return
            } catch let error as SystemError where error.code == EMLINK {
                // The object has all the links that the file system allows: the next one takes over.
                source = try self.source(of: key, number: source.number + 1, node, id, at: path)
            }
        }
    }

    /// What a file of a key is a link to.
    ///
    /// - Parameter number: Which of the key's objects, at least: those before have all the links that they can have.
    private func source(
        of key: ObjectKey, number: Int, _ node: Tree.Node, _ id: ContentID, at path: TreePath
    ) throws -> Source {
        let part = part(of: key)
        if let known = part.monitor.withLock({ part.known(key, number) }) { return known }
        // Nobody is kept waiting for the disk: two threads may look for the same object.
        let name = key.fileName(number: number)
        let isThere = try objects.status(of: key.directoryName + "/" + name) != nil
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
                part.made.append((staged, key.directoryName, name))
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
