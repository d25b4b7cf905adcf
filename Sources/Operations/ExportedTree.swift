internal import Activation
internal import Files
internal import Images
internal import Labels
internal import Store
internal import StoreLayout

/// The tree of a system extension that holds a package: `extensions.md` is the contract.
struct ExportedTree {
    /// What is in a file.
    enum Content {
        case bytes(Bytes)
        /// A file of the store path.
        case stored(TreePath, size: Int, digest: Digest)
    }

    /// The tree.
    private(set) var tree = Tree()
    /// The contents of its files, by number.
    private(set) var contents: [Content] = []
    /// Bytes of all its files, those with equal contents counted once.
    private(set) var size = 0
    /// Units that are started where the extension is merged.
    private(set) var upheld: [String] = []

    /// Contents that several files have, by digest.
    private var known: [Digest: ContentID] = [:]
    private let package: Metadata
    private let name: ExportedName
    private let commandDirectory: TreePath

    /// Begins the tree of a package with its store path and its aliases.
    ///
    /// - Parameters:
    ///   - package: The package.
    ///   - name: The extension's name.
    ///   - listing: The listing of the store path.
    ///   - commandDirectory: Where commands go.
    init(_ package: Metadata, name: ExportedName, listing: [ListedEntry], commandDirectory: TreePath) {
        self.package = package
        self.name = name
        self.commandDirectory = commandDirectory
        let top = ExtensionLayout.store.appending(Array(package.storePath.utf8))
        for entry in listing {
            let kind: Tree.Kind
            switch entry.kind {
            case .directory: kind = .directory
            case .symlink(let target): kind = .symlink(target: target)
            case .file(let size, let digest):
                kind = .file(add(.stored(entry.path, size: size, digest: digest), size, digest))
            }
            tree.insert(
                Tree.Node(kind: kind, mode: entry.mode, attributes: entry.attributes),
                at: top.appending(path: entry.path))
        }
        for alias in package.aliases {
            link(ExtensionLayout.aliases.appending(Array(alias.name.utf8)), to: Array(alias.target.utf8))
        }
    }

    /// Adds the release file.
    ///
    /// - Parameters:
    ///   - text: Its text.
    ///   - isRenamed: Whether systemd is to take it for a file of any name.
    mutating func addRelease(_ text: String, isRenamed: Bool) {
        let attribute = ExtendedAttribute(
            name: Array(ExtensionLayout.strictAttribute.utf8), value: [UInt8(ascii: "0")])
        add(
            Array(text.utf8), at: ExtensionLayout.releases.appending(Array(name.releaseName.utf8)),
            attributes: isRenamed ? [attribute] : [])
    }

    /// Adds what a store needs to take the package over.
    mutating func addManifest(_ files: [(name: String, contents: Bytes)]) {
        let directory = ExtensionLayout.manifests.appending(Array(package.storePath.utf8))
        for file in files { add(file.contents, at: directory.appending(Array(file.name.utf8))) }
    }

    /// Adds commands, each a script that does what a launcher does.
    mutating func addCommands(_ description: LaunchDescription) {
        for command in description.commands {
            guard let script = description.script(for: command.name, extensionName: name.text) else {
                continue
            }
            add(script, at: commandDirectory.appending(command.name), mode: 0o755)
        }
    }

    /// Adds what desktops, shells and readers of manuals look for: links, but for texts that name commands.
    ///
    /// - Parameters:
    ///   - paths: Files and directories of the package.
    ///   - image: The package's tree.
    ///   - commands: The commands that such texts may name, with their programs.
    ///   - read: Gives the bytes of a file of the package.
    mutating func addData(
        _ paths: [TreePath], of image: Tree, commands: [Exposure.Command], read: (TreePath) throws -> Bytes
    ) rethrows {
        // A link over a directory would hide what the host has in it: only files are shown.
        var pending = Array(paths.reversed())
        while let path = pending.popLast() {
            guard let node = image[path] else { continue }
            if node.kind == .directory {
                pending += image.names(in: path).reversed().map { path.appending($0) }
                continue
            }
            let namesCommands = [ExtensionLayout.applications, ExtensionLayout.busServices].contains {
                path.isWithin($0)
            }
            guard namesCommands, case .file = node.kind else {
                link(path, to: path.bytes)
                continue
            }
            // The extension brings the units that services name.
            let text = StartText(
                isService: path.isWithin(ExtensionLayout.busServices), keepsUnits: true,
                start: { [package, commandDirectory] word in
                    Self.start(word, of: package, in: commandDirectory, commands: commands)
                })
            add(try text.rewritten(read(path)), at: path)
        }
    }

    /// Adds units, and for those that say so a drop-in by which a target starts them.
    mutating func addUnits(
        _ units: (system: [TreePath], user: [TreePath]), of image: Tree, read: (TreePath) throws -> Bytes
    ) rethrows {
        for (paths, directory) in [
            (units.system, ExtensionLayout.systemUnits), (units.user, ExtensionLayout.userUnits),
        ] {
            for path in paths {
                guard let node = image[path] else { continue }
                let place = directory.appending(path.name)
                if case .symlink(let target) = node.kind {
                    // Another name of a unit beside it; what else a link may be, systemd would not read here.
                    guard !target.contains(UInt8(ascii: "/")) else { continue }
                    tree.insert(Tree.Node(kind: .symlink(target: target), mode: 0o777), at: place)
                    continue
                }
                let text = try read(path)
                add(text, at: place)
                if directory == ExtensionLayout.systemUnits { uphold(path.name, text) }
            }
        }
    }

