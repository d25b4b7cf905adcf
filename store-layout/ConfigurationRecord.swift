public import Files

/// What sxs put into the host's `/etc`: the file ``StoreLayout/Name/configuration`` of the system's root.
///
/// ```
/// sxs-etc 1
/// directory /etc/nginx
/// file /etc/nginx/nginx.conf <SHA-256>
/// link /etc/nginx/a ../b
/// making file /etc/nginx/mime.types <SHA-256>
/// host /etc/logrotate.d/nginx
/// ```
/// A line that begins with `making` is written before the thing is made: what is missing then was not removed by
/// anybody.
public struct ConfigurationRecord: Equatable, Sendable {
    /// One path.
    public struct Item: Equatable, Sendable {
        /// What was made there; `nil` for what the host had before.
        public var entry: SetupRecord.Entry?
        /// Whether it may not be made yet.
        public var isUnfinished: Bool

        /// Creates an item.
        public init(_ entry: SetupRecord.Entry?, isUnfinished: Bool = false) {
            self.entry = entry
            self.isUnfinished = isUnfinished
        }
    }

    /// By absolute path.
    public var items: [String: Item]

    private static let header = "sxs-etc 1"
    private static let unfinished = "making "
    private static let hosts = "host"

    /// Bytes it may have.
    public static let longest = 16 << 20

    /// Creates a record.
    public init(_ items: [String: Item] = [:]) { self.items = items }

    /// The file's contents; lines are sorted by path, so that directories are before what is in them.
    public var text: Bytes {
        let lines = items.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { path, item in
            (item.isUnfinished ? Self.unfinished : "") + (item.entry?.line ?? "\(Self.hosts) \(path)")
        }
        return Array(([Self.header] + lines).joined(separator: "\n").utf8) + [UInt8(ascii: "\n")]
    }

    /// Reads a record; `nil` for one that is damaged, of another version, or names what is not below `/etc`.
    public init?(parsing text: Bytes) {
        var lines = String(decoding: text, as: UTF8.self).split(separator: "\n")[...]
        guard lines.popFirst() == Self.header[...], text.last == UInt8(ascii: "\n") else { return nil }
        items = [:]
        for line in lines {
            let isUnfinished = line.hasPrefix(Self.unfinished)
            let rest = isUnfinished ? line.dropFirst(Self.unfinished.count) : line
            let words = rest.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            let item: Item
            let path: String
            if words.first == Self.hosts, words.count == 2, !isUnfinished {
                (item, path) = (Item(nil), words[1])
                guard SetupRecord.isPlain(path) else { return nil }
            } else {
                guard let entry = SetupRecord.Entry(words: words) else { return nil }
                switch entry {
                case .anchor, .policyModule: return nil
                case .directory, .file, .link: break
                }
                (item, path) = (Item(entry, isUnfinished: isUnfinished), entry.path)
            }
            guard path.hasPrefix(ServiceLayout.hostConfiguration + "/"), items[path] == nil else {
                return nil
            }
            items[path] = item
        }
    }
}
