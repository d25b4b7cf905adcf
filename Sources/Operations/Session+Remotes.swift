internal import Files
internal import Images
internal import Store
internal import StoreLayout

/// A place that packages come from.
public struct RemoteSummary: Encodable, Sendable {
    /// Its name.
    public let name: String
    /// Its kind: `directory`.
    public let kind: String
    /// Where it is.
    public let location: String
}

/// An image that a remote offers.
struct Offer {
    let version: PackageVersion?
    let location: String

    /// Whether it is known to be newer than a version.
    func isNewer(than text: String) throws -> Bool {
        guard let version else { return false }
        return try PackageVersion(text) < version
    }
}

extension Session {
    /// The remotes, sorted by name.
    public func remotes() throws -> [RemoteSummary] {
        try openStore().remotes().map { RemoteSummary(name: $0.name, kind: $0.kind, location: $0.location) }
    }

    /// Adds a directory of images, in which `install NAME` looks.
    public func addRemote(_ name: String, directory: String) throws -> RemoteSummary {
        let checked = try PackageName(name).text
        let absolute = try Session.absolutePath(directory)
        do {
            _ = try Descriptor.directory(absolute).list()
        } catch is SystemError {
            throw OperationError.badRemote(name, location: directory)
        }
        let store = try openStoreForWriting()
        try asWriter(of: store) { try store.addRemote(name: checked, kind: "directory", location: absolute) }
        return RemoteSummary(name: checked, kind: "directory", location: absolute)
    }

    /// Forgets a remote; packages that came from it stay.
    public func removeRemote(_ name: String) throws {
        let store = try openStoreForWriting()
        try asWriter(of: store) { try store.removeRemote(named: name) }
    }

    /// Images of a name in all remotes for this host, the oldest version first.
    func offers(of name: String, in store: Store) throws -> [Offer] {
        var result: [Offer] = []
        for remote in try store.remotes() {
            let names: [Descriptor.Listed]
            do {
                names = try Descriptor.directory(remote.location).list()
            } catch is SystemError {
                note("remote '\(remote.name)': \(remote.location) cannot be read; it is passed over")
                continue
            }
            for entry in names {
                let image = ImageNaming(fileName: entry.text)
                guard image.name == name, image.architecture.map({ $0 == .host || $0 == .any }) ?? true else {
                    continue
                }
                let version = image.version.flatMap { try? PackageVersion($0) }
                result.append(Offer(version: version, location: remote.location + "/" + entry.text))
            }
        }
        return result.sorted { left, right in
            guard let first = left.version, let second = right.version else {
                return left.version == nil && right.version != nil
            }
            return first < second
        }
    }
}
