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
        for remote in try remotes(of: recipe, at: path) {
            let catalogue = try PackageCatalogue(
                self, remote, architecture: .host, isKnownEnough: isOffline)
            // Of several remotes the first that has the name; of a remote that was named, or is the only one, its own words.
            guard recipe.remote != nil || recipe.remoteText != nil || catalogue.pool.has(first.name) else {
                continue
            }
            return try PackageSet(all: wishes, hasRecommended: recipe.hasRecommended, from: catalogue)
        }
        throw RecipeError.noRemote(first.name, file: path)
    }

    /// The remotes that a recipe's names may be of, in their order.
    private func remotes(of recipe: Recipe, at path: String) throws -> [ConfiguredRemote] {
        if let text = recipe.remoteText {
            // A keyring lies beside the recipe, as its other files do.
            let lines = try text.split(separator: "\n").map { line in
                let key = "Keyring="
                guard line.hasPrefix(key), !line.hasPrefix(key + "/") else { return String(line) }
                return key + (try Self.absolutePath(Self.beside(path, String(line.dropFirst(key.count)))))
            }
            let name =
                "recipe" + RemoteLayout.repositoryMark + Digest(hashing: text.utf8).hex.prefix(16)
            let description = try RemoteDescription(
                parsing: Bytes((lines.joined(separator: "\n") + "\n").utf8), name: name, file: path)
            guard description.kind.isDistribution else {
                throw RecipeError.noRemote(recipe.names.first ?? "", file: path)
            }
            return [try withSettings(ConfiguredRemote(description, file: path, isOfRoot: true))]
        }
        let all = try configuredRemotes()
        guard let wanted = recipe.remote else { return all.filter(\.description.kind.isDistribution) }
        guard let remote = all.first(where: { $0.name == wanted }) else {
            throw RemoteError.unknownRemote(wanted, known: all.map(\.name))
        }
        guard remote.description.kind.isDistribution else {
            throw RecipeError.noRemote(recipe.names.first ?? "", file: path)
        }
        return [remote]
    }

    /// The packages of a recipe's names, fetched: those of its lock, and without one those of its remote.
    func fetchNamed(
        of recipe: Recipe, at path: String, lock: RecipeLock?
    ) throws -> [(reference: PackageReference, file: Descriptor)] {
        let members: [RecipeLock.Member]
        let offers: [Offer]
        if let lock {
            members = lock.members
            offers = try members.map { try offer(of: $0, at: path) }
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

    /// A package of a lock, to be fetched by its digest: no index is asked.
    private func offer(of member: RecipeLock.Member, at path: String) throws -> Offer {
        guard let slash = member.location.lastIndex(of: "/"), let digest = Digest(hex: member.digest) else {
            throw RecipeError.package(member.location, file: path + RecipeLock.suffix)
        }
        let name = Self.unescaped(String(member.location[member.location.index(after: slash)...]))
        let place = try RemoteLocation(String(member.location[..<slash]))
        let description = RemoteDescription(name: "recipe", kind: .directory, location: place)
        let remote = try withSettings(ConfiguredRemote(description, file: path, isOfRoot: true))
        let fetcher = Fetcher(remote.description, isOffline: isOffline)
        return Offer(
            name: member.name, version: nil, remote: remote, fileName: name,
            place: .file(ListedFile(name: name, digest: digest), fetcher))
    }

    /// A path as a recipe has it: beside the recipe.
    static func beside(_ recipe: String, _ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = recipe.lastIndex(of: "/") else { return path }
        return recipe[...slash] + path
    }

    /// A name without the escapes of URLs.
    static func unescaped(_ text: String) -> String {
        var bytes: Bytes = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.first {
            if byte == UInt8(ascii: "%"), rest.count > 2,
                let value = UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
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
