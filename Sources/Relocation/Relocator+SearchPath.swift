internal import ELF
internal import Files
internal import StoreLayout

/// Where the libraries of an image are that leaves the loader and the C library to the host.
struct PrivateLibraries {
    /// What tells files apart that cannot be loaded together.
    private struct Kind: Hashable {
        let machine: Machine
        let is64Bit: Bool
    }

    private var places: [Kind: [Bytes: TreePath]] = [:]
    private var directories: [Kind: [TreePath]] = [:]

    /// Adds a library, unless one of that name is known: the first directory has it.
    mutating func add(_ name: Bytes, in directory: TreePath, facts: ELFFacts) {
        let kind = Kind(machine: facts.machine, is64Bit: facts.is64Bit)
        guard places[kind, default: [:]][name] == nil else { return }
        places[kind, default: [:]][name] = directory
        if directories[kind, default: []].last != directory {
            directories[kind, default: []].append(directory)
        }
    }

    /// The directory that has a library for a file.
    func directory(of name: Bytes, for facts: ELFFacts) -> TreePath? {
        places[Kind(machine: facts.machine, is64Bit: facts.is64Bit)]?[name]
    }

    /// Every directory with libraries for a file.
    func directories(for facts: ELFFacts) -> [TreePath] {
        directories[Kind(machine: facts.machine, is64Bit: facts.is64Bit)] ?? []
    }
}

extension Relocator {
    /// Directories that loaders search on one distribution or another, if they have a library.
    private var commonLibraryDirectories: [TreePath] {
        let names = ["/usr/lib64", "/usr/lib", "/usr/lib32", "/usr/local/lib64", "/usr/local/lib"]
        let triplets = tree.resolve("/usr/lib".utf8).map { directory in
            tree.names(in: directory).filter { name in
                name.withUnsafeBytes { $0.firstOffset(of: Array("-linux-".utf8)) != nil }
            }.map { directory.appending($0) }
        }
        return (triplets ?? []) + names.compactMap { tree.resolve($0.utf8) }
    }

    /// The libraries of an image without a loader.
    func findPrivateLibraries() throws -> PrivateLibraries {
        var result = PrivateLibraries()
        var seen: Set<TreePath> = []
        let configured = try configuredDirectories("/etc/ld.so.conf").compactMap { tree.resolve($0) }
        for directory in configured + commonLibraryDirectories where seen.insert(directory).inserted {
            for name in tree.names(in: directory) {
                guard let file = tree.resolve(directory.appending(name).bytes),
                    case .file(let id) = tree[file]?.kind, let facts = facts[id], facts.isShared
                else { continue }
                result.add(name, in: directory, facts: facts)
            }
        }
        return result
    }

    /// The search path with which a file of an image without a loader finds the image's libraries; `nil` where it
    /// needs none that it would not find.
    ///
    /// A search path serves a file's own needs only, so every file gets its own. Who opens libraries by name when it
    /// runs gets all directories.
    func privateSearchPath(of elf: ELFFile, facts: ELFFacts) -> Bytes? {
        guard loader == nil, elf.dynamic != nil else { return nil }
        let own = Set(directories(of: facts))
        var wanted: [TreePath] = []
        for name in facts.needed where !own.contains(where: { tree[$0.appending(name)] != nil }) {
            guard let directory = libraries.directory(of: name, for: facts) else { continue }
            if !wanted.contains(directory) { wanted.append(directory) }
        }
        if elf.takesSymbol("dlopen") {
            wanted += libraries.directories(for: facts).filter { !wanted.contains($0) && !own.contains($0) }
        }
        guard !wanted.isEmpty else { return nil }
        let old = facts.searchPath.map { entry -> Bytes in
            guard entry.first == UInt8(ascii: "/"), !PathRules.isHostTarget(entry), tree.resolve(entry) != nil
            else { return entry }
            return Array(storePath.path.utf8) + entry
        }
        return Array((old + wanted.map(storePath.path(of:))).joined(separator: [UInt8(ascii: ":")]))
    }

    /// Libraries that the files of an image without a loader expect of the host, sorted.
    func hostLibraries() -> [String] {
        guard loader == nil else { return [] }
        var result: Set<String> = []
        for facts in facts.values {
            let own = directories(of: facts)
            for name in facts.needed
            where libraries.directory(of: name, for: facts) == nil
                && !own.contains(where: { tree[$0.appending(name)] != nil })
            {
                result.insert(name.displayed)
            }
        }
        return result.sorted()
    }
}
