internal import Files
internal import Glibc
internal import StoreLayout

/// Puts a tree right, problem by problem.
struct TreeRepair {
    private(set) var result = RepairResult()

    private let baseName: String
    private let top: Descriptor
    private let entries: [TreePath: ListedEntry]
    private let sorted: [ListedEntry]
    private let supply: ContentSupply
    /// Where what is in the way is moved to, and links are made.
    private let area: Descriptor
    private let isDryRun: Bool
    private var count = 0

    init(
        _ baseName: String, top: Descriptor, entries: [ListedEntry], supply: ContentSupply, area: Descriptor,
        isDryRun: Bool
    ) {
        (self.baseName, self.top, self.supply, self.area) = (baseName, top, supply, area)
        self.entries = Dictionary(entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        (sorted, self.isDryRun) = (entries, isDryRun)
    }

    private func name(_ path: TreePath) -> String {
        [StoreLayout.Name.store, baseName, path.description].joined(separator: "/")
    }

    /// Puts one thing right, and all that is below it where it is a directory.
    ///
    /// - Parameter isNoted: Whether that is told.
    mutating func mend(_ problem: TreeProblem, isNoted: Bool = true) throws {
        let before = result
        defer { if !isNoted { result.repaired = before.repaired } }
        do {
            switch problem.kind {
            case .extra, .bytecode:
                try moveAside(problem.path)
                result.note(name(problem.path), "removed: not part of the package")
            case .mode, .attributes: try mendFacts(problem.path, problem.kind)
            case .unreadable: try makeReadable(problem.path)
            default: try restore(problem.path, removesFirst: problem.kind == .type)
            }
        } catch {
            try result.lose(name(problem.path), error)
        }
    }

    /// Makes what should be at a path, and what should be below it.
    private mutating func restore(_ path: TreePath, removesFirst: Bool) throws {
        guard let entry = entries[path] else { return }
        if removesFirst { try moveAside(path) }
        guard case .directory = entry.kind else { return try make(entry) }
        try make(entry)
        // Below a directory that was missing nothing was looked at.
        for below in sorted where below.path != path && below.path.isWithin(path) { try make(below) }
        guard !isDryRun else { return }
        for below in sorted.reversed() where below.path.isWithin(path) {
            guard case .directory = below.kind else { continue }
            try finish(below)
        }
    }

    private mutating func make(_ entry: ListedEntry) throws {
        guard let parent = entry.path.parent else { return }
        switch entry.kind {
        case .directory:
            try changing(parent) { directory in
                if try directory.status(of: entry.path.name) == nil {
                    try directory.makeDirectory(entry.path.name, mode: 0o755)
                }
            }
            result.note(name(entry.path), "made again: a directory")
        case .symlink(let target):
            try changing(parent) { directory in
                count += 1
                try area.makeSymlink("symlink-\(count)", target: target)
                try area.setTimes(StoreLayout.modificationTime, of: "symlink-\(count)")
                try area.rename("symlink-\(count)", to: directory, as: entry.path.name)
            }
            result.note(name(entry.path), "made again: a link")
        case .file:
            var origin: String?
            if isDryRun {
                origin = try supply.supply(entry, to: area, of: baseName)
            } else {
                try changing(parent) { directory in
                    origin = try supply.supply(entry, to: directory, of: baseName)
                }
            }
            if let origin {
                result.note(name(entry.path), "contents from \(origin)")
            } else {
                result.lose(name(entry.path), "no source has its contents")
            }
        }
    }

    /// Puts permissions or attributes of a file or directory right, in place: all names of a file have the same.
    private mutating func mendFacts(_ path: TreePath, _ kind: Problem.Kind) throws {
        guard let entry = entries[path] else { return }
        result.note(name(path), kind == .mode ? "permissions" : "extended attributes")
        guard !isDryRun else { return }
        if geteuid() != 0, kind == .attributes || entry.mode & 0o400 == 0 { try setMode(path, 0o700) }
        try finish(entry)
    }

    /// Gives a file or directory permissions with which its owner can read it; what is in it is seen the next time.
    private mutating func makeReadable(_ path: TreePath) throws {
        guard !isDryRun else { return result.note(name(path), "permissions") }
        try setMode(path, 0o755)
        // A file that has them is on a device that cannot read it.
        guard case .file = entries[path]?.kind else { return }
        try restore(path, removesFirst: false)
    }

    private func setMode(_ path: TreePath, _ mode: mode_t) throws {
        let result =
            path.bytes.isEmpty
            ? fchmod(top.number, mode) : path.bytes.withCString { fchmodat(top.number, $0, mode, 0) }
        guard result == 0 else { throw SystemError("set permissions of", name(path)) }
    }

    /// Gives permissions, attributes and times as they are listed.
    private func finish(_ entry: ListedEntry) throws {
        let file = try entry.path.bytes.isEmpty ? top : top.open(beneath: entry.path.bytes)
        let there = try file.attributes().filter(\.counts)
        if there != entry.attributes {
            // Only its owner's permission to write lets attributes be set.
            try file.setMode(UInt32(entry.mode) | 0o200)
            for attribute in there where !entry.attributes.contains(attribute) {
                try file.removeAttribute(attribute.name)
            }
            for attribute in entry.attributes { try file.setAttribute(attribute) }
        }
        try file.setMode(UInt32(entry.mode))
        try file.setTimes(StoreLayout.modificationTime)
    }

    private mutating func moveAside(_ path: TreePath) throws {
        guard let parent = path.parent else { return }
        try changing(parent) { directory in
            guard let status = try directory.status(of: path.name) else { return }
            if status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o200 == 0 {
                // To move a directory, its owner must be able to write to it.
                try directory.open(beneath: path.name, flags: O_RDONLY | O_DIRECTORY).setMode(0o755)
            }
            count += 1
            try directory.rename(path.name, to: area, as: "aside-\(count)")
        }
    }

    /// Changes a directory of the tree, which its owner may write to meanwhile.
    ///
    /// A crash leaves it writable: that is a problem that the next repair finds.
    private func changing(_ path: TreePath, _ body: (Descriptor) throws -> Void) throws {
        guard !isDryRun else { return }
        let isTop = path.bytes.isEmpty
        let directory =
            try isTop ? top : top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
        let mode = try directory.status().st_mode & 0o7777
        if mode & 0o200 == 0, geteuid() != 0 { try directory.setMode(UInt32(mode | 0o700)) }
        defer {
            // What cannot be put back is found by the look at what was mended.
            if mode & 0o200 == 0 { try? directory.setMode(UInt32(mode)) }
            try? directory.setTimes(StoreLayout.modificationTime)
        }
        try body(directory)
    }
}
