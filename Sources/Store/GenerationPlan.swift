internal import Files
internal import StoreLayout

/// The links of a generation, checked for collisions before anything is made.
struct GenerationPlan {
    /// Links in `bin`.
    private(set) var commands: [(name: String, target: Bytes)] = []
    /// Directories to be made in `share`, parents first; the first is `share` itself.
    private(set) var directories: [TreePath] = []
    /// Links in `share`, grouped by directory as in ``directories``.
    private(set) var links: [TreePath: [(name: Bytes, target: Bytes)]] = [:]
    /// Commands that need a launcher, by package.
    private(set) var launchers: [(package: GenerationPackage, commands: [String])] = []

    /// Who shows a path.
    private struct Claim {
        let package: Int
        let target: Bytes
    }

    /// Plans a generation.
    ///
    /// - Throws: ``StoreError/collision(path:owners:)``, ``StoreError/invalidExposure(package:what:)``.
    init(_ packages: [GenerationPackage]) throws {
        var claims: [TreePath: Claim] = [:]
        var names: Set<String> = []
        for (index, package) in packages.enumerated() where names.insert(package.baseName).inserted {
            let store = StoreLayout.storeDirectory + "/" + package.baseName + "/"
            var launched: [String] = []
            for command in package.exposure.commands {
                let name = try Self.component(command.name, of: package)
                let path = try Self.path(command.path, of: package)
                let target =
                    command.needsLauncher
                    ? "../../../../\(StoreLayout.Name.shims)/\(package.baseName)/\(command.name)".utf8.map {
                        $0
                    }
                    : Array(store.utf8) + path.bytes
                if command.needsLauncher { launched.append(command.name) }
                let shown = ("bin" as TreePath).appending(name.utf8)
                try Self.claim(shown, Claim(package: index, target: target), in: &claims, packages)
            }
            for data in package.exposure.data {
                let path = try Self.path(data, of: package)
                guard path.isWithin("usr/share"), path != "usr/share",
                    let shown = try? TreePath(
                        parsing: path.bytes.dropFirst(4))
                else { throw StoreError.invalidExposure(package: package.baseName, what: data) }
                let target = Array(store.utf8) + path.bytes
                try Self.claim(shown, Claim(package: index, target: target), in: &claims, packages)
            }
            if !launched.isEmpty { launchers.append((package, launched)) }
        }
        try arrange(claims, packages)
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
    private mutating func arrange(_ claims: [TreePath: Claim], _ packages: [GenerationPackage]) throws {
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
        var made: Set<TreePath> = []
        for path in paths where !dropped.contains(path) {
            guard let claim = claims[path], let parent = path.parent else { continue }
            if parent == "bin" {
                commands.append((String(decoding: path.name, as: UTF8.self), claim.target))
                continue
            }
            links[parent, default: []].append((path.name, claim.target))
            var missing: [TreePath] = []
            var above: TreePath? = parent
            while let directory = above, !directory.bytes.isEmpty, made.insert(directory).inserted {
                missing.append(directory)
                above = directory.parent
            }
            directories.append(contentsOf: missing.reversed())
        }
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
