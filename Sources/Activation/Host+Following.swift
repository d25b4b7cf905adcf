private import Files
private import Glibc

extension Host {
    /// Whether names can be moved and linked between two directories: they are on one file system, in one mount.
    func canMove(between one: String, and other: String) throws -> Bool {
        guard let first = try directory(one), let second = try directory(other),
            try first.status().st_dev == second.status().st_dev
        else { return false }
        // Unknown without /proc.
        return Self.mount(of: first) == Self.mount(of: second)
    }

    /// The number of the mount that a directory is in; `nil` where that cannot be told.
    ///
    /// Source: proc_pid_fdinfo(5).
    private static func mount(of directory: Descriptor) -> String? {
        guard let text = try? Descriptor.file("/proc/self/fdinfo/\(directory.number)").readAll(limit: 1 << 16)
        else {
            return nil
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("mnt_id:") }
            .map(
                String.init)
    }

    /// What a path leads to, all links followed inside the host; `nil` where that is nothing.
    public func followed(_ inside: String) throws -> String? {
        guard let path = try? TreePath(parsing: inside.utf8.drop { $0 == UInt8(ascii: "/") }) else {
            return nil
        }
        let walked = try WalkedPath(path) { place in
            let path = "/" + String(decoding: place.bytes, as: UTF8.self)
            guard let status = try status(path) else { return nil }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: return .directory
            case S_IFLNK:
                guard let target = try link(path) else { return nil }
                return .link(Array(target.utf8))
            default: return .other
            }
        }
        guard case .found(let place) = walked else { return nil }
        return "/" + String(decoding: place.bytes, as: UTF8.self)
    }
}
