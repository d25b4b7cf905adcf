internal import Files

/// Passes entries of an image on to a sink: checks names, counts, and applies what layers remove.
final class EntryWriter {
    let sink: any TreeSink
    let image: String
    private let budget: ImageBudget
    /// Whether entries come in layers, so that `.wh.` names are whiteouts.
    private let isLayered: Bool
    /// Paths of all layers but the last, each a directory whatever it is: nothing is hidden that came in the last.
    private var names = Tree()
    /// Paths of the current layer, and what they lie in; `nil` in the first, which hides nothing.
    private var touched: Tree?
    /// Whether the current layer has any.
    private var hasEntries = false
    private var isFirst = true
    private var isLast = false
    /// Directories of the current layer that lost what lower layers had in them.
    private var cleared: Set<TreePath> = []

    init(_ sink: any TreeSink, image: String, isLayered: Bool, budget: ImageBudget) {
        self.sink = sink
        self.budget = budget
        self.image = image
        self.isLayered = isLayered
    }

    /// The next entries lie over all that came before.
    ///
    /// - Parameter isLast: Whether no other layer follows: an image with many files may have one alone.
    func beginLayer(isLast: Bool) {
        touched = isFirst ? nil : Tree()
        (isFirst, self.isLast, hasEntries) = (false, isLast, false)
        cleared = []
    }

    /// A path of the image, checked and counted.
    func path(_ name: Bytes) throws -> TreePath {
        try budget.countEntry()
        do {
            return try TreePath(parsing: name)
        } catch {
            throw ImageError.entry(image: image, reason: error.description)
        }
    }

    /// A symbolic link, whose target may be anything that a file system could hold.
    func symlink(_ path: TreePath, target: Bytes) throws {
        guard !target.isEmpty, target.count <= TreePath.longestPath, !target.contains(0) else {
            throw ImageError.damaged(image: image, detail: "the symbolic link '\(path)' has no valid target")
        }
        try checkRoot(path)
        try sink.symlink(path, target: target)
    }

    /// Bytes that the image does not store.
    func hole(_ size: Int) throws {
        guard size > 0 else { return }
        try sink.appendHole(size)
    }

    /// Refuses an image whose root is no directory.
    func checkRoot(_ path: TreePath) throws {
        guard path.bytes.isEmpty else { return }
        throw ImageError.damaged(image: image, detail: "its root is no directory")
    }

    /// Passes on one entry of a tar archive, with its bytes.
    func write(_ entry: TarEntry, from reader: TarReader) throws {
        let path = try path(entry.path)
        if isLayered, try removes(path) { return }
        if entry.kind == .directory {
            try sink.directory(path, mode: entry.mode, attributes: entry.attributes)
            return record(path)
        }
        try checkRoot(path)
        switch entry.kind {
        case .directory: break
        case .symlink: try symlink(path, target: entry.target)
        case .hardLink:
            let target = try self.path(entry.target)
            if isLayered, target.bytes.isEmpty { try checkRoot(target) }
            try sink.hardLink(path, to: target)
        case .device: return sink.omit(.device, at: path)
        case .pipe: return sink.omit(.pipe, at: path)
        case .file:
            try sink.beginFile(path, mode: entry.mode, attributes: entry.attributes, size: entry.size)
            try writeData(of: entry, from: reader)
            try sink.endFile()
        }
        // It may have replaced a directory of a lower layer.
        if isLayered { forget(path) }
        record(path)
    }

    private func writeData(of entry: TarEntry, from reader: TarReader) throws {
        guard let map = entry.map else {
            return try reader.readData { try sink.append($0) }
        }
        var position = 0
        var index = 0
        try reader.readData { bytes in
            var rest = bytes
            while !rest.isEmpty, index < map.ranges.count {
                let range = map.ranges[index]
                if position < range.lowerBound {
                    try hole(range.lowerBound - position)
                    position = range.lowerBound
                }
                let part = min(rest.count, range.upperBound - position)
                try sink.append(UnsafeRawBufferPointer(rebasing: rest[..<part]))
                rest = UnsafeRawBufferPointer(rebasing: rest[part...])
                position += part
                if position == range.upperBound { index += 1 }
            }
        }
        try hole(entry.size - position)
    }
}

// Whiteouts. Source: OCI image-spec 1.1, layer.md, "Whiteouts": they hide what lower layers have and never
// what the same layer has, wherever in the archive they stand.
extension EntryWriter {
    private static let whiteoutPrefix = ".wh."
    private static let prefixBytes = Bytes(whiteoutPrefix.utf8)
    private static let opaqueName = ".wh..wh..opq"
    private static let privatePrefix = ".wh..wh."

    /// Applies a whiteout; `false` where the path is an ordinary one.
    private func removes(_ path: TreePath) throws -> Bool {
        // Nearly none has it anywhere.
        guard path.bytes.withUnsafeBytes({ $0.firstOffset(of: Self.prefixBytes) }) != nil else {
            return false
        }
        let name = path.name
        if name.elementsEqual(Self.opaqueName.utf8) {
            if touched != nil { try clear(path.parent ?? .root) }
            return true
        }
        // Notes of AUFS, such as .wh..wh.plnk, and what lies in them.
        if path.components.contains(where: { $0.hasPrefix(Self.privatePrefix) }) { return true }
        guard name.hasPrefix(Self.whiteoutPrefix) else { return false }
        let hidden = Bytes(name.dropFirst(Self.whiteoutPrefix.utf8.count))
        guard !hidden.isEmpty, !hidden.elementsEqual(".".utf8), !hidden.elementsEqual("..".utf8) else {
            throw ImageError.damaged(image: image, detail: "the whiteout '\(path)' names nothing")
        }
        guard touched != nil else { return true }
        let target = (path.parent ?? .root).appending(hidden)
        if isTouched(target) {
            try clear(target)
        } else {
            try sink.remove(target)
            forget(target)
        }
        return true
    }

    /// Notes a path of the current layer.
    private func record(_ path: TreePath) {
        guard isLayered else { return }
        hasEntries = true
        if !isLast { names.insert(.impliedDirectory, at: path) }
        touched?.insert(.impliedDirectory, at: path)
    }

    /// Whether a path, or something in it, is of the current layer.
    private func isTouched(_ path: TreePath) -> Bool {
        path.bytes.isEmpty ? hasEntries : touched?[path] != nil
    }

    /// Takes away what lower layers have below a directory.
    private func clear(_ directory: TreePath) throws {
        guard isTouched(directory) else {
            try sink.removeChildren(of: directory)
            forget(directory)
            cleared.insert(directory)
            return
        }
        // What is of this layer alone is not among the names, or has none of another's in it.
        var pending = [directory]
        while let current = pending.popLast() {
            guard cleared.insert(current).inserted else { continue }
            for name in names.names(in: current) {
                let child = current.appending(name)
                if isTouched(child) {
                    pending.append(child)
                } else {
                    try sink.remove(child)
                    names.remove(child)
                }
            }
        }
    }

    /// Forgets the names below a path.
    private func forget(_ path: TreePath) {
        names.removeChildren(of: path)
    }
}
