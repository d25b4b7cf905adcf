internal import Activation
public import Files
private import Glibc
internal import Store
internal import StoreLayout

extension Session {
    /// Runs a program of a package in place of this process.
    ///
    /// - Parameters:
    ///   - name: A package (`NAME`, `NAME@VERSION` or a store path), or a command of the active generation.
    ///   - command: A command of the package, shown or not; `nil` for the one called like the package, the only one
    ///     it shows, or the image's entry point.
    ///   - arguments: Its arguments.
    /// - Throws: An error before anything runs.
    public func run(_ name: String, command: String?, arguments: [Bytes]) throws -> Never {
        let store = try openStore()
        let (package, wanted) = try program(name, command: command, in: store)
        let exposure = try exposure(of: package, wanted: [wanted])
        let description = try launchDescription(of: package, exposure: exposure)
        guard let command = description.commands.first else {
            throw OperationError.noSuchCommand(wanted, package: package.name)
        }
        if try store.isCondemned(package.storePath) { try reprieve(package.storePath) }
        try Launcher.run(command, of: description, in: StoreView(root: root), arguments: arguments)
    }

    /// Has other hosts asked again whether they run a store path, since it runs here.
    private func reprieve(_ baseName: String) throws {
        do {
            try openStoreForWriting().reprieve(baseName)
        } catch StoreError.foreignStore, StoreError.readOnlyMount {
            // Another user's: his to look after.
        }
    }

    /// Runs a shell, or a command, that sees the store and finds the profile's commands.
    public func shell(_ arguments: [Bytes]) throws -> Never {
        let store = try openStore()
        let generation = try store.currentGeneration(of: profile)
        let seeds = try generation.map { try store.packages(of: $0) }?.flatMap { shown in
            let package = try store.metadata(of: shown.baseName)
            // Any command may be started from there.
            let seeds = package.launch.seeds + (package.launch.rules ?? []).flatMap { $0.seeds ?? [] }
            return try Set(seeds).sorted().compactMap {
                Seed(try TreePath(parsing: $0.utf8), in: StoreLayout.storeDirectory + "/" + package.storePath)
            }
        }
        let current = [root, StoreLayout.Name.profiles, profile.text, StoreLayout.Name.current].joined(
            separator: "/")
        try Launcher.shell(
            in: StoreView(root: root), profile: current, command: arguments, seeds: seeds ?? [])
    }

    private func program(
        _ name: String, command: String?, in store: Store
    ) throws -> (package: Metadata, command: String) {
        let package: Metadata
        do {
            package = try store.metadata(of: installedOrNewest(name, in: store).baseName)
        } catch let error as OperationError {
            // Perhaps a command of an installed package.
            let generation = try store.currentGeneration(of: profile)
            let shown = try generation.map { try store.packages(of: $0) } ?? []
            guard command == nil,
                let owner = shown.first(where: { $0.exposure.commands.contains { $0.name == name } })
            else { throw error }
            return (try store.metadata(of: owner.baseName), name)
        }
        if let command { return (package, command) }
        let shown = package.exposure.commands.map(\.name)
        if shown.contains(package.name) { return (package, package.name) }
        if shown.count == 1, let only = shown.first { return (package, only) }
        if let entrypoint = package.entrypoint.first { return (package, entrypoint) }
        return (package, package.name)
    }

    /// What a package shows when the user names it.
    func exposure(of package: Metadata, wanted: [String]) throws -> Exposure {
        let known = wanted.compactMap { name in
            package.exposure.commands.first { $0.name == name || $0.path == name }
        }
        if known.count == wanted.count { return Exposure(commands: known, data: []) }
        let tree = try tree(of: package)
        let finder = ExposureFinder(
            tree: tree, packages: nil, isWholeSystem: true,
            needsSetup: !package.launch.seeds.isEmpty || package.launch.rules != nil,
            entrypoint: [])
        return try finder.exposure(for: package.name, wanted: wanted)
    }

