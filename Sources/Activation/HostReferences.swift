private import Files
private import Glibc
private import StoreLayout

/// Store paths that a system's configuration names, and those of its other deployments and snapshots: what these would
/// start when they are booted.
///
/// The store itself is in `/var`, which they share.
public struct HostReferences: Sendable {
    /// By base name: the files that name it, as this program reaches them, the first few.
    public private(set) var files: [String: [String]] = [:]

    /// Files that are kept of each store path.
    private static let namedLimit = 8
    /// Bytes of a file that are looked at: no configuration that people write is longer.
    private static let textLimit = 256 << 10
    /// Directories below a configuration at most.
    private static let depthLimit = 24

    /// Reads the configuration of a host.
    public init(_ host: Host) throws {
        for path in try Self.configurations(of: host) {
            guard let directory = try host.directory(path) else { continue }
            try walk(directory, depth: 0)
        }
    }

    /// The directories of configuration: the running system's, other deployments' (ostree), snapshots' (snapper).
    private static func configurations(of host: Host) throws -> [String] {
        var result = [HostLayout.configuration]
        for pattern in HostLayout.otherConfigurations {
            var found = [""]
            for part in pattern {
                found = try found.flatMap { place -> [String] in
                    guard part == HostLayout.any else { return [place + "/" + part] }
                    return (try host.directory(place)?.list() ?? []).map { place + "/" + $0.text }
                }
            }
            result += found
        }
        return result
    }

    private mutating func walk(_ directory: Descriptor, depth: Int) throws {
        for entry in try directory.list() {
            guard let status = try directory.status(of: entry.name) else { continue }
            let path = directory.path(of: entry.name.displayed)
            switch status.st_mode & S_IFMT {
            case S_IFDIR where depth < Self.depthLimit:
                try walk(
                    directory.open(beneath: entry.name, flags: O_RDONLY | O_DIRECTORY), depth: depth + 1)
            case S_IFLNK:
                // A name that is no text is none that sxs or an administrator gave.
                if let target = (try? directory.readSymlink(entry.text)) ?? nil { enter(target, path) }
            case S_IFREG where status.st_size <= Self.textLimit:
                enter(try directory.open(beneath: entry.name).readAll(limit: Self.textLimit * 2), path)
            default: continue
            }
        }
    }

    private mutating func enter(_ text: Bytes, _ path: String) {
        for baseName in Set(StorePathMention.baseNames(in: text)) {
            if files[baseName, default: []].count < Self.namedLimit {
                files[baseName, default: []].append(path)
            }
        }
    }
}
