public import Files
private import Glibc
internal import StoreLayout

/// The repositories that yum and dnf are configured with: files `*.repo`.
///
/// Source: dnf.conf(5) of dnf 4.14.
public struct YumConfiguration: Sendable {
    /// Bytes that a file may have.
    private static let longest = 1 << 20

    /// The repositories that are enabled, in the order of the files.
    public private(set) var repositories: [PackageRepository] = []
    /// What was passed over, and why, for people.
    public private(set) var notes: [String] = []
    private let variables: [String: String]

    /// Reads a directory, or one file.
    ///
    /// - Parameters:
    ///   - path: Such as `/etc/yum.repos.d`.
    ///   - variables: Values of `$releasever`, `$basearch` and others.
    /// - Throws: ``DistributionError``, `SystemError`.
    public init(reading path: String, variables: [String: String]) throws {
        self.variables = variables
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemError("open", path) }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        let files =
            isDirectory
            ? try Descriptor.directory(path).list().map(\.text).filter { $0.hasSuffix(".repo") }
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { path + "/" + $0 }
            : [path]
        for file in files {
            try read(Descriptor.file(file).readAll(limit: Self.longest), file: file)
        }
        guard !repositories.isEmpty else { throw DistributionError.noRepositories(file: path) }
    }

    /// Reads the text of one file.
    public init(parsing bytes: Bytes, file: String, variables: [String: String]) throws {
        self.variables = variables
        try read(bytes, file: file)
    }

    private mutating func read(_ bytes: Bytes, file: String) throws {
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw DistributionError.badText(file: file, line: 0, reason: "is no UTF-8 text")
        }
        let values = ConfigurationFile(parsing: text)
        var sections: [String] = []
        for entry in values.entries where !sections.contains(entry.section) { sections.append(entry.section) }
        for section in sections where section != "main" {
            let variables = variables
            let value = { (key: String) in
                values.value(key, in: section).map { Self.filled($0, with: variables) }
            }
            guard value("enabled").map(isYes) ?? true else { continue }
            let urls = (value("baseurl") ?? "").split { $0 == " " || $0 == "," }.map(String.init)
            guard !urls.isEmpty else {
                notes.append(
                    "\(file): [\(section)] is passed over: it has no baseurl, and lists of mirrors are not read"
                )
                continue
            }
            if let missing = urls.first(where: { $0.contains("$") }) {
                notes.append(
                    "\(file): [\(section)] is passed over: \(missing) has a variable that is not known")
                continue
            }
            var repository = PackageRepository(kind: .rpm, places: try urls.map { try RemoteLocation($0) })
            let keys = (value("gpgkey") ?? "").split { $0 == " " || $0 == "," }.map(String.init)
            let files = keys.compactMap {
                $0.hasPrefix("file:///") ? String($0.dropFirst("file://".count)) : nil
            }
            if !files.isEmpty { repository.trust = .files(files) }
            // Only that the index needs no signature; yum then looks at each package, which sxs does not.
            if value("gpgcheck").map(isYes) == false, value("repo_gpgcheck").map(isYes) != true {
                repository.trust = .anybody
            }
            repositories.append(repository)
        }
    }

    private func isYes(_ text: String) -> Bool { ["1", "yes", "true"].contains(text.lowercased()) }

    private static func filled(_ text: String, with variables: [String: String]) -> String {
        // The longest name first: $basearch is not $base and "arch".
        variables.sorted { ($0.key.utf8.count, $0.key) > ($1.key.utf8.count, $1.key) }.reduce(text) {
            text, variable in
            text.replacing("${\(variable.key)}", with: variable.value).replacing(
                "$\(variable.key)", with: variable.value)
        }
    }
}