    /// Lets the targets that a unit names in `WantedBy=` start it, and start it again if it ends.
    ///
    /// By drop-ins, because links that say the same are read before extensions are merged.
    private mutating func uphold(_ unit: Bytes, _ text: Bytes) {
        let unitName = String(decoding: unit, as: UTF8.self)
        guard !UnitText.isTemplate(unitName) else { return }
        let unit = UnitText(text)
        for target in unit.wantingTargets {
            let path = ExtensionLayout.systemUnits.appending(Array("\(target).d".utf8)).appending(
                Array("10-\(name)-\(unitName).conf".utf8))
            add(unit.startText(of: unitName), at: path)
        }
        if !unit.wantingTargets.isEmpty { upheld.append(unitName) }
    }

    /// Adds users, directories of state and configuration, which systemd-sysusers and systemd-tmpfiles make on the
    /// host: what is below `/etc` no extension of this kind can have.
    ///
    /// Configuration is kept beside, and copied where the host has nothing of that name.
    mutating func addDefinitions(_ source: PackageSource) throws {
        let share = ExtensionLayout.share.appending("\(name)".utf8)
        var derived = Dictionary(
            try
                (source.definitions()
                + source.configuration(
                    seenAt: "/\(share)/\(ExtensionLayout.package)")).map { ($0.path, $0.content) },
            uniquingKeysWith: { first, _ in first })
        for path in source.paths where derived[path] == nil {
            guard let place = ServiceLayout.place(of: path),
                [ServiceLayout.users, ServiceLayout.temporaryFiles].contains(place.parent),
                let text = try source.text(path)
            else { continue }
            derived[place] = .bytes(text)
        }
        for (path, content) in derived.sorted(by: { $0.key < $1.key })
        where !path.isWithin(ServiceLayout.configuration) {
            guard case .bytes(let text) = content else { continue }
            add(text, at: ExtensionLayout.hierarchy.appending(path: path))
        }
        var lines = try source.directories.filter { $0.isWithin(ServiceLayout.configuration) }.map {
            "d /\($0) 0\(String(try source.mode($0), radix: 8)) root root -"
        }
        for path in source.paths where path.isWithin(ServiceLayout.configuration) {
            if case .link(let target) = derived[path] {
                lines.append("L /\(path) - - - - \(String(decoding: target, as: UTF8.self))")
                continue
            }
            var text = try source.text(path, limit: HostConfigurationFiles.longest)
            if case .bytes(let moved) = derived[path] { text = moved }
            guard let text else { continue }
            let place = share.appending(path: path)
            add(text, at: place)
            lines.append("C /\(path) 0\(String(try source.mode(path), radix: 8)) root root - /\(place)")
        }
        guard !lines.isEmpty else { return }
        link(share.appending(ExtensionLayout.package.utf8), to: [])
        // In tmpfiles.d, '%' begins a specifier.
        let text = lines.map { $0.replacing("%", with: "%%") }.joined(separator: "\n") + "\n"
        add(
            Array("# Made by sxs.\n\(text)".utf8),
            at: ExtensionLayout.temporaryFiles.appending("10-\(name).conf".utf8))
    }

    /// Gives everything the label that a policy has for it; to be done last.
    mutating func label(_ labels: StoreLabels) throws {
        for path in tree.sortedPaths {
            guard var node = tree[path] else { continue }
            let kind: FileLabels.Kind =
                switch node.kind {
                case .directory: .directory
                case .file: .file
                case .symlink: .symlink
                }
            guard let label = try labels.label(inExtension: path, kind: kind) else { continue }
            node.attributes.append(.label(label))
            node.attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
            tree.insert(node, at: path)
        }
    }

    /// A path of the extension's command that a text names; `nil` for other programs.
    ///
    /// A bare name is looked for on `PATH` of the host, where only commands in the usual directory are found.
    private static func start(
        _ word: Bytes, of package: Metadata, in directory: TreePath, commands: [Exposure.Command]
    ) -> [Bytes]? {
        let program = String(decoding: word, as: UTF8.self)
        let prefix = StoreLayout.storeDirectory + "/" + package.storePath + "/"
        let command = commands.first {
            program == prefix + $0.path
                || directory != ExtensionLayout.commands && program == $0.name
        }
        return command.map { [[0x2f] + directory.appending(Array($0.name.utf8)).bytes] }
    }

    /// What is written as the contents of a file.
    ///
    /// - Parameter top: The store path's tree on disk.
    func contents(_ id: ContentID, from top: Descriptor) throws -> FileContents {
        switch contents[id.number] {
        case .bytes(let bytes): .bytes(bytes)
        case .stored(let path, let size, let digest):
            .file(try top.open(beneath: path.bytes), size: size, digest: digest)
        }
    }

    /// Puts a link into the store path at a path of the extension.
    private mutating func link(_ path: TreePath, to inner: Bytes) {
        // From the directory that the link is in up to usr, and down from there.
        let climb = Bytes(String(repeating: "../", count: path.components.count - 2).utf8)
        let store = Bytes("store/\(package.storePath)".utf8)
        let target = climb + store + (inner.isEmpty ? [] : [0x2f] + inner)
        tree.insert(Tree.Node(kind: .symlink(target: target), mode: 0o777), at: path)
    }

    private mutating func add(
        _ bytes: Bytes, at path: TreePath, mode: UInt16 = 0o644, attributes: [ExtendedAttribute] = []
    ) {
        let id = add(.bytes(bytes), bytes.count, Digest(hashing: bytes))
        tree.insert(Tree.Node(kind: .file(id), mode: mode, attributes: attributes), at: path)
    }

    private mutating func add(_ content: Content, _ size: Int, _ digest: Digest) -> ContentID {
        if let id = known[digest] { return id }
        let id = ContentID(contents.count)
        contents.append(content)
        known[digest] = id
        self.size += size
        return id
    }
}
