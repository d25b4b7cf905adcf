internal import Activation
internal import Files
private import Glibc
internal import Relocation
internal import Store
internal import StoreLayout

/// A package of the store, and what it says to the host's own tools.
struct PackageSource {
    let metadata: Metadata
    /// Its relocated tree, links as they are seen from inside.
    let tree: Tree
    /// The store path.
    let top: Descriptor
    /// Its files for the system.
    let paths: [TreePath]
    /// Its directories among them.
    let directories: [TreePath]

    /// Reads a package.
    ///
    /// - Parameter system: Its files for the system, as an exposure has them.
    init(metadata: Metadata, tree: Tree, top: Descriptor, system: [String]) {
        self.metadata = metadata
        self.tree = tree
        self.top = top
        let isDirectory = { (text: String) in text.hasSuffix(ServiceLayout.directoryMark) }
        let path = { (text: String) in try? TreePath(parsing: text.utf8) }
        paths = system.filter { !isDirectory($0) }.compactMap(path)
        directories = system.filter(isDirectory).compactMap(path)
    }

    /// The bytes of a file of the store path; `nil` where there is none, a link, or more than the limit.
    func text(_ path: TreePath, limit: Int = UnitText.longest) throws -> Bytes? {
        guard let status = try top.status(of: path.bytes), status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= limit
        else { return nil }
        return try top.open(beneath: path.bytes).readAll()
    }

    /// Permission bits as the image had them: in the store nobody may write.
    func mode(_ path: TreePath) throws -> UInt32 {
        guard let status = try top.status(of: path.bytes) else { return 0o755 }
        return status.st_mode & 0o777 | (status.st_mode & S_IFMT == S_IFDIR ? 0o700 : 0o200)
    }

    /// Users that units run as and no file of the package declares, and directories of state that it has.
    func definitions() throws -> [GenerationFile] {
        var users: [String] = []
        var groups: [String] = []
        var state = directories.filter { !$0.isWithin(ServiceLayout.configuration) }
        for path in paths {
            guard ServiceLayout.place(of: path)?.parent == ServiceLayout.systemUnits,
                let text = try self.text(path)
            else { continue }
            let unit = UnitText(text).runsAs
            users += unit.users.filter { !users.contains($0) }
            groups += unit.groups.filter { !groups.contains($0) }
            // Directories that scripts of a distribution make, who are not run.
            state += UnitText(text).state.filter { path in
                !state.contains(path) && !path.bytes.contains { "\"'\\ ".utf8.contains($0) }
            }
        }
        let declared = try declaredNames()
        let passwd = try text("etc/passwd") ?? []
        var lines = users.filter { !declared.contains($0) }.map { Self.userLine($0, passwd) }
        lines += groups.filter { !declared.contains($0) && !users.contains($0) }.map { "g \($0) -" }
        var files: [GenerationFile] = []
        func add(_ lines: [String], in directory: TreePath) {
            guard !lines.isEmpty else { return }
            let text = "# Made by sxs for \(metadata.name).\n" + lines.joined(separator: "\n") + "\n"
            files.append(
                GenerationFile(
                    path: directory.appending("sxs-\(metadata.name).conf".utf8),
                    content: .bytes(Array(text.utf8))))
        }
        add(lines, in: ServiceLayout.users)
        // Whose they are no image says: its owners are not kept. With one user it is clear.
        let owner = users.count == 1 ? users[0] : "root"
        let group = users.count == 1 ? groups.first ?? owner : "root"
        let made = try state.map { path in
            // '%' begins a specifier.
            "d /\("\(path)".replacing("%", with: "%%")) 0\(String(try mode(path), radix: 8)) \(owner) \(group) -"
        }
        add(made, in: ServiceLayout.temporaryFiles)
        return files
    }

    /// Users and groups that the package's own sysusers.d files make.
    private func declaredNames() throws -> Set<String> {
        var names: Set<String> = []
        for path in paths where ServiceLayout.place(of: path)?.parent == ServiceLayout.users {
            for line in String(decoding: try text(path) ?? [], as: UTF8.self).split(separator: "\n") {
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

    /// Files of `/etc` that name paths of the image, and all links there, as hosts get them.
    ///
    /// - Parameter directory: Where hosts see the package's tree, whatever its version.
    func configuration(seenAt directory: String) throws -> [GenerationFile] {
        let text = ConfigurationText(of: tree)
        return try paths.filter { $0.isWithin(ServiceLayout.configuration) }.compactMap { path in
            if case .symlink(let target) = tree[path]?.kind {
                return GenerationFile(path: path, content: .link(moved(target, to: directory)))
            }
            guard let bytes = try self.text(path, limit: ConfigurationText.longest) else { return nil }
            let moved = text.moved(bytes, to: directory)
            return moved == bytes ? nil : GenerationFile(path: path, content: .bytes(moved))
        }
    }

    /// A link's target as the host's `/etc` is to have it: into `/etc` where it leads there, else into the package.
    private func moved(_ target: Bytes, to directory: String) -> Bytes {
        guard target.first == UInt8(ascii: "/"), !target.starts(with: "/etc/".utf8),
            tree.resolve(target, followsLast: false) != nil
        else { return target }
        return Array(directory.utf8) + target
    }
}
