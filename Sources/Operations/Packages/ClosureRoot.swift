private import Activation
internal import Files
private import Glibc

/// A tree of packages as a directory in which its own programs can run, shut in and without network, to make caches.
///
/// Files are further names of the staged ones: nothing is copied, and programs see all of it read-only.
final class ClosureRoot {
    // A class: it owns a directory.

    private let area: Descriptor
    private let name = "closure"
    private let place = "place"
    let tree: Tree

    /// Seconds that one program may take.
    private static let seconds = 300

    /// What every program is told.
    private static let environment = [
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LC_ALL=C.UTF-8", "SOURCE_DATE_EPOCH=0",
        "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "GIO_USE_VFS=local", "GSETTINGS_BACKEND=memory",
    ]

    /// Makes the directory.
    ///
    /// - Parameters:
    ///   - tree: The tree.
    ///   - staging: The contents of its files.
    ///   - area: A directory of the same file system.
    init(_ tree: Tree, staging: Staging, in area: Descriptor) throws {
        self.tree = tree
        self.area = area
        try area.makeDirectory(place, mode: 0o755, existing: false)
        try area.makeDirectory(name, mode: 0o755, existing: false)
        let top = try area.directory(beneath: name)
        try top.setMode(0o755)
        // What the program's world is made of.
        let own: Set<TreePath> = ["out", "tmp", "dev", "proc"]
        for name in own { try top.makeDirectory(name.name, mode: 0o755) }
        let devices = try top.open(beneath: "dev", flags: O_RDONLY | O_DIRECTORY)
        for name in ["null", "urandom"] { _ = try devices.makeFile(Array(name.utf8)) }
        var directory = (path: TreePath.root, descriptor: top)
        for path in tree.sortedPaths {
            guard let node = tree[path], let parent = path.parent,
                !own.contains(where: { path.isWithin($0) })
            else { continue }
            if parent != directory.path {
                directory = (
                    parent,
                    parent.bytes.isEmpty
                        ? top : try top.open(beneath: parent.bytes, flags: O_RDONLY | O_DIRECTORY)
                )
            }
            let place = directory.descriptor
            switch node.kind {
            case .directory: try place.makeDirectory(path.name, mode: 0o755)
            case .symlink(let target): try place.makeSymlink(path.name, target: target)
            case .file(let id):
                // Modes of objects are final; all others are set when the package is registered.
                if staging[id].isStaged { try staging.setMode(0o755, of: id) }
                try staging.directory.link(staging.fileName(of: id), to: place, as: path.name)
            }
        }
    }

    /// Runs a program of the tree.
    ///
    /// - Parameters:
    ///   - program: Its path.
    ///   - arguments: Its arguments, without its name.
    ///   - input: A directory to whose names it finds links in `/out`.
    ///   - output: A name in `/out` for what it prints.
    ///   - environment: Further variables.
    /// - Returns: The directory that it wrote.
    /// - Throws: `ShutInError`.
    func run(
        _ program: TreePath, _ arguments: [String], input: TreePath? = nil, output: String? = nil,
        environment: [String] = []
    ) throws -> Descriptor {
        try ShutInProgram(
            program: "/\(program)", arguments: arguments, closure: area.path + "/" + name, output: output,
            environment: Self.environment + environment
        ).run(
            input: input.map { "/\($0)" } ?? "", place: area.path + "/" + place, seconds: Self.seconds)
    }

    /// Removes the directory.
    func discard() throws {
        try area.removeTree(name)
        try area.removeTree(place)
    }
}
