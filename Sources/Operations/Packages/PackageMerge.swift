internal import Files
internal import Images
internal import Store

/// Puts the files of several packages into one tree, as a package manager would: directories are shared, a file of two
/// packages has to be the same in both.
///
/// `/bin`, `/sbin` and `/lib…` become links into `/usr`, as in every distribution of today.
final class PackageMerge: TreeSink {
    // A class, because sinks are.

    private let builder: TreeBuilder
    private let packages: [PackageFile]
    private var current = 0
    /// Which package a file or link came from.
    private var owners: [TreePath: Int] = [:]
    /// Directories that a package listed.
    private var listed: Set<TreePath> = []
    /// Paths whose files go elsewhere, unless they are of the package that says so.
    private let diversions: [TreePath: (target: TreePath, package: Int)]
    /// Whether the bytes that come are those of a file that another package replaces.
    private var isSkipping = false
    /// The file that is being replaced by what has to be the same.
    private var compared: (path: TreePath, old: Tree.Node)?
    private var begun: TreePath?
    /// Every package's files, as absolute paths.
    private(set) var files: [[Bytes]]

    var hasher: MessageHasher? { builder.hasher }

    private static let merged: Set<Bytes> = Set(
        ["bin", "sbin", "lib", "lib32", "lib64", "libx32"].map { Array($0.utf8) })
    private static let usr: TreePath = "usr"

    /// - Parameters:
    ///   - packages: The packages, in the order in which they are read.
    ///   - scripts: What each one's scripts would do.
    init(_ builder: TreeBuilder, _ packages: [PackageFile], _ scripts: [MaintainerScripts]) {
        self.builder = builder
        self.packages = packages
        files = packages.map { _ in [] }
        var diversions: [TreePath: (target: TreePath, package: Int)] = [:]
        for (index, script) in scripts.enumerated() {
            for diversion in script.diversions {
                diversions[Self.mapped(diversion.path)] = (Self.mapped(diversion.target), index)
            }
        }
        self.diversions = diversions
    }

    /// The packages in the order in which they are read, whatever the order in which they were named: those that bring
    /// the links of the usr-merge first.
    static func order(_ packages: [PackageFile]) throws -> [PackageFile] {
        let rank = { (package: PackageFile) in
            ["base-files", "filesystem", "alpine-baselayout", "setup"].contains(package.facts.name) ? 0 : 1
        }
        let sorted = packages.sorted {
            (rank($0), $0.facts.name, $0.facts.architecture, $0.facts.version, $0.digest.hex)
                < (rank($1), $1.facts.name, $1.facts.architecture, $1.facts.version, $1.digest.hex)
        }
        var result: [PackageFile] = []
        for package in sorted {
            let facts = package.facts
            if let first = result.first?.facts, first.format != facts.format {
                throw PackageError.mixed(first: first.shown, second: facts.shown)
            }
            let same = result.filter {
                $0.facts.name == facts.name && $0.facts.architecture == facts.architecture
            }
            if same.contains(where: { $0.digest == package.digest }) { continue }
            if let other = same.first {
                throw PackageError.twice(
                    name: facts.name, versions: [other.facts.version, facts.version])
            }
            result.append(package)
        }
        return result
    }

    /// The entries that follow are of this package.
    func begin(_ package: PackageFile) {
        current = packages.firstIndex { $0 === package } ?? 0
    }

