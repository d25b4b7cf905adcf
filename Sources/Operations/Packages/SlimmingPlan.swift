internal import Files

/// What slimming takes out of a tree: files of the kinds that nobody wants, but for those that something needs which stays.
///
/// A link needs what it leads to; a program needs the files that it names by their whole path; and compilers need what they are there to
/// read. Programs and libraries themselves are never taken, wherever they are.
struct SlimmingPlan {
    /// Files and links that go, sorted.
    let removed: [TreePath]
    /// How many files and links of the kinds stay, because something needs them.
    let keptCount: Int
    /// Programs for whose sake files for building stay, sorted.
    let readers: [String]

    /// Ends the names of texts in which a path is one that is used: modules, and `libc.so`, which is text for the linker.
    private static let codeSuffixes = [
        ".sh", ".bash", ".zsh", ".py", ".pl", ".pm", ".rb", ".tcl", ".lua", ".js", ".mjs", ".php", ".awk",
        ".el", ".scm", ".so", ".ld",
    ]
    /// Begins a line of code that says nothing to its interpreter.
    private static let commentMarks = ["#", ";", "//", "/*", "*", "--"]
    private static let longestPath = 1024

    /// Chooses.
    ///
    /// - Complexity: O(files of the tree), and the bytes of those programs that have paths in them.
    init(_ kinds: Set<Slimming>, of tree: Tree, _ staging: Staging) throws {
        var going: Set<TreePath> = []
        var queue: [TreePath] = []
        var (keptCount, readers): (Int, Set<String>) = (0, [])
        let programs = kinds.contains(.development) ? Slimming.DevelopmentFiles.programs(in: tree) : [:]
        for path in tree.sortedPaths {
            guard let node = tree[path], node.kind != .directory else { continue }
            queue.append(path)
            // In their order: of two kinds the one that is kept for nobody counts.
            let kind = Slimming.allCases.first { kinds.contains($0) && $0.takes(path) }
            guard let kind, !Self.isProgram(node, staging) else { continue }
            if kind == .development, let files = Slimming.DevelopmentFiles(of: path),
                let names = programs[files]
            {
                readers.formUnion(names)
                keptCount += 1
            } else {
                queue.removeLast()
                going.insert(path)
            }
        }
        var walked: Set<TreePath> = []
        while let path = queue.popLast() {
            for needed in try Self.needs(of: path, in: tree, staging, going, kinds, &walked)
            where going.remove(needed) != nil {
                keptCount += 1
                queue.append(needed)
            }
        }
        removed = going.sorted()
        self.keptCount = keptCount
        self.readers = readers.sorted()
    }

    private static func isProgram(_ node: Tree.Node, _ staging: Staging) -> Bool {
        guard case .file(let id) = node.kind else { return false }
        return isELF(staging[id].head)
    }

    private static func isELF(_ head: FileHead) -> Bool { head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) }

    // MARK: - Needs

    /// Files and links among those that are going which a file or link needs to be what it is.
    ///
    /// - Parameter walked: Directories all of which was needed before.
    private static func needs(
        of path: TreePath, in tree: Tree, _ staging: Staging, _ going: Set<TreePath>, _ kinds: Set<Slimming>,
        _ walked: inout Set<TreePath>
    ) throws -> [TreePath] {
        switch tree[path]?.kind {
        case .symlink(let target):
            let base = target.first == UInt8(ascii: "/") ? [] : (path.parent ?? .root).components
            let way = base + target.split(separator: UInt8(ascii: "/")).map(Bytes.init)
            let found = chain(way, in: tree, going)
            // Of a directory of such files all that is in it; not of one that has others, too.
            guard let end = tree.resolve(target, from: path.parent ?? .root), tree[end]?.kind == .directory,
                kinds.contains(where: { $0.takes(end) })
            else { return found }
            return found + all(in: end, of: tree, &walked)
        case .file(let id) where staging[id].hasPaths:
            let isELF = isELF(staging[id].head)
            let isCode =
                staging[id].head.starts(with: "#!".utf8)
                || codeSuffixes.contains { path.name.suffix($0.utf8.count).elementsEqual($0.utf8) }
            guard isELF || isCode else { return [] }
            let file = try MappedFile(staging.open(id))
            return withExtendedLifetime(file) {
                staging.pathOffsets(of: id, in: file.bytes).flatMap { offset -> [TreePath] in
                    let mention =
                        isELF
                        ? string(at: Int(offset), in: file.bytes) : word(at: Int(offset), in: file.bytes)
                    guard let mention else { return [] }
                    return chain(
                        mention.split(separator: UInt8(ascii: "/")).map(Bytes.init), in: tree, going)
                }
            }
        default: return []
        }
    }

    /// Files and links in a directory, and in those below it that were not walked before.
    private static func all(
        in directory: TreePath, of tree: Tree, _ walked: inout Set<TreePath>
    ) -> [TreePath] {
        var (found, pending): ([TreePath], [TreePath]) = ([], [directory])
        while let next = pending.popLast() {
            guard walked.insert(next).inserted else { continue }
            for name in tree.names(in: next) {
                let path = next.appending(name)
                if tree[path]?.kind == .directory { pending.append(path) } else { found.append(path) }
            }
        }
        return found
    }

    /// What of a path is going, if there is a file at its end: links on the way, and the file.
    private static func chain(
        _ components: [Bytes], in tree: Tree, _ going: Set<TreePath>
    ) -> [TreePath] {
        let slash = [UInt8(ascii: "/")]
        guard !components.isEmpty, tree.resolve(Bytes(components.joined(separator: slash))) != nil
        else { return [] }
        return components.indices.compactMap { index in
            tree.resolve(Bytes(components[...index].joined(separator: slash)), followsLast: false)
        }.filter(going.contains)
    }

    /// The string of a program that begins at an offset, and is a path and nothing else.
    private static func string(at offset: Int, in bytes: UnsafeRawBufferPointer) -> Bytes? {
        guard offset == 0 || bytes[offset - 1] == 0 else { return nil }
        let string = bytes[offset...].prefix(longestPath).prefix { $0 != 0 }
        return string.count < longestPath && string.endIndex < bytes.endIndex ? Bytes(string) : nil
    }

    /// The path of a line of code that begins at an offset; `nil` in a comment.
    private static func word(at offset: Int, in bytes: UnsafeRawBufferPointer) -> Bytes? {
        let line = bytes[..<offset].suffix(longestPath).reversed().prefix { $0 != UInt8(ascii: "\n") }
            .reversed().drop { $0 == 0x20 || $0 == 0x09 }
        let isInterpreter = line.elementsEqual("#!".utf8) || line.elementsEqual("#! ".utf8)
        let isWhole =
            offset == 0 || bytes[offset - 1] <= 0x20 || "\"'`:;,(<>|&[{!=".utf8.contains(bytes[offset - 1])
        guard isWhole, isInterpreter || !commentMarks.contains(where: { line.starts(with: $0.utf8) }) else {
            return nil
        }
        var word = bytes[offset...].prefix(longestPath).prefix {
            $0 > 0x20 && $0 != 0x7f && !"\"'`\\:;,()<>|&*?[]{}$#=".utf8.contains($0)
        }
        while word.last == UInt8(ascii: ".") { word.removeLast() }
        return Bytes(word)
    }
}
