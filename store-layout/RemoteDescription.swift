public import Files

/// What a remote is.
public enum RemoteKind: String, Sendable, CaseIterable, Codable {
    /// A directory with images, on this host.
    case directory
    /// Images beside a `SHA256SUMS`, on a web server or in a directory.
    case sysext
    /// A file that says where the packages of some names are.
    case catalog
    /// A registry of OCI images: repositories by name, tags by version.
    case oci
    /// Suites of a Debian archive, or what apt is configured with.
    case debian
    /// A repository of RPM packages, or what yum is configured with.
    case rpm
    /// Databases of Arch.
    case arch

    /// Whether it has a distribution's packages, of which several make one store path.
    public var isDistribution: Bool { [.debian, .rpm, .arch].contains(self) }
}

/// A place that packages come from, as its file describes it: `<root>/remotes/<name>.conf`.
public struct RemoteDescription: Sendable, Equatable {
    /// The section of the file.
    public static let section = "Remote"
    /// The keys of the section.
    public static let keys = [
        "Kind", "Location", "Mirrors", "Insecure", "Priority", "Keyring", "Credentials", "Timeout",
        "Patterns", "Package", "Filter", "Suites", "Components",
    ]
    /// Those whose values are files of the host.
    public static let fileKeys = ["Keyring", "Credentials"]
    /// Bytes that a file may have.
    public static let longest = 64 << 10

    /// Its name: that of its file, without the suffix.
    public let name: String
    /// What it is.
    public var kind: RemoteKind
    /// Where it is: an absolute path or a URL, without a slash at its end.
    public var location: RemoteLocation
    /// Further places with the same files.
    public var mirrors: [RemoteLocation] = []
    /// Whether listings without a signature are taken.
    public var isInsecure = false
    /// Of several remotes with a package, the highest counts.
    public var priority = 0
    /// A keyring that is trusted in place of the host's.
    public var keyring: String?
    /// A netrc file with names and passwords for its server.
    public var credentials: String?
    /// Seconds without an answer, or with next to none, until a server is given up; `nil` where its file does not say.
    public var timeout: Int?
    /// How often its server is asked; `nil` for the usual.
    public var attempts: Int?
    /// A regular expression that the names of its images have to match somewhere; `nil` for all.
    public var filter: String?
    /// Patterns of the names of its files, with specifiers of systemd, of which one has to match; none for all images.
    public var patterns: [String] = []
    /// What the package is called whose files these are; `nil` where patterns are none.
    public var package: String?

    /// Of an archive: its suites (directories with `/` at their end for flat repositories), or its databases; none where the
    /// place is the configuration of the host's package manager.
    public var suites: [String] = []
    /// Of an archive: the components of its suites.
    public var components: [String] = []

