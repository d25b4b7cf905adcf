internal import Files
internal import StoreLayout

/// The links of a generation, checked for collisions before anything is made.
struct GenerationPlan {
    /// Directories to be made, parents first; the first two are `bin` and `share`.
    private(set) var directories = [commands, data]
    /// Links, grouped by directory as in ``directories``.
    private(set) var links: [TreePath: [Link]] = [:]
    /// Paths of what is no link of a package, grouped by directory.
    private(set) var files: [TreePath: [TreePath]] = [:]
    /// Commands that need a launcher, by package.
    private(set) var launchers: [(package: GenerationPackage, commands: [String])] = []

    /// A link of the generation.
    struct Link {
        /// Its name in its directory.
        let name: String
        /// The index of the package that shows it.
        let package: Int
        /// Whether an earlier generation may have another link in its place.
        let isContested: Bool
        fileprivate let kind: Kind

        fileprivate enum Kind {
            /// A command that a launcher starts.
            case launcher
            /// A command that is this path of the package.
            case program(Bytes)
            /// A path of the package, seen from a path of the generation with so many components.
            case path(Bytes, depth: Int)
        }
    }

    /// Where a link leads.
    ///
    /// Not kept with each: most links of a generation are its parent's.
    func target(of link: Link) -> Bytes {
        let base = packages[link.package]
        switch link.kind {
        case .launcher:
            return Array("../../../../\(StoreLayout.Name.shims)/\(base)/\(link.name)".utf8)
        case .program(let path): return Array("\(StoreLayout.storeDirectory)/\(base)/".utf8) + path
        case .path(let path, let depth):
            // Relative, so that programs of the host find it also where /usr/store is not this root's store.
            let climb = String(repeating: "../", count: depth - 1 + Self.depth)
            return Array("\(climb)\(StoreLayout.Name.store)/\(base)/".utf8) + path
        }
    }

    /// Base names of the packages.
    private let packages: [String]

    /// The same as ``directories``, to look up.
    private var made: Set<TreePath> = [commands, data]

    /// The directory of commands.
    static let commands = TreePath.root.appending(StoreLayout.Name.commands.utf8)
    /// The directory of data.
    static let data = TreePath.root.appending(StoreLayout.Name.data.utf8)

    /// Whether all links at a path, or below it, follow from a generation's packages: a stub has none of them.
    static func isDerived(_ path: TreePath) -> Bool { path.isWithin(commands) || path.isWithin(data) }

    /// Directories from a generation up to the root of the store.
    private static let depth = 3

    /// Who shows a path.
    private struct Claim {
        let package: Int
        let kind: Link.Kind
    }

    /// Who shows which path.
    private struct Claims {
        var owners: [TreePath: Claim] = [:]
        /// All paths that somebody claimed, in that order, which is nearly theirs: it takes no time to sort them.
        var paths: [TreePath] = []

        init(room count: Int) {
            owners.reserveCapacity(count)
            paths.reserveCapacity(count)
        }
    }

    /// Plans a generation of packages that are all different.
    ///
    /// - Parameters:
    ///   - packages: The packages.
    ///   - gone: Packages of earlier generations, whose links are used again, that are not among them, or not the same.
    ///   - files: Paths of what is shown besides, and in place of a link of the same path.
    /// - Throws: ``StoreError/collision(path:owners:)``, ``StoreError/invalidExposure(package:what:)``.
    init(
        _ packages: [GenerationPackage], gone: [GenerationPackage] = [], files: [TreePath] = []
    ) throws {
        self.packages = packages.map(\.baseName)
        var claims = Claims(room: 2 * packages.count)
        for (index, package) in packages.enumerated() {
            var launched: [String] = []
            for command in package.exposure.commands {
                let name = try Self.component(command.name, of: package)
                let path = try Self.path(command.path, of: package)
                if command.needsLauncher { launched.append(command.name) }
                let kind = command.needsLauncher ? Link.Kind.launcher : .program(path.bytes)
                try Self.claim(
                    Self.commands.appending(path: name), Claim(package: index, kind: kind), in: &claims,
                    packages)
            }
            for data in package.exposure.data {
                let path = try Self.path(data, of: package)
                guard path.isWithin("usr/share"), path != "usr/share",
                    let shown = try? TreePath(
                        parsing: path.bytes.dropFirst(4))
                else { throw StoreError.invalidExposure(package: package.baseName, what: data) }
                let kind = Link.Kind.path(path.bytes, depth: shown.components.count)
                try Self.claim(shown, Claim(package: index, kind: kind), in: &claims, packages)
            }
            // Directories may be several packages'.
            for system in package.exposure.system where !system.hasSuffix(ServiceLayout.directoryMark) {
                let path = try Self.path(system, of: package)
                guard let shown = ServiceLayout.place(of: path) else {
                    throw StoreError.invalidExposure(package: package.baseName, what: system)
                }
                let kind = Link.Kind.path(path.bytes, depth: shown.components.count)
                try Self.claim(shown, Claim(package: index, kind: kind), in: &claims, packages)
            }
            if !launched.isEmpty { launchers.append((package, launched)) }
        }
        for file in files { claims.owners[file] = nil }
        try arrange(claims, packages, contested: Self.shown(by: gone))
        add(files)
    }

