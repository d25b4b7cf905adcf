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
    /// Directories that a tree has at most if they stay open until what is in them is looked at.
    private static let openLimit = 16

    /// What is not a directory, in order.
    let entries: [ListedEntry]
    /// Parts of ``entries``, each a piece of work.
    let pieces: [Range<Int>]

    private let top: Descriptor
    private let checkContent: ContentCheck
    /// Directories of a small tree: most store paths are small, and to open all twice is a tenth of the time.
    private let opened: [TreePath: Descriptor]
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
        for entry in entries {
            if case .directory = entry.kind { directories.append(entry) } else { others.append(entry) }
        }
        let isSmall = directories.count <= Self.openLimit && others.count <= Self.pieceLength
        var opened: [TreePath: Descriptor] = [:]
        var lost: Set<TreePath> = []
        var problems: [TreeProblem] = []
        for entry in directories {
            if let parent = entry.path.parent, lost.contains(parent) {
                lost.insert(entry.path)
                continue
            }
            do {
                let (directory, more) = try Self.compare(directory: entry, in: top, entries)
                problems += more
                if directory == nil { lost.insert(entry.path) }
                if isSmall { opened[entry.path] = directory }
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
        (self.pieces, self.opened, self.lost) = (pieces, opened, lost)
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
        directory entry: ListedEntry, in top: Descriptor, _ entries: [ListedEntry]
    ) throws -> (directory: Descriptor?, problems: [TreeProblem]) {
        let isTop = entry.path.bytes.isEmpty
        let opened: Descriptor
        do {
            opened =
                isTop ? top : try top.open(beneath: entry.path.bytes, flags: O_RDONLY | O_DIRECTORY)
        } catch {
            guard let status = isTop ? try top.status() : try top.status(of: entry.path.bytes) else {
                return (nil, [TreeProblem(path: entry.path, kind: .missing)])
            }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                return (nil, [TreeProblem(path: entry.path, kind: .type)])
            }
            throw error
        }
        let status = try opened.status()
        var problems: [TreeProblem] = []
        func report(_ path: TreePath, _ kind: Problem.Kind) {
            problems.append(TreeProblem(path: path, kind: kind))
        }
        if status.st_mode & 0o7777 != mode_t(entry.mode) { report(entry.path, .mode) }
        try opened.forEachEntryOnce { name, type, _ in
            guard !Self.hasEntry(entries, name, in: entry.path) else { return }
            let path = entry.path.appending(name)
            report(path, Self.isBytecode(path, type) ? .bytecode : .extra)
        }
        // Labels that the host puts on files are the host's own affair.
        if try opened.attributes().filter(\.counts) != entry.attributes { report(entry.path, .attributes) }
        return (opened, problems)
    }

    /// Whether a listing has a name in a directory.
    ///
    /// - Parameter entries: In the order of their paths, as a listing has them.
    private static func hasEntry(
        _ entries: [ListedEntry], _ name: UnsafeRawBufferPointer, in directory: TreePath
    ) -> Bool {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = low + (high - low) / 2
            switch order(entries[middle].path, name, in: directory) {
            case 0: return true
            case ..<0: low = middle + 1
            default: high = middle
            }
        }
        return false
    }

    /// How a path is ordered beside a name in a directory: below, at, or above zero.
    private static func order(
        _ path: TreePath, _ name: UnsafeRawBufferPointer, in directory: TreePath
    ) -> Int {
        path.bytes.withUnsafeBytes { path in
            directory.bytes.withUnsafeBytes { directory in
                var rest = path[...]
                func compare(_ part: UnsafeRawBufferPointer) -> Int {
                    let count = min(rest.count, part.count)
                    let start = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
                    if count > 0, let one = start.baseAddress, let other = part.baseAddress,
                        case let order = memcmp(one, other, count), order != 0
                    {
                        return Int(order)
                    }
                    rest = rest.dropFirst(count)
                    return count == part.count ? 0 : -1
                }
                if !directory.isEmpty {
                    if case let order = compare(directory), order != 0 { return order }
                    guard let next = rest.popFirst() else { return -1 }
                    if next != UInt8(ascii: "/") { return Int(next) - Int(UInt8(ascii: "/")) }
                }
                let order = compare(name)
                return order == 0 ? rest.count : order
            }
        }
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
                // One that cannot be opened has been reported.
                let directory = parent.bytes.isEmpty ? top : opened[parent]
                place = (
                    parent, directory ?? (try? top.open(beneath: parent.bytes, flags: O_RDONLY | O_DIRECTORY))
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
