internal import Files
private import Glibc
internal import Images
internal import Store
internal import StoreLayout

/// Digests of image files that were imported, so that a file that has not changed since need not be read again.
///
/// A text in the root's cache with a line for each file, the oldest first: what stat(2) says of it, and the digest. As Git
/// does, a file is taken for unchanged where its device, inode, size and times are what they were, and the times were not
/// those of the moment in which it was looked at: it may change again in the same tick of the clock.
struct KnownFiles {
    /// What says that a file has not changed.
    struct Mark: Equatable {
        let fields: [Int]
        /// Whether a later change would be seen.
        let isSettled: Bool

        init(_ file: Descriptor) throws {
            let status = try file.status()
            fields = [
                // Overlays give inode numbers of 64 bits.
                Int(truncatingIfNeeded: status.st_dev), Int(truncatingIfNeeded: status.st_ino),
                Int(status.st_size), status.st_mtim.tv_sec,
                status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
            ]
            // Clocks of file systems tick every two seconds at worst.
            isSettled = max(status.st_mtim.tv_sec, status.st_ctim.tv_sec) < time(nil) - 2
        }

        var size: Int { fields[2] }
    }

    /// Lines that are kept.
    private static let limit = 512

    private var entries: [(fields: [Int], digest: Digest)] = []
    private let root: Descriptor

    init(in root: Descriptor) {
        self.root = root
        // What cannot be read is as good as nothing: a cache.
        guard let file = try? root.open(beneath: Self.path), let text = try? file.readAll(limit: 1 << 20)
        else {
            return
        }
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            let fields = words.dropLast().compactMap { Int($0) }
            guard fields.count == 7, words.count == 8, let digest = Digest(hex: String(words[7])) else {
                continue
            }
            entries.append((fields, digest))
        }
    }

    private static var path: String { StoreLayout.Name.cache + "/" + StoreLayout.Name.knownFiles }

    /// The digest of a file that has not changed since it was read.
    func digest(of mark: Mark) -> Digest? { entries.last { $0.fields == mark.fields }?.digest }

    /// Whether a file of this size was imported: only then may another be a copy of it.
    func hasSize(of mark: Mark) -> Bool { entries.contains { $0.fields[2] == mark.size } }

    /// Keeps the digest of a file.
    mutating func remember(_ mark: Mark, _ digest: Digest) throws {
        guard mark.isSettled, self.digest(of: mark) != digest else { return }
        entries.removeAll { $0.fields[..<2] == mark.fields[..<2] }
        entries.append((mark.fields, digest))
        let lines = entries.suffix(Self.limit).map { entry in
            entry.fields.map(String.init).joined(separator: " ") + " " + entry.digest.hex
        }
        try root.directory(beneath: StoreLayout.Name.cache).replaceFile(
            StoreLayout.Name.knownFiles, contents: (lines.joined(separator: "\n") + "\n").utf8,
            through: root.directory(beneath: StoreLayout.Name.temporary))
    }
}

extension ImportOptions {
    /// These, with what the name of an image's file says where nothing in the image says which image it is.
    func named(like image: Image) -> ImportOptions {
        guard image.nameless != nil else { return self }
        var options = self
        options.name = name ?? image.facts.name.flatMap { try? PackageName($0) }
        options.version = version ?? image.facts.version.flatMap { try? PackageVersion($0) }
        return options
    }
}

/// Finds out which file an image is, where nothing in it says so: before it is read if that may save reading it, else
/// meanwhile.
struct FileRecognition {
    private let image: Image
    private let file: Descriptor
    private let mark: KnownFiles.Mark
    /// Finds out the digest, unless the image does that when it is read.
    private let task: BackgroundTask<Digest>?
    private let isNew: Bool

    /// Begins; `nil` for an image that says itself what it is, or that is no file.
    ///
    /// - Parameter isRead: Whether the image is read before ``finish()``.
    init?(_ image: Image, in store: Store, isRead: Bool) throws {
        guard let file = image.nameless else { return nil }
        (self.image, self.file) = (image, file)
        mark = try KnownFiles.Mark(file)
        let known = KnownFiles(in: store.root)
        if let digest = known.digest(of: mark) {
            (task, isNew) = (nil, false)
            image.isFile(of: digest)
            return
        }
        isNew = true
        let maySave = known.hasSize(of: mark)
        task =
            maySave || !isRead || !image.hashWhileReading()
            ? BackgroundTask { try Digest(hashing: file) } : nil
        if maySave { try finish() }
    }

    /// Waits until the digest is known; a file that was changed meanwhile has none, also if it was known before: what was
    /// read since may be another image, which is not to be taken for that of the digest.
    func finish() throws {
        if image.facts.digest == nil, let digest = try task?.value() ?? image.fileDigest {
            image.isFile(of: digest)
        }
        if try KnownFiles.Mark(file).fields != mark.fields { image.isOtherFile() }
    }

    /// Keeps what was found out, of an image that was imported.
    func remember(in store: Store) {
        guard isNew, let digest = image.facts.digest else { return }
        var known = KnownFiles(in: store.root)
        // Only a cache: an import does not fail for it.
        try? known.remember(mark, digest)
    }
}
