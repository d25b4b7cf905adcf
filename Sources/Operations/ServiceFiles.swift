internal import Activation
internal import Files
private import Glibc
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
        // Where two have the same path, the first gives it: the one that wins.
        self.packages = packages.filter(\.isPreferred) + packages.filter { !$0.isPreferred }
    }

    /// The files, each path once.
    func files() throws -> [GenerationFile] {
        var seen: Set<TreePath> = []
        return try packages.filter { !$0.exposure.system.isEmpty }.flatMap { try files(of: $0) }.filter {
            seen.insert($0.path).inserted
        }
    }

    private func files(of package: GenerationPackage) throws -> [GenerationFile] {
        let metadata = try store.metadata(of: package.baseName)
        let source = PackageSource(
            metadata: metadata, tree: try session.tree(of: metadata),
            top: try store.tree(of: package.baseName),
            system: package.exposure.system)
        let units = try unitFiles(of: source)
        return try units + source.definitions() + configuration(of: source)
    }

    // MARK: - Units

    private func unitFiles(of source: PackageSource) throws -> [GenerationFile] {
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
    private func program(named name: String, of source: PackageSource) -> String? {
        source.metadata.launch.searchPath.lazy.map { "\($0)/\(name)" }.first {
            guard let path = source.tree.resolve($0.utf8), case .file = source.tree[path]?.kind else {
                return false
            }
            return (source.tree[path]?.mode ?? 0) & 0o111 != 0
        }.map { "\(StoreLayout.storeDirectory)/\(source.metadata.storePath)/\($0)" }
    }

    /// What a unit needs to work from a store; `nil` for nothing.
    private func dropIn(
        for unit: String, _ text: UnitText, of source: PackageSource, isSystem: Bool
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
    private func environment(for text: UnitText, of source: PackageSource) throws -> [(
        name: String, value: String
    )] {
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

    // MARK: - Configuration

    /// Files of `/etc` that name paths of the image, and links that lead to some.
    private func configuration(of source: PackageSource) throws -> [GenerationFile] {
        guard source.paths.contains(where: { $0.isWithin(ServiceLayout.configuration) }) else { return [] }
        let seen = ServiceLayout.packages.appending(source.metadata.name.utf8)
        let directory = ServiceLayout.current + "/" + seen.description
        var files = try source.configuration(seenAt: directory)
        let climb = String(repeating: "../", count: seen.components.count + 2)
        files.append(
            GenerationFile(
                path: seen,
                content: .link(Array("\(climb)\(StoreLayout.Name.store)/\(source.metadata.storePath)".utf8))))
        return files
    }
}