    /// Describes a remote.
    public init(name: String, kind: RemoteKind, location: RemoteLocation) {
        self.name = name
        self.kind = kind
        self.location = location
    }

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - bytes: Its contents.
    ///   - name: The remote's name.
    ///   - file: What errors call it.
    public init(parsing bytes: Bytes, name: String, file: String) throws(RemoteDescriptionError) {
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self),
            !text.utf8.contains(0)
        else { throw .notText(file) }
        let values = ConfigurationFile(parsing: text)
        if let line = values.ignoredLines.first { throw .line(file, line) }
        if let stray = values.entries.first(where: {
            $0.section != Self.section || !Self.keys.contains($0.key)
        }) {
            throw .unknownKey(
                file, stray.section.isEmpty ? stray.key : "[\(stray.section)] \(stray.key)",
                Self.keys)
        }
        let value = { (key: String) in values.value(key, in: Self.section) }
        guard let location = value("Location") else { throw .missing(file, "Location") }
        guard let kind = value("Kind") else { throw .missing(file, "Kind") }
        guard let kind = RemoteKind(rawValue: kind) else {
            throw .value(file, "Kind", kind, RemoteKind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self.init(name: name, kind: kind, location: try RemoteLocation(location))
        for mirror in values.words("Mirrors", in: Self.section) { mirrors.append(try RemoteLocation(mirror)) }
        if kind == .directory, let mirror = mirrors.first {
            throw .value(
                file, "Mirrors", mirror.text, "there for other kinds only: a directory is read as it is")
        }
        if let text = value("Insecure") {
            guard let answer = ConfigurationFile.boolean(text) else {
                throw .value(file, "Insecure", text, "yes, no")
            }
            isInsecure = answer
        }
        if let text = value("Priority") {
            guard let number = Int(text) else { throw .value(file, "Priority", text, "a number") }
            priority = number
        }
        if let text = value("Timeout") {
            guard let number = Int(text), (1...3600).contains(number) else {
                throw .value(file, "Timeout", text, "a number of seconds from 1 to 3600")
            }
            timeout = number
        }
        for (key, path) in [("Keyring", value("Keyring")), ("Credentials", value("Credentials"))] {
            guard let path, !path.hasPrefix("/") else { continue }
            throw .value(file, key, path, "an absolute path")
        }
        if let text = value("Filter") {
            guard Self.isFilter(text) else { throw .value(file, "Filter", text, "a regular expression") }
            filter = text
        }
        suites = values.words("Suites", in: Self.section)
        components = values.words("Components", in: Self.section)
        if let first = (suites + components).first, !kind.isDistribution {
            throw .value(
                file, suites.isEmpty ? "Components" : "Suites", first, "there for distributions only")
        }
        if let suite = suites.first(where: { $0.hasPrefix("/") || $0.split(separator: "/").contains("..") }) {
            throw .value(file, "Suites", suite, "a path below the place")
        }
        keyring = value("Keyring")
        credentials = value("Credentials")
        patterns = values.words("Patterns", in: Self.section)
        package = value("Package")
        if let bad = patterns.first(where: { MatchPattern(parsing: $0) == nil }) {
            throw .value(
                file, "Patterns", bad, "what MatchPattern= may be in sysupdate.d(5), without directories")
        }
        guard patterns.isEmpty == (package == nil), package.map({ (try? PackageName($0)) != nil }) ?? true
        else {
            throw .value(file, "Package", package ?? "", "the name of the package that Patterns= are of")
        }
        guard patterns.isEmpty || kind == .sysext || kind == .directory else {
            throw .value(
                file, "Patterns", patterns.joined(separator: " "), "in remotes with Kind=sysext or directory")
        }
    }

    /// Whether there is a listing to be read before any package can be found.
    public var hasListing: Bool { kind == .sysext || kind == .catalog }

    /// Whether a text can be a ``filter``.
    public static func isFilter(_ text: String) -> Bool {
        text.utf8.count <= 4096 && (try? Regex(text)) != nil
    }

    /// Which names of images its ``filter`` takes.
    public func makeFilter() -> (String) -> Bool {
        guard let filter, let expression = try? Regex(filter) else { return { _ in true } }
        return { $0.contains(expression) }
    }

    /// The text of its file.
    public var text: String {
        var lines = ["[\(Self.section)]", "Kind=\(kind.rawValue)", "Location=\(location.text)"]
        if !mirrors.isEmpty { lines.append("Mirrors=" + mirrors.map(\.text).joined(separator: " ")) }
        if isInsecure { lines.append("Insecure=yes") }
        if priority != 0 { lines.append("Priority=\(priority)") }
        if let keyring { lines.append("Keyring=\(keyring)") }
        if let credentials { lines.append("Credentials=\(credentials)") }
        if !patterns.isEmpty { lines.append("Patterns=" + patterns.joined(separator: " ")) }
        if let package { lines.append("Package=\(package)") }
        if let timeout { lines.append("Timeout=\(timeout)") }
        if let filter { lines.append("Filter=\(filter)") }
        if !suites.isEmpty { lines.append("Suites=" + suites.joined(separator: " ")) }
        if !components.isEmpty { lines.append("Components=" + components.joined(separator: " ")) }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// Where a remote is.
public enum RemoteLocation: Sendable, Hashable {
    /// An absolute path.
    case path(String)
    /// A URL of HTTP or HTTPS.
    case url(String)

    /// Reads a path or a URL; `file:` before a path is taken off.
    ///
    /// - Throws: ``RemoteDescriptionError`` for anything else, and for a URL with a password in it.
    public init(_ text: String) throws(RemoteDescriptionError) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) || text.hasPrefix("/"),
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw .location(text.utf8.displayed) }
        let trimmed = Self.withoutSlash(text)
        if text.hasPrefix("/") {
            self = .path(trimmed)
            return
        }
        let parts = trimmed.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        guard parts.count == 2, parts[1].hasPrefix("//") else { throw .location(text) }
        let rest = parts[1].dropFirst(2)
        switch parts[0].lowercased() {
        case "file" where rest.hasPrefix("/"): self = .path(String(rest))
        case "http", "https":
            let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            guard !authority.isEmpty, !rest.contains("#"), !rest.contains("?") else { throw .location(text) }
            guard !authority.contains("@") else {
                throw .password(String(authority.split(separator: "@").last ?? ""))
            }
            self = .url(parts[0].lowercased() + "://" + rest)
        default: throw .location(text)
        }
    }

