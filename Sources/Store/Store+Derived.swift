public import Files
internal import Glibc
internal import StoreLayout

extension Store {
    /// Directories below one of what was derived: a program of an image wrote them.
    private static let deepest = 16
    /// Files that are taken of an output.
    private static let mostFiles = 20_000

    /// The files that were derived under a key, sorted; `nil` where nothing was, or it is gone.
    ///
    /// - Parameter key: The digest of all that they were made from.
    public func derived(_ key: Digest) throws -> [TreePath]? {
        let name = Self.derivedName(key)
        guard try root.status(of: name) != nil else { return nil }
        var files: [TreePath] = []
        try Self.walk(try root.directory(beneath: name)) { path, _, kind in
            if kind >= 0 { files.append(path) }
        }
        return files.sorted()
    }

    /// Keeps the files of a directory under a key, unless there are some already; what is neither a file nor a
    /// directory is left out.
    ///
    /// - Parameters:
    ///   - key: The digest of all that they were made from.
    ///   - make: Writes them, given an empty directory to work in; gives the directory that they are in.
    /// - Returns: The files, sorted.
    /// - Throws: What `make` throws; `SystemError` where the files cannot be kept, or are too many.
    public func derive(_ key: Digest, _ make: (Descriptor) throws -> Descriptor) throws -> [TreePath] {
        if let files = try derived(key) { return files }
        let temporary = try temporary()
        let (name, work) = try temporary.makeHeldDirectory()
        // Swept by the next writer if it cannot be removed now.
        defer { try? temporary.removeTree(name) }
        let output = try make(work)
        try work.makeDirectory("kept", mode: 0o755, existing: false)
        let kept = try work.directory(beneath: "kept")
        try kept.setMode(0o755)
        try Self.walk(output) { path, place, kind in
            if kind < 0 {
                try kept.makeDirectory(path.bytes, mode: 0o755)
                try kept.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY).setMode(0o755)
                return
            }
            let parent = try kept.open(
                beneath: path.parent.map { $0.bytes.isEmpty ? [0x2e] : $0.bytes } ?? [0x2e],
                flags: O_RDONLY | O_DIRECTORY)
            let file = try parent.makeFile(path.name)
            try file.append(contentsOf: place.open(beneath: path.name))
            try file.setMode(0o444)
        }
        try root.synchronizeFileSystem()
        let cache = try root.directory(beneath: StoreLayout.Name.cache)
        try cache.makeDirectory(StoreLayout.Name.derived, mode: 0o755)
        let derived = try cache.directory(beneath: StoreLayout.Name.derived)
        try derived.setMode(0o755)
        try work.rename("kept", to: derived, as: key.hex)
        return try self.derived(key) ?? []
    }

    private static func derivedName(_ key: Digest) -> String {
        [StoreLayout.Name.cache, StoreLayout.Name.derived, key.hex].joined(separator: "/")
    }

    /// Visits directories (size -1) and regular files, each after the directory it is in.
    private static func walk(
        _ top: Descriptor, _ visit: (TreePath, Descriptor, Int) throws -> Void
    ) throws {
        var pending: [(TreePath, Descriptor)] = [(.root, top)]
        var count = 0
        while let (path, place) = pending.popLast() {
            for entry in try place.list() {
                guard let status = try place.status(of: entry.name) else { continue }
                let child = path.appending(entry.name)
                count += 1
                guard count <= mostFiles, child.components.count <= deepest else {
                    throw SystemError("take over all files of", top.path, code: EFBIG)
                }
                switch status.st_mode & S_IFMT {
                case S_IFDIR:
                    try visit(child, place, -1)
                    let flags = O_RDONLY | O_DIRECTORY
                    pending.append((child, try place.open(beneath: entry.name, flags: flags)))
                case S_IFREG: try visit(child, place, Int(status.st_size))
                default: continue
                }
            }
        }
    }

    /// Puts a file into a directory of a new generation.
    func place(_ file: GenerationFile, in directory: Descriptor) throws {
        if case .derived(let key, let path) = file.content {
            let parent = try root.directory(beneath: Self.derivedName(key)).open(
                beneath: path.parent.map { $0.bytes.isEmpty ? [0x2e] : $0.bytes } ?? [0x2e],
                flags: O_RDONLY | O_DIRECTORY)
            // One inode with what is kept, so that it costs nothing, and stays where the cache is emptied. Copied
            // where a link is refused: it has all the names it can have, or a name that is no UTF-8.
            let name = String(decoding: path.name, as: UTF8.self)
            if (try? parent.link(name, to: directory, as: file.path.name)) != nil { return }
            try write(parent.open(beneath: path.name).readAll(), as: file.path.name, in: directory)
        }
        if case .link(let target) = file.content { try directory.makeSymlink(file.path.name, target: target) }
        if case .bytes(let bytes) = file.content { try write(bytes, as: file.path.name, in: directory) }
    }

    private func write(_ bytes: Bytes, as name: Bytes, in directory: Descriptor) throws {
        let file = try directory.makeFile(name)
        try bytes.withUnsafeBytes { try file.write($0) }
        try file.setMode(0o444)
    }
}
