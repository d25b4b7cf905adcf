internal import Files
private import Glibc
public import StoreLayout

/// What a transfer file of systemd-sysupdate is as a remote.
public struct SysupdateSource: Sendable {
    /// What the remote is called: its component, its file, or both where a component has several.
    public let name: String
    /// Its file.
    public let file: String
    /// The remote; `nil` where it is none.
    public let remote: RemoteDescription?
    /// Why it is none.
    public let obstacle: String?
}

/// The files that tell systemd-sysupdate what to install from where.
///
/// Source: sysupdate.d(5), sysupdate.features(5), of systemd 257.
public struct SysupdateDefinitions {
    private static let transferSuffix = ".transfer"
    private static let earlierSuffix = ".conf"
    private static let featureSuffix = ".feature"
    private static let dropInSuffix = ".d"
    private static let longest = 1 << 20

    private let host: String

    /// Looks at a host.
    ///
    /// - Parameter host: Its root directory; `""` for this one.
    public init(host: String = "") { self.host = host }

    /// The transfers of a host, or of one directory of definitions.
    ///
    /// - Throws: ``SysupdateError``, `SystemError`.
    public func transfers(in directory: String? = nil) throws -> [SysupdateSource] {
        if let directory {
            _ = try Descriptor.directory(directory)
            return try transfers(of: nil, in: [directory])
        }
        let (prefix, suffix) = (AdoptionLayout.transferPrefix, AdoptionLayout.transferDirectorySuffix)
        let bases = AdoptionLayout.transferParents.map { host + $0 + "/" }
        var components: Set<String> = []
        for base in bases {
            for name in try Self.names(in: base)
            where name.hasPrefix(prefix) && name.hasSuffix(suffix) && name.count > prefix.count + suffix.count
            {
                components.insert(String(name.dropFirst(prefix.count).dropLast(suffix.count)))
            }
        }
        return try transfers(of: nil, in: bases.map { $0 + prefix.dropLast() + suffix })
            + components.sorted().flatMap { component in
                try transfers(of: component, in: bases.map { $0 + prefix + component + suffix })
            }
    }

    /// Partitions that a transfer of the host itself writes, by what they are called.
    public struct Partitions: Sendable {
        /// What is in them.
        public enum Kind: Sendable {
            /// The root directory.
            case root
            /// `/usr` alone.
            case usr
            /// Something else, such as what verifies one of the others.
            case other
        }

        /// What is in them.
        public let kind: Kind
        /// Patterns of labels.
        public let patterns: [MatchPattern]
    }

    /// Targets of the host's own transfers that are partitions.
    ///
    /// - Throws: ``SysupdateError``, `SystemError`.
    public func partitions() throws -> [Partitions] {
        let directories = AdoptionLayout.transferParents.map {
            host + $0 + "/" + AdoptionLayout.transferPrefix.dropLast()
                + AdoptionLayout.transferDirectorySuffix
        }
        var files = try Self.files(Self.transferSuffix, in: directories)
        if files.isEmpty { files = try Self.files(Self.earlierSuffix, in: directories) }
        let specifiers = Specifiers(host: host)
        return files.compactMap { file in
            let values = ConfigurationFile(parsing: file.text)
            guard values.value("Type", in: "Target") == "partition" else { return nil }
            let type = values.value("MatchPartitionType", in: "Target") ?? ""
            let isOf = { (name: String) in
                type == name || type.hasPrefix(name + "-") && !type.contains("verity")
            }
            let patterns = values.words("MatchPattern", in: "Target").compactMap { text in
                (try? specifiers.expand(text)).flatMap { MatchPattern(parsing: $0) }
            }
            return Partitions(kind: isOf("root") ? .root : isOf("usr") ? .usr : .other, patterns: patterns)
        }
    }

    private static func names(in directory: String) throws -> [String] {
        do {
            return try Descriptor.directory(directory).list().map(\.text).sorted()
        } catch let error as SystemError where [ENOENT, ENOTDIR].contains(error.code) {
            return []
        }
    }

    /// Files of one suffix in several directories, the first of each name, with what is dropped in beside them.
    private static func files(_ suffix: String, in directories: [String]) throws -> [(
        path: String, text: String
    )] {
        try ConfigurationDirectories(directories).files(suffix: suffix, limit: longest).compactMap { file in
            guard file.contents != nil else { return nil }
            let places = ConfigurationDirectories(directories.map { $0 + "/" + file.name + dropInSuffix })
            let texts = try ([file] + places.files(suffix: earlierSuffix, limit: longest)).compactMap(text)
            return (file.path, texts.joined(separator: "\n"))
        }
    }

    /// What a file has; `nil` for one that hides others.
    private static func text(_ file: ConfigurationDirectories.File) throws -> String? {
        guard let contents = file.contents else { return nil }
        guard let text = String(validating: contents, as: UTF8.self) else {
            throw SysupdateError.notText(file.path)
        }
        return text
    }