    /// Whether a directory is to be made.
    func hasDirectory(_ path: TreePath) -> Bool { made.contains(path) }

    /// Paths that packages show in a generation.
    private static func shown(by packages: [GenerationPackage]) -> Set<TreePath> {
        var paths: Set<TreePath> = []
        for exposure in packages.map(\.exposure) {
            for command in exposure.commands { paths.insert(commands.appending(command.name.utf8)) }
            // What is no path was not shown.
            for path in exposure.data {
                guard let path = try? TreePath(parsing: path.utf8.dropFirst("usr/".utf8.count)) else {
                    continue
                }
                paths.insert(path)
            }
            for path in exposure.system {
                guard let place = (try? TreePath(parsing: path.utf8)).flatMap(ServiceLayout.place) else {
                    continue
                }
                paths.insert(place)
            }
        }
        return paths
    }

    /// Gives a path to a package, unless another has it.
    private static func claim(
        _ path: TreePath, _ claim: Claim, in claims: inout Claims, _ packages: [GenerationPackage]
    ) throws {
        guard let other = claims.owners.updateValue(claim, forKey: path) else {
            return claims.paths.append(path)
        }
        if try !wins(claim.package, over: other.package, at: path, packages) { claims.owners[path] = other }
    }

    private static func wins(
        _ one: Int, over other: Int, at path: TreePath, _ packages: [GenerationPackage]
    ) throws -> Bool {
        if one == other { return true }
        guard packages[one].isPreferred != packages[other].isPreferred else {
            throw StoreError.collision(
                path: path.description, owners: [packages[other].baseName, packages[one].baseName])
        }
        return packages[one].isPreferred
    }

    /// Sorts claims into directories; a path that one package shows as a file and another as a directory is a
    /// collision like any other.
    private mutating func arrange(
        _ all: Claims, _ packages: [GenerationPackage], contested: Set<TreePath>
    ) throws {
        // Shorter paths sort first, so a file above is decided on before what is below it.
        let paths = all.paths.sorted()
        let claims = all.owners
        var dropped: Set<TreePath> = []
        // The last directory, where nothing above what is in it is a file: mostly the next path's, too.
        var free: TreePath?
        for path in paths {
            guard let parent = path.parent, parent != free, let claim = claims[path] else { continue }
            var isFree = true
            var above = Optional(parent)
            while let directory = above, !directory.bytes.isEmpty {
                if let file = claims[directory], !dropped.contains(directory) {
                    isFree = false
                    let isWinner = try Self.wins(claim.package, over: file.package, at: directory, packages)
                    dropped.insert(isWinner ? directory : path)
                }
                above = directory.parent
            }
            if isFree { free = parent }
        }
        // Mostly many of one directory come one after the other.
        var current: (directory: TreePath, links: [Link])?
        for path in paths where dropped.isEmpty || !dropped.contains(path) {
            guard let claim = claims[path], let parent = path.parent else { continue }
            if current?.directory != parent {
                if let current { links[current.directory, default: []] += current.links }
                current = (parent, [])
                makeRoom(parent)
            }
            current?.links.append(
                Link(
                    name: String(decoding: path.name, as: UTF8.self), package: claim.package,
                    isContested: !contested.isEmpty && contested.contains(path), kind: claim.kind))
        }
        if let current { links[current.directory, default: []] += current.links }
    }

    /// Adds files, but none below a link: a package that shows a whole directory has said what is in it.
    private mutating func add(_ files: [TreePath]) {
        guard !files.isEmpty else { return }
        let linked = Set(links.flatMap { place, links in links.map { place.appending($0.name.utf8) } })
        for file in files {
            guard let parent = file.parent else { continue }
            var above = Optional(parent)
            while let directory = above, !linked.contains(directory) { above = directory.parent }
            guard above == nil else { continue }
            self.files[parent, default: []].append(file)
            makeRoom(parent)
        }
    }

    /// Enters a directory, and those above, unless they are there.
    private mutating func makeRoom(_ parent: TreePath) {
        var missing: [TreePath] = []
        var above: TreePath? = parent
        while let directory = above, !directory.bytes.isEmpty, made.insert(directory).inserted {
            missing.append(directory)
            above = directory.parent
        }
        directories.append(contentsOf: missing.reversed())
    }

    private static func component(_ name: String, of package: GenerationPackage) throws -> TreePath {
        let path = try path(name, of: package)
        guard !path.bytes.contains(UInt8(ascii: "/")), name != StoreLayout.Name.launchDescription else {
            throw StoreError.invalidExposure(package: package.baseName, what: name)
        }
        return path
    }

    private static func path(_ text: String, of package: GenerationPackage) throws -> TreePath {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, let path = try? TreePath(parsing: bytes), path.bytes == bytes else {
            throw StoreError.invalidExposure(package: package.baseName, what: text)
        }
        return path
    }
}
