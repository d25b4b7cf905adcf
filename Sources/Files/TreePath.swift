private import Glibc

/// A path inside an image: components joined by `/`, without a leading one; empty for the root.
///
/// A value that exists is valid: no empty component, none that is `.` or `..`, no NUL or other
/// control character, no component over 255 bytes, at most 4,095 bytes in all.
public struct TreePath: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The path's bytes.
    public let bytes: Bytes

    /// The root of the tree.
    public static let root = TreePath(unchecked: [])

    /// Bytes a component may have (NAME_MAX).
    public static let longestComponent = 255

    /// Bytes a path may have (PATH_MAX without its NUL).
    public static let longestPath = 4095

    /// Creates a path from what an archive or directory names.
    ///
    /// A leading `./` and a trailing `/` are taken off, `//` counts as `/`.
    ///
    /// - Throws: ``PathError`` for an absolute path, `..`, control characters and excess length.
    public init(parsing name: some Collection<UInt8>) throws(PathError) {
        try self.init(parsing: Array(name))
    }

    /// Creates a path from what an archive or directory names.
    ///
    /// The same as for any collection, but without generic code: archives have many names, and a launcher little time.
    ///
    /// - Throws: ``PathError`` for an absolute path, `..`, control characters and excess length.
    public init(parsing name: Bytes) throws(PathError) {
        if Self.isCanonical(name) {
            bytes = name
            return
        }
        guard name.first != UInt8(ascii: "/") else { throw .absolute(name.displayed) }
        var bytes: Bytes = []
        bytes.reserveCapacity(name.count)
        var start = 0
        while start < name.count {
            let end = name[start...].firstIndex(of: UInt8(ascii: "/")) ?? name.count
            let component = name[start..<end]
            start = end + 1
            if component.isEmpty || component.count == 1 && component.first == UInt8(ascii: ".") { continue }
            try Self.check(component, in: name)
            if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
            bytes.append(contentsOf: component)
        }
        guard bytes.count <= Self.longestPath else {
            throw .tooLong(name.prefix(64).displayed + "…", limit: Self.longestPath)
        }
        self.bytes = bytes
    }

    private init(unchecked bytes: Bytes) {
        self.bytes = bytes
    }

    /// Creates a path from the bytes of one.
    init(copying bytes: UnsafeRawBufferPointer) {
        self.bytes = Bytes(bytes)
    }

    /// Whether a name is a path as it stands, which nearly every one is; the root is not among them.
    private static func isCanonical(_ name: Bytes) -> Bool {
        guard !name.isEmpty, name.count <= longestPath else { return false }
        return name.withUnsafeBufferPointer { bytes in
            var start = 0
            for index in 0...bytes.count {
                guard index == bytes.count || bytes[index] == UInt8(ascii: "/") else {
                    guard bytes[index] >= 0x20, bytes[index] != 0x7f else { return false }
                    continue
                }
                let length = index - start
                guard length > 0, length <= longestComponent else { return false }
                // "." and "..".
                let isDots = length <= 2 && bytes[start..<index].allSatisfy { $0 == UInt8(ascii: ".") }
                if isDots { return false }
                start = index + 1
            }
            return true
        }
    }

    private static func check(_ component: ArraySlice<UInt8>, in name: Bytes) throws(PathError) {
        let dot = UInt8(ascii: ".")
        if component.count == 2, component.first == dot, component.last == dot {
            throw .climbs(name.displayed)
        }
        guard component.count <= longestComponent else {
            throw .tooLong(component.prefix(64).displayed + "…", limit: longestComponent)
        }
        guard component.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw .controlCharacter(name.displayed)
        }
    }

    /// The path one component deeper.
    public func appending(_ component: some Collection<UInt8>) -> TreePath {
        TreePath(unchecked: bytes.isEmpty ? Array(component) : bytes + [UInt8(ascii: "/")] + component)
    }

    /// This path below `other`.
    public func appending(path other: TreePath) -> TreePath {
        if other.bytes.isEmpty { return self }
        return bytes.isEmpty ? other : TreePath(unchecked: bytes + [UInt8(ascii: "/")] + other.bytes)
    }

    /// The path without its last component; `nil` for the root.
    public var parent: TreePath? {
        guard !bytes.isEmpty else { return nil }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return .root }
        return TreePath(unchecked: Array(bytes[..<slash]))
    }

    /// The last component; empty for the root.
    public var name: Bytes {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return bytes }
        return Array(bytes[(slash + 1)...])
    }

    /// The components, outermost first.
    public var components: [Bytes] {
        bytes.split(separator: UInt8(ascii: "/")).map(Array.init)
    }

    /// Whether this path is `ancestor` or lies below it.
    public func isWithin(_ ancestor: TreePath) -> Bool {
        ancestor.bytes.isEmpty || bytes.count == ancestor.bytes.count && bytes == ancestor.bytes
            || bytes.count > ancestor.bytes.count && bytes[ancestor.bytes.count] == UInt8(ascii: "/")
                && bytes.starts(with: ancestor.bytes)
    }

    /// Whether this path is a name in the directory `parent`.
    public func isChild(of parent: TreePath) -> Bool {
        bytes.withUnsafeBytes { bytes in parent.bytes.withUnsafeBytes { Self.isChild(bytes, of: $0) } }
    }

    /// Whether a path of the first bytes is a name in the directory of the second.
    static func isChild(_ bytes: UnsafeRawBufferPointer, of parent: UnsafeRawBufferPointer) -> Bool {
        let length = parent.count
        // Where the name begins.
        let nameStart = length == 0 ? 0 : length + 1
        guard bytes.count > nameStart, let start = bytes.baseAddress else { return false }
        if let parentStart = parent.baseAddress, length > 0 {
            guard bytes[length] == UInt8(ascii: "/"), memcmp(start, parentStart, length) == 0 else {
                return false
            }
        }
        return memchr(start + nameStart, Int32(UInt8(ascii: "/")), bytes.count - nameStart) == nil
    }

    /// The path as people read it.
    public var description: String { bytes.isEmpty ? "." : bytes.displayed }

    /// All bytes at once: byte by byte, as an array hashes, costs an import a twentieth of its time.
    public func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// Bytewise order, the order of the canonical listing.
    public static func < (left: TreePath, right: TreePath) -> Bool {
        left.bytes.withUnsafeBytes { leftBytes in
            right.bytes.withUnsafeBytes { rightBytes in comesFirst(leftBytes, rightBytes) }
        }
    }

    /// Whether a path of the first bytes comes before one of the second.
    static func comesFirst(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let common = min(left.count, right.count)
        guard common > 0, let leftStart = left.baseAddress, let rightStart = right.baseAddress else {
            return left.count < right.count
        }
        // memcmp rather than lexicographicallyPrecedes: sorting the listing is a hot path.
        let order = memcmp(leftStart, rightStart, common)
        return order == 0 ? left.count < right.count : order < 0
    }
}

