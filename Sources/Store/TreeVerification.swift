internal import Files
internal import Glibc
internal import StoreLayout

/// Compares a tree on disk with its listing.
struct TreeVerification {
    private(set) var problems: [Problem] = []

    private let top: Descriptor
    private let entries: [ListedEntry]
    private let children: [TreePath: Set<Bytes>]
    private var done = 0

    init(top: Descriptor, entries: [ListedEntry]) {
        self.top = top
        self.entries = entries
        var children: [TreePath: Set<Bytes>] = [:]
        for entry in entries {
            if let parent = entry.path.parent { children[parent, default: []].insert(entry.path.name) }
        }
        self.children = children
    }

    mutating func run(_ progress: any Progress) throws {
        // Directories that are missing or something else: what is below them is not reported again.
        var lost: Set<TreePath> = []
        var directory = top
        var current = TreePath.root
        for entry in entries {
            if let parent = entry.path.parent {
                if lost.contains(parent) {
                    if case .directory = entry.kind { lost.insert(entry.path) }
                    continue
                }
                if parent != current {
                    do {
                        directory = try open(parent)
                    } catch let error as SystemError {
                        report(parent, .unreadable, error)
                        lost.insert(parent)
                        if case .directory = entry.kind { lost.insert(entry.path) }
                        continue
                    }
                    current = parent
                }
            }
            do {
                let isThere = try check(entry, in: directory, progress)
                if case .directory = entry.kind, !isThere { lost.insert(entry.path) }
            } catch let error as SystemError {
                report(entry.path, .unreadable, error)
                if case .directory = entry.kind { lost.insert(entry.path) }
            }
        }
        problems.sort { ($0.path, $0.kind.rawValue) < ($1.path, $1.kind.rawValue) }
    }

    private func open(_ path: TreePath) throws -> Descriptor {
        path.bytes.isEmpty ? top : try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
    }

    private mutating func report(_ path: TreePath, _ kind: Problem.Kind, _ error: SystemError? = nil) {
        // An image may keep a directory from others than its owner; that is as it should be.
        let isShut =
            error?.code == EACCES && ((try? top.status()).map { $0.st_uid != geteuid() } ?? false)
        problems.append(Problem(path: path.description, kind: isShut ? .shut : kind))
    }

    /// Checks one entry; `false` if it is missing or something else.
    private mutating func check(
        _ entry: ListedEntry, in directory: Descriptor, _ progress: any Progress
    ) throws -> Bool {
        let isRoot = entry.path.bytes.isEmpty
        guard let status = isRoot ? try top.status() : try directory.status(of: entry.path.name) else {
            report(entry.path, .missing)
            return false
        }
        let type: mode_t =
            switch entry.kind {
            case .directory: S_IFDIR
            case .file: S_IFREG
            case .symlink: S_IFLNK
            }
        guard status.st_mode & S_IFMT == type else {
            report(entry.path, .type)
            return false
        }
        if case .symlink(let target) = entry.kind {
            if try directory.readSymlink(entry.path.name) != target { report(entry.path, .target) }
            return true
        }
        if status.st_mode & 0o7777 != mode_t(entry.mode) { report(entry.path, .mode) }
        let opened: Descriptor
        if case .directory = entry.kind {
            opened = try open(entry.path)
            let listed = children[entry.path] ?? []
            for child in try opened.list() where !listed.contains(child.name) {
                report(entry.path.appending(child.name), .extra)
            }
        } else {
            opened = try directory.open(beneath: entry.path.name)
        }
        // Labels that the host puts on files are the host's own affair.
        if try opened.attributes().filter(\.counts) != entry.attributes { report(entry.path, .attributes) }
        if case .file(let size, let digest) = entry.kind {
            if Int(status.st_size) != size {
                report(entry.path, .content)
            } else if try self.digest(of: opened, progress) != digest {
                report(entry.path, .content)
            }
        }
        return true
    }

    private mutating func digest(of file: Descriptor, _ progress: any Progress) throws -> Digest {
        var hasher = Hasher256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = try file.read(into: buffer)
            guard count > 0 else { return hasher.finalize() }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            done += count
            progress.advance(to: done)
        }
    }
}
