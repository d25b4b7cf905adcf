public import Files

/// What `sxs setup` made on a host: the file ``StoreLayout/Name/setup`` of the system's root.
///
/// It is written before anything is made, so that whatever a crash leaves is known, and holds nothing that was there
/// before.
///
/// ```
/// sxs-setup 1
/// method anchor
/// directory /etc/fish
/// file /etc/profile.d/sxs.sh <SHA-256>
/// link /usr/store /var/lib/sxs/store
/// module /var/lib/selinux/default/active/modules/400/sxs <SHA-256>
/// anchor /var/lib/extensions/…
/// ```
public struct SetupRecord: Equatable, Sendable {
    /// Something that was made.
    public enum Entry: Equatable, Sendable {
        /// A directory.
        case directory(String)
        /// A file, with the digest of its contents.
        case file(String, Digest)
        /// A symbolic link and its target.
        case link(String, target: String)
        /// The anchor.
        case anchor(String)
        /// A module of the SELinux policy, with the digest of its text.
        case policyModule(String, Digest)

        /// The absolute path on the host.
        public var path: String {
            switch self {
            case .directory(let path), .file(let path, _), .link(let path, _), .anchor(let path),
                .policyModule(let path, _):
                path
            }
        }

        /// The entry of an item that is to be made.
        public init(_ item: HostItem) {
            switch item.kind {
            case .directory: self = .directory(item.path)
            case .file(let contents): self = .file(item.path, Digest(hashing: contents))
            case .link(let target): self = .link(item.path, target: target)
            case .anchor: self = .anchor(item.path)
            case .policyModule(let text): self = .policyModule(item.path, Digest(hashing: text))
            }
        }

        /// The line that says so.
        var line: String {
            switch self {
            case .directory(let path): "directory \(path)"
            case .file(let path, let digest): "file \(path) \(digest.hex)"
            case .link(let path, let target): "link \(path) \(target)"
            case .anchor(let path): "anchor \(path)"
            case .policyModule(let path, let digest): "module \(path) \(digest.hex)"
            }
        }

        /// Reads a line's words; `nil` where they make no sense, or the path could lead elsewhere.
        init?(words: [String]) {
            guard words.count > 1, SetupRecord.isPlain(words[1]) else { return nil }
            switch (words[0], words.count) {
            case ("directory", 2): self = .directory(words[1])
            case ("anchor", 2): self = .anchor(words[1])
            case ("link", 3): self = .link(words[1], target: words[2])
            case ("file", 3), ("module", 3):
                guard let digest = Digest(hex: words[2]) else { return nil }
                self = words[0] == "file" ? .file(words[1], digest) : .policyModule(words[1], digest)
            default: return nil
            }
        }
    }

    /// How `/usr/store` was made.
    public let method: SetupMethod

    /// What was made, in order.
    public var entries: [Entry]

    /// The first line.
    private static let header = "sxs-setup 1"

    /// Bytes it may have.
    public static let longest = 1 << 20

    /// Creates a record.
    public init(method: SetupMethod, entries: [Entry] = []) {
        self.method = method
        self.entries = entries
    }

    /// The file's contents.
    public var text: Bytes {
        let lines = [Self.header, "method \(method.rawValue)"] + entries.map(\.line)
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Reads a record; `nil` for one that is damaged or of another version.
    public init?(parsing text: Bytes) {
        var lines = String(decoding: text, as: UTF8.self).split(separator: "\n")[...]
        guard lines.popFirst() == Self.header[...], text.last == UInt8(ascii: "\n"),
            let words = lines.popFirst()?.split(separator: " "), words.count == 2, words[0] == "method",
            let method = SetupMethod(rawValue: String(words[1]))
        else { return nil }
        self.method = method
        entries = []
        for line in lines {
            let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            guard let entry = Entry(words: words) else { return nil }
            entries.append(entry)
        }
    }

    /// Whether a path is absolute and leads nowhere else.
    static func isPlain(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count > 1 && parts[0].isEmpty
            && parts.dropFirst().allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}
