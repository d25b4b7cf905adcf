internal import ELF
public import Files
public import StoreLayout

/// A tree whose files work at their store path.
public struct RelocatedTree: Sendable {
    /// The tree: links rewritten, the loader's cache and the aliases added.
    ///
    /// Contents are in the staging area.
    public let tree: Tree

    /// Where it works.
    public let storePath: StorePath

    /// The aliases its files hold, sorted by name.
    public let aliases: [Alias]

    /// What was done and what was left.
    public let report: RelocationReport
}

/// An alias whose name another store path on this host has: the image is to be relocated with another salt.
public struct AliasTaken: Error {
    /// The alias.
    public let alias: Alias
}

/// Relocates an image's tree to a store path: a pure function of tree, store path and recipe.
///
/// Nothing in a file moves. A path that names something in the image is overwritten, at the same length, by an
/// alias: a short symbolic link in ``StoreLayout/aliasDirectory``. The image's own loader is kept and told to look
/// nowhere else. Scripts and formats without offsets get the full store path.
///
/// The stages, in order: ``survey()`` reads every ELF file's header, ``plan(_:at:)`` decides on every file, names are
/// given to the aliases, ``apply(_:)`` writes, and what changed gets its new digest. Files are mapped, not read, and ELF files' headers parsed once.
public struct Relocator {
    let tree: Tree
    var paths: ImagePaths
    let staging: Staging
    let storePath: StorePath
    let progress: any Progress

    /// What is said of programs.
    let hints: [Hint.Group]

    /// The image's own loader, by the place its file is at; nobody's where the host's is used.
    var loader: Loader?

    /// The image's libraries where the host's loader is used.
    var libraries = PrivateLibraries()

    /// ELF headers, by content.
    var facts: [ContentID: ELFFacts] = [:]

    /// ELF files that the survey has read and no plan was made for yet, by content.
    let opened = OpenedELFs()

    /// One file's decided changes.
    struct Plan {
        var edits: [Edit] = []
        /// The whole new RUNPATH, longer than what there was.
        var searchPath: Bytes?
        var file: RelocationReport.File
    }

    /// One change: a range of the file as it is now, and what goes there.
    struct Edit {
        let offset: Int
        let length: Int
        let replacement: Replacement
    }

    /// What goes into a file.
    enum Replacement {
        /// The path of an alias, then the rest of the range unchanged in length: `tail`.
        case alias(AliasNames.Request, tail: Bytes)
        /// `_/` and an alias's name, where a program puts `/usr/` before it.
        case relativeAlias(AliasNames.Request)
        /// Several aliases joined by colons.
        case aliasList([AliasNames.Request])
        /// Bytes known at once.
        case bytes(Bytes)
    }

    /// What progress is told of the hashing of files that changed, the last stage.
    public static let hashingTitle = "hashing what changed"

    /// Relocates a tree.
    ///
    /// - Parameters:
    ///   - tree: The tree as the image has it.
    ///   - sortedNodes: The tree's ``Tree/sortedNodes``, for who has them already.
    ///   - staging: Its contents; those that change are changed there.
    ///   - storePath: Where the files are to work.
    ///   - progress: Told of bytes looked at.
    ///   - hints: What is said of programs.
    ///   - isTaken: Whether an alias's name stands for another store path on this host.
    /// - Throws: ``AliasTaken`` before anything is written; `SystemError` when a staged file cannot be read or
    ///   written.
    public static func relocate(
        _ tree: Tree, sortedNodes: Tree.SortedNodes? = nil, staging: Staging,
        to storePath: StorePath,
        progress: any Progress, hints: [Hint] = Hint.builtIn, isTaken: (Alias) throws -> Bool
    ) throws -> RelocatedTree {
        var relocator = Relocator(
            tree: tree, paths: ImagePaths(sortedNodes ?? tree.sortedNodes),
            staging: staging, storePath: storePath, progress: progress, hints: hints.flatMap(\.groups))
        return try relocator.run(isTaken: isTaken)
    }

    private mutating func run(isTaken: (Alias) throws -> Bool) throws -> RelocatedTree {
        let files = paths.files
        try survey(files)
        if loader == nil { libraries = try findPrivateLibraries() }
        var report = RelocationReport()
        report.fileCount = files.count
        report.elfCount = facts.count
        report.loader = loader.map { "\($0.path)" }
        report.hostLibraries = hostLibraries()

        var plans = try makePlans(for: files)

        var result = tree
        plans += relocateLinks(in: &result).map { (ContentID(-1), $0) }
        let names = AliasNames.assign(requests(in: plans.map(\.plan)), storePath: storePath)
        let aliases = names.map { Alias(name: $0.value, target: $0.key.target) }.sorted { $0.name < $1.name }
        for alias in aliases where try isTaken(alias) { throw AliasTaken(alias: alias) }
        for index in plans.indices where plans[index].plan.changes {
            try apply(&plans[index].plan, to: plans[index].id, names: names)
        }
        progress.begin(Self.hashingTitle, total: staging.patchedSize)
        try staging.hashPatched()
        progress.end()

        if let loader {
            let cache = try makeCache(for: loader)
            if let file = cache.file {
                let content = try staging.make(file.bytes)
                result.insert(Tree.Node(kind: .file(content), mode: 0o644), at: file.path)
            }
            if loader.readsCache { report.cachedLibraries = cache.count }
            check(against: cache.names, files: files, plans: &plans)
        }
        for (request, name) in names.sorted(by: { $0.value < $1.value }) {
            let target = Array("../../".utf8) + request.target.bytes
            let node = Tree.Node(kind: .symlink(target: target), mode: 0o777)
            result.insert(node, at: StoreLayout.Tree.aliases.appending(name.utf8))
        }
        try addFiles(to: &result)
        report.files = plans.map(\.plan.file).filter { !$0.isEmpty }.sorted { $0.path < $1.path }
        return RelocatedTree(
            tree: result, storePath: storePath, aliases: aliases, report: report)
    }

