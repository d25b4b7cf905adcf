/// What relocation did to an image and what it left, file by file.
public struct RelocationReport: Codable, Sendable, Equatable {
    /// What was done with a path in a file.
    public enum Action: String, Codable, Sendable, CaseIterable, CodingKeyRepresentable {
        /// The interpreter of a program became an alias of the image's loader.
        case interpreter
        /// A path became an equally long alias.
        case aliased
        /// A path of text became the full store path.
        case storePath = "store path"
        /// A script's first line became the full store path.
        case shebang
        /// A symbolic link became the full store path.
        case symlink
        /// A RUNPATH was given to a file, whose program headers got a segment for it.
        case searchPath = "search path"
        /// A loader's built-in directory or file became an alias, or a path that cannot exist.
        case loader
        /// Python bytecode was marked as valid whatever its source's time.
        case bytecode
    }

    /// Why a path in a file was left.
    public enum Reason: String, Codable, Sendable, CaseIterable, CodingKeyRepresentable {
        /// A program's interpreter with fewer than 12 bytes to put an alias in.
        case shortInterpreter = "interpreter too short for an alias"
        /// Fewer than 12 bytes to put an alias in.
        case tooShort = "too short for an alias"
        /// Another string begins inside the path.
        case interior = "another string begins inside it"
        /// It is part of an instruction or of data among instructions.
        case code = "inside code"
        /// The format is not known, so lengths and checksums are not either.
        case format = "binary of unknown format"
        /// Compressed: not looked into.
        case compressed = "compressed"
        /// Signed, self-checksummed or compared with other files.
        case sealed = "checksummed or signed"
        /// The architecture's code is not understood, so references into strings cannot be seen.
        case architecture = "references of this architecture are not known"
        /// A damaged ELF file.
        case damaged = "damaged ELF file"
        /// Past the first 4 GiB of a file.
        case distant = "past 4 GiB"
        /// A first line over the kernel's 255 bytes.
        case longShebang = "first line would be too long"
        /// A hint says so.
        case hint = "a hint says so"
    }

    /// Something a program asks for that neither the image nor, where it is the host's to give, every host has.
    public enum Finding: String, Codable, Sendable, CaseIterable, CodingKeyRepresentable {
        /// A needed library that is not in the image.
        case library = "needed library not in the image"
        /// An interpreter that is not in the image.
        case interpreter = "interpreter not in the image"
    }

    /// A path that was left.
    public struct Left: Codable, Sendable, Equatable {
        /// The path as the file has it.
        public let path: String
        /// Why it was left.
        public let reason: Reason
        /// How often.
        public var count: Int
    }

    /// What happened to one file.
    public struct File: Codable, Sendable, Equatable {
        /// The file.
        public let path: String
        /// What was done, and how often.
        public var done: [Action: Int] = [:]
        /// What was left.
        public var left: [Left] = []
        /// What it needs that the image does not have.
        public var findings: [Finding: [String]] = [:]

        var isEmpty: Bool { done.isEmpty && left.isEmpty && findings.isEmpty }
    }

    /// How many files the tree has.
    public var fileCount = 0

    /// How many of them are ELF files.
    public var elfCount = 0

    /// The image's own loader; `nil` where the host's stays.
    public var loader: String?

    /// Libraries that an image without a loader expects of the host, sorted.
    public var hostLibraries: [String] = []

    /// How many libraries the generated loader cache lists.
    public var cachedLibraries = 0

    /// Files to which something happened, sorted by path.
    public var files: [File] = []

    /// Files that lost a set-id bit or a capability at import, by what they lost (``Omission``'s raw values).
    ///
    /// Where there are very many, the first.
    public var dropped: [String: [String]] = [:]

    /// What was done, and how often, over all files.
    public var done: [Action: Int] {
        files.reduce(into: [:]) { total, file in total.merge(file.done, uniquingKeysWith: +) }
    }

    /// What was left, and how often, over all files.
    public var left: [Reason: Int] {
        files.reduce(into: [:]) { total, file in
            for left in file.left { total[left.reason, default: 0] += left.count }
        }
    }

    /// Creates an empty report.
    public init() {}

    /// Reads a report, also one of a version that did not know what was dropped.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        fileCount = try values.decode(Int.self, forKey: .fileCount)
        elfCount = try values.decode(Int.self, forKey: .elfCount)
        loader = try values.decodeIfPresent(String.self, forKey: .loader)
        hostLibraries = try values.decodeIfPresent([String].self, forKey: .hostLibraries) ?? []
        cachedLibraries = try values.decode(Int.self, forKey: .cachedLibraries)
        files = try values.decode([File].self, forKey: .files)
        dropped = try values.decodeIfPresent([String: [String]].self, forKey: .dropped) ?? [:]
    }
}
