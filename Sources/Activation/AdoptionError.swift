private import StoreLayout

/// Why extensions cannot be taken over, or given back.
///
/// What was merged before still is, unless it is said.
public enum AdoptionError: Error, Equatable, CustomStringConvertible {
    /// Only root may.
    case needsRoot
    /// Only root may merge, and only what the system's default profile says.
    case cannotMerge
    /// Another root than the system's was named.
    case otherRoot(String)
    /// Another profile than the default one was named.
    case otherProfile(String)
    /// The record of what was moved cannot be read.
    case damagedRecord(String)
    /// Nothing of systemd's merges on this host.
    case unknownHost(String)
    /// No extension of that name.
    case unknown(String, known: [String])
    /// An image that was named, and that cannot become a package.
    case notTaken(String, reason: String)
    /// A refresh would change more than what is meant.
    case mergeDiffers(added: [String], gone: [String])
    /// After a refresh, extensions are missing that should be merged.
    case mergeFailed(missing: [String], output: String)

    /// The sentence for people, and a hint.
    public var description: String {
        switch self {
        case .needsRoot:
            """
            taking over this system's extensions needs root: it changes \(AdoptionLayout.directories.joined(separator: " and "))
            hint: run it with sudo; 'sxs adopt --dry-run' needs no privileges, and 'sxs install ./NAME.raw' works for \
            you alone
            """
        case .cannotMerge:
            """
            --refresh merges this system's extensions, which needs root and goes by the profile \
            '\(StoreLayout.defaultProfile)' of \(StoreLayout.systemRoot)
            hint: run it with sudo, without --root and --profile; without --refresh, nothing is merged
            """
        case .otherRoot(let root):
            """
            the extensions of a host go to the system's store, \(StoreLayout.systemRoot), not to \(root)
            hint: leave out --root (and SXS_ROOT); 'sxs import FILE --root DIR' reads one into any store
            """
        case .otherProfile(let profile):
            """
            the extensions of a host belong to the profile '\(StoreLayout.defaultProfile)', not to '\(profile)'
            hint: leave out --profile; systemd merges for everybody
            """
        case .damagedRecord(let path):
            """
            \(path) is damaged: what sxs took over on this host cannot be told
            hint: originals are in \(AdoptionLayout.originals) and \(AdoptionLayout.quarantine); move them back by hand, \
            then remove the record
            """
        case .unknownHost(let path):
            """
            \(path) has an os-release without ID: systemd merges nothing there, so no extension can be judged
            hint: set ID= in etc/os-release
            """
        case .unknown(let name, let known):
            """
            there is no extension '\(name)'\(known.isEmpty ? "" : "; there are \(known.joined(separator: ", "))")
            hint: 'sxs adopt --dry-run' shows what can be taken over
            """
        case .notTaken(let name, let reason):
            """
            \(name) cannot become a package: \(reason)
            hint: to have it merged, link it into \(Anchor.directory), then run 'sxs adopt'
            """
        case .mergeDiffers(let added, let gone):
            """
            to merge again would change more than this: \
            \((added.map { "\($0) comes in" } + gone.map { "\($0) goes" }).joined(separator: ", "))
            hint: nothing was changed; without --refresh it takes effect when the system starts next, or with \
            'systemd-sysext refresh'
            """
        case .mergeFailed(let missing, let output):
            """
            after systemd-sysext refresh, \(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") not \
            merged\(Self.quoted(output))
            hint: the profile is switched; 'sxs doctor' and 'sxs adopt --dry-run' say what is wrong, 'sxs rollback \
            --refresh' goes back
            """
        }
    }

    private static func quoted(_ output: String) -> String {
        let lines = output.split(separator: "\n").suffix(5)
        return lines.isEmpty ? "" : ":\n" + lines.map { "  " + $0 }.joined(separator: "\n")
    }
}