    private func transfers(of component: String?, in directories: [String]) throws -> [SysupdateSource] {
        var enabled: Set<String> = []
        for feature in try Self.files(Self.featureSuffix, in: directories) {
            let values = ConfigurationFile(parsing: feature.text)
            guard values.value("Enabled", in: "Feature").flatMap(ConfigurationFile.boolean) == true else {
                continue
            }
            enabled.insert(Self.stem(feature.path, Self.featureSuffix))
        }
        var suffix = Self.transferSuffix
        var files = try Self.files(suffix, in: directories)
        if files.isEmpty {
            // The name that these files had before systemd 257.
            suffix = Self.earlierSuffix
            files = try Self.files(suffix, in: directories)
        }
        return files.map { file in
            let own = Self.stem(file.path, suffix)
            let name = component.map { files.count == 1 ? $0 : "\($0)-\(own)" } ?? own
            do throws(SysupdateError) {
                let remote = try remote(name, ConfigurationFile(parsing: file.text), enabled)
                return SysupdateSource(name: name, file: file.path, remote: remote, obstacle: nil)
            } catch {
                return SysupdateSource(name: name, file: file.path, remote: nil, obstacle: "\(error)")
            }
        }
    }

    private static func stem(_ path: String, _ suffix: String) -> String {
        String((path.split(separator: "/").last ?? "").dropLast(suffix.count))
    }

    private func remote(
        _ name: String, _ values: ConfigurationFile, _ enabled: Set<String>
    ) throws(SysupdateError) -> RemoteDescription {
        let features = values.words("Features", in: "Transfer")
        if !features.isEmpty, enabled.isDisjoint(with: features) {
            throw .unfit("none of its features (\(features.joined(separator: ", "))) is enabled")
        }
        if let missing = values.words("RequisiteFeatures", in: "Transfer").first(where: {
            !enabled.contains($0)
        }) {
            throw .unfit("its feature \(missing) is not enabled")
        }
        guard (try? PackageName(name)) != nil else { throw .unfit("its name cannot be that of a remote") }
        let kind: RemoteKind
        switch values.value("Type", in: "Source") {
        case "url-file", "url-tar": kind = .sysext
        case "regular-file", "tar": kind = .directory
        case let other:
            throw .unfit("its source has Type=\(other ?? ""), which is no directory of image files")
        }
        guard ["regular-file", "directory", "subvolume"].contains(values.value("Type", in: "Target") ?? "")
        else {
            throw .unfit("its target is no file: it is a part of the operating system itself")
        }
        guard values.value("PathRelativeTo", in: "Source") ?? "root" == "root",
            let path = values.value("Path", in: "Source"), let location = try? RemoteLocation(path),
            kind == .sysext ? location.text.hasPrefix("http") : location.text.hasPrefix("/")
        else { throw .unfit("its source has no Path= that is a URL of HTTP or HTTPS, or an absolute path") }
        let patterns = values.words("MatchPattern", in: "Source")
        let parsed = patterns.compactMap { MatchPattern(parsing: $0) }
        guard !patterns.isEmpty, parsed.count == patterns.count else {
            throw .unfit("its source has no MatchPattern= of files in one directory")
        }
        guard
            parsed.allSatisfy({ pattern in
                RemoteLayout.extensionSuffixes.contains { pattern.suffix.hasSuffix($0) }
            })
        else { throw .unfit("its files are no images of extensions: \(patterns.joined(separator: " "))") }
        var description = RemoteDescription(name: name, kind: kind, location: location)
        description.patterns = patterns
        let link = values.value("CurrentSymlink", in: "Target").map { Self.stem($0, "") }
        let names = [link.map(Self.withoutSuffix), parsed.first?.stem].compactMap { $0 }
        guard let package = names.first(where: { (try? PackageName($0)) != nil }) else {
            throw .unfit("neither CurrentSymlink= nor MatchPattern= says a name")
        }
        description.package = package
        description.isInsecure =
            kind == .sysext
            && values.value("Verify", in: "Transfer").flatMap(ConfigurationFile.boolean) == false
        return description
    }

    private static func withoutSuffix(_ file: String) -> String {
        for suffix in [".sysext.raw", ".raw"] where file.hasSuffix(suffix) {
            return String(file.dropLast(suffix.count))
        }
        return file
    }
}

/// Why files of systemd-sysupdate are not read.
public enum SysupdateError: Error, Equatable, CustomStringConvertible {
    /// A file that is no text.
    case notText(String)
    /// A specifier that stands for nothing here.
    case specifier(String, in: String)
    /// A transfer that is no remote.
    case unfit(String)
    /// There are no files.
    case none(String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .notText(let file):
            """
            \(file) is no UTF-8 text
            hint: sysupdate.d(5) says what belongs in it
            """
        case .specifier(let specifier, let text):
            """
            '\(text)' has \(specifier), which stands for nothing on this host
            hint: sysupdate.d(5) says what specifiers there are; %% is a percent sign
            """
        case .unfit(let reason): reason
        case .none(let place):
            """
            there are no transfer files in \(place)
            hint: sysupdate.d(5) says where they are looked for; a directory may be named
            """
        }
    }
}
