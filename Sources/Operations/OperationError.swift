internal import StoreLayout

/// Why a verb stopped.
///
/// What was active before still is.
public enum OperationError: Error, Equatable, CustomStringConvertible {
    /// No package of that name is in the store or in a remote.
    case unknownPackage(String, remotes: [String], like: [String] = [])
    /// The host has no package manager whose repositories sxs reads.
    case noHostRepositories
    /// A plan was asked for what is no package of a distribution.
    case noPlan(String)
    /// The package is not in the profile.
    case notInstalled(String, profile: String)
    /// The package stays at a version, and another one was asked for.
    case pinned(String, version: String)
    /// The image has programs for another architecture.
    case otherArchitecture(String, image: String, wanted: String)
    /// The image has an entry that no tree can have; the reason has a hint.
    case badImage(String, reason: String)
    /// Neither the image nor the user says what it is called or which version it is.
    case missingIdentity(String, what: String, option: String)
    /// A command to expose that the image lacks.
    case noSuchCommand(String, package: String)
    /// Nothing of the image would be shown.
    case nothingExposed(String)
    /// A generation the profile does not have.
    case unknownGeneration(Int, profile: String, known: [Int])
    /// The profile has no generation at all.
    case emptyProfile(String)
    /// The active generation has no parent.
    case noParent(Int, profile: String)
    /// Every salt gave an alias that is taken.
    case aliasesTaken(String)
    /// An image that `--strict` refuses.
    case unsound(String, file: String, problem: String, others: Int)
    /// A report that cannot be read.
    case badReport(String, package: String)
    /// A file that a report does not have.
    case notReported(String, package: String)
    /// A directory of images that is no directory.
    case badRemote(String, location: String)
    /// A remote has a package, but none for this host.
    case nothingFits(String, remote: String, image: String, reason: String)
    /// An image of a registry, which is no extension.
    case noExtension(String)
    /// A file that should be in the store path is not.
    case missingFile(String, package: String)
    /// Generations of this root have no services, for a reason.
    case notActivated(String)
    /// A user without a home directory and without `--root`.
    case noHome
    /// A hint that is in no regular file.
    case noTextFile(String)
    /// An image that gives another store path than the one that is to be repaired.
    case otherStorePath(String, gives: String, wanted: String)
    /// No hint of that name.
    case unknownHint(String)
    /// Another hint of that name.
    case hintExists(String, isBuiltIn: Bool)
    /// A hint that comes with sxs cannot be removed.
    case hintIsBuiltIn(String)

