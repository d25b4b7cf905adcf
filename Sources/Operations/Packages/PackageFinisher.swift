internal import Files
internal import Images
internal import Store
internal import StoreLayout

/// Does what the scripts of packages would do, declaratively: the same packages give the same bytes.
///
/// `packages.md` is the contract.
struct PackageFinisher {
    let area: ImportArea
    let packages: [PackageFile]
    let scripts: [MaintainerScripts]
    let options: PackageOptions
    let note: (String) -> Void
    private(set) var record = FinishingRecord()
    /// Files and links that slimming took.
    private(set) var slimmed: [TreePath] = []

    var tree: Tree { area.builder.tree }

    init(
        _ packages: [PackageFile], _ scripts: [MaintainerScripts], options: PackageOptions,
        in area: ImportArea,
        note: @escaping (String) -> Void
    ) {
        self.area = area
        self.packages = packages
        self.scripts = scripts
        self.options = options
        self.note = note
        for script in scripts {
            for diversion in script.diversions {
                record.diversions["\(diversion.path)"] = "\(diversion.target)"
            }
        }
        record.scripts = zip(packages, scripts).flatMap { package, scripts in
            scripts.others.map {
                FinishingRecord.Script(
                    package: package.facts.name, script: $0.script, programs: $0.programs)
            }
        }
    }

    /// Finishes the tree.
    mutating func finish() throws -> FinishingRecord {
        try slim()
        try edit()
        try copyTemplates()
        try setAlternatives()
        try writeInfoDirectory()
        let builds = cacheBuilds() + certificateBuilds()
        if !builds.isEmpty {
            let root = try ClosureRoot(tree, staging: area.staging, in: area.directory)
            defer { try? root.discard() }
            for build in builds { try make(build, in: root) }
        }
        try bundleCertificates()
        return record
    }

    /// Runs the packages' scripts, in the finished tree.
    ///
    /// - Parameter packages: The packages in the order in which they came: a repository's is that of their dependencies.
    /// - Throws: ``PackageError/script(_:package:reason:)`` for the first that fails.
    mutating func runScripts(of packages: [PackageFile]) throws {
        let scripts = ScriptRoot.scripts(of: packages)
        var ran: [FinishingRecord.Script] = []
        if !scripts.isEmpty {
            let architecture = packages.lazy.map(\.facts.architecture).first {
                !["all", "noarch", "any"].contains($0)
            }
            let root = try ScriptRoot(
                tree, staging: area.staging, architecture: architecture ?? "all", in: area.directory)
            // The first error is the one to report; what is left goes with the next writer.
            defer { try? root.discard() }
            root.settle()
            for (script, facts) in scripts where try root.run(script, of: facts) {
                let calls = record.scripts.first { $0.package == facts.name && $0.script == script.name }
                ran.append(
                    FinishingRecord.Script(
                        package: facts.name, script: script.name, programs: calls?.programs ?? []))
            }
            made("paths changed by scripts", try root.takeChanges(into: area.builder))
        }
        record.ran = ran
        // What was run is done.
        record.scripts.removeAll { script in
            ran.contains { $0.package == script.package && $0.script == script.script }
        }
    }

    /// Notes something that was made.
    mutating func made(_ name: String, _ count: Int) {
        guard count > 0 else { return }
        if let index = record.steps.firstIndex(where: { $0.name == name }) {
            record.steps[index].count += count
        } else {
            record.steps.append(FinishingRecord.Step(name: name, count: count))
        }
    }

    /// Notes a cache that could not be made.
    mutating func missing(_ name: String, _ reason: String) {
        record.missing[name] = reason
    }

    // MARK: Files

    /// Where an absolute path of the packages is, links in its parents followed; `nil` for one that no tree has.
    func place(_ path: some Swift.Collection<UInt8>) -> TreePath? {
        guard let plain = try? TreePath(parsing: Bytes(path.drop { $0 == UInt8(ascii: "/") })) else {
            return nil
        }
        return tree.resolve(plain.bytes, followsLast: false) ?? parentResolved(plain)
    }

    private func parentResolved(_ path: TreePath) -> TreePath? {
        guard let parent = path.parent, !parent.bytes.isEmpty else { return path }
        if let node = tree[parent] {
            if node.kind == .directory { return path }
            guard case .symlink = node.kind, let target = tree.resolve(parent.bytes),
                tree[target]?.kind == .directory
            else { return nil }
            return target.appending(path.name)
        }
        return parentResolved(parent)?.appending(path.name)
    }

