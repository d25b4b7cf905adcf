public import Files
internal import StoreLayout

/// A file of a listing.
public struct ListedFile: Sendable, Hashable {
    /// Its name, without a slash.
    public let name: String
    /// What it has.
    public let digest: Digest

    /// Names a file.
    public init(name: String, digest: Digest) {
        self.name = name
        self.digest = digest
    }
}

/// The files that a `SHA256SUMS` names.
///
/// Lines are those of sha256sum(1), in text or binary mode or with `--tag`. Blank lines and comments (`#`) are passed over.
struct ChecksumList {
    /// Bytes that a listing may have.
    static let longest = 16 << 20
    /// Files that it may name.
    static let mostFiles = 100_000
    /// Bytes that a name may have.
    private static let longestName = 255
    /// Digits of a digest, and the two characters before the name.
    private static let digits = 64

    /// The files, in the order of the listing.
    let files: [ListedFile]
    /// The day until whose end the listing is good, as `YYYY-MM-DD`; `nil` for ever.
    let bestBefore: String?

    /// Reads a listing.
    ///
    /// - Parameter url: What errors call it.
    init(parsing bytes: Bytes, url: String) throws(RemoteError) {
        var files: [ListedFile] = []
        var known: [String: Digest] = [:]
        var bestBefore: String?
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let line = line.last == 0x0d ? line.dropLast() : line
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) || line.first == UInt8(ascii: "#") { continue }
            let problem = { (reason: String) in
                RemoteError.badListing(url: url, line: index + 1, reason: reason)
            }
            guard let text = String(validating: line, as: UTF8.self) else {
                throw problem("is no UTF-8 text")
            }
            guard let (digits, rest) = Self.split(text), let digest = Digest(hex: digits.lowercased()) else {
                throw problem("has no SHA-256 digest and a name after it")
            }
            let name = rest.hasPrefix("./") ? String(rest.dropFirst(2)) : rest
            guard !name.contains("/") else { throw problem("has a '/' in a name") }
            guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= Self.longestName,
                name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }), !line.starts(with: "\\".utf8)
            else { throw problem("has a name that no file can have") }
            if let other = known[name] {
                guard other == digest else {
                    throw problem("has another digest for '\(name)' than an earlier line")
                }
                continue
            }
            if name.hasPrefix(RemoteLayout.bestBefore) {
                let date = String(name.dropFirst(RemoteLayout.bestBefore.count))
                guard Self.isDate(date) else { throw problem("has no date of the form YYYY-MM-DD") }
                bestBefore = [bestBefore, date].compactMap { $0 }.min()
                continue
            }
            known[name] = digest
            files.append(ListedFile(name: name, digest: digest))
            guard files.count <= Self.mostFiles else {
                throw problem("is past the limit of \(Self.mostFiles) files")
            }
        }
        self.files = files
        self.bestBefore = bestBefore
    }

    /// The digest's digits and the name of a line.
    private static func split(_ line: String) -> (String, String)? {
        // SHA256 (name) = digits
        if line.hasPrefix("SHA256 ("), line.utf8.count > digits + 12, line.dropLast(digits).hasSuffix(") = ")
        {
            return (String(line.suffix(digits)), String(line.dropFirst(8).dropLast(digits + 4)))
        }
        guard line.utf8.count > digits + 1 else { return nil }
        let rest = line.dropFirst(digits)
        guard rest.first == " " || rest.first == "\t" else { return nil }
        // Two spaces, or a space and the mark of binary mode.
        let name = rest.dropFirst(rest.dropFirst().first.map { $0 == " " || $0 == "*" } == true ? 2 : 1)
        return (String(line.prefix(digits)), String(name))
    }

    private static func isDate(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [4, 2, 2]
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2d }
            && (1...12).contains(Int(parts[1]) ?? 0) && (1...31).contains(Int(parts[2]) ?? 0)
    }
}
