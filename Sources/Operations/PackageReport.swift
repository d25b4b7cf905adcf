private import Files
public import Relocation
internal import StoreLayout

/// What relocation did to a package and what it left, summed up: what `sxs report --json` prints.
///
/// The names of fields, classes and severities stay as they are; new ones may come.
public struct PackageReport: Encodable, Sendable {
    /// One thing that was done to paths, or one reason why they were left, over all files.
    public struct Class: Encodable, Sendable, Equatable {
        /// What became of the paths.
        public enum Kind: String, Encodable, Sendable, CaseIterable {
            /// They lead into the store path now.
            case moved
            /// They are as the image had them.
            case left
            /// Files ask for what the image does not have.
            case missing
            /// Files lost rights that a store cannot give.
            case dropped
        }

        /// What became of the paths.
        public let kind: Kind
        /// What was done, or why not.
        public let name: String
        /// How often.
        public let count: Int
        /// In how many files.
        public let files: Int
        /// The worst that it means in any of them; `nil` for what was moved.
        public let severity: RelocationReport.Severity?
    }

    /// One file.
    public struct File: Encodable, Sendable {
        /// The file, as a path in the tree.
        public let path: String
        /// The worst that it means; `nil` where nothing was left.
        public let severity: RelocationReport.Severity?
        /// How much was left, each occurrence weighed by its severity.
        public let weight: Int
        /// What was moved, and how often.
        public let moved: [RelocationReport.Action: Int]
        /// What was left.
        public let left: [LeftPath]
        /// What it needs that the image does not have.
        public let missing: [RelocationReport.Finding: [String]]
    }

    /// A path that was left in a file.
    public struct LeftPath: Encodable, Sendable {
        /// The path as the file has it.
        public let path: String
        /// Why it was left.
        public let reason: RelocationReport.Reason
        /// How often.
        public let count: Int
        /// What it means.
        public let severity: RelocationReport.Severity
    }

    /// The package's name.
    public let name: String
    /// Its version.
    public let version: String
    /// Its absolute store path.
    public let storePath: String
    /// The weighed part of all paths that were moved, in percent: see ``RelocationReport/score``.
    public let score: Double
    /// How many files the package has.
    public let fileCount: Int
    /// How many of them are ELF files.
    public let elfCount: Int
    /// The image's own loader; `nil` where the host's stays.
    public let loader: String?
    /// How many libraries the generated loader cache lists.
    public let cachedLibraries: Int
    /// Libraries that a package without a loader expects of the host, sorted.
    public let hostLibraries: [String]
    /// Aliases that its files hold.
    public let aliases: Int
    /// What became of its paths, by what was done or why not.
    public let classes: [Class]
    /// Files that lost a set-id bit or a capability, by which; at most 1000 of each.
    public let dropped: [String: [String]]
    /// Files to which something happened, the worst first, then by path.
    public let files: [File]

    init(_ metadata: Metadata, _ report: RelocationReport) {
        name = metadata.name
        version = metadata.version
        storePath = StoreLayout.storeDirectory + "/" + metadata.storePath
        score = report.score
        fileCount = report.fileCount
        elfCount = report.elfCount
        loader = report.loader
        cachedLibraries = report.cachedLibraries
        hostLibraries = report.hostLibraries
        aliases = metadata.aliases.count
        dropped = report.dropped
        classes = Self.classes(metadata, report)
        let worst = report.worstFiles
        let named = Set(worst.map(\.path))
        files = (worst + report.files.filter { !named.contains($0.path) }).map(File.init)
    }

    private static func classes(_ metadata: Metadata, _ report: RelocationReport) -> [Class] {
        var tally: [String: Class] = [:]
        func add(
            _ kind: Class.Kind, _ name: String, _ count: Int, files: Int = 1,
            _ severity: RelocationReport.Severity?
        ) {
            let key = "\(kind) \(name)"
            let old = tally[key]
            tally[key] = Class(
                kind: kind, name: name, count: (old?.count ?? 0) + count, files: (old?.files ?? 0) + files,
                severity: [old?.severity, severity].compactMap { $0 }.max())
        }
        if report.cachedLibraries > 0 { add(.moved, "loader cache", report.cachedLibraries, nil) }
        for file in report.files {
            for (action, count) in file.done { add(.moved, action.rawValue, count, nil) }
            for (reason, left) in Dictionary(grouping: file.left, by: \.reason) {
                add(
                    .left, reason.rawValue, left.reduce(0) { $0 + $1.count }, left.map(\.severity).max())
            }
            for (finding, names) in file.findings { add(.missing, finding.rawValue, names.count, .severe) }
        }
        for omission in [Omission.setID, .capability] {
            guard let count = metadata.omissions[omission.rawValue], count > 0 else { continue }
            add(.dropped, omission.rawValue, count, files: count, .matters)
        }
        let order = Class.Kind.allCases.map(\.rawValue)
        return tally.values.sorted { left, right in
            let (first, second) = (
                order.firstIndex(of: left.kind.rawValue), order.firstIndex(of: right.kind.rawValue)
            )
            return (first ?? 0, left.name) < (second ?? 0, right.name)
        }
    }
}

extension PackageReport.File {
    init(_ file: RelocationReport.File) {
        path = file.path
        severity = file.severity
        weight = file.weight
        moved = file.done
        left = file.left.map {
            PackageReport.LeftPath(path: $0.path, reason: $0.reason, count: $0.count, severity: $0.severity)
        }
        missing = file.findings
    }
}
