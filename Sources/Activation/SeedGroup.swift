internal import Files
private import Glibc

/// Seeds to be shown in one directory of the host: the deepest that is there.
struct SeedGroup {
    /// The directory, such as `/etc/ssl`.
    let directory: String

    /// The seeds and their paths relative to the directory, a directory before what is in it.
    private(set) var seeds: [(path: TreePath, source: Bytes)]

    /// Sorts seeds into groups, outer directories first.
    static func groups(of seeds: [Seed]) -> [SeedGroup] {
        var groups: [String: SeedGroup] = [:]
        for seed in seeds.sorted(by: { $0.path < $1.path }) {
            guard let (directory, rest) = split(seed.path) else { continue }
            var group = groups[directory] ?? SeedGroup(directory: directory, seeds: [])
            // What lies in a directory that is shown whole is shown with it.
            guard !group.seeds.contains(where: { rest.isWithin($0.path) }) else { continue }
            group.seeds.append((rest, seed.source))
            groups[directory] = group
        }
        return groups.values.sorted { $0.directory.utf8.lexicographicallyPrecedes($1.directory.utf8) }
    }

    /// The deepest directory that is there, and what is missing in it; `nil` if something else is in the way.
    private static func split(_ path: TreePath) -> (directory: String, rest: TreePath)? {
        var directory = ""
        let components = path.components
        for (index, component) in components.enumerated() {
            let next = directory + "/" + String(decoding: component, as: UTF8.self)
            var status = stat()
            if stat(next, &status) == 0 {
                guard status.st_mode & S_IFMT == S_IFDIR else { return nil }
                directory = next
                continue
            }
            // A link that leads nowhere is the host's own; and on / nothing can be shown.
            guard index > 0, lstat(next, &status) != 0, errno == ENOENT else { return nil }
            return (directory, components[index...].reduce(.root) { $0.appending($1) })
        }
        return nil
    }

    /// Mounts the directory with links to the seeds.
    func show(_ method: StoreView.Method) throws {
        try DirectoryCover(path: directory, precedence: .host).mount(method) { layer in
            for seed in seeds {
                var place = layer
                for component in seed.path.components.dropLast() {
                    let name = String(decoding: component, as: UTF8.self)
                    try place.makeDirectory(name)
                    place = try place.directory(beneath: name)
                }
                try place.makeSymlink(String(decoding: seed.path.name, as: UTF8.self), target: seed.source)
            }
        }
    }
}
