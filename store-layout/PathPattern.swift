public import Files

/// A path in a tree in which `*` stands for any bytes but `/`.
///
/// Without a slash it is compared with a path's last component, else with the whole path.
public struct PathPattern: Hashable, Sendable, CustomStringConvertible {
    /// Bytes it may have.
    public static let longest = 512

    /// The pattern as it was written.
    public let text: String

    private let bytes: Bytes
    private let isName: Bool

    /// Creates a pattern; `nil` for an absolute path, one with `..`, and for one that is too long.
    public init?(_ text: String) {
        guard let path = try? TreePath(parsing: text.utf8), path.bytes.elementsEqual(text.utf8),
            !path.bytes.isEmpty, path.bytes.count <= Self.longest
        else { return nil }
        self.text = text
        bytes = path.bytes
        isName = !bytes.contains(UInt8(ascii: "/"))
    }

    /// Whether a path is meant.
    ///
    /// - Complexity: O(*n* · *m*) for the lengths of path and pattern.
    public func matches(_ path: TreePath) -> Bool {
        guard isName, let slash = path.bytes.lastIndex(of: UInt8(ascii: "/")) else {
            return Self.matches(path.bytes, bytes)
        }
        return Self.matches(Bytes(path.bytes[(slash + 1)...]), bytes)
    }

    private static func matches(_ subject: Bytes, _ bytes: Bytes) -> Bool {
        var at = 0
        var pattern = 0
        // Where to go on when what follows the last star does not fit: one byte further in its name.
        var retry: (pattern: Int, at: Int)?
        while at < subject.count {
            if pattern < bytes.count, bytes[pattern] == UInt8(ascii: "*") {
                pattern += 1
                retry = (pattern, at)
            } else if pattern < bytes.count, bytes[pattern] == subject[at] {
                pattern += 1
                at += 1
            } else if let last = retry, subject[last.at] != UInt8(ascii: "/") {
                retry = (last.pattern, last.at + 1)
                pattern = last.pattern
                at = last.at + 1
            } else {
                return false
            }
        }
        return bytes[pattern...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    /// What of a tree is meant, sorted; a path without a star also where a link leads to its directory.
    public func paths(in tree: Tree) -> [TreePath] {
        guard bytes.contains(UInt8(ascii: "*")) else {
            guard let path = try? TreePath(parsing: bytes), tree.resolve(bytes, followsLast: false) != nil
            else {
                return []
            }
            return [path]
        }
        // One at a time: an image may have very many.
        var found: [TreePath] = []
        for (path, _) in tree.nodes where matches(path) { found.append(path) }
        return found.sorted()
    }

    /// Whether a file or link is meant.
    ///
    /// Looks at names, or at the directories that the pattern names, and not at all paths.
    public func hasMatch(in files: TreeFiles) -> Bool {
        let star = UInt8(ascii: "*")
        if isName {
            return bytes.contains(star)
                ? files.names.contains { Self.matches($0, bytes) } : files.names.contains(bytes)
        }
        let tree = files.tree
        var places = [TreePath.root]
        for component in bytes.split(separator: UInt8(ascii: "/")).map(Bytes.init) {
            if component.contains(star) {
                places = places.flatMap { place in
                    tree.children(of: place).filter { Self.matches($0.name, component) }
                }
            } else {
                places = places.map { $0.appending(component) }.filter { tree[$0] != nil }
            }
        }
        return places.contains { tree[$0]?.kind != .directory }
    }

    /// The text for people.
    public var description: String { text }
}

/// A tree's files and links, for patterns: their names are gathered once, when a pattern is a name.
public final class TreeFiles {
    // A class, so that what is gathered stays.

    /// The tree.
    public let tree: Tree

    /// Names of all files and links.
    private(set) lazy var names = Tree.Names(of: tree)

    /// Creates it.
    public init(_ tree: Tree) { self.tree = tree }
}
