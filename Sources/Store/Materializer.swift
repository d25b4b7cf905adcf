internal import Files
internal import Glibc
internal import StoreLayout

/// Makes a tree's files below a temporary directory, linking to objects that the store has already.
///
/// New objects stay in the staging directory until all is written out; ``commitObjects()`` then moves them.
final class Materializer {
    /// What files of one key are links to.
    private enum Source {
        case object(number: Int)
        case staged(name: String, number: Int)
    }

    private let staging: Staging
    private let objects: Descriptor
    private var sources: [ObjectKey: Source] = [:]
    /// Staged contents that have become an object's file: another mode needs a copy.
    private var claimed: Set<ContentID> = []
    private var copies = 0
    /// Objects to be, in order: name in the staging directory, directory and name below `objects`.
    private var made: [(staged: String, directory: String, name: String)] = []
    private var committed = 0

    init(staging: Staging, objects: Descriptor) {
        self.staging = staging
        self.objects = objects
    }

    /// Makes `tree` in the empty directory `top`, which stays writable itself.
    func materialize(_ tree: Tree, in top: Descriptor) throws {
        // A list rather than recursion: an image chooses the depth. Directories that their owner could not
        // search get their mode at the end, the deepest first.
        var pending = [TreePath.root]
        var late: [(path: TreePath, mode: UInt16)] = []
        while let path = pending.popLast() {
            guard let node = tree[path] else { continue }
            let directory =
                path.bytes.isEmpty ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            for name in tree.names(in: path) {
                let childPath = path.appending(name)
                guard let child = tree[childPath] else { continue }
                switch child.kind {
                case .directory:
                    try directory.makeDirectory(name, mode: 0o700)
                    pending.append(childPath)
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
                late.append((path, node.storedMode))
            }
        }
        for (path, mode) in late.reversed() {
            let directory = try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            try directory.setMode(UInt32(mode))
            try directory.setTimes(StoreLayout.modificationTime)
        }
    }

    /// The inodes that no other store path has.
    func newInodes() throws -> Set<Inode> {
        Set(try made.compactMap { try staging.directory.status(of: $0.staged).map(Inode.init) })
    }

    /// Moves new objects to where other imports find them.
    ///
    /// Their bytes must be on disk.
    func commitObjects() throws {
        var directories: Set<String> = []
        for object in made[committed...] {
            if directories.insert(object.directory).inserted {
                try objects.makeDirectory(object.directory)
            }
            try staging.directory.rename(object.staged, to: objects, as: object.directory + "/" + object.name)
            committed += 1
        }
    }

    /// Takes back what ``commitObjects()`` did.
    func withdrawObjects() {
        for object in made[..<committed] {
            // The reason for withdrawing is what is reported; an object too many is collected later.
            try? objects.unlink(object.directory + "/" + object.name)
        }
        committed = 0
        // Only those that are empty now can be removed.
        for directory in Set(made.map(\.directory)) { try? objects.removeDirectory(directory) }
    }

    private func place(
        _ node: Tree.Node, _ id: ContentID, at path: TreePath, in directory: Descriptor, as name: Bytes
    ) throws {
        let content = staging[id]
        guard content.size > 0 else {
            // Never linked: an empty file saves nothing, and would be the first to run out of links.
            let file = try directory.makeFile(name)
            return try finish(file, node)
        }
        let key = ObjectKey(digest: content.digest, mode: node.storedMode, attributes: node.attributes)
        var source = try sources[key] ?? find(key, number: 0, node, id, at: path)
        while true {
            sources[key] = source
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
                let number =
                    switch source {
                    case .object(let number), .staged(_, let number): number + 1
                    }
                source = try find(key, number: number, node, id, at: path)
            }
        }
    }

    /// The object of that number, or a file that will be it.
    private func find(
        _ key: ObjectKey, number: Int, _ node: Tree.Node, _ id: ContentID, at path: TreePath
    ) throws -> Source {
        let name = key.fileName(number: number)
        if try objects.status(of: key.directoryName + "/" + name) != nil { return .object(number: number) }
        let staged: String
        if staging[id].isStaged, claimed.insert(id).inserted {
            staged = staging.fileName(of: id)
        } else {
            copies += 1
            staged = "copy-\(copies)"
            let copy = try staging.directory.open(beneath: staged, flags: O_WRONLY | O_CREAT | O_EXCL)
            try copy.append(contentsOf: staging.open(id))
        }
        try finish(try staging.directory.open(beneath: staged), node)
        made.append((staged, key.directoryName, name))
        return .staged(name: staged, number: number)
    }

    private func finish(_ file: Descriptor, _ node: Tree.Node) throws {
        for attribute in node.attributes { try file.setAttribute(attribute) }
        try file.setMode(UInt32(node.storedMode))
        try file.setTimes(StoreLayout.modificationTime)
    }
}
