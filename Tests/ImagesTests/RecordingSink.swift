import Files

/// A sink that keeps all in a dictionary.
final class RecordingSink: TreeSink {
    enum Entry: Equatable {
        case directory(mode: UInt16)
        case symlink(Bytes)
        case file(mode: UInt16, bytes: Bytes, attributes: [ExtendedAttribute])
    }

    var entries: [TreePath: Entry] = [:]
    var links: Set<Set<TreePath>> = []
    var omissions: [TreePath: Omission] = [:]
    var holes = 0
    private var current: (path: TreePath, mode: UInt16, attributes: [ExtendedAttribute])?
    private var bytes: Bytes = []

    func directory(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) {
        if case .directory? = entries[path] {} else { remove(path) }
        entries[path] = .directory(mode: mode)
    }

    func symlink(_ path: TreePath, target: Bytes) {
        remove(path)
        entries[path] = .symlink(target)
    }

    func hardLink(_ path: TreePath, to target: TreePath) throws {
        guard let entry = entries[target] else { throw PathError.climbs("no target \(target)") }
        remove(path)
        entries[path] = entry
        links.insert([path, target])
    }

    func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) {
        current = (path, mode, attributes)
        bytes = []
    }

    func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    func appendHole(_ count: Int) {
        holes += count
        bytes.append(contentsOf: repeatElement(0, count: count))
    }

    func endFile() {
        guard let file = current else { return }
        remove(file.path)
        let attributes = file.attributes.filter { $0.name.hasPrefix("user.") }
        entries[file.path] = .file(mode: file.mode, bytes: bytes, attributes: attributes)
        current = nil
    }

    func remove(_ path: TreePath) { entries = entries.filter { !$0.key.isWithin(path) } }

    func removeChildren(of path: TreePath) {
        entries = entries.filter { $0.key == path || !$0.key.isWithin(path) }
    }

    func omit(_ omission: Omission, at path: TreePath) { omissions[path] = omission }

    /// The root's mode depends on the format's tool.
    var withoutRoot: [TreePath: Entry] { entries.filter { $0.key != .root } }

    var names: Set<String> { Set(entries.keys.map(\.description)) }
}