    /// The relocated tree of a package, from its listing.
    func tree(of package: Metadata) throws -> Tree {
        let manifest = try openStore().manifest(of: package.storePath)
        var tree = Tree()
        let entries = try TreeListing.parse(
            ListingFiles.readPresent(StoreLayout.Name.listing, in: manifest))
        let prefix = Array((StoreLayout.storeDirectory + "/" + package.storePath).utf8)
        for entry in entries {
            let kind: Tree.Kind
            switch entry.kind {
            case .directory: kind = .directory
            case .file: kind = .file(ContentID(0))
            case .symlink(let target):
                // Links into the store path lead, seen from inside, to its tree.
                kind = .symlink(
                    target: target.starts(with: prefix) ? Array(target.dropFirst(prefix.count)) : target)
            }
            tree.insert(Tree.Node(kind: kind, mode: entry.mode), at: entry.path)
        }
        return tree
    }

    /// What the launchers of a package do.
    func launchDescription(of package: Metadata, exposure: Exposure) throws -> LaunchDescription {
        var seen: Set<String> = []
        let commands = try exposure.commands.filter { seen.insert($0.name).inserted }.map { command in
            let program = try TreePath(parsing: command.path.utf8)
            let rules = (package.launch.rules ?? []).filter { rule in
                rule.programs.contains { PathPattern($0)?.matches(program) ?? false }
            }
            let defaults = rules.reduce(into: [String: String]()) { all, rule in
                all.merge(rule.environment) { first, _ in first }
            }
            return try LaunchDescription.Command(
                name: Array(command.name.utf8), program: program,
                defaults: Dictionary(
                    uniqueKeysWithValues: defaults.map { name, value in
                        let text = value.replacing(
                            Hint.storePathPlaceholder,
                            with: StoreLayout.storeDirectory + "/" + package.storePath)
                        return (Array(name.utf8), Array(text.utf8))
                    }),
                namespace: rules.lazy.compactMap(\.namespace).first ?? .automatic,
                seeds: Set(rules.flatMap { $0.seeds ?? [] }).sorted().map { try TreePath(parsing: $0.utf8) })
        }
        return try LaunchDescription(
            baseName: package.storePath, commands: commands,
            searchPath: package.launch.searchPath.map { try TreePath(parsing: $0.utf8) },
            dataPath: (package.launch.dataPath ?? []).map { try TreePath(parsing: $0.utf8) },
            seeds: package.launch.seeds.map { try TreePath(parsing: $0.utf8) })
    }

    /// The description of a package's launchers with what an earlier one, which all generations share, says of
    /// commands that this one lacks: those generations go on working.
    func withEarlierCommands(_ package: GenerationPackage, in store: Store) throws -> GenerationPackage {
        guard let text = package.launchDescription else { return package }
        let name = [StoreLayout.Name.shims, package.baseName, StoreLayout.Name.launchDescription].joined(
            separator: "/")
        guard try store.root.status(of: name) != nil,
            // One that is damaged, or of a version that nobody reads, is replaced.
            let earlier = try? LaunchDescription(
                parsing: store.root.open(beneath: name).readAll(limit: LaunchDescription.longest), file: name)
        else { return package }
        var package = package
        package.launchDescription = try LaunchDescription(parsing: text, file: name).adding(earlier).text
        return package
    }

    /// Puts this program where launchers lead, unless the same one is there.
    ///
    /// Launchers lead to a copy in the root, not to the file the user ran: that one may move or go.
    func installProgram(in store: Store) throws {
        let programs = try store.root.directory(beneath: StoreLayout.Name.programs)
        let own = try Descriptor.file("/proc/self/exe")
        let status = try own.status()
        if let there = try programs.status(of: StoreLayout.Name.program), there.st_size == status.st_size,
            there.st_mtim.tv_sec == status.st_mtim.tv_sec
        {
            return
        }
        let place = try store.root.directory(beneath: StoreLayout.Name.temporary)
        let temporary = Descriptor.temporaryName(for: StoreLayout.Name.program)
        do {
            let copy = try place.open(beneath: temporary, flags: O_WRONLY | O_CREAT | O_EXCL)
            try copy.copyContents(of: own)
            try copy.setMode(0o755)
            try copy.setTimes(Int(status.st_mtim.tv_sec))
            try copy.synchronize()
            try place.rename(temporary, to: programs, as: StoreLayout.Name.program)
        } catch {
            // The first error is the one to report.
            try? place.unlink(temporary)
            throw error
        }
    }
}
