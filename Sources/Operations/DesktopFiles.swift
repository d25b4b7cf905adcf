internal import Files
private import Glibc
internal import Store
internal import StoreLayout

/// What a generation shows to desktops besides links: entries that start programs through launchers, and the caches
/// that are one file for all packages.
///
/// `desktop.md` is the contract.
struct DesktopFiles {
    private let session: Session
    private let store: Store
    /// The generation's packages, those that win over others first.
    private let packages: [GenerationPackage]
    /// Base names of packages that may have files of their own for the caches of all.
    let cacheSources: Set<String>
    /// By path below `usr/share`: the package that shows it.
    private var owners: [TreePath: GenerationPackage] = [:]
    /// By command: the package that shows it.
    private var commandOwners: [String: String] = [:]

    /// Directories of commands, as an entry may name one that is not shown.
    private static let commandDirectories = [
        "usr/bin", "usr/games", "usr/sbin", "bin", "sbin", "usr/local/bin",
    ]
    private static let applications: TreePath = "usr/share/applications"
    private static let services: TreePath = "usr/share/dbus-1/services"
    private static let icons: TreePath = "usr/share/icons"

    /// Files that are made for all packages of a generation: one package's own would hide the others.
    private static let caches = ["gschemas.compiled", "icon-theme.cache", "mimeinfo.cache"]

    private static let schemas: TreePath = "usr/share/glib-2.0/schemas"
    private static let types: TreePath = "usr/share/mime/packages"

    /// Looks at the packages of a generation.
    ///
    /// - Parameter parent: The generation that it is made from, of which much is known.
    init(
        of packages: [GenerationPackage], parent: Generation?, session: Session, store: Store
    ) throws {
        self.session = session
        self.store = store
        cacheSources = try store.cacheSources(
            in: [Self.schemas, Self.types], among: packages.map(\.baseName), like: parent)
        self.packages = packages.filter(\.isPreferred) + packages.filter { !$0.isPreferred }
        for package in self.packages.reversed() {
            for command in package.exposure.commands { commandOwners[command.name] = package.baseName }
            for text in package.exposure.data {
                guard let path = try? TreePath(parsing: text.utf8) else { continue }
                owners[path] = package
            }
        }
    }

    /// Whether a path that a package shows is a cache of its image's, which says nothing of other packages.
    static func isCache(_ path: String) -> Bool {
        caches.contains { path.hasSuffix("/" + $0) }
    }

    /// The files; programs of the packages run for those that are not kept from earlier.
    ///
    /// - Throws: `SystemError` where the disk is full or cannot be read; a program that fails is only told of.
    func files() throws -> [GenerationFile] {
        let shown = owners.keys.sorted()
        var files: [GenerationFile] = []
        for path in shown {
            guard let kind = Self.kind(of: path), let package = owners[path] else { continue }
            guard let text = try text(path, of: package) else { continue }
            let name = path.name.dropLast(".desktop".utf8.count)
            let service = Self.services.appending(Array(name) + Array(".service".utf8))
            let rewritten = StartText(
                isService: kind == .service, isActivatable: owners[service] != nil,
                start: { start($0, of: package) }
            ).rewritten(text)
            if rewritten != text {
                files.append(GenerationFile(path: try Self.place(of: path), content: .bytes(rewritten)))
            }
        }
        let caches = try caches(shown)
        // Before programs run for packages that cannot be shown together.
        if !caches.isEmpty { try store.checkGeneration(of: packages) }
        for cache in caches { files += try self.files(of: cache) }
        return files
    }

    // MARK: - Entries

    private enum Kind { case entry, service }

    private static func kind(of path: TreePath) -> Kind? {
        if path.isWithin(applications), path.description.hasSuffix(".desktop") { return .entry }
        if path.isWithin(services), path.description.hasSuffix(".service") { return .service }
        return nil
    }

    /// A path of a package in the generation.
    private static func place(of path: TreePath) throws -> TreePath {
        try TreePath(parsing: path.bytes.dropFirst("usr/".utf8.count))
    }

    /// The text of a file of a package; `nil` where it is none, or too long.
    private func text(_ path: TreePath, of package: GenerationPackage) throws -> Bytes? {
        let top = try store.tree(of: package.baseName)
        var path = path
        if let status = try top.status(of: path.bytes), status.st_mode & S_IFMT == S_IFLNK {
            guard
                let file = try session.tree(of: store.metadata(of: package.baseName)).resolve(path.bytes)
            else { return nil }
            path = file
        }
        guard let status = try top.status(of: path.bytes), status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= StartText.longest
        else { return nil }
        return try top.open(beneath: path.bytes).readAll()
    }

    /// What starts a program of a package; `nil` for one that is not the package's.
    private func start(_ word: Bytes, of package: GenerationPackage) -> [Bytes]? {
        guard let text = String(validating: word, as: UTF8.self) else { return nil }
        let top = StoreLayout.storeDirectory + "/" + package.baseName
        let commands = package.exposure.commands.filter { commandOwners[$0.name] == package.baseName }
        let candidates: [String]
        if text.hasPrefix(top + "/") {
            candidates = [String(text.dropFirst(top.utf8.count + 1))]
        } else if text.contains("/") || text.isEmpty {
            return nil
        } else {
            candidates = Self.commandDirectories.map { $0 + "/" + text }
        }
        let shown = commands.first { text == $0.name || candidates.contains($0.path) }
        if let shown { return [Array((session.binDirectory + "/" + shown.name).utf8)] }
        // Not shown: the store's own program starts it, with all that a launcher would set up.
        guard let program = candidates.first(where: { isProgram($0, of: package) }) else { return nil }
        let starter = [session.root, StoreLayout.Name.programs, StoreLayout.Name.program].joined(
            separator: "/")
        return [starter, "run", "--root", session.root, top, "--command", program, "--"].map {
            Array($0.utf8)
        }
    }

