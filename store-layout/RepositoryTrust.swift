/// Whose keys a distribution's repository may be signed with.
public enum RepositoryTrust: Sendable, Equatable {
    /// Those of the remote, or else of the host.
    case usual
    /// Those in these files.
    case files([String])
    /// These, as text.
    case text(String)
    /// Those with these fingerprints, in upper case, among the usual ones.
    case fingerprints([String])
    /// No signature is asked for.
    case anybody
}
