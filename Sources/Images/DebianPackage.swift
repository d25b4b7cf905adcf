internal import Files

/// A Debian package: an ar archive with two tar archives, of control files and of files.
///
/// Source: deb(5), deb-control(5), ar(5).
struct DebianPackage: PackageContents {
    private static let magic = "!<arch>\n"
    private static let headerSize = 60
    /// Members that an archive may have: three, and others that begin with `_`.
    private static let memberLimit = 100
    /// What may follow `control.tar` and `data.tar`.
    private static let compressions = ["", ".gz", ".xz", ".zst", ".bz2", ".lzma"]
    /// Scripts, in the order in which dpkg would run them.
    private static let scriptNames = ["preinst", "postinst", "prerm", "postrm", "config"]
    /// Control files that are read: others may be as many and as long as a package likes.
    private static let documentNames = Set(["control", "conffiles"] + scriptNames)

    let facts: PackageFacts
    private let file: Descriptor
    private let data: Range<Int>
    private let image: String

    init(_ file: Descriptor, size: Int, image: String, budget: ImageBudget) throws {
        self.file = file
        self.image = image
        let members = try Self.members(file, size: size, image: image)
        guard let first = members.first, first.name == "debian-binary" else {
            throw ImageError.damaged(image: image, detail: "its first member is not 'debian-binary'")
        }
        var version = Bytes(repeating: 0, count: min(first.range.count, 16))
        let got = try version.withUnsafeMutableBytes { try file.read(into: $0, at: first.range.lowerBound) }
        version = Bytes(version.prefix(got).prefix { $0 != 0x0a })
        guard version.hasPrefix("2.") else {
            throw ImageError.unsupported(
                image: image, what: "is a Debian package of version '\(version.prefix(10).displayed)'",
                hint: "sxs reads those of version 2; build it anew with a current dpkg-deb")
        }
        data = try Self.member("data.tar", of: members, image: image)
        let control = try Self.member("control.tar", of: members, image: image)
        facts = try Self.facts(
            FileStream(file, range: control, image: image), image: image, budget: budget)
    }

    func read(into writer: EntryWriter, budget: ImageBudget, report: @escaping (Int) -> Void) throws {
        let start = data.lowerBound
        let archive = try PlainArchive(
            FileStream(file, range: data, image: image), image: image, budget: budget
        ) { report(start + $0) }
        defer { archive.stop() }
        let reader = TarReader(archive, image: image)
        while let entry = try reader.next() { try writer.write(entry, from: reader) }
        try reader.drain()
    }

    // MARK: ar

    private struct Member {
        let name: String
        let range: Range<Int>
    }

    private static func members(_ file: Descriptor, size: Int, image: String) throws -> [Member] {
        guard try ArchiveOpening.head(of: file, count: magic.utf8.count).hasPrefix(magic) else {
            throw ImageError.notAnImage(path: image, reason: "it does not begin as an ar archive does")
        }
        var members: [Member] = []
        var offset = magic.utf8.count
        while offset < size {
            guard offset + headerSize <= size else {
                throw ImageError.truncated(
                    image: image, detail: "it ends at byte \(size), inside a member's header")
            }
            var header = Bytes(repeating: 0, count: headerSize)
            let got = try header.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            guard got == headerSize, header[58] == 0x60, header[59] == 0x0a,
                let length = TarHeader.number(header[48..<58].prefix { $0 != 0x20 }, radix: 10)
            else {
                throw ImageError.damaged(
                    image: image, detail: "what is at byte \(offset) is no member of an archive")
            }
            let start = offset + headerSize
            let (end, overflow) = start.addingReportingOverflow(length)
            guard !overflow, end <= size else {
                throw ImageError.truncated(
                    image: image, detail: "it ends at byte \(size), inside a member of \(length) bytes")
            }
            guard members.count < memberLimit else {
                throw ImageError.excessive(image: image, what: "too many members", limit: memberLimit)
            }
            // GNU's ar ends names with a slash, dpkg-deb does not.
            let name = header[0..<16].prefix { $0 != 0x20 && $0 != UInt8(ascii: "/") }
            members.append(Member(name: name.displayed, range: start..<end))
            offset = end + end % 2
        }
        return members
    }

