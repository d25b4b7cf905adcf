internal import Activation
internal import Distributions
internal import Files
private import Glibc
internal import Remotes
internal import StoreLayout

/// From the description of a remote to its repositories.
enum RepositoryConfiguration {
    /// The repositories of a remote: those that it describes, or those of the configuration at its place.
    ///
    /// - Parameter note: Told of what is passed over.
    static func repositories(
        of remote: ConfiguredRemote, architecture: Architecture, note: (String) -> Void
    ) throws -> [PackageRepository] {
        let description = remote.description
        let kind = description.kind
        let name = PackagePool.name(of: architecture, kind: kind)
        let isDescribed = !description.suites.isEmpty
        switch (kind, description.location) {
        case (.debian, .path(let path)) where !isDescribed:
            let found = try AptConfiguration(reading: path, architecture: name)
            found.notes.forEach(note)
            return found.repositories
        case (.debian, let location):
            guard isDescribed else {
                throw RemoteDescriptionError.missing(remote.file, "Suites")
            }
            return description.suites.map { suite in
                var repository = PackageRepository(kind: .debian, places: [location], suite: suite)
                if !suite.hasSuffix("/") {
                    repository.components = description.components.isEmpty ? ["main"] : description.components
                }
                return repository
            }
        case (.rpm, .path(let path)) where !isRepository(path):
            let found = try YumConfiguration(reading: path, variables: variables(architecture: name))
            found.notes.forEach(note)
            return found.repositories
        case (.arch, let location):
            guard isDescribed else {
                throw RemoteDescriptionError.missing(remote.file, "Suites")
            }
            return try description.suites.map { suite in
                let text = location.text.replacing("$repo", with: suite).replacing("$arch", with: name)
                return PackageRepository(kind: .arch, places: [try RemoteLocation(text)], suite: suite)
            }
        case (_, let location): return [PackageRepository(kind: kind, places: [location])]
        }
    }

    private static func isRepository(_ path: String) -> Bool { access(path + "/repodata", F_OK) == 0 }

    /// What `$releasever` and others stand for, as far as the host says.
    private static func variables(architecture: String) -> [String: String] {
        var variables = ["basearch": architecture, "arch": architecture]
        let release = try? HostTree("/").release(like: .newest)
        variables["releasever"] = release.map { HostTree.record($0) }?["VERSION_ID"]
        return variables
    }
}
