internal import ELF
internal import Files
internal import StoreLayout

/// What the survey keeps of an ELF file.
struct ELFFacts {
    let path: TreePath
    let machine: Machine
    let is64Bit: Bool
    let interpreter: Bytes?
    let needed: [Bytes]
    let soname: Bytes?
    /// Directories of DT_RUNPATH or DT_RPATH as the image has them.
    let searchPath: [Bytes]
    let isShared: Bool

    /// Whether its headers name something, even if none of it looks like a path of an image.
    var namesPaths: Bool { interpreter != nil || !searchPath.isEmpty }
}

/// ELF files whose headers the survey has read, until a plan is made for them.
final class OpenedELFs: @unchecked Sendable {
    // A class: plans are made by copies of the relocator, on several threads, and must not copy the table. It is guarded
    // by the monitor.

    /// A file's bytes, and the headers, which refer to them.
    typealias Opened = (file: MappedFile, elf: ELFFile)

    /// Files that are kept: a process may have 65,530 mappings (vm.max_map_count).
    private static let most = 8192

    private let monitor = Monitor()
    private var files: [ContentID: Opened] = [:]

    subscript(id: ContentID) -> Opened? { monitor.withLock { files[id] } }

    /// Keeps a file, if there is room.
    func add(_ file: MappedFile, _ elf: ELFFile, as id: ContentID) {
        monitor.withLock {
            if files.count < Self.most { files[id] = (file, elf) }
        }
    }

    /// Lets go of all: at once, and not while other threads run, which each have to forget what is unmapped.
    func close() { monitor.withLock { files = [:] } }
}

/// The image's own dynamic loader.
struct Loader {
    /// Its file.
    let path: TreePath
    let content: ContentID
    let machine: Machine
    let is64Bit: Bool
    /// Directories it was built to search.
    var directories: [Bytes]
    /// Whether it reads a cache: glibc's does, musl's does not.
    let readsCache: Bool
    /// The image's file with the directories to search, which musl's loader reads if there is one.
    let pathFile: TreePath?
}

/// The path of the cache as glibc's loader and ldconfig have it.
private let loaderCachePath = Array("/etc/ld.so.cache".utf8)

extension EmbeddedString {
    /// Where its bytes are in the file, without the NUL.
    var range: Range<Int> { offset..<(offset + bytes.count) }
}

extension LoaderStrings.Site {
    /// Where its bytes are in the file, without the NUL.
    var range: Range<Int> { offset..<(offset + length) }
}

extension DynamicInfo {
    /// DT_RPATH and DT_RUNPATH.
    var searchPaths: [EmbeddedString] { [rpath, runpath].compactMap { $0 } }
}

extension Relocator {
    /// Reads the headers of all ELF files, and finds the image's loader: the file that most programs name.
    mutating func survey(_ files: [ImagePaths.File]) throws {
        let candidates = files.filter {
            staging[$0.id].isStaged && staging[$0.id].head.starts(with: ELFFile.magic)
        }
        let survey = Survey(self)
        let parts = stride(from: 0, to: candidates.count, by: 32).map {
            candidates[$0..<min($0 + 32, candidates.count)]
        }
        try inParallel(parts) { try survey.read($0) }
        facts = survey.facts
        var votes: [ImagePaths.Node: Int] = [:]
        for interpreter in facts.values.lazy.compactMap(\.interpreter) {
            guard let node = paths.find(interpreter).flatMap(paths.followed) else { continue }
            votes[node, default: 0] += 1
        }
        // The most votes; between equals the first in order of path, so that the choice is the tree's alone.
        let winner = votes.max { left, right in
            left.value == right.value ? left.key > right.key : left.value < right.value
        }
        guard let winner, case .file(let id) = tree[paths.path(winner.key)]?.kind, let facts = facts[id]
        else {
            return
        }
        let mapped = try MappedFile(staging.open(id))
        // The survey has parsed it once.
        let strings = (try? ELFFile(parsing: mapped.bytes)).flatMap { LoaderStrings($0) }?.sites ?? []
        loader = Loader(
            path: paths.path(winner.key), content: id, machine: facts.machine, is64Bit: facts.is64Bit,
            directories: strings.filter { $0.kind == .systemDirectory }.map(\.bytes),
            readsCache: strings.contains { $0.kind == .cache },
            pathFile: strings.first { $0.kind == .pathFile }.flatMap { pathFile($0.bytes) })
    }