    private static func member(_ name: String, of members: [Member], image: String) throws -> Range<Int> {
        let found = members.filter { $0.name == name || $0.name.hasPrefix(name + ".") }
        guard let member = found.first else {
            throw ImageError.truncated(image: image, detail: "it has no member '\(name)'")
        }
        guard found.count == 1 else {
            throw ImageError.damaged(image: image, detail: "it has several members '\(name)'")
        }
        let suffix = String(member.name.dropFirst(name.count))
        guard compressions.contains(suffix) else {
            throw ImageError.unsupported(
                image: image, what: "has the member '\(member.name)', of unknown compression '\(suffix)'",
                hint: "repack it with 'dpkg-deb --raw-extract' and 'dpkg-deb --build'")
        }
        return member.range
    }

    // MARK: Control

    private static func facts(
        _ stream: FileStream, image: String, budget: ImageBudget
    ) throws -> PackageFacts {
        let reader = TarReader(
            try Decompressor.open(stream, image: image, budget: budget), image: image)
        var documents: [String: Bytes] = [:]
        while let entry = try reader.next() {
            guard entry.kind == .file, entry.map == nil else { continue }
            let parts = entry.path.split(separator: UInt8(ascii: "/")).filter {
                !$0.elementsEqual(".".utf8)
            }
            guard parts.count == 1, let name = parts.first?.displayed, documentNames.contains(name) else {
                continue
            }
            documents[name] = try PackageFacts.document(entry, from: reader, image: image)
        }
        try reader.drain()
        guard let control = documents["control"] else {
            throw ImageError.damaged(image: image, detail: "it has no control file")
        }
        var facts = PackageFacts(.deb)
        let fields = Self.fields(control)
        facts.name = fields["package"] ?? ""
        facts.version = fields["version"] ?? ""
        facts.architecture = fields["architecture"] ?? ""
        // "Source: emacs (1:28)" where its version differs.
        facts.source = fields["source"]?.split(separator: " ").first.map(String.init) ?? facts.name
        facts.summary = fields["description"]
        facts.replaces = Self.names(fields["replaces"])
        facts.provides = Self.names(fields["provides"])
        facts.requires = [fields["pre-depends"], fields["depends"]].compactMap { $0 }.flatMap {
            $0.split(separator: ",").map { Self.names(String($0)) }
        }
        facts.configuration = Set(
            (documents["conffiles"] ?? []).split(separator: 0x0a).compactMap { line in
                // "remove-on-upgrade /etc/x" is about a file that is not there.
                line.first == UInt8(ascii: "/") ? PackageFacts.path(line) : nil
            })
        facts.scripts = scriptNames.compactMap { name in
            documents[name].map {
                PackageFacts.Script(
                    name: name, interpreter: PackageFacts.interpreter(of: $0), text: $0)
            }
        }
        return facts
    }

    /// The first lines of a control file's fields, by their names in lower case.
    static func fields(_ text: Bytes) -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(separator: 0x0a) {
            guard line.first != 0x20, line.first != 0x09, let colon = line.firstIndex(of: UInt8(ascii: ":"))
            else { continue }
            let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
            fields[String(decoding: line[..<colon], as: UTF8.self).lowercased()] = value.displayed
        }
        return fields
    }

    /// The names in a list such as `a (<< 1), b | c`.
    private static func names(_ list: String?) -> Set<String> {
        Set(
            (list ?? "").split { $0 == "," || $0 == "|" }.compactMap { part in
                part.split { " (:".contains($0) }.first.map(String.init)
            })
    }
}