    /// The bytes of a file, links followed; `nil` where there is none.
    func read(_ path: TreePath) throws -> Bytes? {
        guard let place = tree.resolve(path.bytes), case .file(let id) = tree[place]?.kind else { return nil }
        return try area.staging.open(id).readAll()
    }

    func write(_ bytes: Bytes, to path: TreePath, mode: UInt16 = 0o644) throws {
        try area.builder.beginFile(path, mode: mode, attributes: [], size: bytes.count)
        try bytes.withUnsafeBytes { try area.builder.append($0) }
        try area.builder.endFile()
        try area.builder.finish()
    }

    func link(_ path: TreePath, to target: Bytes) throws { try area.builder.symlink(path, target: target) }

    func remove(_ path: TreePath) throws { try area.builder.remove(path) }

    // MARK: Steps

    /// Leaves out what nobody wants.
    private mutating func slim() throws {
        guard !options.slim.isEmpty else { return }
        let staging = area.staging
        let size = { (tree: Tree) in
            tree.nodes.values.reduce(0) { total, node in
                guard case .file(let id) = node.kind else { return total }
                return total + staging[id].size
            }
        }
        let before = size(tree)
        let plan = try SlimmingPlan(options.slim, of: tree, staging)
        slimmed = plan.removed
        var emptied: Set<TreePath> = []
        for path in plan.removed {
            try remove(path)
            var above = path.parent
            while let directory = above, !directory.bytes.isEmpty, emptied.insert(directory).inserted {
                above = directory.parent
            }
        }
        // What is empty now was not before.
        for path in emptied.sorted().reversed() where tree.names(in: path).isEmpty { try remove(path) }
        record.slimming = FinishingRecord.Slimming(
            kinds: options.slim.map(\.rawValue).sorted(), count: plan.removed.count, sizeBefore: before,
            sizeAfter: size(tree), kept: plan.keptCount == 0 ? nil : plan.keptCount,
            readers: plan.readers.isEmpty ? nil : plan.readers)
    }

    /// Leaves out and adds what the user says.
    private mutating func edit() throws {
        var count = 0
        for pattern in options.drops {
            // All below a directory goes with it.
            let paths = pattern.paths(in: tree)
            for path in paths where tree[path] != nil { try remove(path) }
            count += paths.count
        }
        made("paths dropped", count)
        for addition in options.additions {
            guard let place = place(addition.path.bytes) else { continue }
            switch addition.content {
            case .bytes(let bytes): try write(bytes, to: place, mode: addition.mode)
            case .link(let target): try link(place, to: target)
            }
        }
        made("files added", options.additions.count)
    }

    /// What the scripts of base packages copy on a new system.
    private static let templates: [(from: TreePath, to: TreePath)] = [
        ("usr/share/base-passwd/passwd.master", "etc/passwd"),
        ("usr/share/base-passwd/group.master", "etc/group"),
        ("usr/share/base-files/profile", "etc/profile"),
        ("usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),
        ("usr/lib/R/etc/Renviron.ucf", "etc/R/Renviron"),
    ]

    private mutating func copyTemplates() throws {
        for (from, to) in Self.templates where tree[to] == nil {
            guard let bytes = try read(from) else { continue }
            try write(bytes, to: to)
            made("templates of /etc", 1)
        }
    }

    /// Makes the links of every name lead to its most preferred choice that exists, as update-alternatives does.
    private mutating func setAlternatives() throws {
        var choices: [String: MaintainerScripts.Alternative] = [:]
        for alternative in scripts.flatMap(\.alternatives)
        where tree.resolve(alternative.path.utf8) != nil {
            if let other = choices[alternative.name], other.priority >= alternative.priority { continue }
            choices[alternative.name] = alternative
        }
        for (name, choice) in choices.sorted(by: { $0.key < $1.key }) {
            try setAlternative(choice.link, name, choice.path)
            for slave in choice.slaves where tree.resolve(slave[2].utf8) != nil {
                try setAlternative(slave[0], slave[1], slave[2])
            }
        }
        made("alternatives", record.alternatives.count)
    }

    private mutating func setAlternative(_ link: String, _ name: String, _ path: String) throws {
        let middle = ("etc/alternatives" as TreePath).appending(name.utf8)
        guard let place = place(link.utf8) else { return }
        switch tree[place]?.kind {
        case .file, .directory: return
        case .symlink, nil: break
        }
        try self.link(middle, to: Array(path.utf8))
        try self.link(place, to: [UInt8(ascii: "/")] + middle.bytes)
        record.alternatives[link] = path
    }
}
