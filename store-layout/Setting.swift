/// A key of `sxs.conf`: the table from which `sxs config`, its `--keys` and every default are taken.
public struct Setting: Sendable, Equatable {
    /// What its value is.
    public enum Kind: Sendable, Equatable {
        /// An absolute path.
        case path
        /// The name of a profile.
        case profile
        /// An amount of bytes: `500M`, `2GiB`.
        case size
        /// A number in a range.
        case number(ClosedRange<Int>)
        /// Yes or no.
        case boolean

        /// What it may be, for people.
        public var allowed: String {
            switch self {
            case .path: "an absolute path"
            case .profile: "the name of a profile"
            case .size: "an amount of bytes, such as 500M or 2GiB"
            case .number(let range) where range.upperBound == .max: "a number from \(range.lowerBound)"
            case .number(let range):
                "a number from \(range.lowerBound) to \(range.upperBound)"
            case .boolean: "yes or no"
            }
        }

        /// Whether a text, which is not empty, is such a value.
        public func takes(_ text: String) -> Bool {
            switch self {
            case .path: text.hasPrefix("/") && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
            case .profile: (try? ProfileName(text)) != nil
            case .size: Quantity.bytes(text) != nil
            case .number(let range): Int(text).map(range.contains) ?? false
            case .boolean: ConfigurationFile.boolean(text) != nil
            }
        }
    }

    /// The section of the file.
    public let section: String
    /// The key.
    public let key: String
    /// What its value is.
    public let kind: Kind
    /// What holds where no file says anything; empty for nothing.
    public let usual: String
    /// The option of the command line that goes before it; `nil` where there is none.
    public let option: String?
    /// What it does, as a sentence.
    public let summary: String

    /// The section and the key, as people name it.
    public var name: String { section + "." + key }

    private init(
        _ section: String, _ key: String, _ kind: Kind, _ usual: String = "", option: String?,
        _ summary: String
    ) {
        (self.section, self.key, self.kind, self.usual) = (section, key, kind, usual)
        (self.option, self.summary) = (option, summary)
    }

    /// The state directory.
    public static let root = Setting(
        "Store", "Root", .path, option: "--root",
        "The state directory: of root's in the host's files, of a user's in his own. SXS_ROOT goes before it."
    )
    /// The profile.
    public static let profile = Setting(
        "Store", "Profile", .profile, StoreLayout.defaultProfile, option: "--profile",
        "The profile that is shown and changed.")
    /// Room that stays free.
    public static let minimumFree = Setting(
        "Store", "MinFree", .size, "0", option: "--min-free",
        "Imports stop where less than this would stay free on the store's file system.")

    /// Bytes of an image's files.
    public static let imageSize = Setting(
        "Images", "MaxSize", .size, "128GiB", option: "--max-size",
        "Bytes that the files of an image may have.")
    /// Files of an image.
    public static let imageFiles = Setting(
        "Images", "MaxFiles", .number(1...Int.max), "1000000", option: "--max-files",
        "Files that an image may have, directories included.")
    /// How far an image may unpack.
    public static let imageRatio = Setting(
        "Images", "MaxRatio", .number(1...Int.max), "200", option: "--max-ratio",
        "How many times its own size an image of more than 256 MiB may unpack to.")
    /// Whether what is not sound is refused.
    public static let isStrict = Setting(
        "Images", "Strict", .boolean, "no", option: "--strict",
        "Refuse a package with damaged ELF files, or whose programs need libraries or interpreters that it lacks."
    )

    /// Generations that stay.
    public static let keptGenerations = Setting(
        "Retention", "KeepGenerations", .number(0...1_000_000), option: "--keep-generations",
        "'sxs gc' deletes generations, but for this many of the newest of each profile. Without it and KeepDays, all stay."
    )
    /// Days for which generations stay.
    public static let keptDays = Setting(
        "Retention", "KeepDays", .number(0...36_500), option: "--older-than",
        "'sxs gc' deletes generations that are older; with KeepGenerations only those.")
    /// Until how much is free store paths go.
    public static let wantedFree = Setting(
        "Retention", "MaxFree", .size, option: "--max-free",
        "'sxs gc' stops when so much is free on the store's file system. Without it, all goes that nothing needs."
    )
    /// Days for which fetched images stay.
    public static let cachedDays = Setting(
        "Retention", "CacheDays", .number(0...36_500), "14", option: nil,
        "'sxs gc' removes fetched images that were not used for so many days.")
    /// Bytes of fetched images that stay.
    public static let cacheSize = Setting(
        "Retention", "CacheSize", .size, option: nil,
        "'sxs gc' removes fetched images, those first that were not used for longest, until the rest has no more bytes."
    )

    /// Whether nothing is fetched.
    public static let isOffline = Setting(
        "Fetch", "Offline", .boolean, "no", option: "--offline",
        "Fetch nothing: take what is in the cache.")
    /// Seconds until a server is given up.
    public static let timeout = Setting(
        "Fetch", "Timeout", .number(1...3600), "30", option: nil,
        "Seconds without an answer until a server is given up, where the remote's own file does not say.")
    /// How often a server is asked.
    public static let attempts = Setting(
        "Fetch", "Attempts", .number(1...20), "3", option: nil,
        "How often each server is asked whose failure may pass.")
    /// Transfers at the same time.
    public static let transfers = Setting(
        "Fetch", "Transfers", .number(1...64), "4", option: nil,
        "Images that are fetched at the same time.")

    /// All of them, section by section.
    public static let all = [
        root, profile, minimumFree, imageSize, imageFiles, imageRatio, isStrict, keptGenerations, keptDays,
        wantedFree, cachedDays, cacheSize, isOffline, timeout, attempts, transfers,
    ]

    /// The key that a section has; `nil` for one that means nothing.
    public static func named(_ key: String, in section: String) -> Setting? {
        all.first { $0.key == key && $0.section == section }
    }
}
