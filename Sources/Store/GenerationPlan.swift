internal import Files
internal import StoreLayout

/// The links of a generation, checked for collisions before anything is made.
struct GenerationPlan {
    /// Directories to be made, parents first; the first two are `bin` and `share`.
    private(set) var directories = [commands, data]
    /// Links, grouped by directory as in ``directories``.
    private(set) var links: [TreePath: [Link]] = [:]
    /// Files that are no links, grouped by directory.
    private(set) var files: [TreePath: [GenerationFile]] = [:]
    /// Commands that need a launcher, by package.
    private(set) var launchers: [(package: GenerationPackage, commands: [String])] = []

    /// A link of the generation.
    struct Link {
        /// Its name in its directory.
        let name: String
        /// Where it leads.
        let target: Bytes
        /// The index of the package that shows it.
        let package: Int
        /// Whether a parent may have another link in its place.
        let isContested: Bool
    }

    /// The same as ``directories``, to look up.
    private var made: Set<TreePath> = [commands, data]

    private static let commands = TreePath.root.appending(StoreLayout.Name.commands.utf8)
    private static let data = TreePath.root.appending(StoreLayout.Name.data.utf8)

    /// Directories from a generation up to the root of the store.
    private static let depth = 3

    /// Who shows a path.
    private struct Claim {
        let package: Int
        let target: Bytes
    }

    /// Plans a generation of packages that are all different.
    ///
    /// - Parameters:
    ///   - packages: The packages.
    ///   - gone: Packages of the parent that are not among them, or not the same.
    ///   - files: What is shown besides, and in place of a link of the same path.
    /// - Throws: ``StoreError/collision(path:owners:)``, ``StoreError/invalidExposure(package:what:)``.
    init(
        _ packages: [GenerationPackage], gone: [GenerationPackage] = [], files: [GenerationFile] = []
    ) throws {
        var claims: [TreePath: Claim] = [:]
        for (index, package) in packages.enumerated() {
            let store = StoreLayout.storeDirectory + "/" + package.baseName + "/"
            var launched: [String] = []
            for command in package.exposure.commands {
                let name = try Self.component(command.name, of: package)
                let path = try Self.path(command.path, of: package)
                let launcher = "../../../../\(StoreLayout.Name.shims)/\(package.baseName)/\(command.name)"
                let target = command.needsLauncher ? Array(launcher.utf8) : Array(store.utf8) + path.bytes
                if command.needsLauncher { launched.append(command.name) }
                let shown = Self.commands.appending(name.utf8)
                try Self.claim(shown, Claim(package: index, target: target), in: &claims, packages)
            }
            for data in package.exposure.data {
                let path = try Self.path(data, of: package)
                guard path.isWithin("usr/share"), path != "usr/share",
                    let shown = try? TreePath(
                        parsing: path.bytes.dropFirst(4))
                else { throw StoreError.invalidExposure(package: package.baseName, what: data) }
                let target = Self.target(path, of: package, from: shown)
                try Self.claim(shown, Claim(package: index, target: target), in: &claims, packages)
            }
            // Directories may be several packages'.
            for system in package.exposure.system where !system.hasSuffix(ServiceLayout.directoryMark) {
                let path = try Self.path(system, of: package)
                guard let shown = ServiceLayout.place(of: path) else {
                    throw StoreError.invalidExposure(package: package.baseName, what: system)
                }
                let target = Self.target(path, of: package, from: shown)
                try Self.claim(shown, Claim(package: index, target: target), in: &claims, packages)
            }
            if !launched.isEmpty { launchers.append((package, launched)) }
        }
        for file in files { claims[file.path] = nil }
        try arrange(claims, packages, contested: Self.shown(by: gone))
        add(files)
    }

    /// The target of a link into a store path: relative, so that programs of the host find it also where /usr/store
    /// is not this root's store.
    private static func target(_ path: TreePath, of package: GenerationPackage, from shown: TreePath) -> Bytes
    {
        let climb = String(repeating: "../", count: shown.components.count - 1 + depth)
        return Array("\(climb)\(StoreLayout.Name.store)/\(package.baseName)/".utf8) + path.bytes
    }

    /// Paths that packages show in a generation.
    private static func shown(by packages: [GenerationPackage]) -> Set<Bytes> {
        var paths: Set<Bytes> = []
        for exposure in packages.map(\.exposure) {
            for command in exposure.commands { paths.insert(commands.appending(command.name.utf8).bytes) }
            for path in exposure.data { paths.insert(Array(path.utf8.dropFirst("usr/".utf8.count))) }
            for path in exposure.system {
                guard let place = (try? TreePath(parsing: path.utf8)).flatMap(ServiceLayout.place) else {
                    continue
                }
                paths.insert(place.bytes)
            }
        }
        return paths
    }

    /// Gives a path to a package, unless another has it.
    private static func claim(
        _ path: TreePath, _ claim: Claim, in claims: inout [TreePath: Claim], _ packages: [GenerationPackage]
    ) throws {
        if let other = claims[path], try !wins(claim.package, over: other.package, at: path, packages) {
            return
        }
        claims[path] = claim
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
        _ claims: [TreePath: Claim], _ packages: [GenerationPackage], contested: Set<Bytes>
    ) throws {
        // Shorter paths sort first, so a file above is decided on before what is below it.
        let paths = claims.keys.sorted()
        var dropped: Set<TreePath> = []
        for path in paths {
            guard let claim = claims[path] else { continue }
            var above = path.parent
            while let directory = above, !directory.bytes.isEmpty {
                if let file = claims[directory], !dropped.contains(directory) {
                    let isWinner = try Self.wins(claim.package, over: file.package, at: directory, packages)
                    dropped.insert(isWinner ? directory : path)
                }
                above = directory.parent
            }
        }
        for path in paths where !dropped.contains(path) {
            guard let claim = claims[path], let parent = path.parent else { continue }
            links[parent, default: []].append(
                Link(
                    name: String(decoding: path.name, as: UTF8.self), target: claim.target,
                    package: claim.package, isContested: contested.contains(path.bytes)))
            makeRoom(parent)
        }
    }

    /// Adds files, but none below a link: a package that shows a whole directory has said what is in it.
    private mutating func add(_ files: [GenerationFile]) {
        guard !files.isEmpty else { return }
        let linked = Set(links.flatMap { place, links in links.map { place.appending($0.name.utf8) } })
        for file in files {
            guard let parent = file.path.parent else { continue }
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

    private static func component(_ name: String, of package: GenerationPackage) throws -> String {
        guard let path = try? TreePath(parsing: name.utf8), path.bytes.elementsEqual(name.utf8),
            path.parent == .root, name != StoreLayout.Name.launchDescription
        else { throw StoreError.invalidExposure(package: package.baseName, what: name) }
        return name
    }

    private static func path(_ text: String, of package: GenerationPackage) throws -> TreePath {
        guard let path = try? TreePath(parsing: text.utf8), path.bytes.elementsEqual(text.utf8),
            !path.bytes.isEmpty
        else { throw StoreError.invalidExposure(package: package.baseName, what: text) }
        return path
    }
}
