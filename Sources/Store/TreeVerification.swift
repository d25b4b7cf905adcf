internal import Files
internal import Glibc
internal import StoreLayout
internal import Synchronization

/// Something in a tree that is not as its listing says.
struct TreeProblem: Sendable, Hashable {
    let path: TreePath
    let kind: Problem.Kind
}

/// Compares a tree on disk with its listing: its directories at once, all else in pieces, which several threads take.
final class TreeVerification: Sendable {
    // A class: threads share it.

    /// How the contents of a file are compared.
    ///
    /// Given an entry, the open file, what it is, and a buffer to read into; gives what is wrong with it.
    typealias ContentCheck =
        @Sendable (ListedEntry, Descriptor, stat, UnsafeMutableRawBufferPointer) throws -> Problem.Kind?

    /// Files and links at most, and bytes after which no more, that are looked at in one go.
    private static let pieceLength = 128
    private static let pieceSize = 4 << 20
    private static let bufferSize = 1 << 17

    /// What is not a directory, in order.
    let entries: [ListedEntry]
    /// Parts of ``entries``, each a piece of work.
    let pieces: [Range<Int>]

    private let top: Descriptor
    private let checkContent: ContentCheck
    /// Directories that are missing or something else: what is below them is not reported again.
    private let lost: Set<TreePath>
    private let found: Locked<[TreeProblem]>
    /// Pieces that nobody has done yet.
    private let pending: Atomic<Int>

    /// What an error says of an entry: an image may keep it from others than its owner, which is as it should be.
    private static func kind(of error: any Error, in top: Descriptor) -> Problem.Kind {
        let isRefused = (error as? SystemError)?.code == EACCES
        return isRefused && (try? top.status()).map { $0.st_uid != geteuid() } ?? false ? .shut : .unreadable
    }

    /// Compares the directories of a tree, and what is in them by name.
    init(
        top: Descriptor, entries: [ListedEntry], checkContent: @escaping ContentCheck
    ) throws {
        var others: [ListedEntry] = []
        var directories: [ListedEntry] = []
        var children: [TreePath: Set<Bytes>] = [:]
        for entry in entries {
            if case .directory = entry.kind { directories.append(entry) } else { others.append(entry) }
            if let parent = entry.path.parent { children[parent, default: []].insert(entry.path.name) }
        }
        var lost: Set<TreePath> = []
        var problems: [TreeProblem] = []
        for entry in directories {
            if let parent = entry.path.parent, lost.contains(parent) {
                lost.insert(entry.path)
                continue
            }
            do {
                let names = children[entry.path] ?? []
                let (isThere, more) = try Self.compare(directory: entry, in: top, names: names)
                problems += more
                if !isThere { lost.insert(entry.path) }
            } catch let error as SystemError {
                problems.append(TreeProblem(path: entry.path, kind: Self.kind(of: error, in: top)))
                lost.insert(entry.path)
            }
        }
        var pieces: [Range<Int>] = []
        var (start, size) = (0, 0)
        for (index, entry) in others.enumerated() {
            if case .file(let bytes, _) = entry.kind { size += bytes }
            if index + 1 - start == Self.pieceLength || size >= Self.pieceSize || index + 1 == others.count {
                pieces.append(start..<(index + 1))
                (start, size) = (index + 1, 0)
            }
        }
        (self.top, self.entries, self.checkContent) = (top, others, checkContent)
        (self.pieces, self.lost) = (pieces, lost)
        found = Locked(problems)
        pending = Atomic(pieces.count)
    }

    /// What was found so far, sorted.
    var problems: [TreeProblem] {
        found.withLock { $0 }.sorted {
            ($0.path.description, $0.kind.rawValue) < ($1.path.description, $1.kind.rawValue)
        }
    }

