internal import Files
internal import StoreLayout

/// An absolute path found in a file, measured against the image.
struct PathSite {
    /// The paths' bytes as far as the image has them: the longest prefix that exists.
    let known: Range<Int>

    /// Where the path ends in the file.
    let end: Int

    /// Whether `known` reaches to the end of the path, with its last component whole.
    let isComplete: Bool

    /// The place that `known` names, its own link not followed.
    let node: ImagePaths.Node

    /// Ends of prefixes that exist, ascending, with the places they name.
    let prefixes: [(end: Int, node: ImagePaths.Node)]
}

/// The fewest bytes an alias has: `/usr/_/` and five characters, 30 bits.
let shortestAlias = 12

extension PathSite {
    /// Whether more is known of the path than a top directory, as every system has them.
    var saysEnough: Bool { prefixes.count >= 2 }

    /// What a path in a file comes to.
    enum Outcome {
        /// It is no path, or of nothing in the image.
        case nothing
        /// It means the host.
        case host
        /// It is a path of the image.
        case image(PathSite)
    }

    /// Measures the path that begins at `offset`.
    ///
    /// - Parameters:
    ///   - bytes: The file.
    ///   - offset: Where its `/` is.
    ///   - limit: Where the string that holds it ends; the file's end where nothing says so.
    ///   - paths: The image.
    static func measure(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, limit: Int, in paths: ImagePaths
    ) -> Outcome {
        // Long enough for any path; keeps hostile files linear.
        let limit = min(limit, offset + TreePath.longestPath, bytes.count)
        var prefixes: [(end: Int, node: ImagePaths.Node)] = []
        var directory = ImagePaths.root
        var start = offset + 1
        var end = start
        var isWhole = true
        var isKnown = true
        while true {
            while end < limit, bytes[end] != UInt8(ascii: "/"), !PathBorders.ends(bytes[end]),
                !PathBorders.substitutes(bytes[end])
            {
                end += 1
            }
            isWhole = end >= limit || !PathBorders.substitutes(bytes[end])
            guard end > start, isWhole, isKnown else { break }
            let name = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            if let child = paths.child(of: directory, named: name), let followed = paths.followed(child) {
                prefixes.append((end, child))
                directory = followed
            } else {
                isKnown = false
            }
            guard end < limit, bytes[end] == UInt8(ascii: "/") else { break }
            end += 1
            start = end
        }
        // A path may end in a slash; what it names is still whole.
        guard let last = prefixes.last else { return .nothing }
        let literal = UnsafeRawBufferPointer(rebasing: bytes[offset..<last.end])
        if PathRules.isHost(literal) { return .host }
        if !paths.kept.isEmpty {
            let whole = UnsafeRawBufferPointer(rebasing: bytes[offset..<max(end, last.end)])
            if paths.kept.contains(where: { PathRules.isWithin(whole, $0) }) { return .host }
        }
        return .image(
            PathSite(
                known: offset..<last.end, end: max(end, last.end),
                isComplete: isKnown && isWhole, node: last.node, prefixes: prefixes))
    }

    /// The prefix to put an alias for: the shortest of 13 bytes and more, else one of 12, ending at or before
    /// `latestEnd`.
    ///
    /// A short prefix serves many paths with one alias; 13 bytes leave 36 bits for its name.
    func aliasedPrefix(latestEnd: Int = .max, followedBySlashIn bytes: UnsafeRawBufferPointer? = nil)
        -> (end: Int, node: ImagePaths.Node)?
    {
        var fallback: (end: Int, node: ImagePaths.Node)?
        for prefix in prefixes where prefix.end <= latestEnd {
            if let bytes, prefix.end >= bytes.count || bytes[prefix.end] != UInt8(ascii: "/") { continue }
            let length = prefix.end - known.lowerBound
            if length > shortestAlias { return prefix }
            if length == shortestAlias { fallback = prefix }
        }
        return fallback
    }

    /// The prefix to put an alias for where another string begins at `inside`: the shortest whose alias can end in
    /// the same letters, so that the other string stays what it was.
    ///
    /// Of "/usr/share/locale" with a "locale" of its own at its end, only the first eleven bytes change.
    func prefixKeeping(_ inside: Int, in bytes: UnsafeRawBufferPointer)
        -> (end: Int, node: ImagePaths.Node)?
    {
        let free = inside - known.lowerBound - StoreLayout.aliasDirectory.utf8.count - 1
        guard free >= AliasNames.fewestFreeCharacters else { return nil }
        return prefixes.first { prefix in
            prefix.end > inside && bytes[inside..<prefix.end].allSatisfy(AliasNames.isDigit)
        }
    }
}