    /// The sentence for people, and a hint.
    public var description: String {
        switch self {
        case .unknownPackage(let name, let remotes, let like) where !like.isEmpty:
            """
            no package '\(name)' is in the store or in the remotes \(remotes.joined(separator: ", "))
            hint: names like it are \(like.joined(separator: ", ")); 'sxs search WORD' finds packages by what they are for, too
            """
        case .unknownPackage(let name, let remotes, _):
            """
            no package '\(name)' is in the store\
            \(remotes.isEmpty ? ", and no remote is configured" : " or in the remotes \(remotes.joined(separator: ", "))")
            hint: import an image with 'sxs install ./IMAGE', or add a directory or server of images with 'sxs remote add \
            NAME DIR|URL'
            """
        case .noHostRepositories:
            """
            this host has neither apt's nor dnf's repositories
            hint: name one: sxs remote add NAME URL --kind debian --suite SUITE
            """
        case .noPlan(let text):
            """
            '\(text)' is one image, and nothing has to be resolved for it
            hint: 'sxs plan' is for packages of distributions; 'sxs remote list' shows which remotes are such
            """
        case .notInstalled(let name, let profile):
            """
            '\(name)' is not in profile '\(profile)'
            hint: 'sxs list' shows what is
            """
        case .pinned(let name, let version):
            """
            '\(name)' is pinned to version \(version)
            hint: 'sxs unpin \(name)' lets it go on
            """
        case .otherArchitecture(let image, let architecture, let wanted):
            """
            \(image) has programs for \(architecture), not for \(wanted)
            hint: take an image for \(wanted), or say '--platform \(architecture)' if you mean it
            """
        case .badImage(let image, let reason): "\(image): \(reason)"
        case .missingIdentity(let image, let what, let option):
            """
            \(image) does not say its \(what): no label, no extension-release, nothing in the file name
            hint: give it with \(option)
            """
        case .noSuchCommand(let command, let package):
            """
            '\(package)' has no command '\(command)'
            hint: 'sxs path-info \(package)' shows where its files are
            """
        case .nothingExposed(let name):
            """
            nothing of '\(name)' would be shown: no package of that name is in the image, and it has no entry point
            hint: name its commands with '--expose NAME,NAME', or all with '--expose all'
            """
        case .unknownGeneration(let number, let profile, let known):
            """
            profile '\(profile)' has no generation \(number)
            hint: it has \(known.isEmpty ? "none" : known.map(String.init).joined(separator: ", "))
            """
        case .emptyProfile(let profile):
            """
            profile '\(profile)' has no generation
            hint: 'sxs install NAME' makes the first
            """
        case .noParent(let number, let profile):
            """
            generation \(number) of profile '\(profile)' was made from nothing: there is none to go back to
            hint: 'sxs generations' shows all; 'sxs switch N' activates any
            """
        case .aliasesTaken(let name):
            """
            '\(name)' cannot be relocated: its aliases clash with those of other packages under every name tried
            hint: this should not happen before millions of packages; please report it
            """
        case .unsound(let name, let file, let problem, let others):
            """
            '\(name)' is refused: \(file): \(problem)\(others == 0 ? "" : ", and \(others) other such \(others == 1 ? "file" : "files")")
            hint: mend the image, or leave out '--strict', and 'sxs report' shows all of them
            """
        case .badReport(let path, let package):
            """
            the report of '\(package)' cannot be read: \(path) is damaged
            hint: import the image again to mend it
            """
        case .notReported(let file, let package):
            """
            '\(file)' is not in the report of '\(package)': nothing in it was moved or left
            hint: paths are those of the image, such as usr/bin/\(package); 'sxs report \(package) --all' has every \
            file
            """
        case .badRemote(let name, let location):
            """
            remote '\(name)' cannot be used: \(location) is no directory that can be read
            hint: name a directory that holds images
            """
        case .nothingFits(let name, let remote, let image, let reason):
            """
            '\(name)' of remote '\(remote)' is not for this host: \(image): \(reason)
            hint: 'sxs explain \(remote)/\(name)' shows all rules; one that brings all it needs can be had with --any-host
            """
        case .noExtension(let image):
            """
            \(image) is an image of a registry, which systemd-sysext does not merge
            hint: 'sxs install' brings its programs; 'sxs export' makes an extension of what is in the store
            """
        case .missingFile(let path, let package):
            """
            \(path) of '\(package)' is not in the store
            hint: 'sxs verify \(package)' says what else is damaged; import the image again to mend it
            """
        case .noTextFile(let path):
            """
            \(path) is no regular file
            hint: write the hint into a text file, and name that
            """
        case .otherStorePath(let image, let path, let wanted):
            """
            \(image) gives \(path), and not \(wanted), which is damaged
            hint: name the image that it was imported from; 'sxs path-info' shows its source
            """
        case .unknownHint(let name):
            """
            there is no hint '\(name)'
            hint: 'sxs hint list' shows all
            """
        case .hintExists(let name, let isBuiltIn):
            """
            there is another hint '\(name)'\(isBuiltIn ? ", which comes with sxs" : "")
            hint: give the file another name\(isBuiltIn ? "" : ", or say 'sxs hint remove \(name)' first")
            """
        case .hintIsBuiltIn(let name):
            """
            the hint '\(name)' comes with sxs and cannot be removed
            hint: 'sxs hint list' shows which can
            """
        case .notActivated(let reason):
            """
            nothing can be activated: \(reason)
            hint: services run from the default profile of \(StoreLayout.systemRoot), on a host that is set up
            """
        case .noHome:
            """
            there is no place for the store: HOME is not set
            hint: name a directory with --root DIR
            """
        }
    }
}
