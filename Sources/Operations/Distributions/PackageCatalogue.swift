internal import Distributions
internal import Files
private import FoundationEssentials
private import Glibc
internal import Remotes
internal import StoreLayout

/// The packages of a distribution's remote, and where their files are.
final class PackageCatalogue: @unchecked Sendable {
    // A class: it owns libsolv's pool, which the thread of the verb alone uses; transfers use the readers.

    /// What is kept of the repositories, so that they need not be asked.
    private struct State: Codable {
        struct Entry: Codable {
            /// The repository in libsolv's form: a file beside this one.
            let file: String
            let isAutomatic: Bool
            let signer: String?
            let signed: Int?
        }

        /// Of what it is: repositories, architecture, form.
        let configuration: String
        let entries: [Entry]
        /// The list of names: a file beside this one, and its bytes; `nil` where it could not be written.
        var names: String?
        var namesSize: Int?
    }

    private static let suffix = ".solv"
    private static let namesSuffix = ".names"
    private static let readersAtOnce = 8
    private static let longestCache = 1 << 30

    /// The remote, or the first of several that are taken together.
    let remote: ConfiguredRemote
    /// What is kept of it is called so.
    private let name: String
    let repositories: [PackageRepository]
    let readers: [RepositoryReader]
    let pool: PackagePool
    /// Whose key signed the first repository, and when.
    private(set) var signer: String?
    private(set) var signed: Int?
    private let session: Session
    private let architecture: Architecture

    /// Reads a remote.
    convenience init(
        _ session: Session, _ remote: ConfiguredRemote, architecture: Architecture, isKnownEnough: Bool,
        isForced: Bool = false
    ) throws {
        try self.init(
            session, [remote], architecture: architecture, isKnownEnough: isKnownEnough, isForced: isForced)
    }

    /// Reads remotes of one kind, whose packages are chosen from together.
    ///
    /// - Parameters:
    ///   - remotes: One or more.
    ///   - isKnownEnough: Whether what was read another time will do, whatever servers have.
    ///   - isForced: Whether servers are asked for all of it.
    init(
        _ session: Session, _ remotes: [ConfiguredRemote], architecture: Architecture, isKnownEnough: Bool,
        isForced: Bool = false
    ) throws {
        precondition(!remotes.isEmpty)
        let remote = remotes[0]
        self.session = session
        self.remote = remote
        self.architecture = architecture
        pool = PackagePool(kind: remote.description.kind, architecture: architecture)
        let notes = NoteBox()
        var (repositories, readers): ([PackageRepository], [RepositoryReader]) = ([], [])
        for remote in remotes {
            for repository in try RepositoryConfiguration.repositories(
                of: remote, architecture: architecture, note: session.note)
            {
                repositories.append(repository)
                readers.append(RepositoryReader(repository, of: remote, session, note: notes.add))
            }
        }
        self.repositories = repositories
        self.readers = readers
        name =
            remotes.count == 1
            ? remote.name : Self.name(of: remotes)
        configuration = Self.configuration(of: repositories, remotes, architecture)
        defer { for text in notes.sorted { session.note(text) } }
        // Whoever may not write in the root takes what is there, if that is something.
        let isReader = access(session.root + "/" + StoreLayout.Name.cache, W_OK) != 0
        if isKnownEnough || isReader, try readKnown(isCompared: session.isOffline || isReader) { return }
        try refresh(isForced: isForced, notes)
    }

    /// What the kept state has to be of.
    private let configuration: String

    private static func configuration(
        of repositories: [PackageRepository], _ remotes: [ConfiguredRemote], _ architecture: Architecture
    ) -> String {
        let lines =
            [PackagePool.cacheVersion, architecture.rawValue] + repositories.map { "\($0)" }
            + remotes.map { "\($0.description.isInsecure)" }
        return Digest(hashing: lines.joined(separator: "\n").utf8).hex
    }

    /// What several remotes are called together.
    private static func name(of remotes: [ConfiguredRemote]) -> String {
        let names = remotes.map(\.name).joined(separator: "\n")
        return "remotes" + RemoteLayout.repositoryMark + Digest(hashing: names.utf8).hex.prefix(16)
    }

    // MARK: - Names

    /// The names of all packages as they were read last, without a pool; `nil` where they have to be read anew.
    static func names(
        _ session: Session, _ remote: ConfiguredRemote, architecture: Architecture
    ) throws -> NameList? {
        // What is passed over is told by whoever reads it in earnest.
        var notes: [String] = []
        let repositories = try RepositoryConfiguration.repositories(
            of: remote, architecture: architecture, note: { notes.append($0) })
        let place = [session.root, StoreLayout.Name.cache, RemoteLayout.solvables, remote.name]
        guard let directory = try? Descriptor.directory(place.joined(separator: "/")),
            let state = try Self.state(in: directory),
            state.configuration == configuration(of: repositories, [remote], architecture),
            let name = state.names, let size = state.namesSize, try directory.status(of: name) != nil,
            let list = try NameList(MappedFile(directory.open(beneath: name)), size: size)
        else { return nil }
        notes.forEach(session.note)
        return list
    }

