private import Files
private import Glibc
private import StoreLayout

/// Which directories appear as `/usr/store` and `/usr/_`.
public struct StoreView: Sendable {
    /// How directories of the host are shown with additions.
    public enum Method: String, Sendable, CaseIterable {
        /// An overlay, and where that is refused or would hide mounts, binds.
        case automatic
        /// A small layer and the directory in an overlay (overlayfs).
        case overlay
        /// A file system in memory with every old entry bind-mounted.
        case binds
    }

    /// The state roots, the user's own first.
    public let roots: [String]

    /// Creates a view.
    ///
    /// - Parameter roots: State roots, the user's own first, then the system's.
    public init(roots: [String]) {
        self.roots = roots
    }

    /// The view of a root, with the system's store where that is another one that exists.
    public init(root: String) {
        let isOther = FileIdentity(StoreLayout.systemRoot + "/" + StoreLayout.Name.store).map {
            $0 != FileIdentity(root + "/" + StoreLayout.Name.store)
        }
        roots = isOther == true ? [root, StoreLayout.systemRoot] : [root]
    }

    /// Whether `/usr/store` and `/usr/_` are the first root's own directories, or show them among others.
    ///
    /// Compared by device and inode, following links, and not by name.
    public func isVisible() -> Bool {
        guard let root = roots.first else { return true }
        return Self.hierarchies.allSatisfy { hierarchy in
            guard let own = FileIdentity(root + "/" + hierarchy.name) else { return false }
            if FileIdentity(hierarchy.path) == own { return true }
            var buffer = [CChar](repeating: 0, count: 1024)
            let length = readlink(hierarchy.path + "/" + StoreLayout.Name.shown, &buffer, buffer.count)
            guard length > 0 else { return false }
            let shown = buffer[..<length].map { UInt8(bitPattern: $0) }.split(separator: UInt8(ascii: " "))
            return shown.contains { $0.elementsEqual(own.description.utf8) }
        }
    }

    /// The seeds whose path the host does not have.
    public static func missing(_ seeds: [Seed]) -> [Seed] {
        seeds.filter { seed in
            ([UInt8(ascii: "/")] + seed.path.bytes).withCString { path in
                var status = stat()
                return lstat(path, &status) != 0 && errno == ENOENT
            }
        }
    }

    /// Gives this process, and what it executes, the view, without another process.
    ///
    /// The process must have one thread. Where privileges allow it, only the mounts become its own; otherwise it
    /// enters a user namespace too, in which it keeps its user and group but can no longer become another user
    /// (sudo) or use its other groups for changing ownership. Working directory, environment, umask and limits
    /// stay. A seed that the host lacks is shown by a link; what the host has always comes first. After an error
    /// the process may have a part of the view, and should end.
    ///
    /// A launcher's plain view is made by CLauncher's CView.c: what it mounts, and how, is changed there too.
    ///
    /// - Parameters:
    ///   - seeds: What to show below `/etc` and `/usr` where the host has nothing; all else there stays the host's. A
    ///     host without `/etc` is shown none there.
    ///   - method: How; other than automatic it is meant for tests.
    ///   - always: Whether the mounts become its own also where nothing has to be shown.
    public func enter(
        seeds: [Seed] = [], method: Method = .automatic, always: Bool = false
    ) throws(NamespaceError) {
        do {
            let missing = Self.missing(seeds)
            let isVisible = isVisible()
            if isVisible, missing.isEmpty, !always { return }
            let directories = isVisible ? [] : try sourceDirectories()
            let place = WorkingDirectory()
            try PrivateNamespace.enter()
            // Only now: what is opened before belongs to the host's namespace and cannot be mounted in this one.
            let fallback = try? Descriptor.place(".")
            let mask = umask(0)
            defer { umask(mask) }
            if !isVisible { try showStore(directories, method) }
            for group in SeedGroup.groups(of: missing) { try group.show(method) }
            try place.restore(fallback: fallback)
        } catch let error as NamespaceError {
            throw error
        } catch let error as SystemError {
            throw .failed(error)
        } catch {
            throw .failed(SystemError("show", StoreLayout.storeDirectory, code: EINVAL))
        }
    }
}

