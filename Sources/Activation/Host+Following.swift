private import Files
private import Glibc

extension Host {
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
