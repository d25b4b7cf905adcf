internal import Distributions
internal import Files
private import Glibc
internal import Remotes
internal import StoreLayout

/// What the signed index of a repository says: which files have its packages' descriptions.
struct ArchiveIndex: Sendable {
    /// A file that is fetched and read.
    struct Part: Sendable {
        /// Its paths, of which any will do.
        let paths: [String]
        let digest: Digest
        /// Bytes that it has; `nil` where nothing says so.
        let size: Int?
        /// Bytes that it may unpack to.
        let limit: Int
        var name: String { paths.last ?? "" }
    }

    /// A digest over all that its packages are known by.
    let key: Digest
    let parts: [Part]
    /// Texts that came with the index.
    var texts: [Bytes] = []
    /// Whether its packages are chosen where others have the name, too.
    var isAutomatic = true
    let signer: String?
    let signed: Int?

    /// Reads the index of a repository, from its server if that has a newer one.
    static func read(
        _ repository: PackageRepository, architecture: Architecture, _ reader: RepositoryReader,
        isForced: Bool,
        note: (String) -> Void
    ) throws -> ArchiveIndex {
        switch repository.kind {
        case .debian:
            try debian(repository, architecture: architecture, reader, isForced: isForced, note: note)
        case .arch: try arch(repository, reader, isForced: isForced)
        default: try rpm(repository, reader, isForced: isForced)
        }
    }

    private static func debian(
        _ repository: PackageRepository, architecture: Architecture, _ reader: RepositoryReader,
        isForced: Bool,
        note: (String) -> Void
    ) throws -> ArchiveIndex {
        let place = repository.indexDirectory
        let path = { (name: String) in place.isEmpty ? name : place + "/" + name }
        let document = try reader.document(
            inline: path("InRelease"), plain: path("Release"), signatures: [".gpg"], isForced: isForced)
        let release = try ArchiveRelease(parsing: document.bytes, file: reader.location(of: path("Release")))
        if let end = release.validUntil, repository.isDateChecked, end < time(nil) {
            throw DistributionError.expired(repository: repository.title, date: CivilTime(end).text)
        }
        let suite = repository.suite.split(separator: "/").first.map(String.init)
        let names = [release.suite, release.codename].compactMap { $0 }
        // As apt says: a name such as 'stable' may be an alias that the index does not know.
        if !repository.isFlat, let suite, !names.isEmpty,
            !names.contains(where: {
                $0 == suite || $0 == repository.suite || $0.hasPrefix(suite + "-")
                    || repository.suite.hasPrefix($0)
            })
        {
            note("\(repository.title): its index says that it is \(names.joined(separator: ", "))")
        }
        let own = PackagePool.name(of: architecture, kind: .debian)
        var wanted = [own]
        if release.hasOwnIndexForAll { wanted.append("all") }
        var parts: [Part] = []
        for component in repository.isFlat ? [""] : repository.components {
            for (index, name) in (repository.isFlat ? [""] : wanted).enumerated() {
                // A suite of security fixes says 'updates/main' for what lies in 'main'.
                let short = component.split(separator: "/").last.map(String.init) ?? component
                let candidates =
                    repository.isFlat
                    ? ["Packages"] : [component, short].map { "\($0)/binary-\(name)/Packages" }
                guard let (file, unpacked) = candidates.lazy.compactMap(release.entry).first else {
                    // Packages for all may as well be in the indexes of each architecture.
                    guard index == 0 else { continue }
                    throw DistributionError.noIndex(
                        repository: repository.title,
                        wanted: "\(component) for \(name)".drop { $0 == " " }.description,
                        available: release.components.flatMap { component in
                            release.architectures.map { "\(component) for \($0)" }
                        })
                }
                let plain = path(file.path)
                let parent = plain.split(separator: "/").dropLast().joined(separator: "/")
                let byDigest = (parent.isEmpty ? "" : parent + "/") + "by-hash/SHA256/" + file.digest.hex
                parts.append(
                    Part(
                        paths: release.hasFilesByDigest ? [byDigest, plain] : [plain], digest: file.digest,
                        size: file.size, limit: min(unpacked ?? IndexText.longest, IndexText.longest)))
            }
        }
        return ArchiveIndex(
            key: key(parts.map(\.digest), repository), parts: parts, isAutomatic: !release.isNotAutomatic,
            signer: document.signer, signed: document.signed)
    }

    private static func rpm(
        _ repository: PackageRepository, _ reader: RepositoryReader, isForced: Bool
    ) throws -> ArchiveIndex {
        let document = try reader.document(
            inline: nil, plain: "repodata/repomd.xml", signatures: [".asc"], isForced: isForced)
        let primary = try RepositoryMetadata(
            parsing: document.bytes, type: "primary", repository: repository.title)
        let part = Part(
            paths: [primary.path], digest: primary.digest, size: nil, limit: IndexText.longest)
        return ArchiveIndex(
            key: key([part.digest], repository), parts: [part], signer: document.signer,
            signed: document.signed)
    }

    private static func arch(
        _ repository: PackageRepository, _ reader: RepositoryReader, isForced: Bool
    ) throws -> ArchiveIndex {
        let name = repository.suite + ".db"
        let document = try reader.document(
            inline: nil, plain: name, signatures: [".sig"], isForced: isForced)
        return ArchiveIndex(
            key: key([Digest(hashing: document.bytes)], repository), parts: [],
            texts: [try IndexText.unpacked(document.bytes, name: name, limit: IndexText.longest)],
            signer: document.signer, signed: document.signed)
    }

    private static func key(_ digests: [Digest], _ repository: PackageRepository) -> Digest {
        let lines = [PackagePool.cacheVersion, repository.kind.rawValue] + digests.map(\.hex)
        return Digest(hashing: lines.joined(separator: "\n").utf8)
    }
}