    /// The names of all packages: those that are kept, which are read in a moment, or else the pool's.
    var names: NameList {
        let kept = name == remote.name ? try? Self.names(session, remote, architecture: architecture) : nil
        return kept ?? NameList(NameList.text(of: pool.search("")))
    }

    private static func state(in directory: Descriptor) throws -> State? {
        guard try directory.status(of: RemoteLayout.solvableState) != nil else { return nil }
        return try? JSONDecoder().decode(
            State.self, from: Data(directory.open(beneath: RemoteLayout.solvableState).readAll()))
    }

    private func hasNames(_ state: State, in directory: Descriptor) throws -> Bool {
        guard let name = state.names, let size = state.namesSize else { return false }
        return try directory.status(of: name).map { Int($0.st_size) == size } ?? false
    }

    /// Writes what is kept beside the repositories: which they are, and the names of their packages.
    private func keep(_ entries: [State.Entry], in directory: Descriptor?) throws {
        guard let directory else { return }
        let lines =
            [NameList.heading, configuration] + entries.map { "\($0.file) \($0.isAutomatic)" }
        let name = Digest(hashing: lines.joined(separator: "\n").utf8).hex + Self.namesSuffix
        if try directory.status(of: name) == nil {
            try keep(NameList.text(of: pool.search("")), as: name, in: directory)
        }
        var state = State(configuration: configuration, entries: entries)
        if let status = try directory.status(of: name) {
            (state.names, state.namesSize) = (name, Int(status.st_size))
        }
        try keep(Bytes(JSONEncoder().encode(state)), as: RemoteLayout.solvableState, in: directory)
        let wanted = Set(entries.map(\.file) + [RemoteLayout.solvableState, name])
        for other in (try? directory.list().map(\.text)) ?? [] where !wanted.contains(other) {
            // What is not removed now goes another time.
            try? directory.unlink(other)
        }
    }

    // MARK: - What is kept

    /// The directory of what is kept; `nil` for those who only read the root.
    private func directory() throws -> Descriptor? {
        do {
            let cache = try Descriptor.directory(session.root + "/" + StoreLayout.Name.cache)
            try cache.makeDirectory(RemoteLayout.solvables, mode: 0o755)
            let all = try cache.directory(beneath: RemoteLayout.solvables)
            try all.makeDirectory(name, mode: 0o755)
            return try all.directory(beneath: name)
        } catch let error as SystemError where [EACCES, EPERM, EROFS, ENOENT].contains(error.code) {
            return try? Descriptor.directory(
                [session.root, StoreLayout.Name.cache, RemoteLayout.solvables, name].joined(
                    separator: "/"))
        }
    }

    /// Reads what is kept.
    ///
    /// - Parameter isCompared: Whether a file without the digest in its name is an error: where no server can be asked.
    /// - Returns: Whether it was there, and is of these repositories.
    private func readKnown(isCompared: Bool) throws -> Bool {
        guard let directory = try directory(), let state = try Self.state(in: directory),
            state.configuration == configuration, state.entries.count == repositories.count
        else { return false }
        let texts = try state.entries.map { entry in
            try directory.status(of: entry.file) == nil
                ? nil : try directory.open(beneath: entry.file).readAll(limit: Self.longestCache)
        }
        guard !texts.contains(where: { $0 == nil }) else { return false }
        for case (let entry, let text?) in zip(state.entries, texts) where !Self.isName(entry.file, of: text)
        {
            guard isCompared else { return false }
            throw DistributionError.damagedCache(directory.path(of: entry.file))
        }
        for (index, entry) in state.entries.enumerated() {
            guard let text = texts[index],
                pool.add(cache: text, title: repositories[index].title, isAutomatic: entry.isAutomatic) != nil
            else { throw DistributionError.damagedCache(directory.path(of: entry.file)) }
        }
        (signer, signed) = (state.entries.first?.signer, state.entries.first?.signed)
        if try !hasNames(state, in: directory) {
            if let name = state.names { try? directory.unlink(name) }
            try keep(state.entries, in: directory)
        }
        return true
    }

    /// A repository as it was kept, if it is what was written.
    private func kept(_ key: Digest, in directory: Descriptor?) throws -> (file: String, text: Bytes)? {
        guard let directory,
            let file = try directory.list().map(\.text).first(where: {
                $0.hasPrefix(key.hex + ".") && $0.hasSuffix(Self.suffix)
            })
        else { return nil }
        let text = try directory.open(beneath: file).readAll(limit: Self.longestCache)
        guard file == Self.name(key, text) else {
            try directory.unlink(file)
            return nil
        }
        return (file, text)
    }

    /// Whether a file has the digest that its name ends with.
    private static func isName(_ name: String, of text: Bytes) -> Bool {
        name.hasSuffix("." + Digest(hashing: text).hex.prefix(32) + suffix)
    }

    private static func name(_ key: Digest, _ text: Bytes) -> String {
        key.hex + "." + Digest(hashing: text).hex.prefix(32) + suffix
    }

    // MARK: - What servers have

