internal import Activation
internal import Files
internal import StoreLayout

/// Finds what of an image the host's own tools are to see: units, users, directories of state and configuration of
/// the wanted package.
extension ExposureFinder {
    /// The files, and directories with a mark at their end, sorted; `services.md` has the rules.
    func systemFiles(of name: String) throws -> [String] {
        let owned = try ownedFiles(of: name)
        guard owned != nil || !isWholeSystem else { return [] }
        let isOwned = { (path: TreePath) in owned?.contains(path) != false }
        let units = self.units(where: isOwned)
        var found = Set(units + definitions(where: isOwned)).union(try configuration(owned, of: name))
        found = found.filter { isNamed($0) }
        var result = found.map { String(decoding: $0.bytes, as: UTF8.self) }
        let hasServices = units.contains { path in
            ServiceLayout.place(of: path)?.isWithin(ServiceLayout.systemUnits) == true
        }
        var directories = configurationDirectories(owned)
        if hasServices { directories += state(where: isOwned) }
        result += Set(directories).filter { isNamed($0) }.map {
            String(decoding: $0.bytes, as: UTF8.self) + ServiceLayout.directoryMark
        }
        return result.sorted()
    }

    /// Whether a path can stand in records and tmpfiles.d, where spaces, quotes and backslashes mean something; units
    /// have backslashes.
    private func isNamed(_ path: TreePath) -> Bool {
        let isUnit = !path.isWithin("etc") && !path.isWithin("var")
        return path.bytes.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "'")
                && (isUnit || byte != UInt8(ascii: "\\"))
        }
    }

    /// Units, other names of units, drop-ins of these, and links by which others depend on them.
    private func units(where isOwned: (TreePath) -> Bool) -> [TreePath] {
        let directories = ServiceLayout.directories.filter {
            [ServiceLayout.systemUnits, ServiceLayout.userUnits].contains($0.generation)
        }
        var seen: Set<TreePath> = []
        return directories.compactMap { tree.resolve($0.image.bytes) }.filter {
            seen.insert($0).inserted && ServiceLayout.place(of: $0.appending("x".utf8)) != nil
        }.flatMap { directory -> [TreePath] in
            let own = tree.names(in: directory).filter { name in
                UnitText.isUnit(String(decoding: name, as: UTF8.self)) && isOwned(directory.appending(name))
                    && isUnit(directory.appending(name))
            }
            let ownDropIns = Set(own.map { $0 + ".d".utf8 })
            let inner = tree.names(in: directory).flatMap { name -> [TreePath] in
                let place = directory.appending(name)
                guard tree[place]?.kind == .directory else { return [] }
                let text = String(decoding: name, as: UTF8.self)
                let isLinks = [".wants", ".requires", ".upholds"].contains { text.hasSuffix($0) }
                return tree.names(in: place).filter { file in
                    isLinks
                        ? own.contains(file) && isOwned(place.appending(file))
                        : ownDropIns.contains(name) && file.suffix(5).elementsEqual(".conf".utf8)
                            && isOwned(place.appending(file))
                }.map { place.appending($0) }
            }
            return own.map { directory.appending($0) } + inner
        }
    }

    /// Whether it is a unit's file, or a link that gives a unit beside it another name.
    private func isUnit(_ path: TreePath) -> Bool {
        switch tree[path]?.kind {
        case .file: return true
        case .symlink(let target):
            guard !target.contains(UInt8(ascii: "/")), let file = tree.resolve(path.bytes) else {
                return false
            }
            if case .file = tree[file]?.kind { return true }
            return false
        default: return false
        }
    }

    /// Users and directories, as the package itself declares them.
    private func definitions(where isOwned: (TreePath) -> Bool) -> [TreePath] {
        ServiceLayout.directories.filter {
            [ServiceLayout.users, ServiceLayout.temporaryFiles].contains($0.generation)
        }.flatMap { directory in
            tree.names(in: directory.image).map { directory.image.appending($0) }.filter { path in
                guard case .file = tree[path]?.kind else { return false }
                return path.name.suffix(5).elementsEqual(".conf".utf8) && isOwned(path)
            }
        }
    }

    /// Files and links below `etc` that hosts get.
    private func configuration(_ owned: Set<TreePath>?, of name: String) throws -> [TreePath] {
        let etc: TreePath = "etc"
        let candidates = tree.nodes.keys.filter { path in
            path.isWithin(etc) && tree[path]?.kind != .directory && HostConfiguration.isCarried(path)
        }
        guard let owned else { return Array(candidates) }
        let mine = candidates.filter(owned.contains)
        // What no package owns in a directory of this one's own was made when the image was.
        var others = Set(
            candidates.filter { path in
                guard !owned.contains(path), let parent = path.parent else { return false }
                return parent.components.count > 1 && owned.contains(parent)
            })
        guard !others.isEmpty, let main = mainPackage(name) else { return mine }
        for package in packages ?? [] where package.source != main.source {
            for file in try package.files() {
                guard let path = tree.resolve(file, followsLast: false) else { continue }
                others.remove(path)
                // A directory that it shares with others is not its own.
                if path.isWithin(etc), tree[path]?.kind == .directory {
                    others = others.filter { $0.parent != path }
                }
            }
        }
        return mine + others
    }

    /// The package's own directories below those at the top of `etc`, which may be empty.
    private func configurationDirectories(_ owned: Set<TreePath>?) -> [TreePath] {
        tree.nodes.compactMap { path, node in
            guard node.kind == .directory, path.components.count > 1, HostConfiguration.isCarried(path),
                owned?.contains(path) != false
            else { return nil }
            return path
        }
    }

    /// The package's own directories of state.
    private func state(where isOwned: (TreePath) -> Bool) -> [TreePath] {
        tree.nodes.compactMap { path, node in
            guard node.kind == .directory, isOwned(path),
                ServiceLayout.stateDirectories.contains(where: { path != $0 && path.isWithin($0) }),
                !ServiceLayout.systemState.contains(where: { path.isWithin($0) })
            else { return nil }
            return path
        }
    }
}