    /// What several threads read of ELF files, each of other ones.
    private final class Survey: @unchecked Sendable {
        private let relocator: Relocator
        private let monitor = Monitor()
        private var found: [ContentID: ELFFacts] = [:]

        init(_ relocator: Relocator) { self.relocator = relocator }

        var facts: [ContentID: ELFFacts] { monitor.withLock { found } }

        func read(_ files: ArraySlice<ImagePaths.File>) throws {
            for file in files {
                let mapped = try MappedFile(relocator.staging.open(file.id))
                // A damaged file is left as it is; the plan says so.
                guard let elf = try? ELFFile(parsing: mapped.bytes), (try? elf.checkLayout()) != nil else {
                    continue
                }
                relocator.opened.add(mapped, elf, as: file.id)
                let dynamic = elf.dynamic
                let facts = ELFFacts(
                    path: relocator.paths.path(file.node), machine: elf.machine, is64Bit: elf.is64Bit,
                    interpreter: elf.interpreter?.bytes, needed: dynamic?.needed.map(\.bytes) ?? [],
                    soname: dynamic?.soname?.bytes,
                    searchPath: (dynamic?.searchPaths ?? []).flatMap {
                        $0.bytes.split(separator: UInt8(ascii: ":")).map(Array.init)
                    },
                    isShared: elf.type == .dynamic && dynamic != nil)
                monitor.withLock { found[file.id] = facts }
            }
        }
    }

    /// The file that musl's format for its path file stands for in the image.
    private func pathFile(_ format: Bytes) -> TreePath? {
        guard let slash = format.firstIndex(of: UInt8(ascii: "/")),
            let place = tree.resolve(format[slash...]), case .file = tree[place]?.kind
        else { return nil }
        return place
    }

    /// Decides on an ELF file: interpreter, search path, the loader's own strings, and paths in its data.
    func planELF(
        _ bytes: UnsafeRawBufferPointer, offsets: [UInt32], id: ContentID, path: TreePath,
        into plan: inout Plan
    ) {
        let elf: ELFFile
        do {
            if let opened = opened[id] {
                elf = opened.elf
            } else {
                elf = try ELFFile(parsing: bytes)
                try elf.checkLayout()
            }
        } catch {
            // Without the hint, which is for who runs a command on the file.
            plan.leave("(\("\(error)".prefix { $0 != "\n" }))", .damaged)
            return
        }
        guard elf.type == .executable || elf.type == .dynamic else { return }
        planInterpreter(elf, bytes, into: &plan)
        plan.searchPath = facts[id].flatMap { privateSearchPath(of: elf, facts: $0) }
        if plan.searchPath == nil { planSearchPath(elf, bytes, into: &plan) }

        var own: [Range<Int>] = []
        if id == loader?.content {
            for string in LoaderStrings(elf)?.sites ?? [] {
                plan.edits += edit(for: string, in: bytes, plan: &plan)
                own.append(string.range)
            }
        }
        let hasBlobs = !offsets.isEmpty && elf.hasStringBlobs
        let candidates = candidates(
            in: elf, bytes, offsets: offsets, except: own, hasBlobs: hasBlobs, into: &plan)
        let hints = relativeCandidates(in: elf, bytes, path: path)
        decide(candidates, hints: hints, elf: elf, bytes: bytes, hasBlobs: hasBlobs, into: &plan)
    }

    private func planInterpreter(_ elf: ELFFile, _ bytes: UnsafeRawBufferPointer, into plan: inout Plan) {
        guard let interpreter = elf.interpreter else { return }
        let text = bytes[interpreter.range]
        // Without a loader in the image, the host's stays.
        guard loader != nil else { return }
        guard let node = paths.find(Array(text)), paths.followed(node) != nil else {
            plan.file.findings[.interpreter, default: []].append(text.displayed)
            return
        }
        guard interpreter.range.count >= shortestAlias else {
            plan.leave(text.displayed, .shortInterpreter)
            return
        }
        plan.alias(interpreter.range, to: paths.path(node), as: .interpreter)
    }

