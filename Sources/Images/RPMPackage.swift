internal import Files
private import Glibc

/// An RPM package: a lead, a header of digests, a header, and a compressed cpio archive.
///
/// Source: rpm's docs/manual/format_v4.md and format_payload.md (rpm 4.18).
struct RPMPackage: PackageContents {
    /// A file, as the header has it.
    struct File {
        let path: Bytes
        let mode: UInt16
        /// Its size in bytes.
        let size: Int
        let isGhost: Bool
        /// A capability, in words; empty for none.
        let capability: Bytes
        /// Other files of the same inode, which carry its contents only once: with the last.
        var isLinkedLater = false
        /// What files of one inode have in common; `nil` for a file alone.
        var inode: UInt64?
    }

    private static let leadSize = 96
    private static let leadMagic: Bytes = [0xed, 0xab, 0xee, 0xdb]
    /// The signature's tag of the main header's SHA-256.
    private static let headerDigestTag: UInt32 = 273
    /// SHA-256 among the hash algorithms of RFC 4880.
    private static let sha256: UInt64 = 8
    private static let compressors = ["gzip", "bzip2", "xz", "lzma", "zstd", "none", "identity"]
    private static let configurationFlag: UInt64 = 1
    private static let ghostFlag: UInt64 = 64

    let facts: PackageFacts
    private let file: Descriptor
    private let payload: Range<Int>
    private let payloadDigest: String?
    private let files: [File]
    private let image: String

    init(_ file: Descriptor, size: Int, image: String, budget: ImageBudget) throws {
        self.file = file
        self.image = image
        let lead = try ArchiveOpening.head(of: file, count: Self.leadSize)
        guard lead.count == Self.leadSize, lead.starts(with: Self.leadMagic) else {
            throw ImageError.truncated(image: image, detail: "it ends inside its lead")
        }
        guard (3...4).contains(lead[4]) else {
            throw ImageError.unsupported(
                image: image, what: "is an RPM package of version \(lead[4])",
                hint: "sxs reads those of versions 3 and 4; build it anew with a current rpmbuild")
        }
        guard lead[7] == 0 || lead[6] != 0 else {
            throw ImageError.unsupported(
                image: image, what: "is a source package", hint: "build it with 'rpmbuild --rebuild'")
        }
        let signature = try RPMHeader(file, at: Self.leadSize, size: size, image: image)
        let header = try RPMHeader(
            file, at: (signature.end + 7) / 8 * 8, size: size, image: image)
        if let expected = try signature.texts(number: Self.headerDigestTag).first {
            let actual = Digest(hashing: header.bytes).hex
            guard actual == expected.displayed else {
                throw ImageError.digestMismatch(
                    image: image, blob: "the header", expected: expected.displayed, actual: actual)
            }
        }
        payload = header.end..<size
        guard !payload.isEmpty else {
            throw ImageError.truncated(image: image, detail: "it ends before its files")
        }
        let algorithm = try header.numbers(.payloadDigestAlgorithm).first
        payloadDigest =
            algorithm == Self.sha256 ? try header.texts(.payloadDigest).first?.displayed : nil
        let format = try header.text(.payloadFormat) ?? "cpio"
        guard format == "cpio" else {
            throw ImageError.unsupported(
                image: image, what: "has its files as '\(format)'", hint: "sxs reads those with cpio")
        }
        let compressor = try header.text(.payloadCompressor) ?? "gzip"
        guard Self.compressors.contains(compressor) else {
            throw ImageError.unsupported(
                image: image, what: "has files of unknown compression '\(compressor)'",
                hint: "convert it with 'rpmrebuild', or build it anew with another compression")
        }
        let files = try Self.files(header, image: image, budget: budget)
        self.files = files
        facts = try Self.facts(header, files: files)
    }

    func read(into writer: EntryWriter, budget: ImageBudget, report: @escaping (Int) -> Void) throws {
        let start = payload.lowerBound
        let stored = FileStream(
            file, range: payload, image: image, hashing: payloadDigest != nil, beside: writer.sink.hasher)
        let archive = try PlainArchive(stored, image: image, budget: budget) { report(start + $0) }
        defer { archive.stop() }
        do {
            try CpioReader(archive, image: image, files: files).read(into: writer)
            archive.stop()
        } catch let error as ImageError {
            if case .limit = error { throw error }
            archive.stop()
            // A payload that cannot be read most often is a damaged one: its digest says so better.
            try check(stored)
            throw error
        }
        try check(stored)
    }

    private func check(_ stored: FileStream) throws {
        guard let payloadDigest else { return }
        let actual = try stored.digest().hex
        guard actual == payloadDigest else {
            throw ImageError.digestMismatch(
                image: image, blob: "the payload", expected: payloadDigest, actual: actual)
        }
    }

    // MARK: Header

