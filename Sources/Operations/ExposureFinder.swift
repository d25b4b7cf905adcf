internal import Files
internal import StoreLayout

/// Finds what of an image a profile shows: the wanted package's commands, not those of the system it comes with.
struct ExposureFinder {
    let tree: Tree
    let packages: [ImagePackage]?
    /// Whether the image brings a C library: a whole system, of which most is not asked for.
    let isWholeSystem: Bool
    /// Whether its programs are started with seeds, variables or a namespace.
    var needsSetup: Bool
    /// What the image runs by default, as its configuration has it.
    let entrypoint: [String]
    /// Packages that were asked for by name; empty to take the one that is called as the image is.
    var wanted: [String] = []
    /// Whether the image was put together of packages: then one that is called otherwise than all of them shows all of
    /// them, unless they are a whole system.
    var isOfPackages = false

    /// Directories of commands, the preferred first.
    private static let commandDirectories: [TreePath] = [
        "usr/bin", "bin", "usr/sbin", "sbin", "usr/games", "usr/local/bin", "usr/local/sbin",
    ]

    /// Not commands, though they are among them: shells read them from PATH as text, which a launcher is not.
    private static let sourcedScripts: Set<String> = ["gettext.sh"]

    /// What a profile shows below `share/`.
    private static let dataDirectories: [TreePath] = [
        "usr/share/man", "usr/share/info", "usr/share/applications", "usr/share/icons", "usr/share/pixmaps",
        "usr/share/metainfo", "usr/share/bash-completion", "usr/share/zsh/vendor-completions",
        "usr/share/zsh/site-functions", "usr/share/fish/vendor_completions.d", "usr/share/dbus-1/services",
        "usr/share/fonts",
    ]

    /// Directories of commands that the image has, each once: what its own programs look in.
    var searchPath: [TreePath] {
        var seen: Set<TreePath> = []
        return Self.commandDirectories.compactMap { directory in
            guard let place = tree.resolve(directory.bytes), tree[place]?.kind == .directory,
                seen.insert(place).inserted
            else { return nil }
            return place
        }
    }

    /// The directory of shared data, if programs look something up there by `XDG_DATA_DIRS`.
    var dataPath: [TreePath] {
        let data: TreePath = "usr/share"
        let isSought = Self.soughtData.contains { tree.resolve(data.appending(Array($0.utf8)).bytes) != nil }
        return isSought ? [data] : []
    }

    /// What of `usr/share` programs look up in every directory of `XDG_DATA_DIRS`.
    private static let soughtData = [
        "applications", "dbus-1", "glib-2.0", "icons", "mime", "themes", "vulkan", "xdg-desktop-portal",
    ]

    /// Chooses what is shown.
    ///
    /// - Parameters:
    ///   - name: The package that was asked for.
    ///   - wanted: Commands named by the user, or `all`; empty to choose.
    /// - Throws: ``OperationError/noSuchCommand(_:package:)`` for a wanted command that the image lacks.
    func exposure(for name: String, wanted: [String]) throws -> Exposure {
        let all = allCommands()
        var chosen: [String: TreePath] = [:]
        var data: [TreePath] = []
        if wanted == ["all"] {
            chosen = all
            data = dataFiles { _ in true }
        } else if !wanted.isEmpty {
            for command in wanted {
                guard let (key, path) = find(command, in: all) else {
                    throw OperationError.noSuchCommand(command, package: name)
                }
                chosen[key] = path
            }
        } else if let owned = try ownedFiles(of: name) {
            (chosen, data) = select(owned, from: all)
        }
        if chosen.isEmpty, wanted.isEmpty {
            if let first = entrypoint.first, let (key, path) = find(first, in: all) {
                chosen[key] = path
            } else if packages == nil, !isWholeSystem {
                // An extension holds what is wanted and nothing else.
                chosen = all
                data = dataFiles { _ in true }
            }
        }
        // Who names commands wants these, not the services that may come with them.
        let system = wanted.isEmpty || wanted == ["all"] ? try systemFiles(of: name) : []
        let needsLauncher = needsSetup || !dataPath.isEmpty || chosen.count < all.count
        return Exposure(
            commands: chosen.sorted { $0.key < $1.key }.map {
                Exposure.Command(
                    name: $0.key, path: String(decoding: $0.value.bytes, as: UTF8.self),
                    needsLauncher: needsLauncher)
            },
            data: data.sorted().map { String(decoding: $0.bytes, as: UTF8.self) }, system: system)
    }

