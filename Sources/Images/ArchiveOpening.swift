internal import Files
private import Glibc

/// Finds out what a file is, by its contents, and where an archive's blobs are.
struct ArchiveOpening {
    private let file: Descriptor
    let size: Int
    private let reference: ImageReference
    private let temporaryDirectory: String?
    private let budget: ImageBudget

    init(
        _ file: Descriptor, reference: ImageReference, temporaryDirectory: String?, limits: ImageLimits
    ) throws {
        self.file = file
        self.reference = reference
        self.temporaryDirectory = temporaryDirectory
        size = Int(try file.status().st_size)
        budget = ImageBudget(limits, image: reference.shown, stored: size)
        guard size > 0 else { throw ImageError.truncated(image: reference.shown, detail: "it is empty") }
    }

    /// The format: the one that was said, or the one that the contents have.
    func format() throws -> ImageReference.Format {
        guard reference.format == .sniffed || reference.format == .squashFS else { return reference.format }
        let kind = try DiskFormat(of: file)
        if kind == .squashFS { return .squashFS }
        if reference.format == .sniffed {
            if kind == .deb { return .deb }
            if kind == .rpm { return .rpm }
        }
        if let kind {
            throw ImageError.unsupported(image: reference.shown, what: "is \(kind.name)", hint: kind.hint)
        }
        guard reference.format == .sniffed else {
            throw ImageError.notAnImage(path: reference.shown, reason: "it has no SquashFS header")
        }
        return try archiveFormat()
    }

    /// Tells an archive of blobs from a root file system by its members' names.
    ///
    /// The first member that no archive of blobs would have decides, so a root file system is not read twice.
    private func archiveFormat() throws -> ImageReference.Format {
        let stream = FileStream(file, range: 0..<size, image: reference.shown)
        let reader = TarReader(
            try Decompressor.open(stream, image: reference.shown, budget: budget), image: reference.shown)
        var names: Set<String> = []
        var isFirst = true
        while let entry = try reader.next() {
            if isFirst, TarPackage.documentName(entry.path) != nil, let package = try packageFormat() {
                return package
            }
            isFirst = false
            let name = entry.path.split(separator: UInt8(ascii: "/"))
                .filter { !$0.elementsEqual(".".utf8) }.map { String(decoding: $0, as: UTF8.self) }
            guard let first = name.first else { continue }
            guard Self.isBlobName(name) else { return .tar }
            if name.count == 1 { names.insert(first) }
        }
        if names.contains("oci-layout"), names.contains("index.json") { return .ociArchive }
        return names.contains("manifest.json") ? .dockerArchive : .tar
    }

    /// Tells a package of Arch or Alpine Linux by the documents before its files; `nil` for another archive.
    private func packageFormat() throws -> ImageReference.Format? {
        let stream = FileStream(file, range: 0..<size, image: reference.shown)
        let reader = TarReader(
            try Decompressor.open(stream, image: reference.shown, budget: budget), image: reference.shown)
        var names: [String] = []
        while let entry = try reader.next(), let name = TarPackage.documentName(entry.path), names.count < 16
        {
            names.append(name)
            guard name == ".PKGINFO", entry.kind == .file else { continue }
            let information = try PackageFacts.document(entry, from: reader, image: reference.shown)
            let format = TarPackage.format(names: names, information: information)
            return format.flatMap { ImageReference.Format(rawValue: $0.rawValue) }
        }
        return nil
    }

    private static func isBlobName(_ name: [String]) -> Bool {
        let first = name.first ?? ""
        if name.count == 1 {
            if ["oci-layout", "index.json", "manifest.json", "repositories", "blobs"].contains(first) {
                return true
            }
            for suffix in [".json", ".tar", ".tar.gz"] where first.hasSuffix(suffix) {
                if Digest(hex: first.dropLast(suffix.count)) != nil { return true }
            }
        }
        return first == "blobs" || Digest(hex: first) != nil
    }

    /// The archive's files; those of a compressed archive after decompression to an unnamed file.
    func blobs() throws -> any BlobSource {
        let head = try Self.head(of: file, count: TarHeader.blockSize)
        if TarHeader(block: head).isValid {
            return try ArchiveBlobs(file, size: size, image: reference.shown)
        }
        let copy = try temporaryFile()
        let stream = try Decompressor.open(
            FileStream(file, range: 0..<size, image: reference.shown), image: reference.shown, budget: budget)
        var written = 0
        while let bytes = try stream.next() {
            try copy.write(bytes)
            written += bytes.count
        }
        return try ArchiveBlobs(copy, size: written, image: reference.shown)
    }

    /// The SquashFS image that is in a compressed file, decompressed to an unnamed file; `nil` for what has none.
    func decompressedImage() throws -> Descriptor? {
        guard reference.format == .sniffed || reference.format == .squashFS else { return nil }
        let head = try Self.head(of: file, count: TarHeader.blockSize)
        guard Self.compressions.contains(where: { head.starts(with: $0) }) else { return nil }
        let whole = FileStream(file, range: 0..<size, image: reference.shown)
        let stream = try PeekedStream(
            Decompressor.open(whole, image: reference.shown, budget: budget))
        guard stream.head.starts(with: "hsqs".utf8), stream.head.count >= Self.usedEnd else { return nil }
        // No more than the header says, so that what is small cannot fill the disk.
        let used = stream.head[(Self.usedEnd - 8)..<Self.usedEnd].reversed().reduce(0) {
            $0 << 8 | UInt64($1)
        }
        let limit = Int(clamping: min(used, 1 << 50)) + Self.padding
        let copy = try temporaryFile()
        var written = 0
        while let bytes = try stream.next() {
            written += bytes.count
            guard written <= limit else {
                throw ImageError.excessive(
                    image: reference.shown, what: "more bytes than its header says", limit: limit)
            }
            try copy.write(bytes)
        }
        return copy
    }

    /// The end of the header's field that says how many bytes a SquashFS image has.
    private static let usedEnd = 48
    /// Bytes that may follow these.
    private static let padding = 1 << 20
    /// How compressed files begin: gzip, xz, zstd, bzip2, lz4.
    private static let compressions: [Bytes] = [
        [0x1f, 0x8b], [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], [0x28, 0xb5, 0x2f, 0xfd], [0x42, 0x5a, 0x68],
        [0x04, 0x22, 0x4d, 0x18],
    ]

    private func temporaryFile() throws -> Descriptor {
        let directory = temporaryDirectory ?? getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
        var template = Array((directory + "/sxs-XXXXXX").utf8CString)
        let number = mkstemp(&template)
        guard number >= 0 else { throw SystemError("create a file in", directory) }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        unlink(&template)
        return Descriptor(taking: number, path: directory + "/(unnamed)")
    }

    /// The first bytes of a file, or all of a shorter one.
    static func head(of file: Descriptor, count: Int) throws -> Bytes {
        var bytes = Bytes(repeating: 0, count: count)
        let got = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return Bytes(bytes.prefix(got))
    }
}
