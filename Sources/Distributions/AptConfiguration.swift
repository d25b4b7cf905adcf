public import Files
private import Glibc
internal import StoreLayout

/// The repositories that apt is configured with: lines `deb …` and files `*.sources`.
///
/// Source: sources.list(5) of apt 3.0.
public struct AptConfiguration: Sendable {
    /// Bytes that a file may have.
    private static let longest = 1 << 20

    /// The repositories, in the order of the files.
    public private(set) var repositories: [PackageRepository] = []
    /// What was passed over, and why, for people.
    public private(set) var notes: [String] = []
    /// apt's name for the architecture, such as `amd64`.
    private let architecture: String

    /// Reads apt's directory, or one file.
    ///
    /// - Parameters:
    ///   - path: `/etc/apt`, or a file whose name ends in `.list` or `.sources`.
    ///   - architecture: apt's name for the architecture.
    /// - Throws: ``DistributionError``, `SystemError`.
    public init(reading path: String, architecture: String) throws {
        self.architecture = architecture
        for file in try Self.files(path) {
            let bytes = try Descriptor.file(file).readAll(limit: Self.longest)
            try read(bytes, file: file)
        }
        guard !repositories.isEmpty else { throw DistributionError.noRepositories(file: path) }
    }

    /// Reads the text of one file.
    ///
    /// - Parameter file: Its name, whose ending says what it is like.
    public init(parsing bytes: Bytes, file: String, architecture: String) throws {
        self.architecture = architecture
        try read(bytes, file: file)
    }