    /// Units of the system's and of users' managers that belong to `name`, as paths of the tree.
    func units(of name: String) throws -> (system: [TreePath], user: [TreePath]) {
        let owned = try ownedFiles(of: name)
        guard owned != nil || !isWholeSystem else { return ([], []) }
        let find = { (directories: [TreePath]) -> [TreePath] in
            var seen: Set<TreePath> = []
            return directories.compactMap { tree.resolve($0.bytes) }.filter { seen.insert($0).inserted }
                .flatMap {
                    directory in
                    tree.names(in: directory).map { directory.appending($0) }.filter { path in
                        tree[path]?.kind != .directory && owned?.contains(path) != false
                            && String(validating: path.bytes, as: UTF8.self) != nil
                    }
                }
        }
        return (find(["usr/lib/systemd/system", "lib/systemd/system"]), find(["usr/lib/systemd/user"]))
    }

    /// The package called `name`, or that was built from a source of that name.
    func mainPackage(_ name: String) -> ImagePackage? {
        packages?.first { $0.name == name } ?? packages?.first { $0.source == name }
    }

    /// Every command of the image: name and path.
    ///
    /// Earlier directories win.
    private func allCommands() -> [String: TreePath] {
        var result: [String: TreePath] = [:]
        for directory in searchPath {
            for name in tree.names(in: directory) {
                let path = directory.appending(name)
                guard isCommand(path), let text = String(validating: name, as: UTF8.self),
                    result[text] == nil,
                    !Self.sourcedScripts.contains(text)
                else { continue }
                result[text] = path
            }
        }
        return result
    }

    /// The paths of all commands.
    var commandPaths: [TreePath] { Array(allCommands().values) }

    private func isCommand(_ path: TreePath) -> Bool {
        guard let file = tree.resolve(path.bytes), let node = tree[file], case .file = node.kind else {
            return false
        }
        return node.mode & 0o111 != 0
    }

    private func find(_ command: String, in all: [String: TreePath]) -> (String, TreePath)? {
        guard command.contains("/") else { return all[command].map { (command, $0) } }
        guard let path = tree.resolve(command.utf8, followsLast: false), isCommand(path),
            let name = String(validating: path.name, as: UTF8.self)
        else { return nil }
        return (name, path)
    }

    /// Source packages whose binary packages belong to `name`.
    private func sources(of name: String) -> Set<String> {
        let named = Set(wanted.compactMap { mainPackage($0)?.source })
        if !named.isEmpty { return named }
        if let main = mainPackage(name) { return [main.source] }
        return isOfPackages && !isWholeSystem ? Set((packages ?? []).map(\.source)) : []
    }

    /// Files of the packages that belong to `name`: its own, and others built from the same source.
    func ownedFiles(of name: String) throws -> Set<TreePath>? {
        guard let packages else { return nil }
        let sources = sources(of: name)
        guard !sources.isEmpty else { return nil }
        var result: Set<TreePath> = []
        for package in packages where sources.contains(package.source) {
            for file in try package.files() {
                if let path = tree.resolve(file, followsLast: false) { result.insert(path) }
            }
        }
        return result
    }

    /// Commands and data among `owned`, with the alternatives (links that no package owns) that lead to them.
    private func select(
        _ owned: Set<TreePath>, from all: [String: TreePath]
    ) -> (commands: [String: TreePath], data: [TreePath]) {
        func isOwned(_ path: TreePath) -> Bool {
            if owned.contains(path) { return true }
            guard case .symlink(let target) = tree[path]?.kind, target.hasPrefix("/etc/alternatives/"),
                let file = tree.resolve(path.bytes)
            else { return false }
            return owned.contains(file)
        }
        return (all.filter { isOwned($0.value) }, dataFiles(where: isOwned))
    }

    private func dataFiles(where isWanted: (TreePath) -> Bool) -> [TreePath] {
        tree.nodes.compactMap { path, node in
            guard node.kind != .directory, Self.dataDirectories.contains(where: { path.isWithin($0) }),
                String(validating: path.bytes, as: UTF8.self) != nil, tree.resolve(path.bytes) != nil,
                isWanted(path)
            else { return nil }
            return path
        }
    }
}
