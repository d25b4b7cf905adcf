internal import Files

/// Why packages of distributions do not become one store path.
public enum PackageError: Error, Equatable, CustomStringConvertible {
    /// Two packages have a file of one name, and not the same.
    case conflict(path: String, first: String, second: String)
    /// A package has two things of one name.
    case inside(path: String, file: String)
    /// One package in two versions.
    case twice(name: String, versions: [String])
    /// Packages of several formats.
    case mixed(first: String, second: String)
    /// A script that was to be run failed, or could not be started.
    case script(String, package: String, reason: String)
    /// A library or an interpreter that slimming took, and that a file needs.
    case slimmed(String, file: String, kinds: [String])
    /// Scripts were to be run of what has none.
    case noScripts(String)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .conflict(let path, let first, let second):
            """
            \(first) and \(second) both have '/\(path)', and it is not the same in both
            hint: import them one by one, under names of their own
            """
        case .inside(let path, let file):
            """
            \(file) has '/\(path)' in two ways that exclude each other
            hint: the package is broken or hostile; do not use it
            """
        case .twice(let name, let versions):
            """
            '\(name)' is there in several versions: \(versions.joined(separator: ", "))
            hint: name one of them
            """
        case .mixed(let first, let second):
            """
            \(first) and \(second) are packages of different formats, whose distributions name the same things differently
            hint: import them one by one, under names of their own
            """
        case .script(let script, let package, let reason):
            """
            the script \(script) of \(package) failed: \(reason)
            hint: without --run-scripts none is run, and what is not done is noted; nothing was imported
            """
        case .slimmed(let needed, let file, let kinds):
            """
            '\(file)' needs '\(needed)', which slimming would take away
            hint: leave out --slim \(kinds.joined(separator: ",")), or some of it
            """
        case .noScripts(let source):
            """
            \(source) is no package of a distribution: it has no scripts to be run
            hint: leave out --run-scripts
            """
        }
    }
}
