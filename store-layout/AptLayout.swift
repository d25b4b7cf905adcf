/// Where the configuration of distributions' package managers is, as far as sxs reads it.
public enum AptLayout {
    /// apt's directory.
    ///
    /// Source: apt.conf(5).
    public static let directory = "/etc/apt"

    /// In apt's directory: its repositories.
    public static let sourceList = "sources.list"

    /// In apt's directory: files with further repositories.
    public static let sourceParts = "sources.list.d"

    /// Keys that apt trusts for repositories that name none.
    public static let trustedParts = "trusted.gpg.d"

    /// See ``trustedParts``; of old systems.
    public static let trusted = "trusted.gpg"

    /// yum's and dnf's repositories.
    ///
    /// Source: dnf.conf(5).
    public static let yumRepositories = "/etc/yum.repos.d"
}
