internal import Activation
internal import Files
internal import Remotes
internal import Store
internal import StoreLayout

/// A package, or a collection of packages, that a remote offers.
public struct FoundPackage: Encodable, Sendable {
    /// Its name.
    public let name: String
    /// The newest version there is; `nil` for a collection, and where nothing says it.
    public let version: String?
    /// The remote.
    public let remote: String
    /// Where it is.
    public let location: String
    /// What it is for, where the remote says it.
    public let summary: String?
    /// Bytes to be fetched, where the remote says it.
    public let size: Int?
    /// The packages that a collection stands for; `nil` for a package.
    public let packages: [String]?
}

extension Session {
    /// What remotes offer that has all words of a text in its name, its commands or its description, the best first.
    public func search(_ text: String) throws -> [FoundPackage] {
        let words = text.lowercased().split(separator: " ").map(String.init)
        let finder = try OfferFinder(self, architecture: nil)
        // By rank; of one rank, remotes and names are in their order.
        var found: [SearchRank: [FoundPackage]] = [:]
        for remote in try finder.readRemotes() {
            if remote.description.kind.isDistribution {
                let location = remote.description.location.text
                for hit in try finder.names(of: remote)?.search(words) ?? [] {
                    let package = FoundPackage(
                        name: hit.name, version: hit.version, remote: remote.name,
                        location: location + "/" + hit.name, summary: hit.summary, size: nil, packages: nil)
                    found[hit.rank, default: []].append(package)
                }
                continue
            }
            let index = try index(of: remote, finder.metadata(of: remote))
            let facts = Dictionary(grouping: index?.packages ?? [], by: \.file)
            let known = Dictionary(grouping: index?.packages ?? [], by: \.name)
            for name in try finder.packages(in: remote) {
                let newest = known[name]?.first
                guard
                    let rank = SearchRank(
                        of: words, name: name, summary: newest?.summary, commands: newest?.commands ?? []),
                    let offer = try finder.candidates(named: name, version: nil, in: remote, isNamed: false)
                        .first
                else { continue }
                let file = facts[offer.fileName]?.first
                found[rank, default: []].append(
                    FoundPackage(
                        name: name, version: offer.version?.text, remote: remote.name,
                        location: offer.location, summary: file?.summary, size: file?.size, packages: nil))
            }
            for (name, collection) in (index?.collections ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let rank = SearchRank(of: words, name: name, summary: collection.summary, commands: [])
                else {
                    continue
                }
                found[rank, default: []].append(
                    FoundPackage(
                        name: name, version: nil, remote: remote.name,
                        location: remote.description.location.text, summary: collection.summary, size: nil,
                        packages: collection.packages))
            }
        }
        return found.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    /// What a remote says of all its images; `nil` where it says nothing, or nothing that can be read.
    private func index(of remote: ConfiguredRemote, _ reader: MetadataReader?) throws -> RepositoryIndex? {
        do {
            return try reader?.index()
        } catch let error as RemoteError {
            // Names are in the listing, which is whole.
            note(
                "remote '\(remote.name)': its index cannot be used; names are known, descriptions, sizes and commands are not\n\(error)"
            )
            return nil
        }
    }

    /// What the store and the profile know of a package; nothing where there is no store.
    private func addInstalled(to information: inout PackageInformation) throws {
        let store: Store
        do {
            store = try openStore()
        } catch StoreError.noStore {
            return
        }
        let current =
            try store.currentGeneration(of: profile).map { try members(of: $0, in: store) } ?? []
        let name = information.name
        information.installed = current.first { $0.name == name }?.version
        for package in try store.packages(named: name) {
            let metadata = try? store.metadata(of: package.baseName)
            information.summary = metadata?.summary ?? information.summary
            information.stored.append(
                StoredVersion(
                    version: package.version, storePath: package.baseName,
                    architecture: "\(package.architecture)", size: metadata?.size,
                    isReproducible: metadata?.finishing?.isReproducible ?? true))
        }
    }

    /// What the store, the profile and all remotes know of a package.
    ///
    /// - Parameter text: `NAME` or `REMOTE/NAME`.
    /// - Throws: ``OperationError/unknownPackage(_:remotes:)`` where nobody knows it.
    public func information(on text: String) throws -> PackageInformation {
        let named = try remoteName(in: text)
        let name = named?.package ?? text
        let finder = try OfferFinder(self, architecture: nil)
        var information = PackageInformation(name: name)
        if named == nil { try addInstalled(to: &information) }
        for remote in try finder.readRemotes() where named.map({ $0.remote == remote.name }) ?? true {
            try add(remote, to: &information, finder, isNamed: named != nil)
        }
        guard !information.isEmpty else { throw OperationError.unknownPackage(text, remotes: finder.names) }
        return information
    }

    private func add(
        _ remote: ConfiguredRemote, to information: inout PackageInformation, _ finder: OfferFinder,
        isNamed: Bool
    ) throws {
        let name = information.name
        let reader = try finder.metadata(of: remote)
        let facts = Dictionary(grouping: try index(of: remote, reader)?.packages ?? [], by: \.file)
        for offer in try finder.candidates(named: name, version: nil, in: remote, isNamed: isNamed) {
            let file = facts[offer.fileName]?.first
            if information.summary == nil { information.summary = file?.summary ?? offer.summary }
            if information.commands.isEmpty { information.commands = file?.commands ?? [] }
            // The newest alone: each may cost a question to the server.
            let isNewest = information.offered.last?.remote != remote.name
            let refusal = isNewest ? try finder.match(of: offer)?.refusal.map(HostMatch.text) : nil
            information.offered.append(
                OfferedVersion(
                    remote: remote.name, version: offer.version?.text, location: offer.location,
                    size: file?.size,
                    isInsecure: remote.description.isInsecure, refusal: refusal))
        }
        if information.packages == nil, let collection = try reader?.collection(named: name) {
            information.packages = collection.packages.map { "\(remote.name)/\($0)" }
            information.summary = information.summary ?? collection.summary
        }
    }
}

/// What is known of a package.
public struct PackageInformation: Encodable, Sendable {
    /// Its name.
    public let name: String
    /// What it is for.
    public internal(set) var summary: String?
    /// The version in the profile; `nil` where it has none.
    public internal(set) var installed: String?
    /// Its commands, as the first remote that says it has them.
    public internal(set) var commands: [String] = []
    /// Its versions in the store.
    public internal(set) var stored: [StoredVersion] = []
    /// Its versions in remotes, these in their order, the newest first.
    public internal(set) var offered: [OfferedVersion] = []
    /// The packages it stands for, where it is a collection.
    public internal(set) var packages: [String]?

    init(name: String) { self.name = name }

    var isEmpty: Bool { stored.isEmpty && offered.isEmpty && packages == nil && installed == nil }
}

/// A version of a package in the store.
public struct StoredVersion: Encodable, Sendable {
    /// The version.
    public let version: String
    /// The base name of its store path.
    public let storePath: String
    /// The architecture of its programs.
    public let architecture: String
    /// Bytes of its files; `nil` where its metadata is damaged.
    public let size: Int?
    /// Whether the same sources give the same bytes: not where scripts of packages were run.
    public let isReproducible: Bool
}

/// A version of a package in a remote.
public struct OfferedVersion: Encodable, Sendable {
    /// The remote.
    public let remote: String
    /// The version; `nil` where nothing says it.
    public let version: String?
    /// Where it is.
    public let location: String
    /// Bytes to be fetched, where the remote says it.
    public let size: Int?
    /// Whether nothing of the remote is verified by a signature.
    public let isInsecure: Bool
    /// Why it is not for this host; `nil` where it is, or nothing says so, or a newer one was looked at.
    public let refusal: String?
}
