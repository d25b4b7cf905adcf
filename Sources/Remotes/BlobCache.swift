public import Files
private import Glibc
internal import StoreLayout

/// What was fetched, by digest: whole files, and parts of which the rest can be fetched.
///
/// What is found here is only given out after it was read and hashed again, so that nothing depends on what a crash left.
public struct BlobCache: Sendable {
    private let directory: Descriptor

    /// Opens the cache of a root, making its directories.
    public init(root: String) throws {
        directory = try Descriptor.directory(root + "/" + StoreLayout.Name.cache)
        for name in ["blobs", RemoteLayout.blobs, RemoteLayout.partial] {
            try directory.makeDirectory(name, mode: 0o755)
        }
    }

    private static func name(of digest: Digest) -> String {
        "\(RemoteLayout.blobs)/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    /// Where the file of a digest would be, from a root.
    public static func path(of digest: Digest) -> String {
        StoreLayout.Name.cache + "/" + name(of: digest)
    }

    /// The file of a digest, read and compared; `nil` where there is none.
    ///
    /// One that is damaged is removed.
    public func find(_ digest: Digest) throws -> Descriptor? {
        let name = Self.name(of: digest)
        guard try directory.status(of: name) != nil else { return nil }
        let file = try directory.open(beneath: name)
        guard try Digest(hashing: file) == digest else {
            try directory.unlink(name)
            return nil
        }
        // It is in use: garbage collection takes the oldest.
        _ = utimensat(directory.number, name, nil, 0)
        return file
    }

    /// Gives a file another name, its digest's digits, in a directory of the same file system.
    func link(_ digest: Digest, into place: Descriptor) throws {
        try directory.link(Self.name(of: digest), to: place, as: digest.hex)
    }

    /// The part of a file that is there, which nobody else writes as long as it is open.
    ///
    /// - Parameter onWait: Told once if another process fetches the same.
    func part(of digest: Digest, onWait: () -> Void) throws -> Part {
        let name = RemoteLayout.partial + "/" + digest.hex
        while true {
            let file = try directory.open(beneath: name, flags: O_RDWR | O_CREAT, mode: 0o644)
            if !(try file.tryLock()) {
                onWait()
                try file.lock()
            }
            // It may have become whole meanwhile.
            if let status = try directory.status(of: name), status.st_ino == (try file.status().st_ino) {
                return Part(directory, file, digest)
            }
            if let whole = try find(digest) { return Part(directory, whole, digest, isWhole: true) }
        }
    }

    /// A file that is being fetched.
    final class Part {
        // A class: it holds a lock.

        /// The file.
        let file: Descriptor
        /// Whether another process has made it whole.
        let isWhole: Bool
        /// Bytes that are there.
        private(set) var size = 0
        /// Whether some of it was there before.
        private(set) var wasResumed = false
        private let directory: Descriptor
        private let digest: Digest
        private var hasher = Hasher256()

        fileprivate init(_ directory: Descriptor, _ file: Descriptor, _ digest: Digest, isWhole: Bool = false)
        {
            self.directory = directory
            self.file = file
            self.digest = digest
            self.isWhole = isWhole
        }

        private var name: String { RemoteLayout.partial + "/" + digest.hex }
        private var validatorName: String { name + RemoteLayout.validatorSuffix }

        /// What its server called the version of the file; `nil` where nothing can be added to it.
        func validator() throws -> String? {
            guard try directory.status(of: validatorName) != nil else { return nil }
            let text = try directory.open(beneath: validatorName).readAll(limit: 4096)
            return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
        }

        /// Reads what is there.
        func resume() throws {
            hasher = Hasher256()
            size = try hasher.update(with: file)
            wasResumed = size > 0
            guard lseek(file.number, off_t(size), SEEK_SET) >= 0 else {
                throw SystemError("write to", file.path)
            }
        }

        /// Begins anew.
        ///
        /// - Parameter validator: What the server calls the version; `nil` where it does not.
        func restart(_ validator: String?) throws {
            // Before the file: what is there then belongs to no version.
            try directory.unlink(validatorName)
            try file.setSize(0)
            guard lseek(file.number, 0, SEEK_SET) >= 0 else { throw SystemError("write to", file.path) }
            if let validator {
                try directory.directory(beneath: RemoteLayout.partial).replaceFile(
                    digest.hex + RemoteLayout.validatorSuffix, contents: validator.utf8)
            }
            hasher = Hasher256()
            size = 0
            wasResumed = false
        }

        /// Adds bytes.
        func append(_ bytes: UnsafeRawBufferPointer) throws {
            do {
                try file.write(bytes)
            } catch let error as SystemError where [ENOSPC, EDQUOT].contains(error.code) {
                // A full disk is not left full.
                try remove()
                throw error
            }
            hasher.update(bytes)
            size += bytes.count
        }

        /// Takes it away.
        func remove() throws {
            try directory.unlink(validatorName)
            try directory.unlink(name)
        }

        /// Ends it: the whole file, if it is what it should be.
        ///
        /// - Throws: ``RemoteError/wrongDigest(url:expected:actual:)``; what came is removed.
        func finish(url: String) throws -> Descriptor {
            let actual = hasher.finalize()
            guard actual == digest else {
                let hadSome = wasResumed
                try restart(nil)
                wasResumed = hadSome
                throw RemoteError.wrongDigest(url: url, expected: digest, actual: actual)
            }
            try file.setMode(0o644)
            let parent = "\(RemoteLayout.blobs)/\(digest.hex.prefix(2))"
            try directory.makeDirectory(parent, mode: 0o755)
            try directory.rename(name, to: directory, as: parent + "/" + digest.hex)
            try directory.unlink(validatorName)
            return file
        }
    }
}

extension BlobCache {
    /// A file of the cache.
    private struct Kept {
        let place: Descriptor
        let name: String
        let used: Int
        let bytes: Int
    }