    /// RUNPATH and RPATH entries that the image has.
    private func planSearchPath(_ elf: ELFFile, _ bytes: UnsafeRawBufferPointer, into plan: inout Plan) {
        for string in elf.dynamic?.searchPaths ?? [] {
            var start = string.range.lowerBound
            let names = elf.dynamicNameOffsets(in: string.range)
            for entry in bytes[string.range].split(
                separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            {
                defer { start += entry.count + 1 }
                guard entry.first == UInt8(ascii: "/"),
                    case .image(let site) = PathSite.measure(
                        bytes, at: start, limit: start + entry.count, in: paths)
                else { continue }
                let shared = firstElement(of: names, in: (start + 1)..<site.known.upperBound)
                if let prefix = site.aliasedPrefix(latestEnd: shared ?? .max) {
                    plan.alias(start..<prefix.end, to: paths.path(prefix.node))
                } else {
                    plan.leave(bytes[site.known].displayed, shared == nil ? .tooShort : .interior)
                }
            }
        }
    }

    /// Paths in allocated data that could become aliases, ascending and apart; others are noted.
    private func candidates(
        in elf: ELFFile, _ bytes: UnsafeRawBufferPointer, offsets: [UInt32], except own: [Range<Int>],
        hasBlobs: Bool, into plan: inout Plan
    ) -> [PathSite] {
        var result: [PathSite] = []
        var position = 0
        let anyMayPrecede = hasBlobs
        var own = own.sorted { $0.lowerBound < $1.lowerBound }[...]
        for offset in offsets.lazy.map(Int.init) where offset >= position {
            while let first = own.first, first.upperBound <= offset { own.removeFirst() }
            let region = elf.region(atFileOffset: offset)
            guard region == .data || region == .code, own.first?.contains(offset) != true,
                anyMayPrecede || PathBorders.canBegin(bytes, at: offset)
            else { continue }
            if region == .data, let cache = cacheSite(bytes, at: offset) {
                result.append(cache)
                position = cache.end
                continue
            }
            guard case .image(let site) = PathSite.measure(bytes, at: offset, limit: bytes.count, in: paths)
            else {
                continue
            }
            position = site.end
            if region == .data {
                result.append(site)
            } else if site.saysEnough {
                plan.leave(bytes[site.known].displayed, .code)
            }
        }
        return result
    }

    /// The loader cache's path in a program such as ldconfig: the image's, which is generated and in no listing.
    private func cacheSite(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> PathSite? {
        let end = offset + loaderCachePath.count
        guard loader?.readsCache == true, end < bytes.count, bytes[end] == 0,
            UnsafeRawBufferPointer(rebasing: bytes[offset..<end]).elementsEqual(loaderCachePath)
        else { return nil }
        return PathSite(
            known: offset..<end, end: end, isComplete: true, node: Self.cacheNode,
            prefixes: [(end, Self.cacheNode)])
    }

    /// Stands for the generated cache, which is no place of the image.
    private static let cacheNode: ImagePaths.Node = -2

    private func target(_ node: ImagePaths.Node) -> TreePath {
        node == Self.cacheNode ? StoreLayout.Tree.loaderCache : paths.path(node)
    }

    /// Chooses a prefix for each candidate that no reference into a merged string's tail forbids.
    ///
    /// Linkers store "locale" as the tail of "/usr/share/locale": whoever refers to the tail must find it unchanged.
    private func decide(
        _ candidates: [PathSite], hints: [RelativeSite], elf: ELFFile, bytes: UnsafeRawBufferPointer,
        hasBlobs: Bool, into plan: inout Plan
    ) {
        let intervals = (candidates.map(\.known) + hints.map(\.range)).compactMap { range -> Range<UInt64>? in
            guard let address = elf.address(ofFileOffset: range.lowerBound) else { return nil }
            return address..<(address + UInt64(range.count))
        }
        guard !intervals.isEmpty else { return }
        let tails = Tails(elf, intervals)
        for site in candidates {
            guard tails.isComplete else {
                plan.leave(bytes[site.known].displayed, .architecture)
                continue
            }
            let inside = tails.first(in: site.known)
            if let prefix = site.aliasedPrefix(
                latestEnd: inside ?? .max, followedBySlashIn: hasBlobs ? bytes : nil)
            {
                plan.alias(site.known.lowerBound..<prefix.end, to: target(prefix.node))
            } else if !hasBlobs, let inside, let prefix = site.prefixKeeping(inside, in: bytes) {
                let range = site.known.lowerBound..<prefix.end
                plan.alias(range, to: target(prefix.node), ending: Array(bytes[inside..<prefix.end]))
            } else if site.saysEnough {
                plan.leave(bytes[site.known].displayed, inside == nil ? .tooShort : .interior)
            }
        }
        for hint in hints where tails.isComplete && tails.first(in: hint.range) == nil {
            let prefix = "/usr/".utf8.count
            let request = AliasNames.Request(length: hint.range.count + prefix, target: hint.target)
            plan.edits.append(
                Edit(
                    offset: hint.range.lowerBound, length: hint.range.count,
                    replacement: .relativeAlias(request)))
            plan.file.done[.aliased, default: 0] += 1
        }
    }

    /// What one of the loader's built-in strings becomes.
    private func edit(
        for string: LoaderStrings.Site, in bytes: UnsafeRawBufferPointer, plan: inout Plan
    ) -> [Edit] {
        plan.file.done[.loader, default: 0] += 1
        let range = string.range
        let replacement: Replacement
        switch string.kind {
        case .cache:
            replacement = .alias(
                AliasNames.Request(length: range.count, target: StoreLayout.Tree.loaderCache), tail: [])
        case .systemDirectory:
            let slash: Bytes = [UInt8(ascii: "/")]
            let directory = bytes[range].dropLast()
            if directory.count >= shortestAlias, let node = paths.find(Array(directory)) {
                replacement = .alias(
                    AliasNames.Request(length: range.count - 1, target: paths.path(node)), tail: slash)
            } else {
                replacement = .bytes(Self.impossiblePath(length: range.count))
            }
        case .preload: replacement = .bytes(Self.impossiblePath(length: range.count))
        case .pathFile:
            // A format that begins with the loader's own prefix, which an alias would make "/usr": a plain path.
            if let file = loader?.pathFile {
                replacement = .alias(AliasNames.Request(length: range.count, target: file), tail: [])
            } else {
                replacement = .bytes(Self.impossiblePath(length: range.count))
            }
        case .defaultPath:
            replacement = muslPath(length: range.count)
        }
        return [Edit(offset: range.lowerBound, length: range.count, replacement: replacement)]
    }

    /// musl's built-in path: aliases of the image's library directories, as many as there is room for.
    private func muslPath(length: Int) -> Replacement {
        let directories = ["usr/lib", "lib"].compactMap { paths.find("/\($0)".utf8).flatMap(paths.followed) }
        var unique: [ImagePaths.Node] = []
        for node in directories where !unique.contains(node) { unique.append(node) }
        let count = min(unique.count, (length + 1) / (shortestAlias + 1))
        guard count > 0 else { return .bytes(Self.impossiblePath(length: length)) }
        let total = length - (count - 1)
        return .aliasList(
            unique.prefix(count).enumerated().map { index, node in
                let share = total / count + (index < total % count ? 1 : 0)
                return AliasNames.Request(length: share, target: paths.path(node))
            })
    }

    /// A path that nothing can be at: below a name in the alias directory that no alias has, or, where there is no
    /// room for that, of control characters.
    private static func impossiblePath(length: Int) -> Bytes {
        let prefix = Array((StoreLayout.aliasDirectory + "/").utf8)
        let filler = length - prefix.count - 1
        guard filler >= 1 else {
            return [UInt8(ascii: "/")] + Bytes(repeating: 1, count: max(0, length - 2))
                + (length >= 2 ? [UInt8(ascii: "/")] : [])
        }
        return prefix + Bytes(repeating: UInt8(ascii: "-"), count: filler) + [UInt8(ascii: "/")]
    }
}

/// Strings that begin inside other strings of a file, told by the references to them.
private struct Tails {
    private let elf: ELFFile
    private let references: References

    /// Whether all references are known.
    var isComplete: Bool { references.isComplete }

    init(_ elf: ELFFile, _ intervals: [Range<UInt64>]) {
        self.elf = elf
        references = elf.references(into: intervals)
    }

    /// The file offset of the first string that begins inside a range of the file, past its first byte.
    ///
    /// Loads inside count only where nothing loads the range's first byte: compilers copy a long string in pieces,
    /// and whoever loads its beginning reads all of it.
    func first(in range: Range<Int>) -> Int? {
        guard let start = elf.address(ofFileOffset: range.lowerBound) else { return nil }
        let inside = (start + 1)..<(start + UInt64(range.count))
        var found = firstElement(of: references.addresses, in: inside)
        if firstElement(of: references.loads, in: start..<(start + 1)) == nil,
            let load = firstElement(of: references.loads, in: inside)
        {
            found = min(found ?? load, load)
        }
        return found.map { range.lowerBound + Int($0 - start) }
    }
}

/// The first element of an ascending list that is in a range.
private func firstElement<T>(of sorted: [T], in range: Range<T>) -> T? {
    var low = 0
    var high = sorted.count
    while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] < range.upperBound ? sorted[low] : nil
}
