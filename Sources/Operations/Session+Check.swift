internal import Activation
internal import ELF
internal import Files
internal import Glibc
internal import Relocation
internal import Store
internal import StoreLayout

/// Whether what is installed would go on working on a host, such as the next version of this one.
public struct HostCheck: Encodable, Sendable {
    /// Something that was checked.
    public struct Item: Encodable, Sendable {
        /// What it is: a package's name and version, or an extension's path.
        public let name: String
        /// For a package, the profiles whose active generations have it.
        public let profiles: [String]
        /// What would no longer work, a sentence each; empty where all does.
        public let problems: [String]
    }

    /// The host.
    public let host: Explanation.Host
    /// Packages of the active generations of all profiles.
    public let packages: [Item]
    /// Extensions that systemd-sysext would find.
    public let extensions: [Item]
    /// How the host differs from those that the active generations were made on, a sentence each: no problem by itself.
    public let changes: [String]

    /// How many problems there are.
    public var problemCount: Int { (packages + extensions).reduce(0) { $0 + $1.problems.count } }
}

extension Session {
    /// Directories in which systemd-sysext looks for extensions, those first that win, below a root directory.
    ///
    /// Source: systemd-sysext(8). `/run` is not among them, which does not last until the next start.
    public static let extensionDirectories = ["/etc/extensions", "/var/lib/extensions"]

    /// Checks packages and extensions against a host.
    ///
    /// - Parameters:
    ///   - hostRoot: The host's root directory.
    ///   - extensions: Directories of extensions; `nil` for the host's own, then this machine's.
    ///   - systemd: The version of its systemd; `nil` to find out.
    public func check(
        host hostRoot: String, extensions: [String]? = nil, systemd: Int? = nil
    ) throws -> HostCheck {
        let explainer = try ExtensionExplainer(root: hostRoot, systemd: systemd, progress: progress)
        let host = try HostTree(hostRoot)
        var packages: [String: (names: String, profiles: [String], problems: [String])] = [:]
        var changes: [String] = []
        if let store = try existingStore(beside: hostRoot) {
            for profile in try store.profiles() {
                guard let generation = try store.currentGeneration(of: profile) else { continue }
                changes += difference(
                    of: explainer, from: try store.hostRelease(of: generation),
                    name: "generation \(generation.number) of profile '\(profile)'")
                for base in try store.packageNames(of: generation) {
                    packages[base, default: ("", [], [])].profiles.append(profile.text)
                }
            }
            for base in packages.keys {
                let metadata = try store.metadata(of: base)
                packages[base]?.names = "\(metadata.name) \(metadata.version)"
                packages[base]?.problems = try problems(of: metadata, in: store, on: host, explainer)
            }
        }
        let directories =
            extensions
            ?? (hostRoot == "/" ? [""] : [hostRoot, ""]).flatMap { root in
                Self.extensionDirectories.map { root + $0 }
            }
        return HostCheck(
            host: explainer.description,
            packages: packages.values.sorted { $0.names < $1.names }.map {
                HostCheck.Item(name: $0.names, profiles: $0.profiles, problems: $0.problems)
            },
            extensions: try installedExtensions(in: directories, like: explainer).map { path in
                HostCheck.Item(name: path, profiles: [], problems: problems(ofExtension: path, explainer))
            },
            changes: changes)
    }

    /// The store; `nil` where none was ever made, for a host may have extensions alone.
    private func existingStore(beside hostRoot: String) throws -> Store? {
        guard let directory = try? Descriptor.directory(root) else { return nil }
        if try directory.status(of: StoreLayout.Name.format) != nil { return try openStore() }
        if let release = try? HostTree(root).release(like: .newest), !release.fields.isEmpty {
            throw HostError.rootIsHost(root)
        }
        return try directory.list().isEmpty ? nil : openStore()
    }

    /// How a host differs from the one that a generation was made on.
    private func difference(
        of explainer: ExtensionExplainer, from old: [String: String], name: String
    ) -> [String] {
        let new = explainer.record
        guard !old.isEmpty, old != new else { return [] }
        let text = { (record: [String: String]) in
            record["PRETTY_NAME"]
                ?? [record["ID"], record["VERSION_ID"]].compactMap { $0 }.joined(separator: " ")
        }
        if text(old) != text(new) { return ["\(name) was made on \(text(old)); this is \(text(new))"] }
        let fields = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted()
        return fields.map {
            "\(name) was made on \(text(old)) with \($0)=\(old[$0] ?? ""); here it is \($0)=\(new[$0] ?? "")"
        }
    }

