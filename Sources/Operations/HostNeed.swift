internal import Files
internal import Glibc
internal import StoreLayout

/// Why an extension has to be in `/usr` itself.
public struct HostNeed: Encodable, Sendable, Equatable {
    /// A path of the extension, the first of those that the reason holds for; empty where it holds for all of it.
    public let path: String
    /// How many paths it holds for.
    public let count: Int
    /// Who looks for them there.
    public let reason: String

    /// A sentence for people.
    public var text: String {
        guard count > 0 else { return reason }
        return "\(path)\(count > 1 ? " and \(count - 1) more" : ""): \(reason)"
    }
}

/// Finds what of an extension a store path cannot serve: the table of `HostPart`, and what only files can tell.
struct HostNeedFinder {
    let image: ImageOutline
    /// The host's `/usr` without merged extensions; `nil` where it cannot be seen.
    let usr: Descriptor?

    /// Where commands are that a profile can show.
    private static let commands: [TreePath] = [
        "usr/bin", "usr/sbin", "usr/games", "usr/local/bin", "usr/local/sbin",
    ]

    /// All needs, one for each reason.
    func needs() throws -> [HostNeed] {
        var found: [(reason: String, paths: [TreePath])] = []
        func add(_ paths: [TreePath], _ reason: String) {
            guard !paths.isEmpty else { return }
            if let index = found.firstIndex(where: { $0.reason == reason }) {
                found[index].paths += paths
            } else {
                found.append((reason, paths))
            }
        }
        let hasOwnLibrary = hasLoader
        for path in image.tree.sortedPaths where image.tree[path]?.kind != .directory {
            if let part = HostPart.part(at: path, hasOwnLibrary: hasOwnLibrary) { add([path], part.reason) }
        }
        add(
            image.privileged.sorted(),
            "it runs with more rights than its user has, and files of the store have no set-id bits or capabilities"
        )
        add(image.special.sorted(), "it is a device, pipe or socket, and the store has none")
        add(try replacedUnits(), "it takes the place of the host's unit")
        if !hasOwnLibrary {
            add(
                freeLibraries(), "no program of the extension needs this library: it is for those of the host"
            )
        }
        var needs = found.map { HostNeed(path: "\($0.paths[0])", count: $0.paths.count, reason: $0.reason) }
        if needs.isEmpty, !hasCommands {
            needs.append(
                HostNeed(
                    path: "", count: 0, reason: "it has no command: what it brings is looked for in /usr"))
        }
        return needs
    }

    private var hasCommands: Bool {
        Self.commands.contains { directory in
            image.tree.names(in: directory).contains { name in
                let path = directory.appending(name)
                guard let place = image.tree.resolve(path.bytes), let node = image.tree[place],
                    case .file = node.kind
                else { return false }
                return node.mode & 0o111 != 0
            }
        }
    }

    /// Whether it brings a loader, and with it a C library: its libraries and modules are then for its own programs.
    private var hasLoader: Bool {
        image.tree.nodes.contains { path, node in
            guard case .file = node.kind, path.name.hasPrefix("ld-"), LibraryName(path.name) != nil else {
                return false
            }
            return image.content(of: path)?.linkage?.soname?.hasPrefix("ld-") == true
        }
    }

    /// Units that the host has, too, with other contents.
    private func replacedUnits() throws -> [TreePath] {
        guard let usr else { return [] }
        return try HostPart.units.flatMap { directory in
            try image.tree.names(in: directory).map { directory.appending($0) }.filter { path in
                guard case .file = image.tree[path]?.kind, let content = image.content(of: path) else {
                    return false
                }
                let inside = Bytes(path.bytes.dropFirst(ExtensionLayout.hierarchy.bytes.count + 1))
                guard let status = try usr.status(of: inside) else { return false }
                guard status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == content.size else {
                    return true
                }
                return try Digest(hashing: usr.open(beneath: inside).readAll()) != content.digest
            }
        }
    }

    /// Libraries where the host's loader looks, that no file of the extension needs.
    private func freeLibraries() -> [TreePath] {
        var libraries: [TreePath: ImageOutline.Linkage] = [:]
        var needed: [String] = []
        for (path, node) in image.tree.nodes {
            guard case .file = node.kind, let linkage = image.content(of: path)?.linkage else { continue }
            if linkage.soname != nil, let parent = path.parent,
                HostPart.libraryDirectories.contains(where: { $0.matches(parent) })
            {
                libraries[path] = linkage
            } else {
                needed += linkage.needed
            }
        }
        // What is needed may need others.
        var seen = Set(needed)
        while let name = needed.popLast() {
            for (path, linkage) in libraries
            where linkage.soname == name || path.name.elementsEqual(name.utf8) {
                needed += linkage.needed.filter { seen.insert($0).inserted }
            }
        }
        return libraries.filter { path, linkage in
            let names = [linkage.soname, String(decoding: path.name, as: UTF8.self)].compactMap { $0 }
            return !names.contains(where: seen.contains)
        }.keys.sorted()
    }
}
