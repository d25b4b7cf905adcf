public import Files
internal import StoreLayout

/// What systemd-sysext would do with an image on a host, rule by rule.
public struct ExtensionMatch: Encodable, Sendable, Equatable {
    /// What becomes of the image.
    public enum Outcome: String, Encodable, Sendable {
        /// It is merged.
        case merged
        /// It is passed over; other extensions are merged.
        case ignored
        /// The merge fails: no extension of the host is merged.
        case blocks
    }

    /// How a rule was answered.
    public enum Verdict: String, Encodable, Sendable {
        case passes
        case refuses
        /// An earlier rule had decided, or there is nothing to ask.
        case notAsked = "not asked"
    }

    /// One rule.
    public struct Rule: Encodable, Sendable, Equatable {
        /// What it is about: a field of the extension-release, or what it looks at.
        public let rule: String
        /// How it was answered.
        public let verdict: Verdict
        /// What the image has; `nil` for nothing.
        public let image: String?
        /// What the host has; `nil` for nothing.
        public let host: String?
        /// Why, in a few words.
        public let reason: String
        /// What to do about it.
        public let hint: String?
    }

    /// What becomes of the image.
    public let outcome: Outcome
    /// The rules, in systemd's order.
    public let rules: [Rule]

    /// The first rule that refuses the image.
    public var refusal: Rule? { rules.first { $0.verdict == .refuses } }
}

/// An image as systemd's rules see it.
public struct ExtensionCandidate {
    /// Its name; `nil` if systemd passes over a file of that name.
    public let name: String?
    /// Its file or directory, for messages.
    public let fileName: String
    /// Whether it is a directory.
    public let isDirectory: Bool
    /// Its tree.
    public let tree: Tree
    /// Reads a release file of the tree.
    public let read: (TreePath) throws(ReleaseFileError) -> Bytes

    /// Creates a candidate.
    public init(
        name: String?, fileName: String, isDirectory: Bool, tree: Tree,
        read: @escaping (TreePath) throws(ReleaseFileError) -> Bytes
    ) {
        self.name = name
        self.fileName = fileName
        self.isDirectory = isDirectory
        self.tree = tree
        self.read = read
    }
}

/// A host as systemd's rules see it.
public struct ExtensionHost: Sendable {
    /// Its os-release.
    public let release: ReleaseFile
    /// Its architecture, in systemd's spelling.
    public let architecture: String
    /// Its systemd.
    public let version: SystemdVersion

    /// Creates a host.
    public init(release: ReleaseFile, architecture: String, version: SystemdVersion) {
        self.release = release
        self.architecture = architecture
        self.version = version
    }
}

extension ExtensionMatch {
    /// Asks every rule.
    ///
    /// Source: `merge_subprocess` in `src/sysext/sysext.c`, `extension_release_validate` in
    /// `src/shared/extension-util.c` (252: `extension-release.c`), systemd 252.39 and 257.13.
    public init(_ image: ExtensionCandidate, on host: ExtensionHost) {
        var asked = RuleList()
        asked.askName(image)
        asked.askHost(host)
        asked.askForbidden(image, on: host.version)
        if let release = asked.askRelease(image, on: host.version) {
            asked.askScope(release)
            asked.askArchitecture(release, on: host)
            asked.askID(release, on: host)
            asked.askVersion(release, on: host)
        } else {
            for rule in ["SYSEXT_SCOPE", "ARCHITECTURE", "ID", "SYSEXT_LEVEL", "VERSION_ID"] {
                asked.skip(rule, "there is no extension-release")
            }
        }
        outcome = asked.outcome
        rules = asked.rules
    }
}

/// Rules as they are asked.
private struct RuleList {
    private(set) var rules: [ExtensionMatch.Rule] = []
    private(set) var outcome = ExtensionMatch.Outcome.merged
    /// Whether a rule has accepted the image whatever the others would say.
    private var isDecided = false

    private mutating func pass(_ rule: String, _ reason: String, image: String? = nil, host: String? = nil) {
        rules.append(
            ExtensionMatch.Rule(
                rule: rule, verdict: .passes, image: image, host: host, reason: reason, hint: nil))
    }

    mutating func skip(_ rule: String, _ reason: String, image: String? = nil, host: String? = nil) {
        rules.append(
            ExtensionMatch.Rule(
                rule: rule, verdict: .notAsked, image: image, host: host, reason: reason, hint: nil))
    }

