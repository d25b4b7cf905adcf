private import Files
private import StoreLayout

/// A transfer of systemd-sysupdate that brings extensions.
///
/// Source: sysupdate.d(5).
public struct SysupdateTransfer: Encodable, Sendable, Equatable {
    /// Its file on the host.
    public let file: String
    /// The directory that new versions are written to.
    public let path: String
    /// What they are called, in which `@v` stands for the version; empty where the file does not say.
    public let patterns: [String]
    /// The link that is made to lead to the newest; `nil` for none.
    public let currentLink: String?

    /// Reads the `[Target]` of a transfer's file.
    ///
    /// - Returns: `nil` for one that brings no extensions, or whose path cannot be told without running systemd: one
    ///   with specifiers, or relative to something else than the root directory.
    public init?(file: String, text: String) {
        let configuration = ConfigurationFile(parsing: text)
        let value = { (key: String) in configuration.value(key, in: "Target") }
        guard let path = value("Path"), path.hasPrefix("/"), !path.contains("%"),
            ["root", nil].contains(value("PathRelativeTo"))
        else { return nil }
        let place = Self.plain(path)
        let link = value("CurrentSymlink").map { Self.plain($0.hasPrefix("/") ? $0 : place + "/" + $0) }
        self.file = file
        self.path = place
        patterns = configuration.words("MatchPattern", in: "Target")
        currentLink = link
        let places = Anchor.searchPath + [AdoptionLayout.imageStore]
        let isLinked = link.map { link in Anchor.searchPath.contains { link.hasPrefix($0 + "/") } }
        guard places.contains(place) || isLinked == true else { return nil }
    }

    /// Whether a file in ``path`` may be a version of it.
    public func matches(_ name: String) -> Bool {
        patterns.contains { pattern in
            let parts = pattern.split(separator: "@", omittingEmptySubsequences: false)
            // What follows each wildcard's letter has to come in this order; specifiers may be anything.
            let fixed = parts.enumerated().flatMap { index, part in
                (index == 0 ? part : part.dropFirst()).split(separator: "%", omittingEmptySubsequences: false)
                    .enumerated().map { $0.offset == 0 ? $0.element : $0.element.dropFirst() }
            }
            guard let first = fixed.first, let last = fixed.last, name.hasPrefix(first) else { return false }
            guard fixed.count > 1 else { return name == pattern }
            var rest = name.dropFirst(first.count)
            for part in fixed.dropFirst().dropLast() where !part.isEmpty {
                guard let range = rest.firstRange(of: part) else { return false }
                rest = rest[range.upperBound...]
            }
            return rest.hasSuffix(last)
        }
    }

    private static func plain(_ path: String) -> String {
        "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }
}

extension Host {
    /// The transfers that bring extensions, sorted by file; of two with one name the first directory's counts.
    public func sysupdateTransfers() throws -> [SysupdateTransfer] {
        var files: [String: String] = [:]
        for parent in AdoptionLayout.transferParents {
            for directory in try names(in: parent)
            where directory.hasPrefix(AdoptionLayout.transferPrefix)
                && directory.hasSuffix(AdoptionLayout.transferDirectorySuffix)
            {
                for name in try names(in: parent + "/" + directory)
                where AdoptionLayout.transferSuffixes.contains(where: { name.hasSuffix($0) }) {
                    let key = directory + "/" + name
                    if files[key] == nil { files[key] = parent + "/" + key }
                }
            }
        }
        return try files.values.sorted().compactMap { file in
            // What is no regular file, such as a link to /dev/null, masks those of later directories.
            guard let followed = try followed(file), let text = try contents(followed) else { return nil }
            return SysupdateTransfer(file: file, text: String(decoding: text, as: UTF8.self))
        }
    }
}
