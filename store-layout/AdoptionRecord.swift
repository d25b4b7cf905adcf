public import Files

/// What `sxs adopt` moved on a host: the file ``StoreLayout/Name/adopted`` of the system's root.
///
/// It is written before anything is moved, so that an interrupted run is completed by the next, or undone. One line
/// per entry of systemd's directories, its fields between tabs, `-` for nothing:
///
/// ```
/// sxs-adopted 1
/// kept<tab>file<tab>/var/lib/extensions/wifi.raw<tab>/var/lib/sxs/extensions/<SHA-256>-wifi.raw<tab>-<tab><SHA-256><tab>wifi.raw
/// taken<tab>link<tab>/etc/extensions/strace.raw<tab>-<tab>../../var/lib/sysext-store/…<tab><SHA-256><tab>strace
/// ```
public struct AdoptionRecord: Equatable, Sendable {
    /// What became of an extension.
    public enum Fate: String, Sendable, CaseIterable, Codable {
        /// A package of the store; its commands are the profile's.
        case taken
        /// It is merged over `/usr` as before, and each generation says whether.
        case kept
        /// It was refused, and cannot block a merge any more.
        case quarantined
        /// Another of the same name hid it; it would appear now that the other is gone.
        case covered
    }

    /// What an entry was.
    public enum Kind: String, Sendable, CaseIterable, Codable {
        case file
        case directory
        case link
    }

    /// An entry of one of systemd's directories.
    public struct Entry: Equatable, Sendable {
        /// What became of it.
        public let fate: Fate
        /// What it was.
        public let kind: Kind
        /// Its path on the host.
        public let path: String
        /// Where it, or for a kept link a further name of the image, is now; `nil` for links that were removed.
        public let original: String?
        /// A link's target.
        public let target: String?
        /// The SHA-256 of the image, or the tree digest of a directory.
        public let digest: Digest
        /// Of what is kept, the name of the link that stands for it in the same directory; of what was taken, the
        /// package's.
        public let name: String?

        /// The name of the link that stands for it, where it is kept.
        public var link: String? { fate == .kept ? name : nil }

        /// Creates an entry.
        public init(
            fate: Fate, kind: Kind, path: String, original: String?, target: String?, digest: Digest,
            name: String?
        ) {
            self.fate = fate
            self.kind = kind
            self.path = path
            self.original = original
            self.target = target
            self.digest = digest
            self.name = name
        }

        fileprivate var line: String {
            [
                fate.rawValue, kind.rawValue, path, original ?? none, target ?? none, digest.hex,
                name ?? none,
            ].joined(separator: "\t")
        }
    }

    /// What was moved, in order.
    public var entries: [Entry]

    /// The first line.
    private static let header = "sxs-adopted 1"

    /// Creates a record.
    public init(entries: [Entry] = []) {
        self.entries = entries
    }

    /// Whether a path or link target can be recorded: it has no control characters.
    public static func canHold(_ text: String) -> Bool {
        !text.isEmpty && text != none
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
    }

    /// The file's contents.
    public var text: Bytes {
        Array((([Self.header] + entries.map(\.line)).joined(separator: "\n") + "\n").utf8)
    }

    /// Reads a record; `nil` for one that is damaged or of another version.
    public init?(parsing text: Bytes) {
        guard text.last == UInt8(ascii: "\n"), let all = String(validating: text, as: UTF8.self) else {
            return nil
        }
        var lines = all.dropLast().split(separator: "\n", omittingEmptySubsequences: false)[...]
        guard lines.popFirst() == Self.header[...] else { return nil }
        entries = []
        for line in lines {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 7, let fate = Fate(rawValue: fields[0]),
                let kind = Kind(rawValue: fields[1]),
                Self.isPlain(fields[2]), fields[3] == none || Self.isPlain(fields[3]),
                (kind == .link) == (fields[4] != none), kind == .link || fields[3] != none,
                let digest = Digest(hex: fields[5]), [.kept, .taken].contains(fate) == (fields[6] != none),
                !fields[6].contains("/")
            else { return nil }
            let optional = { (field: String) in field == none ? nil : field }
            entries.append(
                Entry(
                    fate: fate, kind: kind, path: fields[2], original: optional(fields[3]),
                    target: optional(fields[4]), digest: digest, name: optional(fields[6])))
        }
    }

    /// Whether a path is absolute and leads nowhere else.
    private static func isPlain(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count > 1 && parts[0].isEmpty
            && parts.dropFirst().allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}

/// Stands for a field without a value.
private let none = "-"