    /// Removes what was not used for some time, and parts that nobody is fetching and nobody went on with.
    ///
    /// - Parameters:
    ///   - date: Of files that were used after this nothing is removed, in seconds since the epoch.
    ///   - limit: Bytes that stay; what was not used for longest goes first. `nil` for all.
    ///   - isDryRun: Whether nothing is removed.
    /// - Returns: The bytes and files that go.
    public static func collect(
        root: String, before date: Int, limit: Int? = nil, isDryRun: Bool
    ) throws -> (bytes: Int, count: Int) {
        guard let directory = try? Descriptor.directory(root + "/" + StoreLayout.Name.cache) else {
            return (0, 0)
        }
        let kept = try files(in: directory).sorted { ($0.used, $0.name) < ($1.used, $1.name) }
        var total = kept.reduce(0) { $0 + $1.bytes }
        var result = (bytes: 0, count: 0)
        for file in kept where file.used < date || limit.map({ total > $0 }) ?? false {
            if let opened = try? file.place.open(beneath: file.name) {
                // Somebody fetches it.
                guard try opened.tryLock() else { continue }
                if !isDryRun { try file.place.unlink(file.name) }
            }
            total -= file.bytes
            result.bytes += file.bytes
            result.count += 1
        }
        return result
    }

    private static func files(in directory: Descriptor) throws -> [Kept] {
        var places: [Descriptor] = []
        if let partial = try? directory.directory(beneath: RemoteLayout.partial) { places.append(partial) }
        if let blobs = try? directory.directory(beneath: RemoteLayout.blobs) {
            places += try blobs.list().compactMap { try? blobs.directory(beneath: $0.text) }
        }
        return try places.flatMap { place in
            try place.list().compactMap { entry in
                guard let status = try place.status(of: entry.text), status.st_mode & S_IFMT == S_IFREG
                else { return nil }
                return Kept(
                    place: place, name: entry.text, used: status.st_mtim.tv_sec,
                    bytes: Int(status.st_blocks) * 512)
            }
        }
    }
}
