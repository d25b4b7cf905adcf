internal import ELF
internal import Files
internal import StoreLayout

/// What the loader looks libraries up in, made for this image.
struct GeneratedCache {
    /// glibc's cache or musl's list of directories; nil if musl's loader has the directories built in.
    let file: (path: TreePath, bytes: Bytes)?
    let names: Set<Bytes>
    var count: Int { names.count }
}

extension Relocator {
    /// Levels that `include` lines of ld.so.conf may nest.
    static let includeDepth = 8

    /// Where musl's loader looks, of which the aliases in it lead to those that the image has.
    private static let muslDirectories = ["/lib", "/usr/lib"]

    /// Libraries that musl's loader is itself, whatever file has their names.
    ///
    /// Source: `reserved` in `ldso/dynlink.c`, musl 1.2.
    private static let muslReserved = ["c", "pthread", "rt", "m", "dl", "util", "xnet"].map {
        Array("lib\($0).".utf8)
    }

    /// The cache of the image's libraries, as its ldconfig would make it, with paths in the store.
    ///
    /// One cache lookup per library costs what it costs on the image's own system; one directory per library on
    /// RUNPATH costs a failed open each.
    func makeCache(for loader: Loader) throws -> GeneratedCache {
        guard loader.readsCache else {
            let listed = try loader.pathFile.map(directories(listedIn:))
            let directories = listed ?? Self.muslDirectories.map { Array($0.utf8) }
            let names = Set(libraries(in: directories, loader: loader).map(\.soname))
            guard let file = loader.pathFile else { return GeneratedCache(file: nil, names: names) }
            let lines = directories.compactMap { tree.resolve($0) }.map { storePath.path(of: $0) }
            return GeneratedCache(
                file: (file, Bytes(lines.joined(separator: [UInt8(ascii: "\n")]))), names: names)
        }
        let configured = try configuredDirectories("/etc/ld.so.conf")
        let entries = libraries(
            in: configured + loader.directories + ["/lib", "/usr/lib"].map { Array($0.utf8) },
            loader: loader)
        let cache = try LoaderCache.render(entries, machine: loader.machine, is64Bit: loader.is64Bit)
        return GeneratedCache(
            file: (StoreLayout.Tree.loaderCache, cache),
            names: Set(entries.filter { $0.capability == nil }.map(\.soname)))
    }

    /// Directories that musl's path file names, of which those outside the image are dropped.
    private func directories(listedIn file: TreePath) throws -> [Bytes] {
        guard case .file(let id) = tree[file]?.kind else { return [] }
        let separators = [UInt8(ascii: "\n"), UInt8(ascii: ":")]
        return try staging.open(id).readAll().split { separators.contains($0) }.map(Array.init).filter {
            $0.first == UInt8(ascii: "/") && tree.resolve($0) != nil
        }
    }

    private func libraries(in directories: [Bytes], loader: Loader) -> [LoaderCache.Entry] {
        var entries: [LoaderCache.Entry] = []
        var seen: Set<TreePath> = []
        for directory in directories {
            guard let place = tree.resolve(directory), seen.insert(place).inserted else { continue }
            entries += libraries(at: place, loader: loader, capability: nil)
            let levels = place.appending(Array("glibc-hwcaps".utf8))
            guard loader.readsCache, tree[levels]?.kind == .directory else { continue }
            for level in tree.names(in: levels) where tree[levels.appending(level)]?.kind == .directory {
                entries += libraries(at: levels.appending(level), loader: loader, capability: level)
            }
        }
        return entries
    }

    /// The libraries of one directory, which are for processors of a level, or for all.
    private func libraries(at place: TreePath, loader: Loader, capability: Bytes?) -> [LoaderCache.Entry] {
        var entries: [LoaderCache.Entry] = []
        for name in tree.names(in: place) where Self.isLibraryName(name) {
            let path = place.appending(name)
            guard let file = tree.resolve(path.bytes), case .file(let id) = tree[file]?.kind,
                let facts = facts[id], facts.isShared, facts.machine == loader.machine,
                facts.is64Bit == loader.is64Bit
            else { continue }
            let target = storePath.path(of: path)
            entries.append(LoaderCache.Entry(soname: name, path: target, capability: capability))
            // The name programs ask for comes from the file; the link of that name may be missing.
            if let soname = facts.soname, soname != name, tree[place.appending(soname)] == nil {
                entries.append(LoaderCache.Entry(soname: soname, path: target, capability: capability))
            }
        }
        return entries
    }

