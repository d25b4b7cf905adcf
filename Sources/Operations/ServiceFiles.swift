internal import Activation
internal import Files
private import Glibc
internal import Relocation
internal import Store
internal import StoreLayout

/// What a generation holds for the host's own tools besides links: what units need to work from a store, users and
/// directories that their packages do not declare, configuration that names paths of its image.
///
/// `services.md` is the contract. All of it follows from the packages, so that a rollback makes nothing.
struct ServiceFiles {
    private let session: Session
    private let store: Store
    private let packages: [GenerationPackage]

    init(of packages: [GenerationPackage], session: Session, store: Store) {
        self.session = session
        self.store = store
        // The last one is placed where two have the same path: the one that wins.
        self.packages = packages.filter(\.isPreferred) + packages.filter { !$0.isPreferred }
    }

    /// The files, each path once.
    func files() throws -> [GenerationFile] {
        var seen: Set<TreePath> = []
        return try packages.filter { !$0.exposure.system.isEmpty }.flatMap { try files(of: $0) }.filter {
            seen.insert($0.path).inserted
        }
    }

    /// A package, and what is read of it.
    private struct Source {
        let metadata: Metadata
        let tree: Tree
        let top: Descriptor
        let paths: [TreePath]

        /// The bytes of a file of the store path; `nil` where there is none, or a link.
        func text(_ path: TreePath, limit: Int = UnitText.longest) throws -> Bytes? {
            guard let status = try top.status(of: path.bytes), status.st_mode & S_IFMT == S_IFREG,
                status.st_size <= limit
            else { return nil }
            return try top.open(beneath: path.bytes).readAll()
        }
    }

    private func files(of package: GenerationPackage) throws -> [GenerationFile] {
        let metadata = try store.metadata(of: package.baseName)
        let isDirectory = { (text: String) in text.hasSuffix(ServiceLayout.directoryMark) }
        let source = Source(
            metadata: metadata, tree: try session.tree(of: metadata),
            top: try store.root.directory(beneath: StoreLayout.Name.store).directory(
                beneath: package.baseName),
            paths: try package.exposure.system.filter { !isDirectory($0) }.map {
                try TreePath(parsing: $0.utf8)
            })
        let units = try unitFiles(of: source)
        let state = try package.exposure.system.filter(isDirectory).map { try TreePath(parsing: $0.utf8) }
            .filter { !$0.isWithin("etc") }
        return try units + definitions(of: source, state: state) + configuration(of: source)
    }

    // MARK: - Units

    private func unitFiles(of source: Source) throws -> [GenerationFile] {
        try source.paths.flatMap { path -> [GenerationFile] in
            guard let place = ServiceLayout.place(of: path), let parent = place.parent,
                [ServiceLayout.systemUnits, ServiceLayout.userUnits].contains(parent)
            else { return [] }
            if case .symlink(let target) = source.tree[path]?.kind {
                // Another name of a unit beside it, which a link into the store would hide.
                return [GenerationFile(path: place, content: .link(target))]
            }
            guard let text = try source.text(path) else { return [] }
            var files: [GenerationFile] = []
            let rewritten = UnitText.rewritten(text) { program(named: $0, of: source) }
            if rewritten != text { files.append(GenerationFile(path: place, content: .bytes(rewritten))) }
            let dropIn = try dropIn(
                for: String(decoding: place.name, as: UTF8.self), UnitText(rewritten), of: source,
                isSystem: parent == ServiceLayout.systemUnits)
            if let dropIn {
                let directory = parent.appending(place.name + Array(".d".utf8))
                files.append(
                    GenerationFile(
                        path: directory.appending(ServiceLayout.dropIn.utf8), content: .bytes(dropIn)))
            }
            return files
        }
    }

    /// The absolute path of a package's command.
    private func program(named name: String, of source: Source) -> String? {
        source.metadata.launch.searchPath.lazy.map { "\($0)/\(name)" }.first {
            guard let path = source.tree.resolve($0.utf8), case .file = source.tree[path]?.kind else {
                return false
            }
            return (source.tree[path]?.mode ?? 0) & 0o111 != 0
        }.map { "\(StoreLayout.storeDirectory)/\(source.metadata.storePath)/\($0)" }
    }

