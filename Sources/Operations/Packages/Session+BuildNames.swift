internal import Distributions
internal import Files
internal import Images
internal import Remotes
internal import StoreLayout

/// Packages that a recipe names, and does not say where they are: of a distribution's remote, with all that they need.
extension Session {
    /// What a recipe's names come to now: asked of its remote, not fetched.
    ///
    /// - Returns: `nil` where the recipe has no names.
    func chosen(by recipe: Recipe, at path: String) throws -> PackageSet? {
        let wishes = try recipe.names.map { text in
            guard case .package(let name, let version) = PackageRequest(parsing: text), !name.isEmpty else {
                throw RecipeError.package(text, file: path)
            }
            return PackageWish(name: name, version: version)
        }
        guard let first = wishes.first else { return nil }
        for remotes in try remotes(of: recipe, at: path) {
            let catalogue = try PackageCatalogue(
                self, remotes, architecture: .host, isKnownEnough: isOffline)
            // Where the recipe says nothing of remotes, the first that has the name counts.
            guard !recipe.remotes.isEmpty || catalogue.pool.has(first.name) else { continue }
            return try PackageSet(all: wishes, hasRecommended: recipe.hasRecommended, from: catalogue)
        }
        throw RecipeError.noRemote(first.name, file: path)
    }

    /// The remotes that a recipe's names may be of: those that it says, together; else the root's, one after the other.
    private func remotes(of recipe: Recipe, at path: String) throws -> [[ConfiguredRemote]] {
        guard !recipe.remotes.isEmpty else {
            return try configuredRemotes().filter(\.description.kind.isDistribution).map { [$0] }
        }
        let remotes = try recipe.remotes.map { remote in
            switch remote {
            case .described(let text): return try described(text, at: path)
            case .named(let name):
                let all = try configuredRemotes()
                guard let found = all.first(where: { $0.name == name }) else {
                    throw RemoteError.unknownRemote(name, known: all.map(\.name))
                }
                return found
            }
        }
        guard remotes.allSatisfy(\.description.kind.isDistribution) else {
            throw RecipeError.noRemote(recipe.names.first ?? "", file: path)
        }
        let kinds = Set(remotes.map(\.description.kind.rawValue))
        guard kinds.count == 1 else { throw RecipeError.mixedRemotes(kinds.sorted(), file: path) }
        return [remotes]
    }

    /// A remote that a recipe describes: its files lie beside the recipe, as others do.
    private func described(_ text: String, at path: String) throws -> ConfiguredRemote {
        let lines = try text.split(separator: "\n").map { line in
            guard let key = RemoteDescription.fileKeys.map({ $0 + "=" }).first(where: line.hasPrefix),
                !line.hasPrefix(key + "/")
            else { return String(line) }
            return key + (try Self.absolutePath(Self.beside(path, String(line.dropFirst(key.count)))))
        }
        let name = "recipe" + RemoteLayout.repositoryMark + Digest(hashing: text.utf8).hex.prefix(16)
        let description = try RemoteDescription(
            parsing: Bytes((lines.joined(separator: "\n") + "\n").utf8), name: name, file: path)
        return try withSettings(ConfiguredRemote(description, file: path, isOfRoot: true))
    }

    /// The packages of a recipe's names, fetched: those of its lock, and without one those of its remote.
    func fetchNamed(
        of recipe: Recipe, at path: String, lock: RecipeLock?
    ) throws -> [(reference: PackageReference, file: Descriptor)] {
        let members: [RecipeLock.Member]
        let offers: [Offer]
        if let lock {
            members = lock.members
            let readers = members.isEmpty ? [] : readers(forLockOf: recipe, at: path)
            offers = try members.map { try offer(of: $0, at: path, readers) }
        } else {
            guard let set = try chosen(by: recipe, at: path) else { return [] }
            members = set.members
            offers = [
                Offer(
                    name: recipe.name.text, version: recipe.version, remote: set.catalogue.remote,
                    fileName: set.wish.name, place: .packages(set))
            ]
        }
        let files = try fetch(offers)
        return try members.map { member in
            guard let digest = Digest(hex: member.digest), let file = files[digest] else {
                throw RemoteError.offline(what: member.location)
            }
            let image = ImageReference(path: "/proc/self/fd/\(file.number)", title: member.location)
            return (PackageReference(image, digest: digest), file)
        }
    }

    /// Who knows mirrors of a lock's packages, and how their servers are logged in to.
    ///
    /// These are the remotes that the recipe says, and those of the root; no index of theirs is read.
    private func readers(forLockOf recipe: Recipe, at path: String) -> [RepositoryReader] {
        let described = recipe.remotes.compactMap { remote in
            guard case .described(let text) = remote else { return nil as ConfiguredRemote? }
            return try? self.described(text, at: path)
        }
        // A lock says all that is needed: remotes that are not in order here only have no mirrors to give.
        let remotes = described + ((try? configuredRemotes()) ?? []).filter(\.description.kind.isDistribution)
        return remotes.flatMap { remote in
            let repositories = try? RepositoryConfiguration.repositories(
                of: remote, architecture: .host, note: { _ in })
            return (repositories ?? []).map { RepositoryReader($0, of: remote, self, note: { _ in }) }
        }
    }

    /// A package of a lock, to be fetched by its digest: no index is asked.
    private func offer(
        of member: RecipeLock.Member, at path: String, _ readers: [RepositoryReader]
    ) throws -> Offer {
        guard let slash = member.location.lastIndex(of: "/"), let digest = Digest(hex: member.digest) else {
            throw RecipeError.package(member.location, file: path + RecipeLock.suffix)
        }
        let place = try RemoteLocation(String(member.location[..<slash]))
        let last = String(member.location[member.location.index(after: slash)...])
        // Paths of this host have no escapes.
        let name = if case .url = place { RemoteLocation.unescaped(last) } else { last }
        let description = RemoteDescription(name: "recipe", kind: .directory, location: place)
        let remote = try withSettings(ConfiguredRemote(description, file: path, isOfRoot: true))
        let fetcher =
            readers.lazy.compactMap { $0.fetcher(ofFilesIn: place) }.first
            ?? Fetcher(remote.description, isOffline: isOffline)
        return Offer(
            name: member.name, version: nil, remote: remote, fileName: name,
            place: .file(ListedFile(name: name, digest: digest), fetcher))
    }

    /// A path as a recipe has it: beside the recipe.
    static func beside(_ recipe: String, _ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = recipe.lastIndex(of: "/") else { return path }
        return recipe[...slash] + path
    }
}

extension PackageSet {
    /// Its packages, as a lock has them.
    var members: [RecipeLock.Member] {
        resolution.packages.map { package in
            RecipeLock.Member(
                digest: package.digest.hex, name: package.name, version: package.version,
                architecture: package.architecture,
                location: catalogue.readers[package.repository].location(of: package.path))
        }
    }
}