    private func isProgram(_ path: String, of package: GenerationPackage) -> Bool {
        guard let path = try? TreePath(parsing: path.utf8), !path.bytes.isEmpty,
            let status = try? store.tree(of: package.baseName).status(of: path.bytes)
        else { return false }
        // A link is a command under another name.
        return status.st_mode & S_IFMT == S_IFLNK
            || status.st_mode & S_IFMT == S_IFREG && status.st_mode & 0o111 != 0
    }

    // MARK: - Caches

    /// The caches that a generation needs, with what they are made from.
    private func caches(_ shown: [TreePath]) throws -> [DesktopCache] {
        var caches: [DesktopCache] = []
        let schemas = try gather(Self.schemas) { name in
            [".gschema.xml", ".enums.xml", ".gschema.override"].contains { name.hasSuffix($0) }
        }
        if !schemas.isEmpty { caches.append(.schemas(schemas)) }
        let types = try gather(Self.types) { $0.hasSuffix(".xml") }
        if !types.isEmpty {
            caches.append(.types(types.map { ("packages/" + $0.name, $0.target) }))
        }
        let entries = shown.filter { Self.kind(of: $0) == .entry }
        let hasTypes = try entries.contains { path in
            guard let package = owners[path], let text = try text(path, of: package) else { return false }
            return text.split(separator: UInt8(ascii: "\n")).contains { $0.hasPrefix("MimeType") }
        }
        if hasTypes { caches.append(.applications(try inputs(entries, below: Self.applications))) }
        let images = Dictionary(
            grouping: shown.filter { $0.isWithin(Self.icons) && $0.components.count > 4 },
            by: { String(decoding: $0.components[3], as: UTF8.self) })
        for theme in images.keys.sorted() {
            let place = Self.icons.appending(theme.utf8)
            caches.append(.icons(theme, try inputs(images[theme] ?? [], below: place)))
        }
        return caches
    }

    /// Shown files as a builder's input, by their names below a directory.
    private func inputs(_ paths: [TreePath], below directory: TreePath) throws -> [DesktopCache.Input] {
        paths.compactMap { path in
            guard let package = owners[path] else { return nil }
            let name = String(decoding: path.bytes.dropFirst(directory.bytes.count + 1), as: UTF8.self)
            return (name, target(path, of: package))
        }
    }

    private func target(_ path: TreePath, of package: GenerationPackage) -> String {
        "\(StoreLayout.storeDirectory)/\(package.baseName)/\(String(decoding: path.bytes, as: UTF8.self))"
    }

    /// Files of a directory of every package, shown or not; of two with one name, the one of the package that wins.
    private func gather(
        _ directory: TreePath, _ isWanted: (String) -> Bool
    ) throws -> [DesktopCache.Input] {
        var found: [String: String] = [:]
        // Of a thousand packages few have any: no other tree is opened.
        for package in packages.reversed() where cacheSources.contains(package.baseName) {
            let top = try store.tree(of: package.baseName)
            guard try top.status(of: directory.bytes) != nil else { continue }
            for entry in try top.open(beneath: directory.bytes, flags: O_RDONLY | O_DIRECTORY).list() {
                guard let text = String(validating: entry.name, as: UTF8.self), isWanted(text) else {
                    continue
                }
                found[text] = target(directory.appending(entry.name), of: package)
            }
        }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The files of a cache, kept from earlier or made now; none where no program of the packages can make it.
    private func files(of cache: DesktopCache) throws -> [GenerationFile] {
        var failures: [String] = []
        for program in try programs(of: cache) {
            do {
                let key = cache.key(madeBy: program)
                let files = try store.derive(key) { try cache.make(program, root: session.root, in: $0) }
                let wanted = files.filter { cache.isWanted($0) }
                guard !wanted.isEmpty else {
                    failures.append("\(program) wrote none")
                    continue
                }
                return wanted.map {
                    GenerationFile(
                        path: cache.place.appending(path: $0), content: .derived(key, $0))
                }
            } catch let error as DesktopCache.Failure {
                failures.append("\(program): \(error.reason)")
            }
        }
        if failures.isEmpty, !cache.isNeeded { return [] }
        let reason =
            failures.isEmpty ? "no package has '\(cache.programs[0])'" : failures.joined(separator: "; ")
        session.note("the generation is without a \(cache.name): \(reason)")
        return []
    }

    /// Programs that can make a cache, of this machine's architecture.
    private func programs(of cache: DesktopCache) throws -> [String] {
        try packages.flatMap { package -> [String] in
            var directories = ["usr/bin"]
            let top = try store.tree(of: package.baseName)
            let libraries = Array("usr/lib".utf8)
            // Where Debian has glib-compile-schemas; a link in usr/bin is another package's.
            if try top.status(of: libraries).map({ $0.st_mode & S_IFMT == S_IFDIR }) == true {
                directories += try top.open(beneath: libraries, flags: O_RDONLY | O_DIRECTORY).list().map(
                    \.text
                ).filter { $0.contains("-linux-") }.map { "usr/lib/\($0)/glib-2.0" }
            }
            guard
                let path = directories.lazy.flatMap({ place in cache.programs.map { "\(place)/\($0)" } })
                    .first(where: { isProgram($0, of: package) }),
                try [.any, .host].contains(store.metadata(of: package.baseName).architecture)
            else { return [] }
            return ["\(StoreLayout.storeDirectory)/\(package.baseName)/\(path)"]
        }
    }
}
