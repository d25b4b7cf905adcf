public import Files

/// What a distribution's package says about itself.
public struct PackageFacts: Sendable, Equatable {
    /// The format of a package's file.
    public enum Format: String, Sendable, Codable, CaseIterable {
        /// Debian's.
        case deb
        case rpm
        /// Arch Linux's.
        case pacman
        /// Alpine Linux's.
        case apk
    }

    /// A script that the package manager would run.
    public struct Script: Sendable, Equatable {
        /// When it is run, as the format calls it: `postinst`, `post`, `post_install`, `.post-install`.
        public let name: String
        /// What runs it, such as `/bin/sh`.
        public let interpreter: String
        /// Its text.
        public let text: Bytes
    }

    /// The file's format.
    public let format: Format
    /// Its name, as the distribution has it.
    public var name = ""
    /// Its whole version, with epoch and release.
    public var version = ""
    /// The architecture, in the distribution's spelling.
    public var architecture = ""
    /// The source package it was built from; packages of one source belong together.
    public var source = ""
    /// One line on what it is.
    public var summary: String?
    /// Its licence, where the format has it.
    public var license: String?
    /// Configuration files, which a package manager would leave to the administrator.
    public var configuration: Set<TreePath> = []
    /// Files that it owns and does not bring: they are made where it runs.
    public var ghosts: [TreePath] = []
    /// What a package manager would run.
    public var scripts: [Script] = []
    /// Names of packages whose files it may overwrite.
    public var replaces: Set<String> = []
    /// Names that programs of other packages may ask for it by.
    public var provides: Set<String> = []
    /// What it needs, by names of which any will do; versions are left out.
    public var requires: [Set<String>] = []

    init(_ format: Format) { self.format = format }

    /// Name, version and architecture, as people write them.
    public var shown: String { "\(name) \(version) (\(architecture))" }
}