    private mutating func refuse(
        _ rule: String, _ reason: String, image: String? = nil, host: String? = nil, hint: String,
        outcome: ExtensionMatch.Outcome = .ignored
    ) {
        rules.append(
            ExtensionMatch.Rule(
                rule: rule, verdict: .refuses, image: image, host: host, reason: reason, hint: hint))
        if self.outcome == .merged { self.outcome = outcome }
    }

    mutating func askName(_ image: ExtensionCandidate) {
        guard let name = image.name else {
            return refuse(
                "file name", "systemd looks at directories and at files named *.raw", image: image.fileName,
                hint: "name it NAME.raw, where NAME is that of its extension-release.NAME")
        }
        pass("file name", "the image's name is '\(name)'", image: image.fileName)
    }

    mutating func askHost(_ host: ExtensionHost) {
        guard let id = host.release["ID"] else {
            return refuse(
                "os-release of the host", "it has no ID, so nothing can be merged",
                hint: "set ID= in the host's /etc/os-release", outcome: .blocks)
        }
        pass("os-release of the host", "it has an ID", host: id)
    }

    mutating func askForbidden(_ image: ExtensionCandidate, on version: SystemdVersion) {
        let rule = "usr/lib/os-release in the image"
        let outcome: ExtensionMatch.Outcome =
            image.isDirectory || version.stopsAtForbiddenFiles ? .blocks : .ignored
        switch image.tree.chase("usr/lib/os-release") {
        case .missing: pass(rule, "there is none, as it must be")
        case .found:
            refuse(
                rule, "it would hide the host's", image: "present",
                hint: "remove it from the image; etc/os-release may stay, which is not merged",
                outcome: outcome)
        case .failed(let reason):
            refuse(rule, reason, hint: "make usr/lib a directory in the image", outcome: .blocks)
        }
    }

    /// Finds and reads the extension-release; `nil` where systemd takes nothing of it.
    mutating func askRelease(
        _ image: ExtensionCandidate, on version: SystemdVersion
    ) -> ReleaseFile? {
        let rule = "extension-release"
        guard let name = image.name else {
            skip(rule, "the image has no name")
            return nil
        }
        let wanted = "\(ExtensionLayout.releases)/\(ExtensionLayout.releasePrefix)\(name)"
        let found = ExtensionReleaseFile.find(of: name, in: image.tree, like: version)
        // An image file without one cannot be mounted as an extension, and that ends the merge.
        let outcome: ExtensionMatch.Outcome = image.isDirectory ? .ignored : .blocks
        switch found {
        case .missing(let others) where others.isEmpty:
            refuse(
                rule, "the image has none, so it is no extension",
                hint: "add \(wanted) with at least ID=_any", outcome: outcome)
        case .missing(let others):
            let other =
                others.first.map { String($0.dropFirst(ExtensionLayout.releasePrefix.utf8.count)) } ?? ""
            refuse(
                rule, "none is named after the image '\(name)'", image: others.joined(separator: ", "),
                hint:
                    "rename the image to \(other)\(image.isDirectory ? "" : ".raw"), or link it under that name",
                outcome: outcome)
        case .ambiguous(let files):
            refuse(
                rule, "several would do, and systemd takes none then", image: files.joined(separator: ", "),
                hint: "keep one, or name one after the image: \(wanted)", outcome: outcome)
        case .unreachable(let reason):
            refuse(rule, reason, hint: "make \(wanted) a regular file", outcome: outcome)
        case .named(let path), .relaxed(let path), .unversioned(let path):
            return read(path, how: found, of: image, on: version)
        }
        return nil
    }

    private mutating func read(
        _ path: TreePath, how found: ExtensionReleaseFile, of image: ExtensionCandidate,
        on version: SystemdVersion
    ) -> ReleaseFile? {
        let rule = "extension-release"
        guard case .file = image.tree[path]?.kind else {
            refuse(
                rule, "\(path) is no regular file", hint: "make it one",
                outcome: image.isDirectory ? .ignored : .blocks)
            return nil
        }
        do throws(ReleaseFileError) {
            let release = try ReleaseFile(parsing: image.read(path), like: version)
            guard !release.fields.isEmpty else {
                refuse(rule, "\(path) has no fields", hint: "write at least ID=_any into it")
                return nil
            }
            let lines = release.ignoredLines
            let note =
                lines.isEmpty
                ? "" : "; passed over without a '=': line \(lines.map(String.init).joined(separator: ", "))"
            switch found {
            case .relaxed:
                pass(rule, "named otherwise, and its attribute allows that" + note, image: "\(path)")
            case .unversioned:
                pass(rule, "named after the image without its version" + note, image: "\(path)")
            default: pass(rule, "named after the image" + note, image: "\(path)")
            }
            return release
        } catch {
            refuse(rule, "\(path) \(error)", hint: "write it as UTF-8 text, one NAME=VALUE a line")
            return nil
        }
    }

