internal import Files
private import Glibc
internal import Store
internal import StoreLayout

/// A hint as it is listed.
public struct HintSummary: Encodable, Sendable, Equatable {
    /// Its name.
    public let name: String
    /// Whether it came with sxs.
    public let isBuiltIn: Bool
    /// The programs it is for, as they are written.
    public let programs: [String]
    /// The packages it is for; empty for all that have its programs.
    public let packages: [String]
    /// SHA-256 of its text, in hexadecimal.
    public let digest: String

    init(_ hint: Hint, isBuiltIn: Bool) {
        name = hint.name.text
        self.isBuiltIn = isBuiltIn
        programs = hint.groups.flatMap { $0.programs.map(\.text) }
        packages = hint.packages.map(\.text)
        digest = hint.digest.hex
    }
}

extension Session {
    /// All hints, the user's first, each sorted by name.
    ///
    /// Where there is no store yet, those that come with sxs.
    public func hints() throws -> [HintSummary] {
        try existingUserHints().map { HintSummary($0, isBuiltIn: false) }
            + Hint.builtIn.map { HintSummary($0, isBuiltIn: true) }
    }

    /// The text of a hint.
    public func hintText(_ name: String) throws -> String {
        let name = try HintName(name)
        guard let hint = (try existingUserHints() + Hint.builtIn).first(where: { $0.name == name }) else {
            throw OperationError.unknownHint(name.text)
        }
        return String(decoding: hint.text, as: UTF8.self)
    }

    /// Adds a hint, which later imports obey.
    ///
    /// - Parameter file: A text file, whose name without `.hints` is the hint's.
    /// - Throws: `HintError` for the first line that is wrong; ``OperationError/hintExists(_:isBuiltIn:)``.
    public func addHint(_ file: String) throws -> HintSummary {
        var fileName = file.split(separator: "/").last.map(String.init) ?? file
        if fileName.hasSuffix(Hint.fileSuffix) { fileName.removeLast(Hint.fileSuffix.utf8.count) }
        let name = try HintName(fileName)
        let text = try Self.read(file)
        let hint = try Hint(parsing: text, name: name, file: file)
        guard !Hint.builtIn.contains(where: { $0.name == name }) else {
            throw OperationError.hintExists(name.text, isBuiltIn: true)
        }
        let store = try openStoreForWriting()
        try asWriter(of: store) {
            if let known = try userHints(in: store).first(where: { $0.name == name }), known != hint {
                throw OperationError.hintExists(name.text, isBuiltIn: false)
            }
            try store.root.directory(beneath: StoreLayout.Name.hints).replaceFile(
                name.text, contents: text,
                through: store.root.directory(beneath: StoreLayout.Name.temporary), isDurable: true)
            try store.root.synchronizeFileSystem()
        }
        return HintSummary(hint, isBuiltIn: false)
    }

    /// A regular file's bytes: opening a pipe would wait, and a device may have no end.
    private static func read(_ file: String) throws -> Bytes {
        var status = stat()
        guard stat(file, &status) == 0 else { throw SystemError("open", file) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= Hint.longest else {
            throw status.st_mode & S_IFMT == S_IFREG
                ? HintError.tooLong(file: file) : OperationError.noTextFile(file)
        }
        return try Descriptor.file(file).readAll(limit: Hint.longest)
    }

    /// Removes a hint; what was imported with it stays as it is.
    public func removeHint(_ name: String) throws {
        let name = try HintName(name)
        guard !Hint.builtIn.contains(where: { $0.name == name }) else {
            throw OperationError.hintIsBuiltIn(name.text)
        }
        let store = try openStoreForWriting()
        try asWriter(of: store) {
            let directory = try store.root.directory(beneath: StoreLayout.Name.hints)
            guard try directory.status(of: name.text) != nil else {
                throw OperationError.unknownHint(name.text)
            }
            try directory.unlink(name.text)
            try directory.synchronize()
        }
    }

    /// The user's hints, sorted by name.
    ///
    /// - Throws: `HintError` for one that was damaged meanwhile: nothing is imported half obeyed.
    func userHints(in store: Store) throws -> [Hint] {
        guard try store.root.status(of: StoreLayout.Name.hints) != nil else { return [] }
        let directory = try store.root.directory(beneath: StoreLayout.Name.hints)
        // Names with a dot first are files that are being written.
        return try directory.list().compactMap { try? HintName($0.text) }.sorted().map { name in
            let text = try directory.open(beneath: name.text).readAll(limit: Hint.longest + 1)
            return try Hint(parsing: text, name: name, file: directory.path(of: name.text))
        }
    }

    private func existingUserHints() throws -> [Hint] {
        do {
            return try userHints(in: openStore())
        } catch StoreError.noStore {
            return []
        }
    }

    /// What hints say of how a package's programs are started.
    ///
    /// - Parameters:
    ///   - hints: The hints that apply, the user's first.
    ///   - tree: The image's tree.
    ///   - commands: The paths of its commands.
    /// - Returns: What all commands are shown, and what is said of some.
    func launchRules(
        _ hints: [Hint], tree: Tree, commands: [TreePath]
    ) -> (seeds: [TreePath], rules: [LaunchRule]) {
        let files = TreeFiles(tree)
        var everyones: Set<TreePath> = []
        var rules: [LaunchRule] = []
        for group in hints.flatMap(\.groups) {
            var own: [TreePath] = []
            guard !group.seeds.isEmpty || !group.environment.isEmpty || group.namespace != nil,
                group.isMeant(in: files)
            else { continue }
            let seeds = group.seeds.flatMap { $0.paths(in: tree) }
            let meant = commands.count { group.isMeant($0) }
            // What a library needs, any command may need.
            if meant == 0 || meant == commands.count { everyones.formUnion(seeds) } else { own = seeds }
            guard !own.isEmpty || !group.environment.isEmpty || group.namespace != nil else { continue }
            rules.append(
                LaunchRule(
                    programs: group.programs.map(\.text),
                    environment: Dictionary(
                        group.environment.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first }
                    ),
                    namespace: group.namespace, seeds: own.map { "\($0)" }))
        }
        return (everyones.sorted(), rules)
    }
}