extension TreePath: ExpressibleByStringLiteral {
    /// Creates a path known when the program was written.
    public init(stringLiteral text: StaticString) {
        self.init(unchecked: text.withUTF8Buffer { Array($0) })
    }
}

/// Why bytes are not a path inside an image.
public enum PathError: Error, Equatable, CustomStringConvertible {
    /// It begins with `/`.
    case absolute(String)

    /// It has a `..` component.
    case climbs(String)

    /// It has a NUL, a newline or another control character.
    case controlCharacter(String)

    /// It, or a component of it, is longer than file systems allow.
    case tooLong(String, limit: Int)

    /// What is wrong with the path, and what to do.
    public var description: String {
        switch self {
        case .absolute(let path):
            """
            '\(path)' is an absolute path, which would leave the image's tree
            hint: make the archive with relative paths (tar without -P)
            """
        case .climbs(let path):
            """
            '\(path)' leaves the image's tree by '..'
            hint: the image is broken or hostile; do not use it
            """
        case .controlCharacter(let path):
            """
            '\(path)' has a control character in its name
            hint: the image is broken or hostile; rename the file where the image is made
            """
        case .tooLong(let path, let limit):
            """
            '\(path)' is longer than \(limit) bytes
            hint: no file system here can hold it; shorten it where the image is made
            """
        }
    }
}