    /// What is done with the files of which there is something to say, in their order.
    private func makePlans(for files: [ImagePaths.File]) throws -> [(
        id: ContentID, plan: Plan
    )] {
        let keeping = hints.filter { !$0.kept.isEmpty }
        let planning = Planning(self, progress)
        progress.begin("relocating", total: files.reduce(0) { $0 + staging[$1.id].size })
        defer { progress.end() }
        // Some at a time: most files need no look.
        let parts = stride(from: 0, to: files.count, by: 64).map { $0..<min($0 + 64, files.count) }
        try inParallel(parts) { part in
            var plans: [(ContentID, Plan)] = []
            var size = 0
            for file in files[part] {
                let plan = try planning.relocator.plan(
                    file.id, following: keeping, at: planning.relocator.paths.path(file.node))
                if plan.changes || !plan.file.isEmpty { plans.append((file.id, plan)) }
                size += planning.relocator.staging[file.id].size
            }
            planning.add(plans, of: part, size: size)
        }
        opened.close()
        return planning.plans
    }

    /// Plans that several threads make, each of other files: none of them changes anything else.
    private final class Planning: @unchecked Sendable {
        let relocator: Relocator
        private let progress: any Progress
        private let monitor = Monitor()
        private var found: [Int: [(ContentID, Plan)]] = [:]
        private var done = 0

        init(_ relocator: Relocator, _ progress: any Progress) {
            (self.relocator, self.progress) = (relocator, progress)
        }

        func add(_ plans: [(ContentID, Plan)], of part: Range<Int>, size: Int) {
            monitor.withLock {
                found[part.lowerBound] = plans
                done += size
                progress.advance(to: done)
            }
        }

        /// In the files' order.
        var plans: [(id: ContentID, plan: Plan)] {
            monitor.withLock { found.sorted { $0.key < $1.key }.flatMap(\.value) }
        }
    }

    private func requests(in plans: [Plan]) -> Set<AliasNames.Request> {
        var result: Set<AliasNames.Request> = []
        for edit in plans.lazy.flatMap(\.edits) {
            switch edit.replacement {
            case .alias(let request, _), .relativeAlias(let request): result.insert(request)
            case .aliasList(let requests): result.formUnion(requests)
            case .bytes: break
            }
        }
        return result
    }

    /// Writes one file's changes: in place where no length changes, else as a new file.
    private func apply(
        _ plan: inout Plan, to id: ContentID, names: [AliasNames.Request: String]
    ) throws {
        let path = { (request: AliasNames.Request) in
            Array((StoreLayout.aliasDirectory + "/" + (names[request] ?? "")).utf8)
        }
        let patches = plan.edits.map { edit in
            let bytes: Bytes =
                switch edit.replacement {
                case .alias(let request, let tail): path(request) + tail
                case .relativeAlias(let request): Array(("_/" + (names[request] ?? "")).utf8)
                case .aliasList(let requests):
                    Array(requests.map(path).joined(separator: [UInt8(ascii: ":")]))
                case .bytes(let bytes): bytes
                }
            return (offset: edit.offset, length: edit.length, bytes: bytes)
        }
        guard plan.searchPath != nil || patches.contains(where: { $0.length != $0.bytes.count }) else {
            try staging.patch(id, with: patches.map { ($0.offset, $0.bytes) })
            return
        }
        let file = try MappedFile(staging.open(id))
        var result: Bytes = []
        var position = 0
        for patch in patches.sorted(by: { $0.offset < $1.offset }) where patch.offset >= position {
            result.append(contentsOf: UnsafeRawBufferPointer(rebasing: file.bytes[position..<patch.offset]))
            result.append(contentsOf: patch.bytes)
            position = patch.offset + patch.length
        }
        result.append(contentsOf: UnsafeRawBufferPointer(rebasing: file.bytes[position...]))
        if let searchPath = plan.searchPath {
            do {
                result = try result.withUnsafeBytes { bytes in
                    var editor = try ELFEditor(parsing: bytes)
                    try editor.setSearchPath(searchPath)
                    return try editor.bytes()
                }
                plan.file.done[.searchPath] = 1
            } catch let error as ELFError {
                // As any damaged file: unchanged, and named.
                plan.file.done = [:]
                plan.leave("RUNPATH (\(error))", .damaged)
                return
            }
        }
        try staging.replace(id, with: result)
    }
}
