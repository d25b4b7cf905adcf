/// A distribution's package that a store path was made from.
public struct PackageRecord: Codable, Sendable, Equatable {
    /// The format of its file: `deb`, `rpm`, `pacman`, `apk`.
    public var format: String
    /// Its name, as the distribution has it.
    public var name: String
    /// Its whole version, with epoch and release.
    public var version: String
    /// The architecture, in the distribution's spelling.
    public var architecture: String
    /// The source package that it was built from.
    public var source: String
    /// One line on what it is.
    public var summary: String?
    /// Its licence, where its format says so.
    public var license: String?
    /// SHA-256 of its file, in hexadecimal.
    public var digest: String

    /// Creates a record.
    public init(
        format: String, name: String, version: String, architecture: String, source: String,
        summary: String?, license: String?, digest: String
    ) {
        self.format = format
        self.name = name
        self.version = version
        self.architecture = architecture
        self.source = source
        self.summary = summary
        self.license = license
        self.digest = digest
    }
}

/// What was done in place of the scripts of packages, and what was not.
public struct FinishingRecord: Codable, Sendable, Equatable {
    /// A script, with the programs that it calls and whose work nobody did otherwise.
    public struct Script: Codable, Sendable, Equatable {
        /// The package.
        public var package: String
        /// The script, as the package's format calls it.
        public var script: String
        /// The programs.
        public var programs: [String]

        /// Creates a record.
        public init(package: String, script: String, programs: [String]) {
            self.package = package
            self.script = script
            self.programs = programs
        }
    }

    /// Something that was made.
    public struct Step: Codable, Sendable, Equatable {
        /// What it is called.
        public var name: String
        /// How many files or links.
        public var count: Int

        /// Creates a step.
        public init(name: String, count: Int) {
            self.name = name
            self.count = count
        }
    }

    /// What was left out because nobody wants it.
    public struct Slimming: Codable, Sendable, Equatable {
        /// Kinds of files that were left out.
        public var kinds: [String]
        /// How many files.
        public var count: Int
        /// Bytes of all files before.
        public var sizeBefore: Int
        /// Bytes of all files after.
        public var sizeAfter: Int
        /// How many files of the kinds stayed, because something needs them; `nil` for none.
        public var kept: Int?
        /// Programs for whose sake files for building stayed; `nil` for none.
        public var readers: [String]?

        /// Creates a record.
        public init(
            kinds: [String], count: Int, sizeBefore: Int, sizeAfter: Int, kept: Int? = nil,
            readers: [String]? = nil
        ) {
            self.kinds = kinds
            self.count = count
            self.sizeBefore = sizeBefore
            self.sizeAfter = sizeAfter
            self.kept = kept
            self.readers = readers
        }

        /// What became of it, for people.
        public var text: String {
            var text =
                "\(kinds.joined(separator: ", ")): \(Quantity.text(bytes: sizeBefore)) to \(Quantity.text(bytes: sizeAfter)), "
                + "\(count) \(count == 1 ? "file" : "files") left out"
            if let kept { text += ", \(kept) kept that something needs" }
            if let readers { text += " (\(readers.joined(separator: ", ")))" }
            return text
        }
    }

    /// What was made.
    public var steps: [Step]
    /// Where names of several choices lead.
    public var alternatives: [String: String]
    /// Paths of other packages' files that a package put elsewhere.
    public var diversions: [String: String]
    /// Caches that could not be made, and why.
    public var missing: [String: String]
    /// Scripts that do more than was done.
    public var scripts: [Script]
    /// What was left out; `nil` where all was taken.
    public var slimming: Slimming?
    /// Scripts that were run, as the user wanted, in their order; `nil` where none was allowed to.
    ///
    /// Their result follows from this run: the same packages may give other bytes another time.
    public var ran: [Script]?

    /// Whether the same packages give the same bytes.
    public var isReproducible: Bool { ran?.isEmpty ?? true }

    /// Creates a record of nothing.
    public init() {
        steps = []
        alternatives = [:]
        diversions = [:]
        missing = [:]
        scripts = []
    }
}