    /// What a unit needs to work from a store; `nil` for nothing.
    private func dropIn(
        for unit: String, _ text: UnitText, of source: Source, isSystem: Bool
    ) throws -> Bytes? {
        var lines: [String] = []
        let isLate = text.flag("DefaultDependencies", in: "Unit") != false
        if isSystem, [".service", ".socket", ".timer", ".path"].contains(where: unit.hasSuffix) {
            lines += ["[Unit]", "RequiresMountsFor=\(StoreLayout.systemRoot)"]
            if isLate { lines.append("After=\(ServiceLayout.activationName)") }
            // While it is there, the unit is being stopped.
            lines.append("ConditionPathExists=!\(ServiceLayout.stopping)/%n")
        }
        let environment = unit.hasSuffix(".service") ? try environment(for: text, of: source) : []
        if !environment.isEmpty {
            lines.append("[Service]")
            lines += environment.map { "Environment=\"\($0.name)=\(Self.quoted($0.value))\"" }
        }
        return lines.isEmpty ? nil : Array(("# Made by sxs.\n" + lines.joined(separator: "\n") + "\n").utf8)
    }

    /// The variables that a launcher would set for the unit's program.
    private func environment(for text: UnitText, of source: Source) throws -> [(name: String, value: String)]
    {
        let top = "\(StoreLayout.storeDirectory)/\(source.metadata.storePath)/"
        guard let program = text.program, program.hasPrefix(top) else { return [] }
        let path = String(program.dropFirst(top.count))
        let exposure = Exposure(commands: [
            Exposure.Command(name: "program", path: path, needsLauncher: true)
        ])
        guard (try? TreePath(parsing: path.utf8)) != nil else { return [] }
        let description = try session.launchDescription(of: source.metadata, exposure: exposure)
        var values: [(name: String, value: String)] = []
        let list = { (host: [String], own: [TreePath]) in
            (host + own.map { top + "\($0)" }).joined(separator: ":")
        }
        if !description.searchPath.isEmpty {
            values.append(("PATH", list(ServiceLayout.searchPath, description.searchPath)))
        }
        if !description.dataPath.isEmpty {
            values.append(("XDG_DATA_DIRS", list(ServiceLayout.dataPath, description.dataPath)))
        }
        for entry in description.commands.flatMap(\.defaults) {
            let (name, value) = (
                String(decoding: entry.name, as: UTF8.self), String(decoding: entry.value, as: UTF8.self)
            )
            values.append((name, value))
        }
        // The unit's own settings are read before a drop-in, which would win.
        let own = text.variables
        return values.filter { !own.contains($0.name) }
    }