    mutating func askScope(_ release: ReleaseFile) {
        let rule = "SYSEXT_SCOPE"
        // An empty one counts: it has no scope at all.
        guard let scope = release.fields[rule] else {
            return pass(rule, "by default it is for systems", host: "system")
        }
        let words = scope.unicodeScalars.split { " \t\n\r".unicodeScalars.contains($0) }.map { String($0) }
        guard words.contains("system") else {
            return refuse(
                rule, "'system' is not among its words", image: scope, host: "system",
                hint: "add 'system' to it, or remove the line")
        }
        pass(rule, "has 'system'", image: scope, host: "system")
    }

    mutating func askArchitecture(_ release: ReleaseFile, on host: ExtensionHost) {
        let rule = "ARCHITECTURE"
        guard let architecture = release[rule], architecture != "_any" else {
            return pass(rule, "it is for every one", image: release[rule], host: host.architecture)
        }
        guard architecture != host.architecture else {
            return pass(rule, "equal", image: architecture, host: host.architecture)
        }
        let isSpelling = (try? Architecture(parsing: architecture))?.rawValue == host.architecture
        refuse(
            rule, isSpelling ? "systemd spells this architecture otherwise" : "it is for another one",
            image: architecture, host: host.architecture,
            hint: isSpelling
                ? "write ARCHITECTURE=\(host.architecture)" : "take an image for \(host.architecture)")
    }

    mutating func askID(_ release: ReleaseFile, on host: ExtensionHost) {
        let rule = "ID"
        guard let id = release[rule] else {
            return refuse(
                rule, "it has none", host: host.release[rule], hint: "write ID=_any, or the host's ID")
        }
        guard id != "_any" else {
            isDecided = true
            return pass(rule, "for every system, whatever its version", image: id, host: host.release[rule])
        }
        guard id != host.release[rule] else {
            return pass(rule, "equal", image: id, host: host.release[rule])
        }
        let like = (host.release["ID_LIKE"] ?? "").unicodeScalars
            .split { " \t\n\r".unicodeScalars.contains($0) }.map { String($0) }
        guard host.version.matchesLike, like.contains(id) else {
            let isLike = like.contains(id)
            return refuse(
                rule,
                isLike
                    ? "only systemd 257 and newer accept an ID_LIKE of the host" : "it is for another system",
                image: id, host: host.release[rule],
                hint: "take an image for \(host.release[rule] ?? "this system"), or one with ID=_any")
        }
        pass(rule, "among the host's ID_LIKE", image: id, host: like.joined(separator: " "))
    }

    mutating func askVersion(_ release: ReleaseFile, on host: ExtensionHost) {
        let (level, version) = ("SYSEXT_LEVEL", "VERSION_ID")
        let (wantedLevel, wanted) = (release[level], release[version])
        let (hostLevel, hostVersion) = (host.release[level], host.release[version])
        func skipBoth(_ reason: String) -> (inout RuleList) -> Void {
            { list in
                list.skip(level, reason, image: wantedLevel, host: hostLevel)
                list.skip(version, reason, image: wanted, host: hostVersion)
            }
        }
        if isDecided { return skipBoth("ID=_any has decided")(&self) }
        if release["ID"] == nil { return skipBoth("there is no ID")(&self) }
        if hostLevel == nil, hostVersion == nil {
            return skipBoth("the host has neither: a rolling release, whose ID is enough")(&self)
        }
        if let wantedLevel, let hostLevel {
            if wantedLevel == hostLevel {
                pass(level, "equal", image: wantedLevel, host: hostLevel)
            } else {
                refuse(
                    level, "it is for another level", image: wantedLevel, host: hostLevel,
                    hint: "take an image for SYSEXT_LEVEL=\(hostLevel)")
            }
            return skip(version, "SYSEXT_LEVEL has decided", image: wanted, host: hostVersion)
        }
        skip(level, "only where image and host have one", image: wantedLevel, host: hostLevel)
        guard let hostVersion else {
            return skip(version, "the host has none", image: wanted)
        }
        guard let wanted else {
            return refuse(
                version, "it has none, and the host does", host: hostVersion,
                hint: "write VERSION_ID=\(hostVersion), or ID=_any if it works everywhere")
        }
        if wanted == hostVersion {
            pass(version, "equal", image: wanted, host: hostVersion)
        } else {
            refuse(
                version, "it is for another version", image: wanted, host: hostVersion,
                hint: "take an image for VERSION_ID=\(hostVersion)")
        }
    }
}
