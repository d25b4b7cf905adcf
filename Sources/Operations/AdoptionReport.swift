public import Activation
internal import StoreLayout

/// What `sxs adopt` did, or would do.
public struct AdoptionReport: Encodable, Sendable {
    /// One extension.
    public struct Item: Encodable, Sendable {
        /// The name that systemd gives it.
        public let name: String
        /// Its version; `nil` if nothing says it.
        public let version: String?
        /// Where it was found on the host.
        public let path: String
        /// The image that a link led to; `nil` where it was no link.
        public let image: String?
        /// What became of it.
        public let fate: ExtensionFate
        /// Why, a sentence each.
        public let reasons: [String]
        /// The absolute store path of what was taken.
        public internal(set) var storePath: String?
        /// Whether it is merged now, and until extensions are merged next.
        public let isMerged: Bool

        init(_ found: SurveyedExtension, merged: [String]) {
            name = found.name
            version = found.version
            path = found.path
            image = found.entry?.kind == .link ? found.image : nil
            fate = found.fate
            reasons = found.reasons
            isMerged = found.entry != nil && merged.contains(found.name)
        }
    }

    /// All extensions, those with the same fate together.
    public internal(set) var extensions: [Item] = []
    /// Transfers of sysupdate that go on writing versions, which the next `sxs adopt` takes over.
    public internal(set) var transfers: [SysupdateTransfer] = []
    /// Links of kept extensions that were missing and are there again.
    public internal(set) var mended: [String] = []
    /// The generation that has what was taken and kept; `nil` where there was nothing for one.
    public internal(set) var change: GenerationChange?
    /// Extensions that are merged now and will not be when extensions are merged next.
    public internal(set) var mergedUntilNext: [String] = []
    /// Whether nothing was done but looking.
    public let isDryRun: Bool

    init(isDryRun: Bool) {
        self.isDryRun = isDryRun
    }
}

/// What `sxs adopt --undo` gave back, or would.
public struct AdoptionUndoReport: Encodable, Sendable {
    /// Paths in systemd's directories that are as they were.
    public internal(set) var restored: [String] = []
    /// What could not be given back, and why.
    public internal(set) var left: [SetupReport.Left] = []
    /// The generation without what was given back; `nil` where none had to be made.
    public internal(set) var change: GenerationChange?
    /// Those of the restored that were in quarantine: systemd may merge nothing while they are there.
    public internal(set) var refused: [String] = []
    /// Packages that were taken over and stay in the profile.
    public internal(set) var packages: [String] = []
    /// Whether nothing was done but looking.
    public let isDryRun: Bool

    init(isDryRun: Bool) {
        self.isDryRun = isDryRun
    }
}