    /// After the last package: links of the usr-merge that programs name although no package has files there.
    func finish() throws {
        for name in Self.merged.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let top = TreePath.root.appending(name)
            if builder.tree[top] == nil, builder.tree.resolve(Self.usr.appending(name).bytes) != nil {
                try builder.symlink(top, target: Array("usr/".utf8) + name)
            }
        }
        try builder.finish()
    }

    /// A path as it is once `/bin` and the like lead into `/usr`, where no package says otherwise.
    static func mapped(_ path: TreePath) -> TreePath {
        guard let first = path.components.first, merged.contains(first) else { return path }
        return usr.appending(path: path)
    }

    // MARK: Places

    private var tree: Tree { builder.tree }

    private func isTopLink(_ path: TreePath) -> Bool {
        !path.bytes.contains(UInt8(ascii: "/")) && Self.merged.contains(path.bytes)
    }

    /// Makes the link of the usr-merge that a path begins with.
    private func makeTopLink(of path: TreePath) throws {
        let name = Bytes(path.bytes.prefix { $0 != UInt8(ascii: "/") })
        guard Self.merged.contains(name), tree[TreePath.root.appending(name)] == nil else { return }
        let target = Self.usr.appending(name)
        if tree.resolve(target.bytes) == nil { try builder.directory(target, mode: 0o755, attributes: []) }
        try builder.symlink(TreePath.root.appending(name), target: target.bytes)
    }

    /// Where an entry goes: links in its parents followed, and diverted where a package said so.
    private func place(_ path: TreePath) throws -> TreePath {
        try makeTopLink(of: path)
        var place = path
        if let parent = path.parent, tree[parent]?.kind != .directory {
            var directory = TreePath.root
            for component in parent.components {
                let next = directory.appending(component)
                guard case .symlink? = tree[next]?.kind, let target = tree.resolve(next.bytes) else {
                    directory = next
                    continue
                }
                directory = target
            }
            place = directory.appending(path.name)
        }
        if !diversions.isEmpty, let diversion = diversions[place], diversion.package != current {
            return diversion.target
        }
        return place
    }

    private func own(_ path: TreePath, isDirectory: Bool = false) {
        files[current].append([UInt8(ascii: "/")] + path.bytes)
        if !isDirectory { owners[path] = current }
    }

    /// What becomes of an entry where there is something already.
    private enum Decision { case insert, keep, compare }

    private func decide(_ place: TreePath, isFile: Bool) throws -> Decision {
        guard let old = tree[place] else { return .insert }
        guard let owner = owners[place] else {
            // A directory, or what another package's directories imply.
            throw conflict(place, with: nil)
        }
        guard owner != current else { return .insert }
        let (mine, theirs) = (packages[current].facts, packages[owner].facts)
        if mine.replaces.contains(theirs.name) { return .insert }
        if theirs.replaces.contains(mine.name) { return .keep }
        if isFile, case .file = old.kind { return .compare }
        throw conflict(place, with: owner)
    }

    private func conflict(_ path: TreePath, with owner: Int?) -> PackageError {
        let other =
            owner
            ?? files.indices.first { index in
                index != current && files[index].contains([UInt8(ascii: "/")] + path.bytes)
            }
        guard let other else { return .inside(path: "\(path)", file: packages[current].path) }
        return .conflict(
            path: "\(path)", first: packages[other].facts.shown, second: packages[current].facts.shown)
    }

    // MARK: Entries

    func directory(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) throws {
        guard !path.bytes.isEmpty else { return }
        if isTopLink(path) {
            try makeTopLink(of: path)
            return own(tree.resolve(path.bytes) ?? path, isDirectory: true)
        }
        let place = try place(path)
        switch tree[place]?.kind {
        case .directory where listed.contains(place): break
        case .directory, nil:
            try builder.directory(place, mode: mode, attributes: attributes)
            listed.insert(place)
        case .symlink:
            guard let target = tree.resolve(place.bytes), tree[target]?.kind == .directory else {
                throw conflict(place, with: owners[place])
            }
            return own(target, isDirectory: true)
        case .file: throw conflict(place, with: owners[place])
        }
        own(place, isDirectory: true)
    }

    func symlink(_ path: TreePath, target: Bytes) throws {
        if isTopLink(path) {
            if tree[path] == nil { try builder.symlink(path, target: target) }
            return
        }
        let place = try place(path)
        if let old = tree[place] {
            if old.kind == .symlink(target: target) { return own(place) }
            let isSame = tree.resolve(target, from: place.parent ?? .root) == place
            if case .directory = old.kind, isSame { return }
        }
        if try decide(place, isFile: false) == .insert {
            try builder.symlink(place, target: target)
            own(place)
        }
    }

    func hardLink(_ path: TreePath, to target: TreePath) throws {
        let place = try place(path)
        let source = try self.place(target)
        if let old = tree[place], case .file(let id) = old.kind, let new = tree[source],
            case .file(let other) = new.kind, old.mode == new.mode, try isSame(id, other)
        {
            return own(place)
        }
        if try decide(place, isFile: false) == .insert {
            try builder.hardLink(place, to: source)
            own(place)
        }
    }

    func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) throws {
        let place = try place(path)
        switch try decide(place, isFile: true) {
        case .keep:
            isSkipping = true
            return
        case .compare: compared = tree[place].map { (place, $0) }
        case .insert: break
        }
        begun = place
        try builder.beginFile(place, mode: mode, attributes: attributes, size: size)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        if !isSkipping { try builder.append(bytes) }
    }

    func appendHole(_ count: Int) throws {
        if !isSkipping { try builder.appendHole(count) }
    }

    func endFile() throws {
        guard !isSkipping else {
            isSkipping = false
            return
        }
        try builder.endFile()
        guard let place = begun else { return }
        begun = nil
        if let (_, old) = compared {
            compared = nil
            guard case .file(let oldID) = old.kind, let new = tree[place], case .file(let newID) = new.kind,
                new.mode == old.mode, try isSame(oldID, newID)
            else { throw conflict(place, with: owners[place]) }
        }
        own(place)
    }

    func remove(_ path: TreePath) throws { try builder.remove(path) }

    func removeChildren(of path: TreePath) throws { try builder.removeChildren(of: path) }

    func omit(_ omission: Omission, at path: TreePath) { builder.omit(omission, at: path) }

    /// Whether two files have the same contents.
    private func isSame(_ left: ContentID, _ right: ContentID) throws -> Bool {
        try builder.finish()
        return builder.staging[left].digest == builder.staging[right].digest
    }
}
