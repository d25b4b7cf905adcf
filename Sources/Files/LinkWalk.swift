/// What a path came to when a directory is the root directory.
public enum WalkedPath: Equatable, Sendable {
    /// The path without links.
    case found(TreePath)
    /// There is nothing.
    case missing
    /// Something is in the way, in words: links in a circle, or what is no directory.
    case failed(String)

    /// What stands at a path.
    public enum Entry: Equatable, Sendable {
        /// A directory.
        case directory
        /// A symbolic link, with its target.
        case link(Bytes)
        /// Anything else.
        case other
    }

    /// Links that systemd follows (`CHASE_SYMLINKS_MAX`).
    private static let linkLimit = 32

    /// Follows every link as systemd does inside an image: absolute ones from the root, `..` stays in it.
    ///
    /// - Parameters:
    ///   - path: The path.
    ///   - look: What stands at a path without links; `nil` for nothing.
    public init(_ path: TreePath, look: (TreePath) throws -> Entry?) rethrows {
        var pending = Array(path.components.reversed())
        var current = TreePath.root
        var isDirectory = true
        var followed = 0
        while let component = pending.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                current = current.parent ?? .root
                isDirectory = true
                continue
            }
            guard isDirectory else {
                self = .failed("\(current) is no directory")
                return
            }
            let next = current.appending(component)
            guard let entry = try look(next) else {
                self = .missing
                return
            }
            guard case .link(let target) = entry else {
                current = next
                isDirectory = entry == .directory
                continue
            }
            followed += 1
            guard followed <= Self.linkLimit else {
                self = .failed("/\(path) goes through links in a circle")
                return
            }
            if target.first == UInt8(ascii: "/") { current = .root }
            pending += target.split(separator: UInt8(ascii: "/")).map(Array.init).reversed()
        }
        self = .found(current)
    }
}