    private func refresh(isForced: Bool, _ notes: NoteBox) throws {
        let indexes = try indexes(isForced: isForced, notes)
        (signer, signed) = (indexes.first?.index.signer, indexes.first?.index.signed)
        let directory = try directory()
        var entries: [State.Entry] = []
        for (number, (repository, (index, fetched))) in zip(repositories, indexes).enumerated() {
            let name: String
            if let known = try kept(index.key, in: directory),
                pool.add(cache: known.text, title: repository.title, isAutomatic: index.isAutomatic) != nil
            {
                name = known.file
            } else {
                // What was kept may be damaged: only then it is missing here.
                let files = try fetched ?? self.files(of: index, number)
                var texts = index.texts
                for (part, file) in zip(index.parts, files) {
                    texts.append(try IndexText.unpacked(file, name: part.name, limit: part.limit))
                }
                let added = try pool.add(texts, title: repository.title, isAutomatic: index.isAutomatic)
                let cache = try pool.cache(of: added)
                name = Self.name(index.key, cache)
                try keep(cache, as: name, in: directory)
            }
            entries.append(
                State.Entry(
                    file: name, isAutomatic: index.isAutomatic, signer: index.signer, signed: index.signed))
        }
        try keep(entries, in: directory)
    }

    private func keep(_ bytes: Bytes, as name: String, in directory: Descriptor?) throws {
        do {
            // What the state names has to be there after a loss of power.
            try directory?.replaceFile(name, contents: bytes, isDurable: true)
        } catch let error as SystemError where [EACCES, EPERM, EROFS].contains(error.code) {
            return
        }
    }

    /// Fetches the files of a repository's index.
    private func files(of index: ArchiveIndex, _ number: Int) throws -> [Descriptor] {
        let progress = FetchProgress("reading \(remote.name)", count: 1, receiver: session.progress)
        defer { progress.end() }
        return try Self.files(
            of: index, readers[number], into: BlobCache(root: session.root), progress.part(0))
    }

    private static func files(
        of index: ArchiveIndex, _ reader: RepositoryReader, into cache: BlobCache,
        _ progress: FetchProgress.Part
    ) throws -> [Descriptor] {
        try index.parts.map {
            try reader.fetch(
                $0.paths, digest: $0.digest, limit: $0.size ?? $0.limit, into: cache, progress: progress,
                isCancelled: { false })
        }
    }

    /// The indexes of all repositories, with their files, but for those that are kept in libsolv's form; at the same time.
    private func indexes(
        isForced: Bool, _ notes: NoteBox
    ) throws -> [(index: ArchiveIndex, files: [Descriptor]?)] {
        let cache = try BlobCache(root: session.root)
        let progress = FetchProgress(
            "reading \(remote.name)", count: repositories.count, receiver: session.progress)
        defer { progress.end() }
        let found = Locked<[Int: (ArchiveIndex, [Descriptor]?)]>([:])
        let box = Box(found)
        let (readers, repositories, architecture) = (readers, repositories, architecture)
        let known = Set(
            (try directory()?.list().map(\.text) ?? []).map { String($0.prefix { $0 != "." }) })
        try inParallel(Array(repositories.indices), threads: Self.readersAtOnce) { number in
            let (reader, repository) = (readers[number], repositories[number])
            for isRepeated in [false, true] {
                let index = try ArchiveIndex.read(
                    repository, architecture: architecture, reader, isForced: isForced || isRepeated,
                    note: notes.add)
                do {
                    // What is kept need not be fetched.
                    let files =
                        try known.contains(index.key.hex)
                        ? nil : Self.files(of: index, reader, into: cache, progress.part(number))
                    box.state.withLock { $0[number] = (index, files) }
                    return
                } catch let error as RemoteError {
                    // The index is of another moment than its files.
                    switch error {
                    case .wrongDigest(let url, _, _), .notThere(let url):
                        guard isRepeated else { continue }
                        throw DistributionError.changing(repository: repository.title, file: url)
                    default: throw error
                    }
                }
            }
        }
        return box.state.withLock { found in
            repositories.indices.compactMap { number in found[number].map { ($0.0, $0.1) } }
        }
    }

    /// What several threads find.
    private final class Box: Sendable {
        let state: Locked<[Int: (ArchiveIndex, [Descriptor]?)]>
        init(_ state: Locked<[Int: (ArchiveIndex, [Descriptor]?)]>) { self.state = state }
    }
}

/// What threads have to say.
final class NoteBox: Sendable {
    // A class: threads share it.
    private let texts = Locked<[String]>([])

    /// Takes a text.
    @Sendable func add(_ text: String) { texts.withLock { $0.append(text) } }

    /// What was said, each once.
    var sorted: [String] { texts.withLock { Set($0).sorted() } }
}

extension RepositoryReader {
    /// Reads a repository of a remote.
    init(
        _ repository: PackageRepository, of remote: ConfiguredRemote, _ session: Session,
        note: @escaping @Sendable (String) -> Void
    ) {
        self.init(
            remote, places: repository.places, title: repository.title, trust: repository.trust,
            root: session.root, isOffline: session.isOffline, note: note)
    }
}
