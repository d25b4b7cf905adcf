public import Files
private import Glibc

/// The index of a suite of a Debian archive: which files there are, with their digests.
///
/// Source: https://wiki.debian.org/DebianRepository/Format, "Release" files.
public struct ArchiveRelease: Sendable, Equatable {
    /// A file that it names.
    public struct Entry: Sendable, Equatable {
        /// Its path, from the directory of the index.
        public let path: String
        /// What it has.
        public let digest: Digest
        /// Its length in bytes.
        public let size: Int
    }

    /// Endings of compressed indexes that are read, in the order of preference.
    public static let suffixes = [".xz", ".zst", ".gz", ".bz2", ""]

    /// What it says the suite is called: `stable`.
    public let suite: String?
    /// The release's own name: `bookworm`.
    public let codename: String?
    /// Until when it is good, in seconds since the epoch; `nil` for ever.
    public let validUntil: Int?
    /// Whether files can be had by their digest, too.
    public let hasFilesByDigest: Bool
    /// Whether its packages are taken only where they are asked for, as those of backports.
    public let isNotAutomatic: Bool
    /// Whether indexes of an architecture lack the packages that are for all.
    public let hasOwnIndexForAll: Bool
    /// The components.
    public let components: [String]
    /// The architectures.
    public let architectures: [String]
    private let entries: [String: Entry]

    /// Reads an index.
    public init(parsing bytes: Bytes, file: String) throws(DistributionError) {
        let text = try ControlText(parsing: bytes, file: file)
        guard text.paragraphs.count == 1, let fields = text.paragraphs.first else {
            throw .badText(file: file, line: 0, reason: "is not one paragraph")
        }
        suite = fields.value("Suite")
        codename = fields.value("Codename")
        components = fields.words("Components")
        architectures = fields.words("Architectures")
        hasFilesByDigest = fields.value("Acquire-By-Hash") == "yes"
        isNotAutomatic = fields.value("NotAutomatic") == "yes"
        hasOwnIndexForAll =
            architectures.contains("all")
            && !fields.words("No-Support-for-Architecture-all").contains("Packages")
        if let date = fields.value("Valid-Until") {
            guard let seconds = Self.seconds(date) else {
                throw .badText(
                    file: file, line: 0, reason: "is good until '\(date.utf8.displayed)', which is no date")
            }
            validUntil = seconds
        } else {
            validUntil = nil
        }
        guard let lines = fields.lines("SHA256") else {
            throw .badText(file: file, line: 0, reason: "has no SHA256 field; older digests are not taken")
        }
        var entries: [String: Entry] = [:]
        for line in lines where !line.isEmpty {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count == 3, let digest = Digest(hex: words[0]), let size = Int(words[1]), size >= 0,
                Self.isPlain(words[2])
            else {
                throw .badText(file: file, line: 0, reason: "has '\(line.utf8.displayed)' among its files")
            }
            let entry = Entry(path: String(words[2]), digest: digest, size: size)
            guard entries.updateValue(entry, forKey: entry.path) == nil else {
                throw .badText(file: file, line: 0, reason: "names \(entry.path) twice")
            }
        }
        self.entries = entries
    }

    /// Whether a path stays below its directory.
    private static func isPlain(_ path: Substring) -> Bool {
        !path.isEmpty
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0 != ".." && $0.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            }
    }

    /// A file that it names, as the best compressed one there is.
    ///
    /// - Parameter path: Its path without the ending of a compressed file.
    /// - Returns: The file, and the length that it unpacks to, where it says so.
    public func entry(_ path: String) -> (file: Entry, unpacked: Int?)? {
        for suffix in Self.suffixes {
            let names = path.hasPrefix("./") ? [path] : [path, "./" + path]
            guard let file = names.lazy.compactMap({ entries[$0 + suffix] }).first else { continue }
            return (file, entries[path]?.size)
        }
        return nil
    }

    /// Seconds since the epoch of a date as `date -R -u` prints it: `Sat, 21 Nov 2026 20:12:33 UTC`.
    static func seconds(_ text: String) -> Int? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let words = text.split(separator: " ")
        guard words.count == 6, let day = Int32(words[1]), (1...31).contains(day),
            let month = months.firstIndex(of: String(words[2])), let year = Int32(words[3]),
            (1970...9999).contains(year), ["UTC", "GMT", "+0000", "Z"].contains(String(words[5]))
        else { return nil }
        let time = words[4].split(separator: ":").compactMap { Int32($0) }
        guard time.count == 3, (0...23).contains(time[0]), (0...59).contains(time[1]),
            (0...60).contains(time[2])
        else { return nil }
        var parts = tm()
        parts.tm_year = year - 1900
        parts.tm_mon = Int32(month)
        parts.tm_mday = day
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (time[0], time[1], time[2])
        return timegm(&parts)
    }
}