    // MARK: - Packages

    /// What a package needs of a host that the host does not have.
    func problems(
        of package: Metadata, in store: Store, on host: HostTree, _ explainer: ExtensionExplainer
    ) throws -> [String] {
        var problems: [String] = []
        if package.architecture != .any, package.architecture.rawValue != explainer.description.architecture {
            problems.append("its programs are for \(package.architecture)")
        }
        let report = try relocationReport(of: package, in: store)
        // With a loader of its own it needs nothing but the kernel.
        guard report.loader == nil, !report.hostLibraries.isEmpty else { return problems }
        let libraries = try HostLibraries(of: host, architecture: package.architecture)
        var missing: [String: Set<String>] = [:]
        var definitions: [String: Set<String>] = [:]
        for name in report.hostLibraries {
            if let file = try libraries.find(name) {
                definitions[name] = try HostLibraries.definitions(of: file)
            } else {
                problems.append("the host has no \(name)")
            }
        }
        var interpreters: Set<String> = []
        let tree = try store.tree(of: package.storePath)
        try forEachELFFile(in: tree) { file in
            for (library, versions) in file.versionRequirements {
                guard let defined = definitions[library] else { continue }
                missing[library, default: []].formUnion(versions.filter { !defined.contains($0) })
            }
            if let interpreter = file.interpreter { interpreters.insert(interpreter.text) }
        }
        for (library, versions) in missing.sorted(by: { $0.key < $1.key }) where !versions.isEmpty {
            problems.append("the host's \(library) lacks \(versions.sorted().joined(separator: ", "))")
        }
        for interpreter in interpreters.sorted()
        where !interpreter.hasPrefix(StoreLayout.aliasDirectory + "/") {
            guard let path = try? TreePath(parsing: interpreter.utf8.drop { $0 == UInt8(ascii: "/") }),
                try host.open(path) == nil
            else { continue }
            problems.append("the host has no loader \(interpreter)")
        }
        return problems
    }

    /// Parses every ELF file of a tree; damaged ones are left to `verify`.
    private func forEachELFFile(in tree: Descriptor, _ body: (ELFFile) -> Void) throws {
        var pending: [TreePath] = [.root]
        while let path = pending.popLast() {
            let directory =
                path == .root ? tree : try tree.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            for entry in try directory.list() {
                guard let status = try directory.status(of: entry.name) else { continue }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: pending.append(path.appending(entry.name))
                case S_IFREG:
                    let mapped = try MappedFile(directory.open(beneath: entry.name))
                    withExtendedLifetime(mapped) {
                        if ELFFile.isELF(mapped.bytes), let file = try? ELFFile(parsing: mapped.bytes) {
                            body(file)
                        }
                    }
                default: break
                }
            }
        }
    }

    // MARK: - Extensions

    /// Extensions in directories as systemd finds them: the first of a name wins.
    private func installedExtensions(
        in directories: [String], like explainer: ExtensionExplainer
    ) throws -> [String] {
        var seen: Set<String> = []
        var found: [String] = []
        for directory in directories {
            // Most hosts have only one of them.
            guard let opened = try? Descriptor.directory(directory) else { continue }
            for entry in try opened.list() {
                let path = directory + "/" + entry.text
                for image in explainer.images(at: path) where seen.insert(image.name).inserted {
                    found.append(image.path)
                }
            }
        }
        return found
    }

    private func problems(ofExtension path: String, _ explainer: ExtensionExplainer) -> [String] {
        let explanation: Explanation
        do {
            explanation = try explainer.explain(path)
        } catch {
            // An image that cannot be read is a finding: systemd cannot read it either.
            return ["it cannot be read: \(error)".replacing("\nhint: ", with: "; ")]
        }
        var problems: [String] = []
        if let refusal = explanation.match.refusal {
            let consequence =
                explanation.match.outcome == .blocks
                ? "it would keep all extensions from being merged" : "it would not be merged"
            let values = [refusal.image.map { "image: \($0)" }, refusal.host.map { "host: \($0)" }].compactMap
            { $0 }
            problems.append(
                "\(consequence): \(refusal.rule): \(refusal.reason)"
                    + (values.isEmpty ? "" : " (\(values.joined(separator: ", ")))"))
        }
        for conflict in explanation.conflicts ?? [] where conflict.severity == .severe {
            problems.append(
                "\(conflict.path): \(conflict.kind.rawValue): \(conflict.image) (host: \(conflict.host))")
        }
        return problems
    }
}
