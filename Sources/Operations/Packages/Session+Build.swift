internal import Files
private import Glibc
internal import Images
internal import Remotes
internal import Store
internal import StoreLayout
internal import YAML

/// What a build came to.
public struct BuildResult: Encodable, Sendable {
    /// What is in the store.
    public let package: ImportResult
    /// The image that was written; `nil` without one.
    public let image: ExportResult?
    /// Whether a lock says what each package has to be.
    public let isLocked: Bool
}

/// What became of a lock.
public struct LockChange: Encodable, Sendable {
    /// Its file.
    public let file: String
    /// Packages that it did not have.
    public let added: [String]
    /// Packages that have other digests now.
    public let changed: [String]
    /// Packages that the recipe has no more.
    public let removed: [String]
}

extension Session {
    /// Bytes that a recipe, a lock, and a file that a recipe adds may have.
    private static let longestText = 16 << 20

    /// Builds a recipe into the store, and where wanted an image of it.
    ///
    /// - Parameters:
    ///   - path: The recipe.
    ///   - output: The image to write; `nil` for none.
    ///   - limits: How large it may be.
    /// - Throws: `RecipeError` and what import and export throw.
    public func build(_ path: String, output: String?, isForced: Bool = false) throws -> BuildResult {
        let recipe = try recipe(path)
        let lock = try lock(of: path)
        let store = try openStoreForWriting()
        if let lock {
            let package = recipe.files.first { lock.digests[$0] == nil }
            let question = RecipeLock.question(of: recipe)
            if let missing = package ?? (lock.question == question ? nil : question ?? lock.question) {
                throw RecipeError.unlocked(missing, lock: path + RecipeLock.suffix)
            }
        }
        var references: [PackageReference] = []
        var open: [Descriptor] = []
        for (reference, file) in try fetchNamed(of: recipe, at: path, lock: lock) {
            references.append(reference)
            open.append(file)
        }
        for package in recipe.files {
            let (reference, file) = try locate(package, of: path, wanted: lock?.digests[package])
            references.append(reference)
            open += [file].compactMap { $0 }
        }
        let options = try options(of: recipe, at: path)
        let result = try withExtendedLifetime(open) {
            let image = try self.open(packages: references, options: options)
            return try importImage(
                image, from: Self.absolutePath(path), options: options, into: store)
        }
        let image = try output.map { output in
            var options = ExportOptions()
            options.output = output
            options.isForced = isForced
            return try export(result.metadata.storePath, options: options)
        }
        return BuildResult(package: result, image: image, isLocked: lock != nil)
    }

    /// Writes the digests of a recipe's packages to its lock.
    ///
    /// - Parameter isUpdate: Whether packages that the lock has may have become others.
    /// - Throws: ``RecipeError/changed(_:lock:expected:actual:)`` and others.
    public func lock(_ path: String, isUpdate: Bool) throws -> LockChange {
        let recipe = try recipe(path)
        // Where what is fetched goes.
        _ = try openStoreForWriting()
        let file = path + RecipeLock.suffix
        let before = try lock(of: path) ?? RecipeLock()
        let old = before.digests
        var digests: [String: String] = [:]
        for package in recipe.files {
            let known = isUpdate ? nil : old[package]
            let digest = try locate(package, of: path, wanted: known).reference.digest?.hex ?? ""
            digests[package] = digest
        }
        let question = RecipeLock.question(of: recipe)
        // What goes together is chosen together: with another name all is chosen anew.
        let isKept = !isUpdate && question == before.question
        let members = isKept ? before.members : try chosen(by: recipe, at: path)?.members ?? []
        let text = RecipeLock(digests, question: question, members: members).text
        let parts = try Self.absolutePath(file).split(separator: "/", omittingEmptySubsequences: false)
        let directory = try Descriptor.directory(parts.dropLast().joined(separator: "/") + "/")
        try directory.replaceFile(
            String(parts.last ?? ""), contents: Array(text.utf8), through: directory, isDurable: true)
        let was = Self.titles(of: before)
        let now = Self.titles(of: RecipeLock(digests, members: members))
        return LockChange(
            file: file, added: now.keys.filter { was[$0] == nil }.sorted(),
            changed: now.keys.filter { was[$0] != nil && was[$0] != now[$0] }.sorted(),
            removed: was.keys.filter { now[$0] == nil }.sorted())
    }

    /// All digests of a lock, by what people call their packages.
    private static func titles(of lock: RecipeLock) -> [String: String] {
        lock.digests.merging(lock.members.map { ($0.title, $0.digest) }) { _, last in last }
    }

    // MARK: - Reading

    private func recipe(_ path: String) throws -> Recipe {
        try RecipeReader(file: path).recipe(Self.bytes(path, limit: YAMLNode.longest))
    }

    private func lock(of path: String) throws -> RecipeLock? {
        let file = path + RecipeLock.suffix
        guard access(file, F_OK) == 0 else { return nil }
        return try RecipeLock(parsing: Self.text(file), file: file)
    }

