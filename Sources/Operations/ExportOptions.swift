public import Images
public import StoreLayout

/// What an exported extension is written as.
public enum ExportFormat: String, Sendable, CaseIterable, Encodable {
    /// A SquashFS image.
    case sysext
    /// An EROFS image, by the host's mkfs.erofs.
    case erofs
    /// A directory.
    case dir

    /// The ending of its file's name.
    var suffix: String { self == .dir ? "" : ExtensionLayout.imageSuffix }
}

/// What the user says about an export.
public struct ExportOptions: Sendable {
    /// What it is written as.
    public var format = ExportFormat.sysext
    /// The extension's name; `nil` for the package's.
    public var name: String?
    /// The hosts it is for.
    public var release = ExtensionRelease.any
    /// Where commands go, below `usr`.
    public var commandDirectory = ExtensionLayout.commands
    /// Commands of the extension; empty for those that profiles show.
    public var expose: [String] = []
    /// How a SquashFS image is compressed.
    public var compression = SquashFSWriter.Compression.zstd
    /// How hard; `nil` for sxs's choice.
    public var level: Int?
    /// Threads that compress; `nil` for one per processor.
    public var workers: Int?
    /// A directory, or the file to write.
    public var output = "."
    /// Whether it goes into a directory of versions.
    public var isVersioned = false
    /// Whether what is at the place is replaced.
    public var isForced = false
    /// The SELinux policy whose labels everything gets: its `file_contexts`, its directory, or a root directory; `nil`
    /// for no labels, whatever the host.
    public var policy: String?
    /// What an image is signed with; `nil` for a plain file system.
    public var signing: Signing?

    /// A private key and its certificate, in PEM files.
    public struct Signing: Sendable {
        /// The file with the key.
        public var key: String
        /// The file with the certificate.
        public var certificate: String

        /// Names the files.
        public init(key: String, certificate: String) {
            (self.key, self.certificate) = (key, certificate)
        }
    }

    /// Creates options.
    public init() {}
}

/// What an export came to.
public struct ExportResult: Encodable, Sendable {
    /// The extension's name.
    public let name: String
    /// The store path it holds.
    public let storePath: String
    /// What it was written as.
    public let format: ExportFormat
    /// The file or directory.
    public let path: String
    /// The link to it; `nil` for none.
    public let link: String?
    /// Bytes of the file; of a directory those of its files.
    public let size: Int
    /// Its commands.
    public let commands: [String]
    /// Units that are started where it is merged.
    public let units: [String]
    /// What its commands look for in `/etc` and `/usr`, and which is the host's to have.
    public let seeds: [String]
    /// Commands for which a hint wants a namespace, which they do not get there.
    public let unmet: [String]
}