    private static func compare(
        directory entry: ListedEntry, in top: Descriptor, names: Set<Bytes>
    ) throws -> (isThere: Bool, problems: [TreeProblem]) {
        let isTop = entry.path.bytes.isEmpty
        let opened: Descriptor
        do {
            opened =
                isTop
                ? try top.directory(beneath: ".")
                : try top.open(beneath: entry.path.bytes, flags: O_RDONLY | O_DIRECTORY)
        } catch {
            guard let status = isTop ? try top.status() : try top.status(of: entry.path.bytes) else {
                return (false, [TreeProblem(path: entry.path, kind: .missing)])
            }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                return (false, [TreeProblem(path: entry.path, kind: .type)])
            }
            throw error
        }
        let status = try opened.status()
        var problems: [TreeProblem] = []
        func report(_ path: TreePath, _ kind: Problem.Kind) {
            problems.append(TreeProblem(path: path, kind: kind))
        }
        if status.st_mode & 0o7777 != mode_t(entry.mode) { report(entry.path, .mode) }
        for child in try opened.listOnce() where !names.contains(child.name) {
            let path = entry.path.appending(child.name)
            report(path, Self.isBytecode(path, child.type) ? .bytecode : .extra)
        }
        // Labels that the host puts on files are the host's own affair.
        if try opened.attributes().filter(\.counts) != entry.attributes { report(entry.path, .attributes) }
        return (true, problems)
    }

    /// Whether something that is not part of a tree is what Python makes of a source beside it.
    ///
    /// Source: PEP 3147.
    private static func isBytecode(_ path: TreePath, _ type: UInt8) -> Bool {
        let directory = Bytes("__pycache__".utf8)
        if type == UInt8(DT_DIR) { return path.name == directory }
        return type == UInt8(DT_REG) && path.parent?.name == directory
            && path.name.suffix(4).elementsEqual(".pyc".utf8)
    }

    /// Compares a piece of ``entries``.
    ///
    /// - Returns: Whether it was the last one.
    func look(at piece: Range<Int>) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 64)
        defer { buffer.deallocate() }
        var problems: [TreeProblem] = []
        var place: (path: TreePath, directory: Descriptor?)?
        for entry in entries[piece] {
            guard let parent = entry.path.parent, !lost.contains(parent) else { continue }
            if place?.path != parent {
                let isTop = parent.bytes.isEmpty
                // One that cannot be opened has been reported.
                place = (
                    parent,
                    isTop ? top : try? top.open(beneath: parent.bytes, flags: O_RDONLY | O_DIRECTORY)
                )
            }
            guard let directory = place?.directory else { continue }
            do {
                for kind in try compare(entry, in: directory, buffer) {
                    problems.append(TreeProblem(path: entry.path, kind: kind))
                }
            } catch {
                problems.append(TreeProblem(path: entry.path, kind: Self.kind(of: error, in: top)))
            }
        }
        let all = problems
        if !all.isEmpty { found.withLock { $0 += all } }
        return pending.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }

    private func compare(
        _ entry: ListedEntry, in directory: Descriptor, _ buffer: UnsafeMutableRawBufferPointer
    ) throws -> [Problem.Kind] {
        let name = entry.path.name
        guard let status = try directory.status(of: name) else { return [.missing] }
        if case .symlink(let target) = entry.kind {
            guard status.st_mode & S_IFMT == S_IFLNK else { return [.type] }
            return try directory.readSymlink(name) == target ? [] : [.target]
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return [.type] }
        var kinds: [Problem.Kind] = []
        if status.st_mode & 0o7777 != mode_t(entry.mode) { kinds.append(.mode) }
        let file = try directory.open(beneath: name)
        if try file.attributes().filter(\.counts) != entry.attributes { kinds.append(.attributes) }
        if case .file(let size, _) = entry.kind {
            if Int(status.st_size) != size {
                kinds.append(.content)
            } else if let kind = try checkContent(entry, file, status, buffer) {
                kinds.append(kind)
            }
        }
        return kinds
    }
}

/// Files that have several names and were read in one run: none is read twice.
final class ReadContents: Sendable {
    // A class: threads share it.

    /// Files at most that are remembered; others are read again.
    private static let limit = 1 << 20
    private let known = Locked<[Inode: Digest]>([:])
    /// Bytes that were read.
    let count = Atomic<Int>(0)

    /// The digest of a file's contents.
    func digest(
        of file: Descriptor, _ status: stat, _ buffer: UnsafeMutableRawBufferPointer
    ) throws -> Digest {
        // Only one with another name may be met again.
        guard status.st_nlink > 1 else { return try read(file, status, buffer) }
        let inode = Inode(status)
        if let digest = known.withLock({ $0[inode] }) { return digest }
        let digest = try read(file, status, buffer)
        known.withLock { if $0.count < Self.limit { $0[inode] = digest } }
        return digest
    }

    private func read(
        _ file: Descriptor, _ status: stat, _ buffer: UnsafeMutableRawBufferPointer
    ) throws -> Digest {
        var hasher = Hasher256()
        var rest = Int(status.st_size)
        while rest > 0 {
            let size = try file.read(into: buffer)
            // Shorter than it said it was.
            guard size > 0 else { break }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
            rest -= size
        }
        count.add(Int(status.st_size), ordering: .relaxed)
        return hasher.finalize()
    }
}
