public import Files
private import Glibc
public import StoreLayout

/// Puts packages' configuration into a host's `/etc`, and takes it out again: never over or through what the host has.
///
/// A file that is as it was made is replaced, or removed with its package; one that somebody changed stays.
public struct HostConfigurationFiles {
    /// Something that is wanted in `/etc`.
    public enum Wanted: Sendable {
        /// A directory, made where there is none.
        case directory(mode: UInt32)
        /// A file.
        case file(Bytes, mode: UInt32)
        /// A symbolic link.
        case link(Bytes)
    }

    /// What became of `/etc`.
    public struct Outcome: Encodable, Sendable, Equatable {
        /// A path that is not as the package has it.
        public struct Kept: Encodable, Sendable, Equatable {
            /// The path.
            public let path: String
            /// Why.
            public let reason: String
        }
        /// Paths that were made.
        public var made: [String] = []
        /// Paths that were replaced by another version's.
        public var replaced: [String] = []
        /// Paths that were removed.
        public var removed: [String] = []
        /// Paths that stay as somebody else made them, told of once.
        public var kept: [Kept] = []

        /// Creates one in which nothing was done.
        public init() {}
    }

    private let host: Host
    private let recordPlace: HostItem

    /// What sxs made.
    public private(set) var record: ConfigurationRecord

    private var outcome = Outcome()

    /// Creates it for a host, with the record of what was made.
    ///
    /// - Throws: `SetupError.damagedRecord`.
    public init(_ host: Host) throws {
        self.host = host
        let path = StoreLayout.systemRoot + "/" + StoreLayout.Name.configuration
        recordPlace = HostItem(path: path, kind: .file([]))
        record = ConfigurationRecord()
        guard try host.status(path) != nil, let root = try host.directory(StoreLayout.systemRoot) else {
            return
        }
        let text = try root.open(beneath: StoreLayout.Name.configuration).readAll(
            limit: ConfigurationRecord.longest)
        guard let record = ConfigurationRecord(parsing: text) else {
            throw SetupError.damagedRecord(host.outside(path))
        }
        self.record = record
    }

