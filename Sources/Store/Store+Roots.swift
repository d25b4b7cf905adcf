internal import Files
internal import Glibc
internal import StoreLayout

/// What a look for roots came to.
public struct FoundRoots: Sendable {
    /// What keeps which store paths; base names that this store does not have may be among them.
    public var roots: RootsByStorePath = [:]
    /// Entries of `gcroots/` that keep nothing, and why.
    public var dangling: [DanglingRoot] = []
    /// What could not be looked at, for lack of permission.
    public var unseen: [String] = []

    /// Nothing found yet.
    public init() {}

    /// Adds a root of a store path.
    public mutating func add(_ root: CollectionRoot, of baseName: String) {
        roots[baseName, default: []].append(root)
    }

    /// Adds what another look found.
    public mutating func merge(_ other: FoundRoots) {
        roots.merge(other.roots) { $0 + $1 }
        dangling += other.dangling
        unseen += other.unseen
    }
}

/// An entry of `gcroots/` that keeps nothing.
public struct DanglingRoot: Sendable, Equatable {
    /// Its path, below `gcroots/`.
    public let path: String
    /// Why.
    public let reason: String
    /// Whether garbage collection removes it.
    public let isAutomatic: Bool
}

extension Store {
    /// The roots that are in the store's own files, without the generations that the index knows.
    func fileRoots() throws -> FoundRoots {
        var found = FoundRoots()
        if let leases = try leasedStorePaths() {
            for (baseName, lease) in leases {
                found.add(
                    CollectionRoot(
                        kind: .lease, chain: ["unfinished work (\(StoreLayout.Name.temporary)/\(lease))"]),
                    of: baseName)
            }
        } else {
            found.unseen.append(root.path(of: StoreLayout.Name.temporary))
        }
        for (profile, number, packages) in try generationsOutsideTheIndex() {
            for baseName in packages {
                found.add(generationRoot(number, of: profile, isActive: false), of: baseName)
            }
        }
        try lookAtLinks(TreePath.root, depth: 0, &found)
        try addHostRoots(to: &found)
        return found
    }

    /// Describes the root that a generation is.
    func generationRoot(_ number: Int, of profile: String, isActive: Bool) -> CollectionRoot {
        CollectionRoot(
            kind: .generation,
            chain: ["profile \(profile)", "generation \(number)" + (isActive ? " (active)" : "")])
    }

    /// The generations that keep a store path.
    func generationRoots(of baseName: String) throws -> [CollectionRoot] {
        let sql = """
            SELECT DISTINCT profile, number FROM generation_package WHERE base_name = ? ORDER BY profile, number DESC
            """
        let active = Dictionary(
            uniqueKeysWithValues: try profiles().map { ($0.text, try currentNumber(of: $0)) })
        return try database.query(sql, [.text(baseName)]) { ($0.text(0), $0.integer(1)) }.map {
            profile, number in
            generationRoot(number, of: profile, isActive: active[profile] == number)
        }
    }

    /// Generations that a crash kept out of the index, with their packages.
    private func generationsOutsideTheIndex() throws -> [(profile: String, number: Int, packages: [String])] {
        var result: [(String, Int, [String])] = []
        let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
        for entry in try profiles.list() {
            guard let profile = try? ProfileName(entry.text) else { continue }
            let sql = "SELECT number FROM generation WHERE profile = ?"
            let known = Set(try database.query(sql, [.text(profile.text)]) { $0.integer(0) })
            let directory = try profiles.directory(beneath: profile.text)
            for entry in try directory.list() {
                guard let number = Self.generationNumber(entry.text), !known.contains(number) else {
                    continue
                }
                let packages = try GenerationListing.read(in: directory.directory(beneath: entry.text))
                result.append((profile.text, number, packages.map(\.baseName)))
            }
        }
        return result
    }

    // MARK: - gcroots

