public import Files
private import Glibc
public import StoreLayout

/// An image that is open: what it says about itself, and its entries.
public final class Image {
    // A class: it owns the open file.

    enum Contents {
        case layered(LayeredImage)
        case tar(Descriptor)
        case squashFS(Descriptor)
        case directory(Descriptor)
        case packages([PackageFile])
    }

    /// What the image says about itself.
    public private(set) var facts: ImageFacts

    /// The file that the image is, where nothing in it says which image it is.
    public private(set) var nameless: Descriptor?
    /// SHA-256 of the file, if ``hashWhileReading()`` asked for it and the image was read.
    public private(set) var fileDigest: Digest?
    private var isHashed = false

    let contents: Contents
    private let path: String
    private let limits: ImageLimits

    private init(_ contents: Contents, facts: ImageFacts, path: String, limits: ImageLimits) {
        self.contents = contents
        self.facts = facts
        self.path = path
        self.limits = limits
    }

    /// All of the image's limits, for reading it once.
    func budget(stored: Int) -> ImageBudget { ImageBudget(limits, image: path, stored: stored) }

    /// Opens an image, and checks its manifest and configuration.
    ///
    /// - Parameters:
    ///   - reference: Where it is.
    ///   - platform: The architecture to take of an image for several; `nil` for the one this program runs on.
    ///   - temporaryDirectory: Where a compressed archive of blobs is decompressed to, in a file without a
    ///     name; `nil` for `$TMPDIR` or `/var/tmp`.
    ///   - limits: How large it may be.
    /// - Throws: ``ImageError`` or `SystemError`.
    public static func open(
        _ reference: ImageReference, platform: Architecture? = nil, temporaryDirectory: String? = nil,
        limits: ImageLimits = ImageLimits()
    ) throws -> Image {
        let path = reference.path
        // Not to wait for the other end of a named pipe.
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else { throw SystemError("open", path) }
        let file = Descriptor(taking: number, path: reference.shown)
        switch try file.status().st_mode & S_IFMT {
        case S_IFDIR:
            return try open(directory: file, reference: reference, platform: platform, limits: limits)
        case S_IFREG: break
        default:
            throw ImageError.notAnImage(path: reference.shown, reason: "it is neither a file nor a directory")
        }
        let image = try open(
            file: file, reference: reference, platform: platform, temporaryDirectory: temporaryDirectory,
            limits: limits)
        if image.facts.digest == nil, image.packages == nil { image.nameless = file }
        return image
    }

    private static func open(
        file: Descriptor, reference: ImageReference, platform: Architecture?, temporaryDirectory: String?,
        limits: ImageLimits
    ) throws -> Image {
        let opening = try ArchiveOpening(
            file, reference: reference, temporaryDirectory: temporaryDirectory, limits: limits)
        if let copy = try opening.decompressedImage() {
            return try opaque(.squashFS(copy), kind: "SquashFS image", reference: reference, limits: limits)
        }
        switch try opening.format() {
        case .squashFS:
            return try opaque(.squashFS(file), kind: "SquashFS image", reference: reference, limits: limits)
        case .ociArchive, .ociLayout:
            let opened = try OCILayout.open(
                opening.blobs(), reference: reference.name, platform: platform, fileName: reference.fileName,
                kind: "OCI archive")
            return Image(
                .layered(opened.0.within(bytes: opening.size)), facts: opened.1, path: reference.shown,
                limits: limits)
        case .dockerArchive:
            let opened = try DockerArchive.open(
                opening.blobs(), reference: reference.name, platform: platform, fileName: reference.fileName)
            return Image(
                .layered(opened.0.within(bytes: opening.size)), facts: opened.1, path: reference.shown,
                limits: limits)
        case .directory:
            throw ImageError.notAnImage(path: reference.shown, reason: "it is no directory")
        case .deb, .rpm, .pacman, .apk:
            return try Image(packages: [PackageReference(reference)], limits: limits)
        case .tar, .sniffed:
            return try opaque(.tar(file), kind: "tar archive", reference: reference, limits: limits)
        }
    }

    /// Opens several packages of distributions as one image.
    ///
    /// - Parameters:
    ///   - packages: The files, in any order; what the image is called follows the first.
    ///   - limits: How large all of them may be together.
    /// - Throws: ``ImageError`` or `SystemError`.
    public static func open(
        packages: [PackageReference], limits: ImageLimits = ImageLimits()
    ) throws -> Image {
        try Image(packages: packages, limits: limits)
    }

