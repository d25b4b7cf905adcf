public import Files
private import FoundationEssentials
internal import Glibc
public import StoreLayout

/// A directory of images that is published: sxs, systemd-sysupdate and sysextmgr read it.
///
/// What is in it is written under another name and renamed. The listing goes last; its signatures follow at once.
public struct Repository {
    /// What was found out about an image.
    public struct Facts: Sendable {
        /// What it is called.
        public var name: String
        /// Its version.
        public var version: String
        /// Its architecture; `any` where it has none.
        public var architecture: Architecture
        /// What it is for.
        public var summary: String?
        /// The commands it has.
        public var commands: [String]
        /// The fields of its extension-release.
        public var release: [String: String]

        /// Describes an image.
        public init(
            name: String, version: String, architecture: Architecture, summary: String?, commands: [String],
            release: [String: String]
        ) {
            self.name = name
            self.version = version
            self.architecture = architecture
            self.summary = summary
            self.commands = commands
            self.release = release
        }

        /// The name of its file in a repository: `NAME-VERSION.ARCHITECTURE.raw`.
        public var fileName: String {
            "\(name)-\(version)" + (architecture == .any ? "" : ".\(architecture)") + ExtensionLayout.imageSuffix
        }
    }

    /// What writing the listing came to.
    public struct Outcome: Sendable {
        /// What the listing names.
        public let index: RepositoryIndex
        /// Who signed it, in words.
        public let signers: [String]
        /// The last day on which it is good; `nil` for ever.
        public let bestBefore: String?
    }

    private static let format = "repository.conf"
    private static let lock = "lock"
    private static let known = "known.json"
    /// What the names of unfinished work begin with.
    private static let unfinished = "new."

    /// Its path.
    public let path: String
    /// What its keeper decided.
    public private(set) var description: RepositoryDescription

    private let directory: Descriptor
    private let own: Descriptor
    private let held: Descriptor

    /// Opens a repository, for its one writer.
    ///
    /// - Throws: ``RepositoryError/none(_:)``, ``RepositoryError/busy(_:)``, `RemoteDescriptionError`, `SystemError`.
    public init(_ path: String) throws {
        directory = try Descriptor.directory(path)
        guard try directory.status(of: RepositoryDescription.file) != nil else { throw RepositoryError.none(path) }
        self.path = path
        own = try directory.directory(beneath: RepositoryDescription.directory)
        held = try own.open(beneath: Self.lock, flags: O_RDWR | O_CREAT, mode: 0o644)
        guard try held.tryLock() else { throw RepositoryError.busy(path) }
        description = try RepositoryDescription(
            parsing: own.open(beneath: Self.format).readAll(), file: path + "/" + RepositoryDescription.file)
        try own.sweepHeldDirectories(prefix: Self.unfinished)
    }

    /// Makes a repository of a directory, which may have images in it.
    ///
    /// - Throws: ``RepositoryError/exists(_:)``, `SystemError`.
    public static func make(_ path: String, _ description: RepositoryDescription) throws {
        if mkdir(path, 0o755) != 0, errno != EEXIST { throw SystemError("create directory", path) }
        let directory = try Descriptor.directory(path)
        try directory.makeDirectory(RepositoryDescription.directory, mode: 0o755)
        guard try directory.status(of: RepositoryDescription.file) == nil else { throw RepositoryError.exists(path) }
        let own = try directory.directory(beneath: RepositoryDescription.directory)
        let (name, area) = try own.makeHeldDirectory(prefix: unfinished)
        try own.replaceFile(format, contents: description.text.utf8, through: area, isDurable: true)
        try own.removeTree(name)
    }

    /// Changes what its keeper decided.
    public mutating func describe(_ change: (inout RepositoryDescription) -> Void) throws {
        change(&description)
        try replace(Self.format, in: own, with: Bytes(description.text.utf8))
    }

