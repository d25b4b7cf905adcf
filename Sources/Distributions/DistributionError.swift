internal import Files

/// Why packages of a distribution cannot be had.
///
/// Nothing was installed, and nothing that was there is changed.
public enum DistributionError: Error, Equatable, CustomStringConvertible {
    /// A text that is not what it should be.
    case badText(file: String, line: Int, reason: String)
    /// An index that its repository does not name.
    case noIndex(repository: String, wanted: String, available: [String])
    /// An index whose form nobody knows.
    case compression(file: String)
    /// An index that unpacks to more than it may.
    case tooLarge(file: String, limit: Int)
    /// An index that cannot be read.
    case unreadable(file: String, reason: String)
    /// What was made of an index, and kept, is not what it was.
    case damagedCache(String)
    /// A repository whose time is over.
    case expired(repository: String, date: String)
    /// The index and what it names do not belong together.
    case changing(repository: String, file: String)
    /// A package that no repository has.
    case noPackage(String, similar: [String])
    /// A package of which there are other versions.
    case noVersion(String, wanted: String, available: [String])
    /// Packages that cannot be had together.
    case noSolution(wanted: [String], reasons: [String])
    /// A package without a digest that can be verified.
    case noDigest(package: String)
    /// A package whose place is none.
    case badPlace(package: String, place: String)
    /// A configuration without anything that can be used.
    case noRepositories(file: String)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .badText(let file, let line, let reason):
            """
            \(file) cannot be read: \(line == 0 ? "it" : "line \(line)") \(reason)
            hint: mend it if it is this machine's; else ask who keeps the repository
            """
        case .noIndex(let repository, let wanted, let available):
            """
            \(repository) has no \(wanted)\(available.isEmpty ? "" : "; it has \(available.joined(separator: ", "))")
            hint: name what it has with --component and --platform
            """
        case .compression(let file):
            """
            \(file) is compressed in a way that sxs does not know
            hint: it knows .xz, .zst, .gz and .bz2; ask who keeps the repository
            """
        case .tooLarge(let file, let limit):
            """
            \(file) unpacks to more than \(limit) bytes, which is more than its repository says
            hint: check that it is the right place; ask who keeps it
            """
        case .unreadable(let file, let reason):
            """
            \(file) cannot be read: \(reason)
            hint: ask who keeps the repository
            """
        case .damagedCache(let path):
            """
            \(path) is damaged
            hint: 'sxs remote refresh' makes it anew from the repository's index
            """
        case .expired(let repository, let date):
            """
            \(repository) was good until \(date) only
            hint: check this machine's clock; else the server, or somebody between, holds newer indexes back
            """
        case .changing(let repository, let file):
            """
            \(repository) is changing while it is read: \(file) is not the one that its index names, also when asked again
            hint: try again in some minutes; if it stays so, its server or a proxy keeps old files
            """
        case .noPackage(let name, let similar):
            """
            no repository has a package '\(name.utf8.displayed)'
            hint: \(similar.isEmpty ? "'sxs search TEXT' looks for names" : "there are \(similar.joined(separator: ", "))")
            """
        case .noVersion(let name, let wanted, let available):
            """
            there is no version \(wanted.utf8.displayed) of \(name)
            hint: there are \(available.joined(separator: ", ")); a version may end in '*'
            """
        case .noSolution(let wanted, let reasons):
            """
            \(wanted.joined(separator: ", ")) cannot be installed:
            \(reasons.map { "  " + $0 }.joined(separator: "\n"))
            hint: take another version (NAME=VERSION), or install into profiles of their own what excludes each other
            """
        case .noDigest(let package):
            """
            \(package) has no SHA-256 in its repository's index, so that nothing that comes could be verified
            hint: ask who keeps the repository
            """
        case .badPlace(let package, let place):
            """
            \(package) is said to be at '\(place.utf8.displayed)', which is no path below its repository
            hint: ask who keeps the repository
            """
        case .noRepositories(let file):
            """
            \(file) names no repository that sxs can use
            hint: it reads deb lines and .sources files of apt, and .repo files, for HTTP, HTTPS and files
            """
        }
    }
}