    /// `lib*.so*` and `ld-*.so*`, the names that ldconfig(8) looks at.
    private static func isLibraryName(_ name: Bytes) -> Bool {
        guard
            name.hasPrefix("lib") || name.hasPrefix("ld-") || name.hasPrefix("ld.") || name.hasPrefix("ld64.")
        else {
            return false
        }
        return name.withUnsafeBytes { $0.firstOffset(of: Array(".so".utf8)) != nil }
    }

    /// Directories that an ld.so.conf names, with what it includes.
    func configuredDirectories(_ path: String, depth: Int = includeDepth) throws -> [Bytes] {
        guard depth > 0, let place = tree.resolve(path.utf8), case .file(let id) = tree[place]?.kind
        else { return [] }
        var result: [Bytes] = []
        for line in try staging.open(id).readAll().split(separator: UInt8(ascii: "\n")) {
            let text = line.prefix { $0 != UInt8(ascii: "#") }
            let words = text.split { $0 <= 0x20 || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ",") }
            guard let first = words.first else { continue }
            if first.elementsEqual("include".utf8) {
                for pattern in words.dropFirst() {
                    for match in matches(of: Array(pattern)) {
                        result += try configuredDirectories("/\(match)", depth: depth - 1)
                    }
                }
            } else if !first.elementsEqual("hwcap".utf8) {
                result += words.filter { $0.first == UInt8(ascii: "/") }.map(Array.init)
            }
        }
        return result
    }

    /// Files whose last component matches a pattern with one `*`, sorted.
    private func matches(of pattern: Bytes) -> [TreePath] {
        let slash = pattern.lastIndex(of: UInt8(ascii: "/")) ?? 0
        let name = Array(pattern[min(slash + 1, pattern.count)...])
        guard let directory = tree.resolve(pattern[..<slash]) else { return [] }
        guard let star = name.firstIndex(of: UInt8(ascii: "*")) else { return [directory.appending(name)] }
        let (head, tail) = (name[..<star], name[(star + 1)...])
        return tree.names(in: directory)
            .filter {
                $0.count >= head.count + tail.count && $0.starts(with: head) && $0.suffix(tail.count) == tail
            }
            .map(directory.appending)
    }

    /// Notes needed libraries that the relocated programs will not find.
    func check(
        against names: Set<Bytes>, files: [ImagePaths.File],
        plans: inout [(id: ContentID, plan: Plan)]
    ) {
        var indexes: [ContentID: Int] = [:]
        for (index, entry) in plans.enumerated() { indexes[entry.id] = index }
        // A library without RUNPATH is found by that of whoever loads it. By name, since files and directories may
        // both be very many.
        let searched = Set(
            Set(facts.values.flatMap { facts in directories(of: facts) }).flatMap { directory in
                tree.names(in: directory).filter { tree.resolve(directory.appending($0).bytes) != nil }
            })
        for file in files {
            guard let facts = facts[file.id], facts.machine == loader?.machine else { continue }
            let path = paths.path(file.node)
            let own = path.parent ?? .root
            let missing = facts.needed.filter { name in
                if name.contains(UInt8(ascii: "/")) { return tree.resolve(name) == nil }
                if loader?.readsCache == false, Self.muslReserved.contains(where: name.starts(with:)) {
                    return false
                }
                return !names.contains(name) && !searched.contains(name)
                    && tree.resolve(own.appending(name).bytes) == nil
            }
            guard !missing.isEmpty else { continue }
            let texts = missing.map(\.displayed)
            if let index = indexes[file.id] {
                plans[index].plan.file.findings[.library, default: []] += texts
            } else {
                var plan = Plan(file: RelocationReport.File(path: path.description))
                plan.file.findings[.library] = texts
                plans.append((file.id, plan))
            }
        }
    }

    /// Directories of a file's RUNPATH that are in the image.
    func directories(of facts: ELFFacts) -> [TreePath] {
        facts.searchPath.compactMap { entry in
            let origin = Array((facts.path.parent ?? .root).bytes)
            let text = String(decoding: entry, as: UTF8.self)
            for name in ["$ORIGIN", "${ORIGIN}"] where text.hasPrefix(name) {
                return tree.resolve([UInt8(ascii: "/")] + origin + Array(text.dropFirst(name.count).utf8))
            }
            return tree.resolve(entry)
        }
    }
}