    /// Directories in `gcroots/`, and links after links, at most.
    private static let depthLimit = 16
    /// Bytes of a text that names store paths, at most.
    private static let textLimit = 16 << 20

    private func lookAtLinks(_ place: TreePath, depth: Int, _ found: inout FoundRoots) throws {
        let top = try root.directory(beneath: StoreLayout.Name.collectionRoots)
        let directory =
            place.bytes.isEmpty ? top : try top.open(beneath: place.bytes, flags: O_RDONLY | O_DIRECTORY)
        for entry in try directory.list() {
            let path = place.appending(entry.name)
            // What hosts say is looked at by itself.
            guard path != Self.hostReports, let status = try directory.status(of: entry.name) else {
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                if depth < Self.depthLimit {
                    try looking(at: path, &found) { try lookAtLinks(path, depth: depth + 1, &$0) }
                }
                continue
            }
            var chain = ["\(StoreLayout.Name.collectionRoots)/\(path)"]
            let names: [String]
            if status.st_mode & S_IFMT == S_IFLNK {
                names = storePaths(atEndOf: directory.path + "/" + entry.text, &chain)
            } else if status.st_mode & S_IFMT == S_IFREG {
                var text: Bytes?
                try looking(at: path, &found) { _ in text = try Self.text(entry.name, in: directory) }
                guard let text else { continue }
                if let layer = Layer(text) {
                    chain.append("the store at \(layer.root)")
                    if layer.isGone(since: status.st_mtim.tv_sec), path.isWithin(Self.automaticRoots) {
                        found.dangling.append(
                            DanglingRoot(
                                path: "\(path)",
                                reason: "the store at \(layer.root), which it is of, is not there",
                                isAutomatic: true))
                        continue
                    }
                }
                names = StorePathMention.baseNames(in: text)
            } else {
                names = []
            }
            for baseName in names { found.add(CollectionRoot(kind: .link, chain: chain), of: baseName) }
            if names.isEmpty {
                let isGone = access(directory.path + "/" + entry.text, F_OK) != 0 && errno == ENOENT
                let what = isGone ? "is not there" : "names no store path"
                found.dangling.append(
                    DanglingRoot(
                        path: "\(path)",
                        reason: chain.count > 1
                            ? "it leads to \(chain[chain.count - 1]), which \(what)" : "it \(what)",
                        isAutomatic: isGone && path.isWithin(Self.automaticRoots)))
            }
        }
    }

    /// Looks at what may be another user's; what that one does not let be seen is said.
    private func looking(
        at path: TreePath, _ found: inout FoundRoots, _ body: (inout FoundRoots) throws -> Void
    ) throws {
        do {
            try body(&found)
        } catch let error as SystemError where [EACCES, EPERM, EFBIG, ENXIO].contains(error.code) {
            found.unseen.append("\(StoreLayout.Name.collectionRoots)/\(path)")
        } catch let error as SystemError where [ENOENT, ELOOP, ENOTDIR].contains(error.code) {
            // It has gone, or become something else, this moment.
        }
    }

