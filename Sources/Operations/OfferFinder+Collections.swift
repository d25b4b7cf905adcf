internal import Remotes

extension OfferFinder {
    /// The collection of a name, and the remote that has it; `nil` where the name is none of a collection.
    ///
    /// As with packages, the first remote that has anything of the name is the one that counts.
    ///
    /// - Parameter wanted: The remote that is wanted; `nil` for the first.
    func collection(
        named name: String, in wanted: String?
    ) throws -> (collection: PackageCollection, remote: ConfiguredRemote)? {
        let remotes = try readRemotes().filter { wanted == nil || $0.name == wanted }
        for (index, remote) in remotes.enumerated() {
            guard let collection = try metadata(of: remote)?.collection(named: name) else { continue }
            // Only now: a registry would be asked for each name there is.
            for earlier in remotes[...index]
            where try !candidates(named: name, version: nil, in: earlier, isNamed: wanted != nil).isEmpty {
                return nil
            }
            return (collection, remote)
        }
        return nil
    }
}

extension Session {
    /// What a request asks for: itself, or the packages of the collection that it names.
    func expand(_ wanted: Wanted, _ finder: OfferFinder) throws -> [Wanted] {
        guard case .package(let name, nil, let remote, _) = wanted,
            let found = try finder.collection(named: name, in: remote)
        else { return [wanted] }
        return found.collection.packages.map {
            .package($0, version: nil, remote: found.remote.name, text: "\(found.remote.name)/\($0)")
        }
    }
}
