internal import Files

/// Paths of scripts that are whole only when the script runs: `'/usr/share/aclocal-' . $version`,
/// `"/usr/lib/#{arch}/gems"`.
extension Relocator {
    /// Names of a directory that are compared, and bytes of a substitution that are passed over: beyond any program's.
    private static let most = 4096

    /// Bytes after which a name goes on, if it is only begun.
    private static let joiners = Array("-._+".utf8)

    /// Whether what a script joins to a path it has begins, at least, like something in the image.
    ///
    /// A name that is cut off counts where it ends in a joiner and a name of the directory begins with it; one with a
    /// substitution where the names after it are in a directory that fits.
    func goesOn(_ site: PathSite, in bytes: UnsafeRawBufferPointer) -> Bool {
        let start = site.known.upperBound
        guard !site.isComplete, start < bytes.count, bytes[start] == UInt8(ascii: "/"),
            let place = paths.followed(site.node), paths.isDirectory(place)
        else { return false }
        var position = start + 1
        let head = literal(in: bytes, from: &position)
        guard let opened = openedSubstitution(bytes, at: position) else {
            guard let last = head.last, Self.joiners.contains(last), head.count > 2,
                position == bytes.count || PathBorders.ends(bytes[position])
            else { return false }
            return names(in: place).contains { $0.count > head.count && $0.starts(with: head) }
        }
        guard let closed = bytes[opened.start...].prefix(Self.most).firstIndex(of: opened.end) else {
            return false
        }
        position = closed + 1
        let tail = literal(in: bytes, from: &position)
        guard position < bytes.count, bytes[position] == UInt8(ascii: "/") else { return false }
        position += 1
        let next = literal(in: bytes, from: &position)
        guard next.count > 2 else { return false }
        return names(in: place).contains { name in
            name.count >= head.count + tail.count && name.starts(with: head)
                && name.suffix(tail.count) == tail[...]
                && tree[paths.path(place).appending(name).appending(next)] != nil
        }
    }

    /// The names in a directory; none where they are too many to compare.
    private func names(in place: ImagePaths.Node) -> [Bytes] {
        let names = tree.names(in: paths.path(place))
        return names.count <= Self.most ? names : []
    }

    /// The bytes of a name up to a `/`, a substitution or the path's end.
    private func literal(in bytes: UnsafeRawBufferPointer, from position: inout Int) -> Bytes {
        let start = position
        while position < bytes.count, position - start < Self.most, bytes[position] != UInt8(ascii: "/"),
            !PathBorders.ends(bytes[position]), openedSubstitution(bytes, at: position) == nil
        {
            position += 1
        }
        return Array(bytes[start..<position])
    }

    /// Where a substitution's own text begins and what ends it: `#{…}`, `${…}`, `$(…)`.
    private func openedSubstitution(
        _ bytes: UnsafeRawBufferPointer, at position: Int
    ) -> (start: Int, end: UInt8)? {
        guard position + 1 < bytes.count, "#$".utf8.contains(bytes[position]) else { return nil }
        switch bytes[position + 1] {
        case UInt8(ascii: "{"): return (position + 2, UInt8(ascii: "}"))
        case UInt8(ascii: "(") where bytes[position] == UInt8(ascii: "$"):
            return (position + 2, UInt8(ascii: ")"))
        default: return nil
        }
    }
}