    /// A file of `gcroots/`, or `nil` where it is none by now.
    ///
    /// Whoever made it may put a pipe in its place.
    private static func text(_ name: Bytes, in directory: Descriptor) throws -> Bytes? {
        let file = try directory.open(beneath: name, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        guard try file.status().st_mode & S_IFMT == S_IFREG else { return nil }
        return try file.readAll(limit: textLimit)
    }

    private static let hostReports = TreePath.root.appending(StoreLayout.Name.hosts.utf8)
    private static let automaticRoots = TreePath.root.appending(StoreLayout.Name.automaticRoots.utf8)

    /// Base names of the store paths that a link leads to: by its name, or as a profile or generation of another root.
    ///
    /// - Parameter chain: Gets what the link leads through.
    private func storePaths(atEndOf link: String, _ chain: inout [String]) -> [String] {
        var path = link
        for _ in 0..<Self.depthLimit {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let length = readlink(path, &buffer, buffer.count)
            // No link, or nothing: what it is shows below.
            guard length >= 0 else { break }
            let target = buffer[..<length].map { UInt8(bitPattern: $0) }
            let text = target.displayed
            chain.append(text)
            let names = StorePathMention.baseNames(in: target)
            if !names.isEmpty { return names }
            let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            path = text.hasPrefix("/") ? text : parent + "/" + text
        }
        // Somebody else's directory: nothing there is trusted but to be text.
        guard let place = try? Descriptor.directory(path) else { return [] }
        let generations = (try? place.list())?.map(\.text).filter { Self.generationNumber($0) != nil } ?? []
        // Not blocked by a pipe of that name.
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
        let name = StoreLayout.Name.generationPackages
        guard !generations.isEmpty else {
            return Self.packagesOfForeignGeneration {
                try Descriptor.directory(path).open(beneath: name, flags: flags)
            }
        }
        return generations.flatMap { generation in
            Self.packagesOfForeignGeneration {
                try place.open(beneath: "\(generation)/\(name)", flags: flags)
            }
        }
    }

    private static func packagesOfForeignGeneration(_ open: () throws -> Descriptor) -> [String] {
        // By its path, and once more: another directory may take its place at any time (`takeLinks`).
        for _ in 0..<3 {
            guard let file = try? open() else { continue }
            guard let status = try? file.status(), status.st_mode & S_IFMT == S_IFREG,
                let text = try? file.readAll(limit: textLimit),
                let packages = GenerationListing.parse(text)?.packages
            else { return [] }
            return packages.map(\.baseName)
        }
        return []
    }

    /// Removes links of `gcroots/auto` that lead nowhere.
    func dropDanglingRoots(_ dangling: [DanglingRoot]) throws {
        let top = try root.directory(beneath: StoreLayout.Name.collectionRoots)
        for entry in dangling where entry.isAutomatic {
            // Directories there may be a user's, who could put a link in the place of one.
            let parts = entry.path.split(separator: "/")
            let parent = try? top.directory(beneath: parts.dropLast().joined(separator: "/"))
            do {
                try parent?.unlink(String(parts.last ?? ""))
            } catch let error as SystemError where error.code == EISDIR {
                // Its owner has put a directory there meanwhile: the next collection looks into it.
            }
        }
    }
}

/// A store that lies over this one, as a file of `gcroots/auto` tells.
private struct Layer {
    let root: String
    private let machine: String?

    /// `nil` for any other text.
    init?(_ text: Bytes) {
        let lines = String(decoding: text.prefix(1 << 16), as: UTF8.self).split(separator: "\n")
        guard lines.first.map({ $0 == Store.layerHeading }) == true else { return nil }
        let value = { (word: String) in
            lines.first { $0.hasPrefix(word + " ") }.map { String($0.dropFirst(word.count + 1)) }
        }
        guard let root = value("root"), root.hasPrefix("/") else { return nil }
        (self.root, machine) = (root, value("machine"))
    }

    /// Whether its directory has not been there for long, on the host that it is on.
    func isGone(since time: Int) -> Bool {
        guard machine == MachineIdentity.current(), Timestamp.now - time > StoreLayout.leasePeriod else {
            return false
        }
        var status = stat()
        return lstat(root, &status) != 0 && errno == ENOENT
    }
}

extension Store {
    /// Everything that keeps some store paths, generations first.
    ///
    /// - Parameters:
    ///   - baseNames: The store paths.
    ///   - outside: Roots that are not the store's own, such as running programs.
    public func roots(of baseNames: [String], outside: FoundRoots) throws -> RootsByStorePath {
        var found = try fileRoots()
        found.merge(outside)
        return Dictionary(
            uniqueKeysWithValues: try Set(baseNames).map { name in
                (name, try generationRoots(of: name) + (found.roots[name] ?? []))
            })
    }
}