    /// Makes `/etc` have what is wanted, and nothing of what was made before and is not wanted any more.
    ///
    /// Done again after a crash, it completes what was begun.
    ///
    /// - Parameter wanted: By path below `/etc`, without `etc/`.
    public mutating func apply(_ wanted: [TreePath: Wanted]) throws -> Outcome {
        outcome = Outcome()
        let before = record
        let wanted = Dictionary(
            uniqueKeysWithValues: wanted.map { (ServiceLayout.hostConfiguration + "/\($0.key)", $0.value) })
        try removeOthers(than: wanted)
        var missing: [String] = []
        for path in wanted.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if let thing = wanted[path], try isToBeMade(path, thing) { missing.append(path) }
        }
        // Said before it is done: a crash in between is told from an administrator who removed something.
        var planned = record
        for path in missing {
            // What is replaced is told by its old digest until then.
            guard let thing = wanted[path], try host.status(path) == nil else { continue }
            planned.items[path] = ConfigurationRecord.Item(Self.entry(path, thing), isUnfinished: true)
        }
        if planned != before { try write(planned) }
        for path in missing {
            guard let thing = wanted[path] else { continue }
            let isThere = try host.status(path) != nil
            try make(path, thing)
            record.items[path] = ConfigurationRecord.Item(Self.entry(path, thing))
            if isThere { outcome.replaced.append(path) } else { outcome.made.append(path) }
        }
        if !missing.isEmpty { try host.directory(ServiceLayout.hostConfiguration)?.synchronizeFileSystem() }
        if record != planned { try write(record) }
        return outcome
    }

    /// Paths that were made, and that somebody changed since.
    public func changed() throws -> [String] {
        try record.items.compactMap { path, item in
            guard let entry = item.entry, try host.status(path) != nil, try !isAsMade(entry) else {
                return nil
            }
            return path
        }.sorted()
    }

    // MARK: - Removing

    private mutating func removeOthers(than wanted: [String: Wanted]) throws {
        let needed = Set(wanted.keys.flatMap(Self.parents))
        // What is in a directory before the directory.
        let gone = record.items.filter { path, item in
            guard wanted[path] == nil else { return false }
            if case .directory = item.entry { return !needed.contains(path) }
            return true
        }.sorted { $1.key.utf8.lexicographicallyPrecedes($0.key.utf8) }
        for (path, item) in gone {
            record.items[path] = nil
            guard let entry = item.entry, try host.status(path) != nil,
                let parent = try directory(of: path, isMaking: false)
            else { continue }
            let name = Host.name(of: path)
            guard try isAsMade(entry) else {
                outcome.kept.append(Outcome.Kept(path: path, reason: "it was changed"))
                continue
            }
            if case .directory = entry {
                guard try parent.directory(beneath: name).list().isEmpty else {
                    outcome.kept.append(Outcome.Kept(path: path, reason: "it is not empty"))
                    continue
                }
                try parent.removeDirectory(name)
            } else {
                try parent.unlink(name)
            }
            outcome.removed.append(path)
        }
    }

    /// Whether what is at an entry's path is as it was made.
    private func isAsMade(_ entry: SetupRecord.Entry) throws -> Bool {
        switch entry {
        case .directory(let path):
            return try host.status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
        case .file(let path, let digest): return try contents(path).map { Digest(hashing: $0) } == digest
        case .link(let path, let target): return try host.link(path) == target
        case .anchor, .policyModule: return false
        }
    }

    // MARK: - Making

    /// Whether something is to be made now; what stays as it is is noted.
    private mutating func isToBeMade(_ path: String, _ thing: Wanted) throws -> Bool {
        let item = record.items[path]
        let entry = Self.entry(path, thing)
        guard try host.status(path) != nil else {
            // Somebody removed it, and that holds until the package is removed.
            guard item == nil || item?.isUnfinished == true || item?.entry == nil else {
                record.items[path] = ConfigurationRecord.Item(entry)
                return false
            }
            guard try directory(of: path, isMaking: false) != nil || isParentFree(path) else {
                if item == nil { keep(path, "a directory above it is a link, or no directory") }
                return false
            }
            return true
        }
        guard let item, let made = item.entry else {
            if case .directory = thing { return false }
            if item == nil {
                keep(path, try isAsMade(entry) ? nil : "the host has one of that name")
            }
            return false
        }
        if try isAsMade(entry) {
            record.items[path] = ConfigurationRecord.Item(entry)
            return false
        }
        if try isAsMade(made) {
            if case .directory = made { return false }
            return true
        }
        if made != entry || item.isUnfinished {
            outcome.kept.append(
                Outcome.Kept(path: path, reason: "it was changed, and the package has another version of it"))
        }
        record.items[path] = ConfigurationRecord.Item(entry)
        return false
    }

    private mutating func keep(_ path: String, _ reason: String?) {
        record.items[path] = ConfigurationRecord.Item(nil)
        if let reason { outcome.kept.append(Outcome.Kept(path: path, reason: reason)) }
    }

    /// Whether no directory above a path is anything but a directory.
    private func isParentFree(_ path: String) throws -> Bool {
        for parent in Self.parents(path) {
            guard let status = try host.status(parent) else { continue }
            if status.st_mode & S_IFMT != S_IFDIR { return false }
        }
        return true
    }

    private func make(_ path: String, _ thing: Wanted) throws {
        guard let parent = try directory(of: path, isMaking: true) else {
            throw SystemError("open directory", host.outside(Host.parent(of: path)), code: ENOTDIR)
        }
        let name = Host.name(of: path)
        switch thing {
        case .directory(let mode):
            try parent.makeDirectory(name)
            try parent.directory(beneath: name).setMode(mode)
        case .file(let bytes, let mode): try parent.replaceFile(name, contents: bytes, mode: mode)
        case .link(let target): try parent.replaceSymlink(name, target: target)
        }
    }

    /// The directory that a path is in, without following a link; `nil` where there is none, or something else.
    private func directory(of path: String, isMaking: Bool) throws -> Descriptor? {
        guard var directory = try host.directory(ServiceLayout.hostConfiguration) else { return nil }
        for component in path.split(separator: "/").dropFirst().dropLast().map(String.init) {
            if let status = try directory.status(of: component) {
                guard status.st_mode & S_IFMT == S_IFDIR else { return nil }
            } else {
                guard isMaking else { return nil }
                try directory.makeDirectory(component)
                try directory.directory(beneath: component).setMode(0o755)
            }
            directory = try directory.directory(beneath: component)
        }
        return directory
    }

    private func contents(_ path: String) throws -> Bytes? {
        guard let status = try host.status(path), status.st_mode & S_IFMT == S_IFREG,
            let parent = try directory(of: path, isMaking: false)
        else { return nil }
        return try parent.open(beneath: Host.name(of: path)).readAll(limit: Self.longest)
    }

    /// Bytes that a file of configuration may have.
    public static let longest = 64 << 20

    private static func entry(_ path: String, _ thing: Wanted) -> SetupRecord.Entry {
        switch thing {
        case .directory: .directory(path)
        case .file(let bytes, _): .file(path, Digest(hashing: bytes))
        case .link(let target): .link(path, target: String(decoding: target, as: UTF8.self))
        }
    }

    /// Paths above a path, below `/etc`.
    private static func parents(_ path: String) -> [String] {
        var parents: [String] = []
        var parent = Host.parent(of: path)
        while parent.hasPrefix(ServiceLayout.hostConfiguration + "/") {
            parents.append(parent)
            parent = Host.parent(of: parent)
        }
        return parents
    }

    private func write(_ record: ConfigurationRecord) throws {
        guard let root = try host.directory(StoreLayout.systemRoot) else {
            throw SystemError("open directory", host.outside(StoreLayout.systemRoot), code: ENOENT)
        }
        if record.items.isEmpty {
            try root.unlink(StoreLayout.Name.configuration)
        } else {
            try root.replaceFile(StoreLayout.Name.configuration, contents: record.text)
        }
        try root.synchronizeFileSystem()
    }
}