extension StoreView {
    /// A directory under `/usr`, and the name in a root of what it shows.
    private static let hierarchies = [
        (path: StoreLayout.storeDirectory, name: StoreLayout.Name.store),
        (path: StoreLayout.aliasDirectory, name: StoreLayout.Name.aliases),
    ]

    /// For each hierarchy, the directories to show, each once, what takes precedence first.
    private func sourceDirectories() throws -> [[String]] {
        var isUsr = stat()
        guard stat(StoreLayout.hostDirectory, &isUsr) == 0, isUsr.st_mode & S_IFMT == S_IFDIR else {
            throw NamespaceError.noUsr
        }
        let result = try Self.hierarchies.map { hierarchy in
            // Two or three, and no set, which takes the runtime 0.15 ms: see LaunchDescription.commands.
            var seen: [FileIdentity] = []
            var directories: [String] = []
            // What the host already shows there comes last: its programs go on running.
            for path in roots.map({ $0 + "/" + hierarchy.name }) + [hierarchy.path] {
                guard let identity = FileIdentity(path) else {
                    if directories.isEmpty { throw SystemError("find directory", path) }
                    continue
                }
                guard !seen.contains(identity) else { continue }
                seen.append(identity)
                directories.append(path)
            }
            return directories
        }
        for directories in result.dropFirst() { try Self.refuseClashes(directories) }
        return result
    }

    /// Throws if a name is a different link in two directories.
    private static func refuseClashes(_ directories: [String]) throws {
        guard directories.count > 1 else { return }
        let opened = try directories.map { try Descriptor.directory($0) }
        for (index, first) in opened.enumerated().dropLast() {
            let others = opened[(index + 1)...]
            for entry in try first.list() where entry.text != StoreLayout.Name.shown {
                let target = target(entry.name, in: first)
                for other in others {
                    guard let otherTarget = Self.target(entry.name, in: other), otherTarget != target else {
                        continue
                    }
                    throw NamespaceError.aliasClash(
                        alias: entry.name.displayed,
                        targets: [target?.displayed ?? "nothing", otherTarget.displayed],
                        directories: [first.path, other.path])
                }
            }
        }
    }

    /// The target of a link; for something else a text that is no target; `nil` where there is nothing.
    private static func target(_ name: Bytes, in directory: Descriptor) -> Bytes? {
        name.withCString { name in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
                let length = readlinkat(
                    directory.number, name, buffer.baseAddress.unsafelyUnwrapped, buffer.count)
                if length >= 0 { return buffer[..<length].map { UInt8(bitPattern: $0) } }
                return errno == ENOENT ? nil : Bytes("something that is no link".utf8)
            }
        }
    }

    /// Covers `/usr` and shows the directories there.
    private func showStore(_ directories: [[String]], _ method: Method) throws {
        // Opened before they can be covered: a root may lie below /usr.
        let unions = try directories.map { paths in
            DirectoryUnion(
                sources: try paths.map(Descriptor.place),
                identities: paths.compactMap { FileIdentity($0)?.description }.reduce("") {
                    $0.isEmpty ? $1 : $0 + " " + $1
                })
        }
        let cover = DirectoryCover(path: StoreLayout.hostDirectory, precedence: .additions)
        try cover.mount(method) { layer in
            for hierarchy in Self.hierarchies {
                try layer.makeDirectory(
                    String(hierarchy.path.dropFirst(StoreLayout.hostDirectory.utf8.count + 1)))
            }
        }
        for (union, hierarchy) in zip(unions, Self.hierarchies) {
            try union.mount(on: hierarchy.path, method)
        }
    }
}

/// Where a process is, to be found again by its name.
private struct WorkingDirectory {
    private let path: [CChar]?

    init() {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let isKnown =
            getcwd(&buffer, buffer.count) != nil && buffer[0] == CChar(bitPattern: UInt8(ascii: "/"))
        path = isKnown ? buffer : nil
    }

    /// Goes there by name, since the old directory may be covered; without a name, to the old directory.
    func restore(fallback: Descriptor?) throws {
        if let path, chdir(path) == 0 { return }
        guard let fallback else { throw SystemError("change back to", "the working directory") }
        try fallback.enter()
    }
}
