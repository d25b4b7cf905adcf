internal import Files
private import Glibc
internal import Images
public import Remotes
internal import StoreLayout

/// What a repository offers, after a change.
public struct RepositoryReport: Encodable, Sendable {
    /// The directory.
    public let path: String
    /// Files that came with this command.
    public internal(set) var added: [String] = []
    /// Files that went.
    public internal(set) var removed: [String] = []
    /// What its listing names.
    public let packages: [RepositoryIndex.Package]
    /// Names that stand for several packages.
    public let collections: [String: RepositoryIndex.Collection]
    /// The number of the listing.
    public let serial: Int
    /// Who signed the listing.
    public let signers: [String]
    /// The last day on which the listing is good; `nil` for ever.
    public let bestBefore: String?
}

extension Session {
    /// Makes a repository of a directory; images that are in it are listed.
    public func makeRepository(_ path: String, _ description: RepositoryDescription) throws
        -> RepositoryReport
    {
        let path = try Session.absolutePath(path)
        var description = description
        if let key = description.key { description.key = try secretKey(key) }
        try Repository.make(path, description)
        do {
            return try publish(repository(path))
        } catch {
            // The first error is the one to report.
            try? Repository.unmake(path)
            throw error
        }
    }

    private func repository(_ path: String) throws -> Repository {
        let path = try Session.absolutePath(path)
        return try Repository(path) { note("waiting for another sxs to finish with \(path)") }
    }

    /// Adds images, which are files, or packages of the store, which are exported.
    ///
    /// - Parameters:
    ///   - path: The repository.
    ///   - names: Paths of images, and names of packages.
    ///   - keep: Versions of each of these names that stay, the newest ones; `nil` for all.
    public func addToRepository(_ path: String, _ names: [String], keep: Int? = nil) throws
        -> RepositoryReport
    {
        let repository = try repository(path)
        var added: [(file: String, isNew: Bool, name: String)] = []
        // All is looked at before any of it is there for others to be listed.
        let images = try names.map { name -> (path: String, facts: Repository.Facts)? in
            guard ImageNaming.isImage(fileName: name) || name.contains("/") else { return nil }
            let image = try Session.absolutePath(name)
            return (image, try publishedFacts(of: image, strictly: true))
        }
        var report: RepositoryReport
        do {
            for (name, image) in zip(names, images) {
                if let image {
                    let (file, isNew) = try repository.add(Descriptor.file(image.path), image.facts)
                    added.append((file, isNew, image.facts.name))
                } else {
                    added.append(try addPackage(name, to: repository))
                }
            }
            let touched = Set(added.map(\.name))
            report = try publish(repository) { packages in
                guard let keep else { return [] }
                let groups = Dictionary(grouping: packages.filter { touched.contains($0.name) }) {
                    [$0.name, $0.architecture ?? ""]
                }
                return groups.values.flatMap { $0.dropFirst(keep).map(\.file) }
            }
        } catch {
            // All of it or nothing; the first error is the one to report.
            try? repository.discard(added.filter(\.isNew).map(\.file))
            throw error
        }
        report.added = added.map(\.file).filter { !report.removed.contains($0) }
        return report
    }

    private func addPackage(
        _ name: String, to repository: Repository
    ) throws -> (file: String, isNew: Bool, name: String) {
        try repository.withArea { _, place in
            var options = ExportOptions()
            options.output = place
            let exported = try export(name, options: options)
            let facts = try publishedFacts(of: exported.path, strictly: true)
            let (file, isNew) = try repository.add(Descriptor.file(exported.path), facts)
            return (file, isNew, facts.name)
        }
    }

    /// Takes images out of a repository, by the name of a file, of a package with or without `@VERSION`, or of a collection.
    public func removeFromRepository(_ path: String, _ names: [String]) throws -> RepositoryReport {
        let repository = try repository(path)
        let collections = try Repository.read(repository.path).1.collections
        return try publish(repository) { packages in
            try names.flatMap { name -> [String] in
                if collections[name] != nil { return [name + RemoteLayout.collectionSuffix] }
                let parts = name.split(separator: "@", maxSplits: 1).map(String.init)
                let found = packages.filter { package in
                    package.file == name
                        || package.name == parts.first && (parts.count == 1 || package.version == parts[1])
                }
                guard !found.isEmpty else { throw RepositoryError.unknown(name, in: path) }
                return found.map(\.file)
            }
        }
    }

    /// Writes the listing of a repository anew, and signs it.
    public func indexRepository(_ path: String) throws -> RepositoryReport {
        try publish(repository(path))
    }

    /// Changes what a repository's keeper decided, and writes its listing anew.
    public func changeRepository(
        _ path: String, _ change: (inout RepositoryDescription) -> Void
    ) throws -> RepositoryReport {
        let repository = try repository(path)
        var wanted = repository.description
        change(&wanted)
        if let key = wanted.key, key != repository.description.key { wanted.key = try secretKey(key) }
        let before = repository.description
        try repository.describe { $0 = wanted }
        do {
            return try publish(repository)
        } catch {
            // What cannot be signed so is not to stand in the way of the next command.
            try? repository.describe { $0 = before }
            throw error
        }
    }

    /// Has a name stand for several packages; for none it is forgotten.
    ///
    /// - Parameter summary: What it is for; `nil` for what it was.
    public func setCollection(
        _ name: String, of packages: [String], summary: String?, in path: String
    ) throws -> RepositoryReport {
        let checked = try PackageName(name)
        guard !packages.isEmpty else { return try removeFromRepository(path, [checked.text]) }
        let repository = try repository(path)
        let names = try packages.map { try PackageName($0) }
        let index = try Repository.read(repository.path).1
        let known = Set(index.packages.map(\.name))
        if let missing = names.first(where: { !known.contains($0.text) }) {
            throw RepositoryError.unknown(missing.text, in: path)
        }
        guard !known.contains(checked.text) else { throw RepositoryError.taken(name, in: path) }
        let summary = summary ?? index.collections[checked.text]?.summary
        return try repository.set(PackageCollection(name: checked, summary: summary, packages: names)) {
            try publish(repository)
        }
    }

    /// What the listing of a repository names.
    public func repositoryIndex(_ path: String) throws -> RepositoryIndex {
        try Repository.read(Session.absolutePath(path)).1
    }

    /// A server of a repository, or of any directory.
    ///
    /// - Parameter log: Told of each answer.
    public func repositoryServer(
        _ path: String, address: String, port: UInt16, log: @escaping @Sendable (String) -> Void
    ) throws -> RepositoryServer {
        let path = try Session.absolutePath(path)
        _ = try Repository.read(path)
        return try RepositoryServer(path, address: address, port: port, log: log)
    }

    private func publish(
        _ repository: Repository,
        removing removed: ([RepositoryIndex.Package]) throws -> [String] = { _ in [] }
    ) throws -> RepositoryReport {
        var gone: [String] = []
        let outcome = try repository.index(
            time: time(nil),
            removing: { packages in
                gone = Set(try removed(packages)).sorted()
                return gone
            },
            { file in try publishedFacts(of: repository.path(of: file), strictly: false) })
        if outcome.signers.isEmpty {
            note(
                """
                nobody signed the listing of \(repository.path): 'sxs remote add' takes it with --insecure only
                hint: 'sxs key generate NAME', then 'sxs repo set \(repository.path) --key NAME'
                """)
        }
        return RepositoryReport(
            path: repository.path, removed: gone, packages: outcome.index.packages,
            collections: outcome.index.collections, serial: outcome.index.serial, signers: outcome.signers,
            bestBefore: outcome.bestBefore)
    }
}