    private convenience init(packages: [PackageReference], limits: ImageLimits) throws {
        var files: [PackageFile] = []
        for package in packages {
            let image = package.image
            let number = Glibc.open(image.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
            guard number >= 0 else { throw SystemError("open", image.path) }
            let file = Descriptor(taking: number, path: image.shown)
            let size = Int(try file.status().st_size)
            guard try file.status().st_mode & S_IFMT == S_IFREG else {
                throw ImageError.notAnImage(path: image.shown, reason: "it is no file")
            }
            let opening = try ArchiveOpening(file, reference: image, temporaryDirectory: nil, limits: limits)
            guard let format = try opening.format().package else {
                throw ImageError.notAnImage(
                    path: image.shown,
                    reason: "it is no package of a distribution, and other images are given alone")
            }
            files.append(
                try PackageFile(
                    file, format: format, image: image.shown, digest: package.digest,
                    budget: ImageBudget(limits, image: image.shown, stored: size)))
        }
        guard let first = files.first?.facts else {
            throw ImageError.notAnImage(path: "an empty list", reason: "no package was named")
        }
        var facts = ImageFacts(kind: files.count == 1 ? "package" : "\(files.count) packages")
        facts.name = ImageNaming.packageName(first.name)
        facts.version = ImageNaming.packageVersion(first.version)
        facts.architecture = try? Architecture(parsing: first.architecture)
        facts.summary = first.summary
        self.init(
            .packages(files), facts: facts,
            path: files.count == 1 ? files[0].path : "\(files[0].path) and \(files.count - 1) others",
            limits: limits)
    }

    /// The packages of distributions that the image is made of, in the order in which they were named; `nil` for
    /// another image.
    public var packages: [PackageFile]? {
        guard case .packages(let files) = contents else { return nil }
        return files
    }

    /// Gives the files of packages to a sink.
    ///
    /// - Parameters:
    ///   - packages: Which of ``packages``, in which order.
    ///   - sink: What takes the entries.
    ///   - progress: Told how much was read.
    ///   - begin: Told of each package before its first entry.
    /// - Throws: ``ImageError``, `SystemError`, or what the sink throws.
    public func read(
        _ packages: [PackageFile], into sink: any TreeSink, progress: any Progress,
        begin: (PackageFile) throws -> Void
    ) throws {
        let total = packages.reduce(0) { $0 + $1.size }
        let budget = budget(stored: total)
        let sink = BoundedSink(sink, budget: budget)
        progress.begin("reading \(path)", total: total)
        defer { progress.end() }
        var done = 0
        for package in packages {
            try begin(package)
            try package.read(into: sink, budget: budget) { progress.advance(to: done + $0) }
            done += package.size
        }
        try sink.finish()
    }

    private static func open(
        directory: Descriptor, reference: ImageReference, platform: Architecture?, limits: ImageLimits
    ) throws -> Image {
        let isLayout = try directory.status(of: "oci-layout") != nil
        let format = reference.format == .sniffed && isLayout ? .ociLayout : reference.format
        switch format {
        case .ociLayout:
            let (image, facts) = try OCILayout.open(
                DirectoryBlobs(directory), reference: reference.name, platform: platform,
                fileName: reference.fileName, kind: "OCI layout")
            return Image(.layered(image), facts: facts, path: reference.shown, limits: limits)
        case .directory, .sniffed:
            return try opaque(
                .directory(directory), kind: "directory", reference: reference, limits: limits)
        default:
            throw ImageError.notAnImage(
                path: reference.shown, reason: "it is a directory, not a \(reference.format.rawValue) file")
        }
    }

    /// An image that says nothing about itself but by its file's name.
    private static func opaque(
        _ contents: Contents, kind: String, reference: ImageReference, limits: ImageLimits
    ) throws -> Image {
        var facts = ImageFacts(kind: kind)
        facts.takeNames(references: [], fileName: reference.fileName)
        return Image(contents, facts: facts, path: reference.shown, limits: limits)
    }

    /// Asks for the digest of the file, to be had as ``fileDigest`` once the image is read: whether that can be.
    ///
    /// Other formats are not read from one end to the other.
    public func hashWhileReading() -> Bool {
        if case .tar = contents { isHashed = true }
        return isHashed
    }

    /// Says which file the image is, by its digest, where the image does not say which image it is.
    public func isFile(of digest: Digest) {
        guard facts.digest == nil else { return }
        (facts.digest, nameless) = (digest, nil)
    }

    /// Takes back what ``isFile(of:)`` said: the file was changed.
    public func isOtherFile() { facts.digest = nil }

    /// Gives all entries to a sink, and checks every byte that the format lets be checked.
    ///
    /// What the sink got is only to be used if this returns.
    ///
    /// - Parameters:
    ///   - sink: What takes the entries.
    ///   - progress: Told how much was read.
    ///   - readsContents: Whether a file's bytes are wanted; the sink gets others as empty files, where the format lets
    ///     them be passed over.
    /// - Throws: ``ImageError``, `SystemError`, or what the sink throws.
    public func read(
        into sink: any TreeSink, progress: any Progress, readsContents: (TreePath) -> Bool = { _ in true }
    ) throws {
        let budget = budget(stored: try storedSize)
        let sink = BoundedSink(sink, budget: budget)
        switch contents {
        case .layered(let image): try image.read(into: sink, budget: budget, progress: progress)
        case .directory(let directory):
            try DirectoryImage(directory, budget: budget).read(
                into: sink, progress: progress, readsContents: readsContents)
        case .squashFS(let file):
            try SquashFSImage(file, budget: budget).read(
                into: sink, progress: progress, readsContents: readsContents)
        case .tar(let file): try readTar(file, into: sink, budget: budget, progress: progress)
        case .packages(let files): try read(files, into: sink, progress: progress) { _ in }
        }
        try sink.finish()
    }

    /// Bytes of the image itself; those of a directory are counted as it is read.
    private var storedSize: Int {
        get throws {
            switch contents {
            case .layered(let image): image.storedSize
            case .tar(let file), .squashFS(let file): Int(try file.status().st_size)
            case .directory: 0
            case .packages(let files): files.reduce(0) { $0 + $1.size }
            }
        }
    }

    private func readTar(
        _ file: Descriptor, into sink: any TreeSink, budget: ImageBudget, progress: any Progress
    ) throws {
        let size = Int(try file.status().st_size)
        progress.begin("reading \(path)", total: size)
        defer { progress.end() }
        let writer = EntryWriter(sink, image: path, isLayered: false, budget: budget)
        let stored = FileStream(file, range: 0..<size, image: path, hashing: isHashed, beside: sink.hasher)
        let archive = try PlainArchive(stored, image: path, budget: budget) { progress.advance(to: $0) }
        defer { archive.stop() }
        let reader = TarReader(archive, image: path)
        while let entry = try reader.next() { try writer.write(entry, from: reader) }
        try reader.drain()
        if isHashed { fileDigest = try stored.digest() }
    }
}