    private static func text(_ path: String) throws -> String {
        String(decoding: try bytes(path), as: UTF8.self)
    }

    private static func bytes(_ path: String, limit: Int = longestText) throws -> Bytes {
        // A pipe would wait, and a device may have no end.
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else { throw SystemError("open", path) }
        let file = Descriptor(taking: number, path: path)
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= limit else {
            throw RecipeError.line(
                nil, file: path, problem: "is no regular file of at most \(limit) bytes",
                remedy: "name a text file; 'sxs build --help' shows a recipe")
        }
        return try file.readAll(limit: limit)
    }

    // MARK: - Packages

    /// Finds a package of a recipe that is a file.
    ///
    /// - Parameter wanted: The digest that it has to have; `nil` to find out which it has.
    /// - Returns: Where it is, with its digest; a file that was fetched, which has to stay open.
    private func locate(
        _ package: String, of recipe: String, wanted: String?
    ) throws -> (reference: PackageReference, file: Descriptor?) {
        let wantedDigest = wanted.flatMap { Digest(hex: $0) }
        if package.hasPrefix("https://") || package.hasPrefix("http://") {
            let (file, digest) = try fetch(url: package, digest: wantedDigest)
            let image = ImageReference(path: "/proc/self/fd/\(file.number)", title: package)
            return (PackageReference(image, digest: digest), file)
        }
        guard package.contains("/") else { throw RecipeError.package(package, file: recipe) }
        let path = Self.beside(recipe, package)
        let file = try Descriptor.file(path)
        let digest = try Digest(hashing: file)
        if let wantedDigest, digest != wantedDigest {
            throw RecipeError.changed(
                package, lock: recipe + RecipeLock.suffix, expected: wantedDigest.description,
                actual: digest.description)
        }
        return (PackageReference(ImageReference(path: path), digest: digest), nil)
    }

    /// Fetches a package into the cache.
    private func fetch(url: String, digest: Digest?) throws -> (Descriptor, Digest) {
        let cache = try BlobCache(root: root)
        let progress = FetchProgress("fetching \(url)", count: 1, receiver: progress)
        defer { progress.end() }
        guard let slash = url.lastIndex(of: "/") else { throw RecipeError.package(url, file: url) }
        let name = RemoteLocation.unescaped(String(url[url.index(after: slash)...]))
        let place = try RemoteLocation(String(url[..<slash]))
        let fetcher = Fetcher(
            RemoteDescription(name: "recipe", kind: .directory, location: place), isOffline: isOffline)
        if let digest {
            let file = try fetcher.fetch(
                ListedFile(name: name, digest: digest), into: cache, progress: progress.part(0), onWait: {})
            return (file, digest)
        }
        // What it is nobody said: it is fetched under a name of its own, and kept under its digest.
        let temporary = try Descriptor.directory(root + "/" + StoreLayout.Name.temporary)
        let (directoryName, directory) = try temporary.makeHeldDirectory()
        defer { try? temporary.removeTree(directoryName) }
        let found = try fetcher.fetch(name, as: "package", in: directory, progress: progress.part(0))
        let local = Fetcher(
            RemoteDescription(
                name: "recipe", kind: .directory, location: .path(temporary.path(of: directoryName))),
            isOffline: isOffline)
        let file = try local.fetch(
            ListedFile(name: "package", digest: found), into: cache, progress: progress.part(0), onWait: {})
        return (file, found)
    }

    // MARK: - Options

    private func options(of recipe: Recipe, at path: String) throws -> ImportOptions {
        var options = ImportOptions(name: recipe.name, version: recipe.version, expose: recipe.expose)
        options.packages.slim = Set(recipe.slim.compactMap(Slimming.init))
        options.packages.locales = recipe.locales
        // Who names packages means their commands.
        let names = recipe.names.map { String($0.prefix { $0 != "=" && $0 != "@" }) }
        options.packages.wanted = recipe.wanted.isEmpty && recipe.expose.isEmpty ? names : recipe.wanted
        options.packages.summary = recipe.description
        options.packages.drops = recipe.drops
        options.packages.additions = try recipe.additions.map { addition in
            let content: PackageOptions.Addition.Content =
                switch addition.content {
                case .text(let text): .bytes(Array(text.utf8))
                case .source(let source): .bytes(try Self.bytes(Self.beside(path, source)))
                case .link(let target): .link(Array(target.utf8))
                }
            return PackageOptions.Addition(path: addition.path, content: content, mode: addition.mode)
        }
        options.packages.hints = try recipe.hints.map { file in
            let place = Self.beside(path, file)
            let name = place.split(separator: "/").last.map(String.init) ?? place
            let plain = name.hasSuffix(Hint.fileSuffix) ? String(name.dropLast(Hint.fileSuffix.count)) : name
            return try Hint(parsing: Self.bytes(place), name: HintName(plain), file: place)
        }
        if !recipe.environment.isEmpty {
            options.packages.hints.append(
                try RecipeReader.hint(setting: recipe.environment, file: path))
        }
        return options
    }
}