    private static func files(
        _ header: RPMHeader, image: String, budget: ImageBudget
    ) throws -> [File] {
        let bases = try header.texts(.baseNames)
        var paths = try header.texts(.oldFileNames)
        if !bases.isEmpty {
            let directories = try header.texts(.directoryNames)
            let indexes = try header.numbers(.directoryIndexes)
            guard indexes.count == bases.count, indexes.allSatisfy({ $0 < directories.count }) else {
                throw ImageError.damaged(
                    image: image, detail: "its list of files has names without directories")
            }
            paths = try zip(bases, indexes).map { base, index in
                let directory = directories[Int(index)]
                // A short list can name one long directory as often as it likes.
                try budget.countEntry()
                try budget.count(metadata: directory.count + base.count)
                return directory + base
            }
        }
        let modes = try header.numbers(.fileModes)
        let flags = try header.numbers(.fileFlags)
        let long = try header.numbers(.longFileSizes)
        let sizes = long.isEmpty ? try header.numbers(.fileSizes) : long
        let capabilities = try header.texts(.fileCapabilities)
        let inodes = try header.numbers(.fileInodes)
        let devices = try header.numbers(.fileDevices)
        guard modes.count == paths.count, sizes.count == paths.count, flags.count == paths.count,
            capabilities.isEmpty || capabilities.count == paths.count
        else {
            throw ImageError.damaged(
                image: image, detail: "its lists of files are not equally long")
        }
        var files = paths.indices.map { index in
            File(
                path: paths[index], mode: UInt16(truncatingIfNeeded: modes[index]),
                size: Int(clamping: sizes[index]), isGhost: flags[index] & ghostFlag != 0,
                capability: capabilities.isEmpty ? [] : capabilities[index])
        }
        guard inodes.count == files.count else { return files }
        var last: [UInt64: Int] = [:]
        for index in files.indices {
            let file = files[index]
            guard UInt32(file.mode) & S_IFMT == S_IFREG, !file.isGhost, inodes[index] != 0 else { continue }
            let inode = inodes[index] | (devices.count == files.count ? devices[index] << 32 : 0)
            if let other = last[inode] {
                files[other].isLinkedLater = true
                files[other].inode = inode
                files[index].inode = inode
            }
            last[inode] = index
        }
        return files
    }

    private static func facts(_ header: RPMHeader, files: [File]) throws -> PackageFacts {
        var facts = PackageFacts(.rpm)
        facts.name = try header.text(.name) ?? ""
        let epoch = try header.numbers(.epoch).first
        let version = try header.text(.version) ?? ""
        let release = try header.text(.release).map { "-" + $0 } ?? ""
        facts.version = version.isEmpty ? "" : (epoch.map { "\($0):" } ?? "") + version + release
        facts.architecture = try header.text(.architecture) ?? ""
        facts.source = try header.text(.sourcePackage).map(sourceName) ?? facts.name
        facts.summary = try header.text(.summary)
        facts.license = try header.text(.license)
        facts.provides = Set(try header.texts(.provideNames).map { $0.displayed })
        facts.requires = try header.texts(.requireNames).map { [$0.displayed] }
        let flags = try header.numbers(.fileFlags)
        for (file, flag) in zip(files, flags) {
            guard let path = PackageFacts.path(file.path) else { continue }
            if flag & configurationFlag != 0 { facts.configuration.insert(path) }
            if file.isGhost { facts.ghosts.append(path) }
        }
        let programs: [(String, RPMHeader.Tag, RPMHeader.Tag?)] = [
            ("pretrans", .preTransaction, nil), ("pre", .preInstall, .preInstallProgram),
            ("post", .postInstall, .postInstallProgram), ("posttrans", .postTransaction, nil),
            ("preun", .preRemove, .preRemoveProgram), ("postun", .postRemove, .postRemoveProgram),
        ]
        for (name, tag, program) in programs {
            let interpreter = try program.flatMap { try header.text($0) } ?? "/bin/sh"
            // A program without a text is run by itself.
            guard let text = try header.texts(tag).first ?? (interpreter != "/bin/sh" ? [] : nil) else {
                continue
            }
            facts.scripts.append(
                PackageFacts.Script(name: name, interpreter: interpreter, text: text))
        }
        let triggers: [(String, RPMHeader.Tag)] = [
            ("trigger", .triggerScripts), ("filetrigger", .fileTriggerScripts),
            ("transfiletrigger", .transactionFileTriggerScripts),
        ]
        for (name, tag) in triggers {
            for text in try header.texts(tag) {
                facts.scripts.append(
                    PackageFacts.Script(name: name, interpreter: "/bin/sh", text: text))
            }
        }
        return facts
    }

    /// `emacs` of `emacs-28.2-1.src.rpm`.
    private static func sourceName(_ text: String) -> String {
        let parts = text.split(separator: "-")
        return parts.count > 2 ? parts.dropLast(2).joined(separator: "-") : text
    }
}
