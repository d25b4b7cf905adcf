internal import Files

/// A package that is one tar archive with documents before its files: Arch Linux's and Alpine Linux's.
///
/// An Alpine package is three gzip streams, one after the other (signature, documents, files), whose tar archives
/// have no end but the last. Source: alpm-package(7), PKGINFO(5), apk-package(5).
struct TarPackage: PackageContents {
    let facts: PackageFacts
    private let file: Descriptor
    private let size: Int
    private let image: String

    /// Documents that a package may have before its files.
    private static let documentLimit = 100
    /// Alpine's scripts, in the order in which apk would run them.
    private static let scriptNames = [
        ".pre-install", ".post-install", ".trigger", ".pre-upgrade", ".post-upgrade", ".pre-deinstall",
        ".post-deinstall",
    ]
    /// Documents that are read.
    private static let documentNames = Set([".PKGINFO", ".INSTALL"] + scriptNames)

    init(
        _ file: Descriptor, size: Int, format: PackageFacts.Format, image: String, budget: ImageBudget
    ) throws {
        self.file = file
        self.size = size
        self.image = image
        let reader = TarReader(
            try Decompressor.open(
                FileStream(file, range: 0..<size, image: image), image: image, budget: budget), image: image)
        var documents: [String: Bytes] = [:]
        var count = 0
        while let entry = try reader.next(), let name = Self.documentName(entry.path) {
            count += 1
            guard count <= Self.documentLimit else {
                throw ImageError.excessive(
                    image: image, what: "too many documents", limit: Self.documentLimit)
            }
            guard entry.kind == .file, Self.documentNames.contains(name) else { continue }
            documents[name] = try PackageFacts.document(entry, from: reader, image: image)
        }
        guard let information = documents[".PKGINFO"] else {
            throw ImageError.damaged(image: image, detail: "it has no .PKGINFO before its files")
        }
        facts = Self.facts(information, format: format, documents: documents)
    }

    /// The name of an entry that is about the package rather than of it: it begins with a dot, at the top.
    static func documentName(_ path: Bytes) -> String? {
        let parts = path.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
        guard parts.count == 1, let name = parts.first, name.first == UInt8(ascii: "."),
            !name.elementsEqual("..".utf8)
        else { return nil }
        return name.displayed
    }

    func read(into writer: EntryWriter, budget: ImageBudget, report: @escaping (Int) -> Void) throws {
        let archive = try PlainArchive(
            FileStream(file, range: 0..<size, image: image), image: image, budget: budget, report: report)
        defer { archive.stop() }
        let reader = TarReader(archive, image: image)
        while let entry = try reader.next() {
            if Self.documentName(entry.path) != nil { continue }
            try writer.write(entry, from: reader)
        }
        try reader.drain()
    }

    /// Which of both formats the first documents are of; `nil` for an archive that is no package.
    ///
    /// Alpine's begin with a signature, or their `.PKGINFO` has the digest of the files.
    static func format(names: [String], information: Bytes?) -> PackageFacts.Format? {
        guard let information, let first = names.first else { return nil }
        let fields = fields(information)
        guard fields["pkgname"] != nil, fields["pkgver"] != nil else { return nil }
        return first.hasPrefix(".SIGN.") || fields["datahash"] != nil ? .apk : .pacman
    }

    /// Lines `key = value`; a key may come several times.
    private static func fields(_ text: Bytes) -> [String: [String]] {
        var fields: [String: [String]] = [:]
        for line in text.split(separator: 0x0a) where line.first != UInt8(ascii: "#") {
            let parts = line.displayed.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let key = parts[0].split(separator: " ").first else { continue }
            fields[String(key), default: []].append(String(parts[1].drop { $0 == " " }))
        }
        return fields
    }

    private static func facts(
        _ information: Bytes, format: PackageFacts.Format, documents: [String: Bytes]
    ) -> PackageFacts {
        var facts = PackageFacts(format)
        let fields = fields(information)
        let one = { (key: String) in fields[key]?.first }
        facts.name = one("pkgname") ?? ""
        facts.version = one("pkgver") ?? ""
        facts.architecture = one("arch") ?? ""
        facts.source = one("pkgbase") ?? one("origin") ?? facts.name
        facts.summary = one("pkgdesc")
        facts.license = fields["license"]?.joined(separator: " AND ")
        let names = { (key: String) in
            Set((fields[key] ?? []).compactMap { $0.split { "<>=~".contains($0) }.first.map(String.init) })
        }
        facts.replaces = names("replaces")
        facts.provides = names("provides")
        // Arch calls it 'depend', and Alpine, too.
        facts.requires = names("depend").sorted().map { [$0] }
        facts.configuration = Set((fields["backup"] ?? []).compactMap { PackageFacts.path($0.utf8) })
        if format == .pacman {
            facts.scripts =
                documents[".INSTALL"].map {
                    [PackageFacts.Script(name: ".INSTALL", interpreter: "/bin/bash", text: $0)]
                } ?? []
        } else {
            facts.scripts = scriptNames.compactMap { name in
                documents[name].map {
                    PackageFacts.Script(
                        name: name, interpreter: PackageFacts.interpreter(of: $0), text: $0)
                }
            }
        }
        return facts
    }
}
