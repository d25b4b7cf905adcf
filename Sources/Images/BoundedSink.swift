internal import Files

/// A sink that counts what an image gives, and refuses what is past the image's limits.
final class BoundedSink: TreeSink {
    // A class, because sinks are.

    private let base: any TreeSink
    private let budget: ImageBudget

    init(_ base: any TreeSink, budget: ImageBudget) {
        self.base = base
        self.budget = budget
    }

    var hasher: MessageHasher? { base.hasher }

    private func count(
        _ path: TreePath, target: Int = 0, _ attributes: [ExtendedAttribute] = []
    ) throws {
        try budget.count(
            metadata: attributes.reduce(path.bytes.count + target) { $0 + $1.name.count + $1.value.count })
    }

    func directory(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) throws {
        try count(path, attributes)
        try base.directory(path, mode: mode, attributes: attributes)
    }

    func symlink(_ path: TreePath, target: Bytes) throws {
        try count(path, target: target.count)
        try base.symlink(path, target: target)
    }

    func hardLink(_ path: TreePath, to target: TreePath) throws {
        try count(path)
        try base.hardLink(path, to: target)
    }

    func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) throws {
        try count(path, attributes)
        // At once, rather than when the bytes have been read.
        if let size { try budget.check(contents: size) }
        try base.beginFile(path, mode: mode, attributes: attributes, size: size)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        try budget.count(contents: bytes.count)
        try base.append(bytes)
    }

    func appendHole(_ count: Int) throws {
        try budget.count(contents: count)
        try base.appendHole(count)
    }

    func endFile() throws { try base.endFile() }

    func remove(_ path: TreePath) throws { try base.remove(path) }

    func removeChildren(of path: TreePath) throws { try base.removeChildren(of: path) }

    func omit(_ omission: Omission, at path: TreePath) { base.omit(omission, at: path) }

    func finish() throws { try base.finish() }
}

/// A stream that was compressed: its bytes count, also those that belong to no file.
final class BoundedStream: ByteStream {
    private let base: any ByteStream
    private let budget: ImageBudget

    init(_ base: any ByteStream, budget: ImageBudget) {
        self.base = base
        self.budget = budget
    }

    func next() throws -> UnsafeRawBufferPointer? {
        let bytes = try base.next()
        if let bytes { try budget.count(streamed: bytes.count) }
        return bytes
    }

    func skip(_ count: Int) throws -> Bool { false }
}
