public import Files

/// Why a package cannot be exported, or an exported one taken over.
public enum ExportError: Error, Equatable, CustomStringConvertible {
    /// Something is at the place already.
    case exists(String)
    /// systemd would not take a file of that name for the extension.
    case unfoundName(String, extensionName: String)
    /// Both the file and the link would be merged.
    case searchedDirectory(String, file: String)
    /// Commands cannot be there.
    case commandDirectory(String, reason: String)
    /// A level that the compression does not have.
    case level(Int, compression: String, allowed: String)
    /// The package's files are not as they were imported.
    case damagedPackage(String)
    /// An extension that says it holds a package, and holds another one.
    case damagedExtension(String, reason: String)
    /// A name or version was given for a package that has its own.
    case named(String, storePath: String)
    /// A directory cannot be signed.
    case unsignable
    /// The directory that is written, or that mkfs.erofs reads, cannot have labels.
    case unlabelled(SystemError)
    /// An alias of the package is another one's on this host.
    case aliasTaken(String, alias: String, owner: String)

    /// What is wrong, why, and what to do.
    public var description: String {
        switch self {
        case .exists(let path):
            """
            \(path) is there already
            hint: name another place with --output, or say --force to replace it
            """
        case .unfoundName(let file, let name):
            """
            systemd would not find the extension '\(name)' in a file named '\(file)'
            hint: the name has to be '\(name)', or begin with '\(name)_', before its ending; or give it with --name
            """
        case .searchedDirectory(let directory, let file):
            """
            systemd merges all that is in \(directory): both the file with a version and the link to it
            hint: say --output \(directory)/\(file), or --v-directory for systemd 256 or newer
            """
        case .commandDirectory(let directory, let reason):
            """
            commands cannot be in '\(directory)': \(reason)
            hint: name a directory such as usr/bin or usr/extensions/bin with --commands-dir
            """
        case .level(let level, let compression, let allowed):
            """
            \(compression) has no level \(level)
            hint: \(allowed)
            """
        case .damagedPackage(let name):
            """
            '\(name)' is not as it was imported, and was not exported
            hint: 'sxs verify \(name)' says what is damaged; import the image again to mend it
            """
        case .damagedExtension(let image, let reason):
            """
            \(image) is damaged: \(reason)
            hint: export the package again, or fetch the extension again
            """
        case .named(let image, let storePath):
            """
            \(image) holds \(storePath), whose name and version are part of it
            hint: leave out --name and --version
            """
        case .unsignable:
            """
            a directory cannot be signed
            hint: leave out --format dir
            """
        case .unlabelled(let error):
            """
            \(error)
            hint: only root writes SELinux labels, and not on every file system; --format sysext needs neither
            """
        case .aliasTaken(let storePath, let alias, let owner):
            """
            \(storePath) cannot be taken over: its alias \(alias) is one of \(owner) on this host
            hint: import the image that it was made from; it then gets other aliases
            """
        }
    }
}
