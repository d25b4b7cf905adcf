internal import Distributions
internal import Files
internal import Images
internal import StoreLayout

/// Names and summaries of a distribution's packages, searched as bytes: no pool is filled for it.
///
/// The best version of each name has a line, sorted by name, with its name, version and summary, tabs between them; where
/// that is something else, name and summary follow once more in lower case, so that one pass over the bytes finds all.
struct NameList {
    /// A package that was found.
    struct Hit {
        let rank: SearchRank
        let name: String
        /// As store paths have it; `nil` for one that is none.
        let version: String?
        let summary: String?
    }

    /// The version of the form, which is its first line.
    static let heading = "sxs-names 1\n"

    private enum Storage {
        case file(MappedFile)
        case bytes(Bytes)
    }

    private let storage: Storage
    private static let (tab, newline) = (UInt8(ascii: "\t"), UInt8(ascii: "\n"))

    /// Takes a file that was written as ``text(of:)`` says; `nil` for one that is not whole.
    init?(_ file: MappedFile, size: Int) {
        guard file.bytes.count == size, file.bytes.starts(with: Self.heading.utf8),
            file.bytes.last == Self.newline
        else { return nil }
        storage = .file(file)
    }

    /// Takes a list that is not kept.
    init(_ text: Bytes) { storage = .bytes(text) }

    /// The list of some packages.
    static func text(of packages: [AvailablePackage]) -> Bytes {
        var text = Bytes(heading.utf8)
        text.reserveCapacity(packages.count * 160)
        for package in packages {
            let version = ImageNaming.packageVersion(package.version).flatMap { try? PackageVersion($0) }?
                .text
            let (name, summary) = (plain(package.name), plain(package.summary ?? ""))
            let folded = (plain(package.name.lowercased()), plain((package.summary ?? "").lowercased()))
            text += name
            text.append(tab)
            text += (version ?? "").utf8
            text.append(tab)
            text += summary
            if folded != (name, summary) { text += [tab] + folded.0 + [tab] + folded.1 }
            text.append(newline)
        }
        return text
    }

    /// A text without what separates fields and lines.
    private static func plain(_ text: String) -> Bytes {
        text.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }
    }

    /// Packages that have all words in their name or summary, sorted by name.
    ///
    /// - Parameter words: In lower case.
    func search(_ words: [String]) -> [Hit] {
        switch storage {
        case .file(let file): withExtendedLifetime(file) { Self.search(words, in: file.bytes) }
        case .bytes(let bytes): bytes.withUnsafeBytes { Self.search(words, in: $0) }
        }
    }

    /// Tells each name.
    func forEachName(_ body: (UnsafeRawBufferPointer) -> Void) {
        switch storage {
        case .file(let file): withExtendedLifetime(file) { Self.forEachName(in: file.bytes, body) }
        case .bytes(let bytes): bytes.withUnsafeBytes { Self.forEachName(in: $0, body) }
        }
    }

    private static func forEachName(
        in text: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        var rest = text.dropFirst(heading.utf8.count)
        while let tab = rest.firstIndex(of: tab) {
            body(UnsafeRawBufferPointer(rebasing: rest[..<tab]))
            rest = rest[(rest[tab...].firstIndex(of: newline) ?? rest.endIndex)...].dropFirst()
        }
    }

    /// The fields of a line.
    private struct Line {
        let name, version, summary: UnsafeRawBufferPointer
        /// Name and summary in lower case.
        let folded: (name: UnsafeRawBufferPointer, summary: UnsafeRawBufferPointer)

        init(_ line: Slice<UnsafeRawBufferPointer>) {
            var rest = line
            func field() -> UnsafeRawBufferPointer {
                let end = rest.firstIndex(of: NameList.tab) ?? rest.endIndex
                defer { rest = rest[end...].dropFirst() }
                return UnsafeRawBufferPointer(rebasing: rest[..<end])
            }
            (name, version, summary) = (field(), field(), field())
            folded = rest.isEmpty ? (name, summary) : (field(), field())
        }
    }

    private static func search(_ words: [String], in text: UnsafeRawBufferPointer) -> [Hit] {
        let words = words.map { Bytes($0.utf8) }
        // The longest is on the fewest lines.
        let needle = words.max { $0.count < $1.count } ?? []
        var hits: [Hit] = []
        var start = heading.utf8.count
        while start < text.count {
            let rest = UnsafeRawBufferPointer(rebasing: text[start...])
            guard let found = needle.isEmpty ? 0 : rest.firstOffset(of: needle) else { break }
            let before = found == 0 ? nil : rest[..<found].lastIndex(of: newline)
            let first = before.map { $0 + 1 } ?? 0
            let end = rest[found...].firstIndex(of: newline) ?? rest.count
            start += end + 1
            let line = Line(rest[first..<end])
            guard let rank = SearchRank(of: words, name: line.folded.name, summary: line.folded.summary)
            else {
                continue
            }
            hits.append(
                Hit(
                    rank: rank, name: String(decoding: line.name, as: UTF8.self),
                    version: line.version.isEmpty ? nil : String(decoding: line.version, as: UTF8.self),
                    summary: line.summary.isEmpty ? nil : String(decoding: line.summary, as: UTF8.self)))
        }
        return hits
    }
}