    /// Gives a directory for unfinished work, which is gone afterwards.
    ///
    /// - Parameter body: Given its path.
    public func withArea<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
        let (held, area) = try own.makeHeldDirectory(prefix: Self.unfinished)
        defer {
            withExtendedLifetime(area) {}
            // What is left goes with the next command.
            try? own.removeTree(held)
        }
        return try body([path, RepositoryDescription.directory, held].joined(separator: "/"))
    }

    private func replace(_ name: String, in place: Descriptor, with bytes: Bytes) throws {
        let (held, area) = try own.makeHeldDirectory(prefix: Self.unfinished)
        defer {
            withExtendedLifetime(area) {}
            // What is left goes with the next command.
            try? own.removeTree(held)
        }
        try place.replaceFile(name, contents: bytes, through: area, isDurable: true)
    }

    // MARK: - Images

    /// The files that are images, sorted.
    public func images() throws -> [String] {
        try directory.list().map(\.text).filter { name in
            !name.hasPrefix(".") && RemoteLayout.imageSuffixes.contains { name.hasSuffix($0) && name != $0 }
        }.sorted()
    }

    /// Copies an image into the repository.
    ///
    /// - Returns: The name of its file.
    /// - Throws: ``RepositoryError/taken(_:in:)`` if another image is there by that name, `SystemError`.
    public func add(_ source: Descriptor, _ facts: Facts) throws -> String {
        let name = facts.fileName
        let (held, area) = try own.makeHeldDirectory(prefix: Self.unfinished)
        defer {
            withExtendedLifetime(area) {}
            try? own.removeTree(held)
        }
        let copy = try area.open(beneath: "image", flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
        try copy.copyContents(of: source)
        try copy.setMode(0o644)
        try copy.synchronize()
        if try directory.status(of: name) != nil {
            guard try digest(of: name) == digest("image", in: area) else {
                throw RepositoryError.taken(name, in: path)
            }
            return name
        }
        try area.rename("image", to: directory, asNew: name)
        try directory.synchronize()
        return name
    }

    /// Takes an image out of the repository; the listing is to be written then.
    public func remove(_ file: String) throws {
        try directory.unlink(file)
        try directory.unlink(file + RemoteLayout.jsonSuffix)
    }

    /// What the listing names now.
    public func listed() throws -> [RepositoryIndex.Package] {
        guard try directory.status(of: RemoteLayout.index) != nil else { return [] }
        let bytes = try directory.open(beneath: RemoteLayout.index).readAll(limit: RepositoryIndex.longest)
        guard let index = RepositoryIndex(parsing: bytes) else {
            throw RepositoryError.noFile(path(of: RemoteLayout.index))
        }
        return index.packages
    }

    /// A path by which an image can be opened.
    public func path(of file: String) -> String { path + "/" + file }

    private func digest(of file: String) throws -> Digest { try digest(file, in: directory) }

    private func digest(_ name: String, in place: Descriptor) throws -> Digest {
        let file = try place.open(beneath: name)
        var hasher = Hasher256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = try file.read(into: buffer)
            guard count > 0 else { return hasher.finalize() }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    // MARK: - The listing

    /// What is known of a file that did not change since.
    private struct Known: Codable {
        var size: Int
        var changed: Int
        var package: RepositoryIndex.Package
    }

    /// Writes the listing, and signs it.
    ///
    /// - Parameters:
    ///   - time: Now, in seconds since the epoch.
    ///   - look: Finds out about an image that is not known yet.
    /// - Throws: ``RepositoryError``, ``MinisignError``, `SystemError`, and what `look` throws.
    public func index(time: Int, _ look: (_ file: String) throws -> Facts) throws -> Outcome {
        // Before anything is changed.
        let key = try description.key.map { try SigningKey(file: $0) }
        var known = try knownFiles()
        let names = try images()
        known = known.filter { names.contains($0.key) }
        for name in names {
            guard let status = try directory.status(of: name), status.st_mode & S_IFMT == S_IFREG else {
                throw RepositoryError.noFile(path(of: name))
            }
            let changed = status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
            if let there = known[name], there.size == Int(status.st_size), there.changed == changed { continue }
            let facts = try look(name)
            known[name] = Known(
                size: Int(status.st_size), changed: changed,
                package: RepositoryIndex.Package(
                    name: facts.name, version: facts.version,
                    architecture: facts.architecture == .any ? nil : "\(facts.architecture)", file: name,
                    size: Int(status.st_size), digest: try digest(of: name), summary: facts.summary,
                    commands: facts.commands, release: facts.release))
        }
        let index = RepositoryIndex(
            title: description.title,
            packages: try known.values.map(\.package).sorted { left, right in
                guard left.name == right.name else { return left.name < right.name }
                guard left.version == right.version else {
                    return try PackageVersion(right.version) < PackageVersion(left.version)
                }
                return left.file < right.file
            }, collections: description.collections)
        return try write(index, known, key, time)
    }

    private func write(
        _ index: RepositoryIndex, _ known: [String: Known], _ key: SigningKey?, _ time: Int
    ) throws -> Outcome {
        var listed: [(name: String, digest: String)] = []
        for package in index.packages {
            let record = try RepositoryIndex.text(ImageRecord(image_name: package.file, sysext: package.release))
            let name = package.file + RemoteLayout.jsonSuffix
            if try directory.status(of: name) == nil || directory.open(beneath: name).readAll() != record {
                try replace(name, in: directory, with: record)
            }
            listed.append((package.file, package.digest))
            listed.append((name, Digest(hashing: record).hex))
        }
        let text = try index.text()
        listed.append((RemoteLayout.index, Digest(hashing: text).hex))
        let bestBefore = description.validDays.map { String(SeenListing.text(time + $0 * 86400).prefix(10)) }
        if let bestBefore {
            // An empty file, so that the line is as all others are.
            listed.append((RemoteLayout.bestBefore + bestBefore, Digest(hashing: []).hex))
        }
        let sums = Bytes(
            listed.sorted { $0.name < $1.name }.map { "\($0.digest)  \($0.name)\n" }.joined().utf8)
        let signatures = try sign(sums, key, time)
        try replace(RemoteLayout.index, in: directory, with: text)
        try replace(RemoteLayout.checksums, in: directory, with: sums)
        for (suffix, bytes) in signatures.files {
            try replace(RemoteLayout.checksums + suffix, in: directory, with: bytes)
        }
        // A signature of an earlier listing would be over another one.
        for suffix in RemoteLayout.signatureSuffixes + [RemoteLayout.minisignSuffix]
        where !signatures.files.contains(where: { $0.suffix == suffix }) {
            try directory.unlink(RemoteLayout.checksums + suffix)
        }
        for name in try directory.list().map(\.text) where name.hasPrefix(RemoteLayout.bestBefore) {
            if name != bestBefore.map({ RemoteLayout.bestBefore + $0 }) { try directory.unlink(name) }
        }
        if let bestBefore { try replace(RemoteLayout.bestBefore + bestBefore, in: directory, with: []) }
        try replace(Self.known, in: own, with: RepositoryIndex.text(known))
        return Outcome(index: index, signers: signatures.signers, bestBefore: bestBefore)
    }

    private func knownFiles() throws -> [String: Known] {
        guard try own.status(of: Self.known) != nil else { return [:] }
        let bytes = try own.open(beneath: Self.known).readAll()
        // It saves time and nothing else.
        return (try? JSONDecoder().decode([String: Known].self, from: Data(bytes))) ?? [:]
    }

    private func sign(
        _ sums: Bytes, _ key: SigningKey?, _ time: Int
    ) throws -> (files: [(suffix: String, bytes: Bytes)], signers: [String]) {
        var files: [(suffix: String, bytes: Bytes)] = []
        var signers: [String] = []
        if let key {
            let signature = key.sign(sums, file: RemoteLayout.checksums, time: time)
            files.append((RemoteLayout.minisignSuffix, Bytes(signature.text.utf8)))
            signers.append("the key \(key.verifying.name)")
        }
        if let name = description.openPGPKey {
            let (held, area) = try own.makeHeldDirectory(prefix: Self.unfinished)
            defer {
                withExtendedLifetime(area) {}
                try? own.removeTree(held)
            }
            let copy = try area.open(beneath: RemoteLayout.checksums, flags: O_WRONLY | O_CREAT | O_EXCL)
            try sums.withUnsafeBytes { try copy.write($0) }
            let path = [path, RepositoryDescription.directory, held, RemoteLayout.checksums].joined(separator: "/")
            files.append((RemoteLayout.signatureSuffixes[0], try OpenPGPSigner(key: name).sign(path)))
            signers.append("GnuPG's key \(name)")
        }
        return (files, signers)
    }
}

/// Signs with the host's gpg(1), which has the key and asks for its password.
struct OpenPGPSigner {
    let key: String

    /// A detached signature of a file, in binary form.
    func sign(_ path: String) throws -> Bytes {
        guard let gpg = SpawnedProgram.find("gpg") else { throw RepositoryError.noGnuPG(key) }
        var environment = ["LC_ALL=C"]
        for name in ["HOME", "GNUPGHOME", "PATH", "GPG_TTY", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"] {
            if let value = getenv(name) { environment.append("\(name)=\(String(cString: value))") }
        }
        let result = try SpawnedProgram(
            gpg, ["--batch", "--local-user", key, "--detach-sign", "--output", "-", "--", path],
            environment: environment
        ).finish()
        guard result.status == 0, !result.output.isEmpty else {
            let lines = String(decoding: result.messages, as: UTF8.self).split(separator: "\n")
            throw RepositoryError.notSigned(key: key, reason: lines.last.map(String.init) ?? "gpg said nothing")
        }
        return result.output
    }
}

/// Why a repository cannot be kept.
public enum RepositoryError: Error, Equatable, CustomStringConvertible {
    /// A directory that is none.
    case none(String)
    /// One that is there already.
    case exists(String)
    /// One that somebody else is changing.
    case busy(String)
    /// Another image of that name.
    case taken(String, in: String)
    /// Something by an image's name that is no file.
    case noFile(String)
    /// No image of that name.
    case unknown(String, in: String)
    /// An image that cannot be published.
    case unfit(String, reason: String)
    /// The host has no gpg.
    case noGnuPG(String)
    /// gpg did not sign.
    case notSigned(key: String, reason: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .none(let path):
            """
            \(path) is no repository
            hint: 'sxs repo init \(path)' makes it one
            """
        case .exists(let path):
            """
            \(path) is a repository already
            hint: 'sxs repo add \(path) IMAGE' adds to it
            """
        case .busy(let path):
            """
            another sxs is changing the repository \(path)
            hint: run the command again when it is done
            """
        case .taken(let name, let path):
            """
            \(path) has another image named \(name)
            hint: give what changed another version; or 'sxs repo remove \(path) \(name)' before
            """
        case .noFile(let path):
            """
            \(path) is no file
            hint: a repository has copies of images; take it away, and 'sxs repo add' the image
            """
        case .unknown(let name, let path):
            """
            \(path) has no image '\(name)'
            hint: 'sxs repo list \(path)' shows what it has
            """
        case .unfit(let path, let reason):
            """
            \(path) cannot be published: \(reason)
            hint: 'sxs export' writes images that can
            """
        case .noGnuPG(let key):
            """
            signing with GnuPG's key \(key) needs the program 'gpg', which is not on PATH
            hint: install gnupg; or sign with a key of 'sxs key generate' instead
            """
        case .notSigned(let key, let reason):
            """
            gpg did not sign with the key \(key): \(reason)
            hint: 'gpg --list-secret-keys' shows the keys that there are
            """
        }
    }
}