    private static func files(_ path: String) throws -> [String] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemError("open", path) }
        guard status.st_mode & S_IFMT == S_IFDIR else { return [path] }
        let list = AptLayout.sourceList
        var files = access(path + "/" + list, F_OK) == 0 ? [path + "/" + list] : []
        let parts = path + "/" + AptLayout.sourceParts
        if access(parts, F_OK) == 0 {
            // apt reads no other names.
            files += try Descriptor.directory(parts).list().map(\.text).filter {
                ($0.hasSuffix(".list") || $0.hasSuffix(".sources"))
                    && $0.utf8.allSatisfy { byte in
                        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                            || (0x61...0x7a).contains(byte) || "_-.".utf8.contains(byte)
                    }
            }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { parts + "/" + $0 }
        }
        return files
    }

    private mutating func read(_ bytes: Bytes, file: String) throws {
        if file.hasSuffix(".sources") {
            for paragraph in try ControlText(parsing: bytes, file: file).paragraphs {
                try add(paragraph, file: file)
            }
            return
        }
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw DistributionError.badText(file: file, line: 0, reason: "is no UTF-8 text")
        }
        // By bytes: to Swift a carriage return and a line feed are one character.
        for (index, line) in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            let plain = ControlText.trimmed(String(Substring(line.prefix { $0 != UInt8(ascii: "#") })))
            if !plain.isEmpty { try add(plain, file: file, line: index + 1) }
        }
    }

    /// `deb [ option=value … ] uri suite [component …]`.
    private mutating func add(_ line: String, file: String, line number: Int) throws {
        var words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
        guard ["deb", "deb-src"].contains(words[0]) else {
            throw DistributionError.badText(
                file: file, line: number, reason: "begins neither with deb nor deb-src")
        }
        let isSource = words.removeFirst() == "deb-src"
        var options: [String: String] = [:]
        if let first = words.first, first.hasPrefix("[") {
            guard let end = words.firstIndex(where: { $0.hasSuffix("]") }) else {
                throw DistributionError.badText(file: file, line: number, reason: "has no ']' after its '['")
            }
            let inside = words[...end].joined(separator: " ").dropFirst().dropLast()
            words.removeSubrange(...end)
            for option in inside.split(separator: " ") {
                guard let equals = option.firstIndex(of: "="), equals != option.startIndex else {
                    throw DistributionError.badText(
                        file: file, line: number,
                        reason: "has the option '\(option.utf8.displayed)' without a value")
                }
                let name = String(option[..<equals].lowercased().drop { $0 == "+" }.filter { $0 != "+" })
                options[name] = String(option[option.index(after: equals)...])
            }
        }
        guard !isSource else { return }
        guard words.count >= 2, words[1].hasSuffix("/") == (words.count == 2) else {
            throw DistributionError.badText(
                file: file, line: number,
                reason: "needs a URI, a suite and components, or a directory with '/' at its end and none")
        }
        try add(
            uris: [words[0]], suites: [words[1]], components: Array(words.dropFirst(2)),
            architectures: options["arch"].map { $0.split(separator: ",").map(String.init) } ?? [],
            trust: trust(
                options["signed-by"].map { $0.split(separator: ",").map(String.init) } ?? [],
                isTrusted: options["trusted"] == "yes"),
            isDateChecked: options["check-valid-until"] != "no", file: file)
    }

    private mutating func add(_ fields: ControlText.Paragraph, file: String) throws {
        let isYes = { (text: String?) in ["yes", "true", "1"].contains(text?.lowercased() ?? "") }
        let isNo = { (text: String?) in ["no", "false", "0"].contains(text?.lowercased() ?? "") }
        guard !isNo(fields.value("Enabled")) else { return }
        let types = fields.words("Types")
        let uris = fields.words("URIs")
        let suites = fields.words("Suites")
        guard !types.isEmpty, !uris.isEmpty, !suites.isEmpty else {
            throw DistributionError.badText(
                file: file, line: 0, reason: "has a paragraph without Types, URIs or Suites")
        }
        guard types.contains("deb") else { return }
        let components = fields.words("Components")
        guard suites.allSatisfy({ $0.hasSuffix("/") == components.isEmpty }) else {
            throw DistributionError.badText(
                file: file, line: 0,
                reason: "has a suite without Components whose name does not end in '/', or the reverse")
        }
        let lines = fields.lines("Signed-By") ?? []
        var trust: RepositoryTrust
        if lines.contains(where: { $0.contains("-----BEGIN PGP") }) {
            // An empty line is written as one dot.
            trust = .text(
                lines.map(ControlText.trimmed).drop { $0.isEmpty }.map { $0 == "." ? "" : $0 }
                    .joined(separator: "\n") + "\n")
            if isYes(fields.value("Trusted")) { trust = .anybody }
        } else {
            trust = self.trust(fields.words("Signed-By"), isTrusted: isYes(fields.value("Trusted")))
        }
        try add(
            uris: uris, suites: suites, components: components, architectures: fields.words("Architectures"),
            trust: trust, isDateChecked: !isNo(fields.value("Check-Valid-Until")), file: file)
    }

    private func trust(_ words: [String], isTrusted: Bool) -> RepositoryTrust {
        if isTrusted { return .anybody }
        let files = words.filter { $0.hasPrefix("/") }
        if !files.isEmpty { return .files(files) }
        let prints = words.map { $0.filter { $0 != "!" }.uppercased() }
        return prints.isEmpty ? .usual : .fingerprints(prints)
    }

    private mutating func add(
        uris: [String], suites: [String], components: [String], architectures: [String],
        trust: RepositoryTrust, isDateChecked: Bool, file: String
    ) throws {
        guard architectures.isEmpty || architectures.contains(architecture) || architectures.contains("all")
        else {
            return
        }
        for uri in uris.map(filled) {
            guard let places = try places(uri, file: file) else { continue }
            for suite in suites.map(filled) {
                var repository = PackageRepository(kind: .debian, places: places, suite: suite)
                repository.components = components
                repository.trust = trust
                repository.isDateChecked = isDateChecked
                // apt says that it is configured twice, and goes on.
                if !repositories.contains(repository) { repositories.append(repository) }
            }
        }
    }

    private func filled(_ text: String) -> String { text.replacing("$(ARCH)", with: architecture) }

    /// The places of a URI; `nil` for one that is passed over.
    private mutating func places(_ uri: String, file: String) throws -> [RemoteLocation]? {
        let scheme = uri.prefix { $0 != ":" }.lowercased()
        let rest = String(uri.dropFirst(scheme.count + 1))
        switch scheme {
        case "http", "https": return [try RemoteLocation(uri)]
        case "file", "copy":
            guard rest.hasPrefix("/") else { break }
            // Any number of slashes begins a path.
            return [try RemoteLocation("/" + rest.drop { $0 == "/" })]
        case "mirror+file":
            guard rest.hasPrefix("/") else { break }
            let path = "/" + rest.drop { $0 == "/" }
            let text = String(decoding: try Descriptor.file(path).readAll(limit: Self.longest), as: UTF8.self)
            let places = try Self.mirrors(text).map { try RemoteLocation($0) }
            if !places.isEmpty { return places }
        default: break
        }
        notes.append(
            "\(file): \(uri.utf8.displayed) is passed over; sxs reads http, https, file, copy and mirror+file"
        )
        return nil
    }

    /// The URIs of a list of mirrors, those with the lowest number of priority first.
    static func mirrors(_ text: String) -> [String] {
        var found: [(priority: Int, uri: String)] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let uri = words.first, uri.hasPrefix("http://") || uri.hasPrefix("https://") else {
                continue
            }
            let priority = words.lazy.compactMap { word in
                word.hasPrefix("priority:") ? Int(word.dropFirst("priority:".count)) : nil
            }.first
            found.append((priority ?? Int.max, uri))
        }
        return found.enumerated().sorted {
            ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset)
        }.map(\.element.uri)
    }
}
