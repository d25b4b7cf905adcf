public import StoreLayout

/// Names and versions from what an image is called: a file, a tag, a label.
public struct ImageNaming: Equatable {
    /// The name, allowed in a store path.
    public var name: String?
    /// The version, allowed in a store path.
    public var version: String?
    /// The architecture that the file name ends in.
    public var architecture: Architecture?

    /// Suffixes of image files, compound ones before the parts of them.
    private static let suffixes: [String] = {
        let compressions = ["", ".gz", ".xz", ".zst", ".zstd", ".bz2", ".lz4", ".lz", ".lzma", ".Z"]
        let archives = [".oci.tar", ".oci-archive.tar", ".docker.tar", ".sysext.tar", ".tar"]
        let disks = [".sysext.raw", ".confext.raw", ".raw", ".img"]
        let compressed: [String] = (archives + disks).flatMap { file in compressions.map { file + $0 } }
        let others = [
            ".tgz", ".txz", ".tzst", ".tbz2", ".tbz", ".tlz", ".squashfs", ".sqfs", ".squash", ".oci",
            ".oci-archive", ".sysext",
        ]
        return (compressed + others).sorted { $0.count > $1.count }
    }()

    /// Architecture spellings at the end of a file name.
    private static let architectures = [
        "x86-64", "x86_64", "amd64", "x64", "arm64", "aarch64", "riscv64", "ppc64-le", "ppc64le", "ppc64el",
        "s390x", "loongarch64", "armhf", "i686", "i386", "x86", "noarch",
    ]

    /// Whether a file's name ends as those of images do.
    public static func isImage(fileName: String) -> Bool {
        suffixes.contains { fileName.hasSuffix($0) && fileName.utf8.count > $0.utf8.count }
    }

    /// Reads the name of an image file, such as `gdb-14.2-2.1.x86-64.raw`.
    public init(fileName: String) {
        var rest = fileName
        if let suffix = Self.suffixes.first(where: { rest.hasSuffix($0) && rest.utf8.count > $0.utf8.count })
        {
            rest.removeLast(suffix.count)
        }
        for spelling in Self.architectures where rest.hasSuffix(spelling) {
            let head = rest.dropLast(spelling.count)
            guard let separator = head.last, "-._".contains(separator), head.count > 1 else { continue }
            // "x64" is no spelling of the shared vocabulary; every other one is.
            architecture = try? Architecture(parsing: spelling == "x64" ? "x86-64" : spelling)
            rest = String(head.dropLast())
            break
        }
        // A name that is an architecture and nothing else is a name.
        guard !Self.architectures.contains(rest) else {
            name = Self.packageName(rest)
            return
        }
        let bytes = Array(rest.utf8)
        let cut = bytes.indices.dropFirst().first { index in
            guard bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "_") else { return false }
            // "v1.2" is a version, too.
            let digit = index + (bytes.dropFirst(index + 1).first == UInt8(ascii: "v") ? 2 : 1)
            return digit < bytes.count && (0x30...0x39).contains(bytes[digit])
        }
        if let cut {
            name = Self.packageName(String(decoding: bytes[..<cut], as: UTF8.self))
            version = Self.packageVersion(String(decoding: bytes[(cut + 1)...], as: UTF8.self))
        } else {
            name = Self.packageName(rest)
        }
    }

    /// Reads a tag or reference, such as `registry.example/repo/emacs:28.2`, or `28.2` alone.
    public init(reference: String) {
        var text = Substring(reference)
        if let at = text.firstIndex(of: "@") { text = text[..<at] }
        let last = text.split(separator: "/", omittingEmptySubsequences: false).last ?? text
        if let colon = last.firstIndex(of: ":") {
            name = Self.packageName(String(last[..<colon]))
            version = Self.tag(String(last[last.index(after: colon)...]))
            return
        }
        let digits = last.hasPrefix("v") ? last.dropFirst() : last
        if !text.contains("/"), digits.first.map({ ("0"..."9").contains($0) }) ?? false {
            version = Self.tag(String(last))
        } else if last != "latest" {
            name = Self.packageName(String(last))
        }
    }

    /// A version from a tag; a tag that moves is none.
    private static func tag(_ text: String) -> String? {
        text == "latest" ? nil : packageVersion(text)
    }

    /// A package name made of `text`: characters that are not allowed become `-`.
    public static func packageName(_ text: String) -> String? {
        let cleaned = clean(text, punctuation: "._+-", replacement: "-", longest: PackageName.longest)
        // What is left may be empty: then the image has no name.
        return (try? PackageName(cleaned))?.text
    }

    /// A version made of `text`: without an epoch, and characters that are not allowed become `.`.
    public static func packageVersion(_ text: String) -> String? {
        var text = text
        if let colon = text.firstIndex(of: ":"), text[..<colon].allSatisfy({ ("0"..."9").contains($0) }) {
            text = String(text[text.index(after: colon)...])
        }
        let cleaned = clean(text, punctuation: "._+~^-", replacement: ".", longest: PackageVersion.longest)
        return (try? PackageVersion(cleaned))?.text
    }

    private static func clean(
        _ text: String, punctuation: String, replacement: Character, longest: Int
    ) -> String {
        let isAlphanumeric = { (character: Character) in
            ("0"..."9").contains(character) || ("a"..."z").contains(character)
                || ("A"..."Z").contains(character)
        }
        let replaced = text.map { character in
            character.isASCII && (isAlphanumeric(character) || punctuation.contains(character))
                ? character : replacement
        }
        return String(
            String(replaced.drop { !isAlphanumeric($0) }.prefix(longest)).reversed()
                .drop { $0 == replacement }.reversed())
    }
}
