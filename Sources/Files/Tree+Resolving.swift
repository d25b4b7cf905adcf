extension Tree {
    /// Links that may be followed in one resolution (as in the kernel).
    private static let linkLimit = 40

    /// What a path leads to when the tree is the root directory, following every link as chroot(2) would.
    ///
    /// - Parameters:
    ///   - path: A path, absolute or relative to the tree's root; `..` at the root stays there.
    ///   - followsLast: Whether a link in the last component is followed.
    /// - Returns: The path without links; `nil` where something is missing, or links go round in a circle.
    public func resolve(_ path: some Collection<UInt8>, followsLast: Bool = true) -> TreePath? {
        resolve(path, from: .root, followsLast: followsLast)
    }

    /// What `path` leads to, seen from the directory `start`.
    public func resolve(
        _ path: some Collection<UInt8>, from start: TreePath, followsLast: Bool = true
    ) -> TreePath? {
        let path = Array(path)
        var pending = Array(path.split(separator: UInt8(ascii: "/")).map(Array.init).reversed())
        var current = path.first == UInt8(ascii: "/") ? TreePath.root : start
        var followed = 0
        while let component = pending.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                current = current.parent ?? .root
                continue
            }
            let next = current.appending(component)
            guard let node = self[next] else { return nil }
            guard case .symlink(let target) = node.kind, followsLast || !pending.isEmpty else {
                current = next
                continue
            }
            followed += 1
            guard followed <= Self.linkLimit else { return nil }
            if target.first == UInt8(ascii: "/") { current = .root }
            pending.append(contentsOf: target.split(separator: UInt8(ascii: "/")).map(Array.init).reversed())
        }
        return current
    }
}