    private static func withoutSlash(_ text: String) -> String {
        var text = text
        while text.hasSuffix("/"), text.utf8.count > 1 { text.removeLast() }
        return text
    }

    /// The path or URL.
    public var text: String {
        switch self {
        case .path(let text), .url(let text): text
        }
    }

    /// The path or URL of a file in it, whose name has no slash.
    public func appending(_ name: String) -> String {
        switch self {
        case .path(let path): path + "/" + name
        case .url(let url): url + "/" + Self.escaped(name)
        }
    }

    /// The place of a directory below it.
    ///
    /// - Parameter path: Names with slashes between them; empty for the place itself.
    public func descending(_ path: String) -> RemoteLocation {
        path.split(separator: "/").reduce(self) { place, name in
            switch place {
            case .path: .path(place.appending(String(name)))
            case .url: .url(place.appending(String(name)))
            }
        }
    }

    /// A name without the escapes of URLs.
    public static func unescaped(_ text: String) -> String {
        var bytes: Bytes = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.first {
            if byte == UInt8(ascii: "%"), rest.count > 2,
                let value = UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A name as part of a URL: what has no meaning there stays, everything else is escaped.
    ///
    /// Source: RFC 3986, 2.3.
    public static func escaped(_ name: String) -> String {
        var result = ""
        for byte in name.utf8 {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || "-._~+:".utf8.contains(byte)
            let digits = String(byte, radix: 16, uppercase: true)
            result += isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + digits
        }
        return result
    }
}

/// Why a remote's description is refused.
public enum RemoteDescriptionError: Error, Equatable, CustomStringConvertible {
    /// A file that is no text.
    case notText(String)
    /// A line that says nothing.
    case line(String, Int)
    /// A key that means nothing.
    case unknownKey(String, String, [String])
    /// A key that is not there.
    case missing(String, String)
    /// A value that a key cannot have.
    case value(String, String, String, String)
    /// A place that is none.
    case location(String)
    /// A URL with a password.
    case password(String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .notText(let file):
            """
            \(file) is no description of a remote: it is no UTF-8 text of at most \(RemoteDescription.longest) bytes
            hint: 'sxs remote add' writes one
            """
        case .line(let file, let line):
            """
            \(file) is no description of a remote: line \(line) is neither NAME=VALUE nor a [section]
            hint: mend the line, or begin it with '#'
            """
        case .unknownKey(let file, let key, let known):
            """
            \(file) has '\(key.utf8.displayed)', which means nothing
            hint: its section is [Remote], which may have \(known.joined(separator: ", "))
            """
        case .missing(let file, let key):
            """
            \(file) has no \(key)= in its section [Remote]
            hint: add it; 'sxs remote add' writes such files
            """
        case .value(let file, let key, let value, let allowed):
            """
            \(file) has \(key)=\(value.utf8.displayed), which is not allowed
            hint: it may be \(allowed)
            """
        case .location(let text):
            """
            '\(text)' is no place of packages
            hint: give an absolute path, or a URL that begins with https:// or http:// and has neither '?' nor '#'
            """
        case .password(let host):
            """
            the URL of \(host) has a name or password in it, which everybody could read
            hint: put 'machine \(host) login NAME password PASSWORD' into a file that only you can read, and name it with \
            --credentials FILE
            """
        }
    }
}
