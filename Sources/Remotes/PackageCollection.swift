public import Files
public import StoreLayout

/// A name that stands for several packages of the same remote: `NAME.collection` beside its images.
///
///     [Collection]
///     Description=To look into programs
///     Packages=gdb strace
///
/// It is a file that the listing names, so that a listing tells all names that a remote has.
public struct PackageCollection: Sendable, Equatable {
    private static let section = "Collection"
    /// Bytes that its file may have.
    static let longest = 64 << 10
    /// Packages that it may stand for.
    private static let most = 1000

    /// Its name.
    public let name: String
    /// What it is for.
    public let summary: String?
    /// The packages, in the order of its file.
    public let packages: [String]

    /// Makes one.
    public init(name: PackageName, summary: String?, packages: [PackageName]) {
        self.name = name.text
        self.summary = summary
        self.packages = packages.map(\.text)
    }

    /// Reads a file.
    ///
    /// - Parameter file: Its name, or a path that ends in it; what errors call it.
    /// - Throws: ``RepositoryError/badCollection(_:reason:)``.
    public init(parsing bytes: Bytes, file: String) throws(RepositoryError) {
        let problem = { (reason: String) in RepositoryError.badCollection(file, reason: reason) }
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self) else {
            throw problem("it is no UTF-8 text of at most \(Self.longest) bytes")
        }
        let values = ConfigurationFile(parsing: text)
        if let line = values.ignoredLines.first {
            throw problem("line \(line) is neither NAME=VALUE nor a [section]")
        }
        let last = file.split(separator: "/").last.map(String.init) ?? file
        guard let name = try? PackageName(String(last.dropLast(RemoteLayout.collectionSuffix.count))) else {
            throw problem("its name is none of a package")
        }
        let words = values.words("Packages", in: Self.section)
        let names = words.compactMap { try? PackageName($0) }
        guard !names.isEmpty, names.count == words.count, names.count <= Self.most,
            !names.contains(where: { $0.text == name.text })
        else { throw problem("Packages= has to name from 1 to \(Self.most) other packages") }
        self.init(name: name, summary: values.value("Description", in: Self.section), packages: names)
    }

    /// The text of its file.
    var text: String {
        let description = summary.map { "Description=\($0)\n" } ?? ""
        return "[\(Self.section)]\n\(description)Packages=\(packages.joined(separator: " "))\n"
    }
}
