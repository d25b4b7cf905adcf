public import Files
private import Glibc

/// A package's file, with what it has to be where that is known.
public struct PackageReference: Sendable {
    /// Where it is.
    public let image: ImageReference
    /// What its bytes have to hash to; `nil` where nobody said.
    public let digest: Digest?

    /// Creates a reference.
    public init(_ image: ImageReference, digest: Digest? = nil) {
        self.image = image
        self.digest = digest
    }
}

/// A file of a distribution's package manager that is open: what it says of itself, and its files.
public final class PackageFile {
    // A class: it owns the open file.

    /// What it says of itself.
    public let facts: PackageFacts
    /// What messages call it.
    public let path: String
    /// SHA-256 of the file.
    public let digest: Digest

    private let contents: any PackageContents
    private let file: Descriptor
    let size: Int

    /// Opens a package's file, and reads what is before its files.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - format: Its format.
    ///   - digest: What it has to hash to.
    /// - Throws: ``ImageError`` or `SystemError`.
    init(
        _ file: Descriptor, format: PackageFacts.Format, image: String, digest wanted: Digest?,
        budget: ImageBudget
    ) throws {
        self.file = file
        path = image
        size = Int(try file.status().st_size)
        let whole = FileStream(file, range: 0..<size, image: image, hashing: true)
        digest = try whole.digest()
        if let wanted, digest != wanted {
            throw ImageError.digestMismatch(
                image: image, blob: "the file", expected: "\(wanted)", actual: "\(digest)")
        }
        contents =
            switch format {
            case .deb: try DebianPackage(file, size: size, image: image, budget: budget)
            case .rpm: try RPMPackage(file, size: size, image: image, budget: budget)
            case .pacman, .apk:
                try TarPackage(file, size: size, format: format, image: image, budget: budget)
            }
        facts = contents.facts
        for (what, text) in [("name", facts.name), ("version", facts.version)] where text.isEmpty {
            throw ImageError.damaged(image: image, detail: "it does not say its \(what)")
        }
    }

    /// Gives all files to a sink, and checks every byte that the format lets be checked.
    func read(into sink: any TreeSink, budget: ImageBudget, report: @escaping (Int) -> Void) throws {
        let writer = EntryWriter(sink, image: path, isLayered: false, budget: budget)
        try contents.read(into: writer, budget: budget, report: report)
    }
}

/// What a package of one format is made of.
protocol PackageContents {
    /// What it says of itself.
    var facts: PackageFacts { get }

    /// Gives all files to a writer.
    func read(into writer: EntryWriter, budget: ImageBudget, report: @escaping (Int) -> Void) throws
}

extension PackageFacts {
    /// Bytes that a document inside a package, such as a script, may have.
    static let documentLimit = 16 << 20

    /// All stored bytes of an entry of a tar archive.
    static func document(_ entry: TarEntry, from reader: TarReader, image: String) throws -> Bytes {
        guard entry.storedSize <= documentLimit else {
            throw ImageError.excessive(
                image: image, what: "\(entry.storedSize) bytes in \(entry.path.shown)", limit: documentLimit)
        }
        var bytes: Bytes = []
        try reader.readData { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Takes a path as package managers write it, with a `/` before it; `nil` for one that no tree has.
    static func path(_ text: some Collection<UInt8>) -> TreePath? {
        try? TreePath(parsing: Bytes(text.drop { $0 == UInt8(ascii: "/") }))
    }

    /// The interpreter that a script's first line names.
    static func interpreter(of text: Bytes) -> String {
        guard text.hasPrefix("#!") else { return "/bin/sh" }
        let line = text.dropFirst(2).prefix { $0 != 0x0a }.drop { $0 == 0x20 }
        return String(decoding: line.prefix { $0 != 0x20 }, as: UTF8.self)
    }
}
