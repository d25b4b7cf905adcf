private import Activation
internal import Files
private import Glibc
internal import Images
internal import Store
internal import StoreLayout

/// A tree of packages as a directory that their scripts may change, shut in and without network.
///
/// Files are copies: what is staged stays as it is until a script has changed it.
final class ScriptRoot {
    // A class: it owns a directory.

    private let area: Descriptor
    private let top: Descriptor
    private let tree: Tree
    /// Each file as it was made: what is the same afterwards was not touched.
    private var made: [TreePath: FileState] = [:]
    /// Paths that are there for scripts only.
    private var own: Set<TreePath> = ["out", "tmp", "dev", "proc", "run", "sxs-scripts"]

    private struct FileState: Equatable {
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat) {
            inode = UInt(status.st_ino)
            size = Int(status.st_size)
            (seconds, nanoseconds) = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
        }
    }

    private static let name = "scripts"
    private static let place = "scripts-place"
    private static let scripts: TreePath = "sxs-scripts"
    /// Seconds that one script may take.
    private static let seconds = 300
    /// Longer than the clock of file systems takes from one tick to the next, in microseconds.
    private static let tick: useconds_t = 20_000

    private static let environment = [
        "PATH=/\(scripts)/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
        "SOURCE_DATE_EPOCH=0", "DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true",
    ]

    /// Copies a tree.
    ///
    /// - Parameter area: A directory of the import.
    init(_ tree: Tree, staging: Staging, architecture: String, in area: Descriptor) throws {
        self.tree = tree
        self.area = area
        try area.makeDirectory(Self.place, mode: 0o755, existing: false)
        try area.makeDirectory(Self.name, mode: 0o755, existing: false)
        top = try area.directory(beneath: Self.name)
        try top.setMode(0o755)
        for name in own { try top.makeDirectory(name.name, mode: 0o755) }
        let devices = try top.open(beneath: "dev", flags: O_RDONLY | O_DIRECTORY)
        for name in ["null", "zero", "full", "random", "urandom"] {
            _ = try devices.makeFile(Array(name.utf8))
        }
        for path in tree.sortedPaths where !isOwn(path) {
            guard let node = tree[path], let parent = path.parent else { continue }
            let directory = try directory(parent)
            switch node.kind {
            // Who may write into it is for later.
            case .directory: try directory.makeDirectory(path.name, mode: 0o755)
            case .symlink(let target): try directory.makeSymlink(path.name, target: target)
            case .file(let id):
                let file = try directory.makeFile(path.name)
                try file.copyContents(of: staging.open(id))
                try file.setMode(UInt32(node.mode))
                made[path] = FileState(try file.status())
            }
        }
        try makeStandIns(architecture: architecture)
    }

    private func isOwn(_ path: TreePath) -> Bool { own.contains { path.isWithin($0) } }

    private func directory(_ path: TreePath) throws -> Descriptor {
        path.bytes.isEmpty
            ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    private func makeStandIns(architecture: String) throws {
        let scripts = try directory(Self.scripts)
        try scripts.makeDirectory("bin", mode: 0o755, existing: false)
        let programs = try scripts.directory(beneath: "bin")
        let hasDpkg = tree.resolve("usr/bin/dpkg".utf8) != nil
        for (name, text) in ScriptStandIns.programs(hasDpkg: hasDpkg, architecture: architecture) {
            let file = try programs.makeFile(Array(name.utf8))
            try Bytes(text.utf8).withUnsafeBytes { try file.write($0) }
            try file.setMode(0o755)
        }
        let debconf = try TreePath(parsing: ScriptStandIns.debconf.utf8)
        guard tree[debconf] == nil, let parent = debconf.parent,
            tree.resolve(parent.bytes) ?? parent == parent
        else {
            return
        }
        var place = TreePath.root
        for component in parent.components {
            place = place.appending(component)
            guard tree[place] == nil else { continue }
            try directory(place.parent ?? .root).makeDirectory(component, mode: 0o755)
            own.insert(place)
        }
        let file = try directory(parent).makeFile(debconf.name)
        try Bytes(ScriptStandIns.debconfText.utf8).withUnsafeBytes { try file.write($0) }
        try file.setMode(0o644)
        own.insert(debconf)
    }

    // MARK: - Running

    /// Runs a script of a package.
    ///
    /// - Returns: Whether it was run: what is written in a language of its package manager's own is not.
    /// - Throws: ``PackageError/script(_:package:reason:)``
    func run(_ script: PackageFacts.Script, of facts: PackageFacts) throws -> Bool {
        guard let (program, arguments) = Self.command(script, of: facts) else { return false }
        let scripts = try directory(Self.scripts)
        if try scripts.status(of: "script") != nil { try scripts.unlink("script") }
        do {
            let file = try scripts.makeFile(Array("script".utf8))
            try script.text.withUnsafeBytes { try file.write($0) }
            try file.setMode(0o755)
        }
        let name = script.name.drop { $0 == "." }
        let own = [
            "DPKG_MAINTSCRIPT_PACKAGE=\(facts.name)", "DPKG_MAINTSCRIPT_NAME=\(name)",
            "DPKG_MAINTSCRIPT_ARCH=\(facts.architecture)", "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1",
            "DPKG_MAINTSCRIPT_DEBUG=0", "DPKG_RUNNING_VERSION=1.22.0", "DPKG_ADMINDIR=/var/lib/dpkg",
            "DPKG_ROOT=",
        ]
        do {
            _ = try ShutInProgram(
                program: program, arguments: arguments, changing: area.path + "/" + Self.name,
                environment: Self.environment + (facts.format == .deb ? own : [])
            ).run(input: "", place: area.path + "/" + Self.place, seconds: Self.seconds)
        } catch {
            throw PackageError.script(
                script.name, package: facts.shown,
                reason: error.description.lines.joined(separator: "\n  "))
        }
        return true
    }

    /// How a package manager starts a script when its package comes in for the first time; `nil` where only it can.
    private static func command(
        _ script: PackageFacts.Script, of facts: PackageFacts
    ) -> (program: String, arguments: [String])? {
        let file = "/\(scripts)/script"
        switch facts.format {
        case .deb:
            return (
                file,
                [script.name == "preinst" ? "install" : "configure"] + (script.name == "preinst" ? [] : [""])
            )
        case .apk: return (file, [facts.version])
        case .pacman:
            let function = { (name: String) in "if type \(name) >/dev/null 2>&1; then \(name) \"$1\"; fi" }
            let text = ". \(file); \(function("pre_install")); \(function("post_install"))"
            return (script.interpreter, ["-e", "-c", text, "script", facts.version])
        case .rpm:
            guard script.interpreter.hasPrefix("/") else { return nil }
            // A program without a text is run by itself.
            return script.text.isEmpty ? (script.interpreter, ["1"]) : (script.interpreter, [file, "1"])
        }
    }

    /// The scripts of some packages in the order in which they are run: all that come before the files, then the others.
    static func scripts(of packages: [PackageFile]) -> [(script: PackageFacts.Script, facts: PackageFacts)] {
        let before: Set<String> = ["preinst", "pretrans", "pre", ".pre-install"]
        var phases: [[(script: PackageFacts.Script, facts: PackageFacts)]] = [[], [], []]
        for package in ScriptOrder.sorted(packages) {
            for script in package.facts.scripts where MaintainerScripts.isInstalling(script.name) {
                let phase = before.contains(script.name) ? 0 : script.name == "posttrans" ? 2 : 1
                phases[phase].append((script: script, facts: package.facts))
            }
        }
        return phases.flatMap { $0 }
    }

    /// Gives what was made time to be older than what is changed.
    func settle() { usleep(Self.tick) }

    // MARK: - What became of it

    /// Takes what scripts changed into the tree.
    ///
    /// - Returns: How many paths are others.
    func takeChanges(into builder: TreeBuilder) throws -> Int {
        var count = 0
        var seen: Set<TreePath> = []
        var pending: [TreePath] = [.root]
        while let parent = pending.popLast() {
            // Scripts may have taken away the right to look.
            let directory = try readable(parent)
            for entry in try directory.list() {
                let path = try TreePath(parsing: parent.appending(entry.name).bytes)
                guard !isOwn(path), let status = try directory.status(of: entry.name) else { continue }
                let mode = UInt16(truncatingIfNeeded: status.st_mode & 0o777)
                let node = tree[path]
                switch status.st_mode & S_IFMT {
                case S_IFDIR:
                    seen.insert(path)
                    pending.append(path)
                    if let node, node.kind == .directory { continue }
                    if node != nil { try builder.remove(path) }
                    try builder.directory(path, mode: mode, attributes: [])
                case S_IFLNK:
                    seen.insert(path)
                    let target = try directory.readSymlink(entry.name)
                    if let node, node.kind == .symlink(target: target) { continue }
                    if node != nil { try builder.remove(path) }
                    try builder.symlink(path, target: target)
                case S_IFREG:
                    seen.insert(path)
                    if made[path] == FileState(status) { continue }
                    if let node, node.kind == .directory { try builder.remove(path) }
                    try take(
                        entry.name, in: directory, as: path, mode: mode, size: Int(status.st_size), builder)
                // Pipes and sockets are a running system's.
                default: continue
                }
                count += 1
            }
        }
        for path in tree.sortedPaths.reversed()
        where !path.bytes.isEmpty && !seen.contains(path) && !isOwn(path) {
            try builder.remove(path)
            count += 1
        }
        try builder.finish()
        return count
    }

    private func readable(_ path: TreePath) throws -> Descriptor {
        guard let parent = path.parent else { return top }
        let name = path.name
        do {
            return try directory(path)
        } catch let error as SystemError where error.code == EACCES {
            _ = try directory(parent).withPath(of: name) { chmod($0, 0o755) }
            return try directory(path)
        }
    }

    private func take(
        _ name: Bytes, in directory: Descriptor, as path: TreePath, mode: UInt16, size: Int,
        _ builder: TreeBuilder
    ) throws {
        let file: Descriptor
        do {
            file = try directory.open(beneath: name, flags: O_RDONLY | O_NOFOLLOW)
        } catch let error as SystemError where error.code == EACCES {
            _ = directory.withPath(of: name) { chmod($0, 0o600) }
            file = try directory.open(beneath: name, flags: O_RDONLY | O_NOFOLLOW)
        }
        try builder.beginFile(path, mode: mode, attributes: [], size: size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { buffer.deallocate() }
        while case let count = try file.read(into: buffer), count > 0 {
            try builder.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        try builder.endFile()
    }

    /// Removes the directory.
    func discard() throws {
        try area.removeTree(Self.name)
        try area.removeTree(Self.place)
    }
}

extension Descriptor {
    /// Calls a closure with the path of a name in this directory, which no link of the path can lead elsewhere.
    fileprivate func withPath<Result>(of name: Bytes, _ body: (UnsafePointer<CChar>) throws -> Result)
        rethrows -> Result
    {
        let path = Bytes("/proc/self/fd/\(number)/".utf8) + name + [0]
        return try path.withUnsafeBufferPointer { bytes in
            try bytes.withMemoryRebound(to: CChar.self) { chars in
                guard let start = chars.baseAddress else { return try "".withCString(body) }
                return try body(start)
            }
        }
    }
}

extension String {
    /// Its lines, where line ends were made visible.
    fileprivate var lines: [Substring] { replacing("\\012", with: "\n").split(separator: "\n") }
}