    /// A value between double quotes.
    ///
    /// Source: systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers".
    private static func quoted(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\", "\"": text += "\\\(character)"
            case "%": text += "%%"
            default: text.append(character)
            }
        }
    }

    // MARK: - Users and directories

    /// Users that units run as and no file of the package declares, and directories of state that it has.
    private func definitions(of source: Source, state: [TreePath]) throws -> [GenerationFile] {
        var users: [String] = []
        var groups: [String] = []
        for path in source.paths {
            guard ServiceLayout.place(of: path)?.parent == ServiceLayout.systemUnits,
                let text = try source.text(path)
            else { continue }
            let unit = UnitText(text).runsAs
            users += unit.users.filter { !users.contains($0) }
            groups += unit.groups.filter { !groups.contains($0) }
        }
        let declared = try declaredNames(of: source)
        let passwd = try source.text("etc/passwd") ?? []
        var lines = users.filter { !declared.contains($0) }.map { Self.userLine($0, passwd) }
        lines += groups.filter { !declared.contains($0) && !users.contains($0) }.map { "g \($0) -" }
        var files: [GenerationFile] = []
        func add(_ lines: [String], in directory: TreePath) {
            guard !lines.isEmpty else { return }
            let text = "# Made by sxs for \(source.metadata.name).\n" + lines.joined(separator: "\n") + "\n"
            files.append(
                GenerationFile(
                    path: directory.appending("sxs-\(source.metadata.name).conf".utf8),
                    content: .bytes(Array(text.utf8))))
        }
        add(lines, in: ServiceLayout.users)
        // Whose they are no image says: its owners are not kept. With one user it is clear.
        let owner = users.count == 1 ? users[0] : "root"
        let group = users.count == 1 ? groups.first ?? owner : "root"
        let made = try state.map { path in
            let mode = (try source.top.status(of: path.bytes)?.st_mode ?? 0o755) & 0o777 | 0o700
            return "d /\(path) 0\(String(mode, radix: 8)) \(owner) \(group) -"
        }
        add(made, in: ServiceLayout.temporaryFiles)
        return files
    }

    /// Users and groups that the package's own sysusers.d files make.
    private func declaredNames(of source: Source) throws -> Set<String> {
        var names: Set<String> = []
        for path in source.paths where ServiceLayout.place(of: path)?.parent == ServiceLayout.users {
            for line in String(decoding: try source.text(path) ?? [], as: UTF8.self).split(separator: "\n") {
                let words = line.split { $0 == " " || $0 == "\t" }
                guard words.count > 1, ["u", "u!", "g"].contains(words[0]) else { continue }
                names.insert(words[1].filter { $0 != "\"" })
            }
        }
        return names
    }

    /// A line of sysusers.d for a user, with what the image says of him but for his number, which may be another's
    /// on the host.
    private static func userLine(_ user: String, _ passwd: Bytes) -> String {
        let entry = String(decoding: passwd, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: ":", omittingEmptySubsequences: false)
        }.first { $0.count == 7 && $0[0] == user }
        guard let entry else { return "u \(user) -" }
        let isPlain = { (text: Substring) in
            text.utf8.allSatisfy { $0 >= 0x20 && !"\"\\%:".utf8.contains($0) }
        }
        let comment = isPlain(entry[4]) ? entry[4].prefix { $0 != "," } : ""
        let home = entry[5].hasPrefix("/") && isPlain(entry[5]) && !entry[5].contains(" ") ? entry[5] : "-"
        return "u \(user) - \"\(comment)\" \(home)"
    }

    // MARK: - Configuration

    /// Files of `/etc` that name paths of the image, and links that lead to some.
    private func configuration(of source: Source) throws -> [GenerationFile] {
        let etc = source.paths.filter { $0.isWithin(ServiceLayout.configuration) }
        guard !etc.isEmpty else { return [] }
        let seen = ServiceLayout.packages.appending(source.metadata.name.utf8)
        let directory = ServiceLayout.current + "/" + seen.description
        let text = ConfigurationText(of: source.tree)
        var files = try etc.compactMap { path -> GenerationFile? in
            if case .symlink(let target) = source.tree[path]?.kind {
                return GenerationFile(
                    path: path, content: .link(Self.target(target, of: source, seenAt: directory)))
            }
            guard let bytes = try source.text(path, limit: ConfigurationText.longest) else { return nil }
            let moved = text.moved(bytes, to: directory)
            return moved == bytes ? nil : GenerationFile(path: path, content: .bytes(moved))
        }
        let climb = String(repeating: "../", count: seen.components.count + 2)
        files.append(
            GenerationFile(
                path: seen,
                content: .link(Array("\(climb)\(StoreLayout.Name.store)/\(source.metadata.storePath)".utf8))))
        return files
    }

    /// A link's target as the host's `/etc` is to have it: into `/etc` where it leads there, else into the package.
    private static func target(_ target: Bytes, of source: Source, seenAt directory: String) -> Bytes {
        guard target.first == UInt8(ascii: "/"), !target.starts(with: "/etc/".utf8),
            source.tree.resolve(target, followsLast: false) != nil
        else { return target }
        return Array(directory.utf8) + target
    }
}
