public import Files
internal import Glibc
internal import StoreLayout
internal import Synchronization

extension Store {
    /// Looks for what files, index and profiles of the store say differently, and for what makes it unsafe; changes
    /// nothing.
    ///
    /// - Parameter readsContents: Whether all contents are read and compared, each once and on all processors.
    /// - Returns: What was found, the worst first, then by path. What a command that is at work changes meanwhile is
    ///   looked at twice.
    public func inconsistencies(
        readsContents: Bool, progress: any Progress = NoProgress()
    ) throws -> [Inconsistency] {
        let first = try look(readsContents: readsContents, progress)
        guard !first.isEmpty else { return [] }
        // What is over when it is looked at again was no more than a moment of another command. Contents do not pass.
        let again = Set(try look(readsContents: false, progress).map { [$0.code, $0.path] })
        let order = Inconsistency.Severity.allCases
        return first.filter { again.contains([$0.code, $0.path]) || readsContents && $0.isOfContents }.sorted
        {
            left, right in
            let key = { (found: Inconsistency) in
                (order.firstIndex(of: found.severity) ?? 0, found.path, found.what)
            }
            return key(left) < key(right)
        }
    }

    private func look(readsContents: Bool, _ progress: any Progress) throws -> [Inconsistency] {
        let owner = try root.status().st_uid
        var found = try lookAtDirectories(owner: owner)
        found += try lookAtIndex()
        let packages = try self.packages()
        progress.begin("examining", total: packages.reduce(0) { $0 + $1.size })
        defer { progress.end() }
        let reporter = ThreadProgress(progress)
        let contents = readsContents ? ReadContents() : nil
        found += try look(at: packages, owner: owner, contents) {
            reporter.advance(to: contents?.count.load(ordering: .relaxed) ?? 0)
        }
        let registered = Set(packages.map(\.baseName))
        found += try lookAtStrays(registered)
        found += try lookAtAliases()
        found += try lookAtShims(registered)
        var generations = GenerationExamination(in: root, registered: registered)
        let known = try profiles()
        for profile in known {
            try generations.look(
                at: profile, registeredGenerations(of: profile), names: registeredPackages(of: profile),
                deleted: deletedGenerations(of: profile))
        }
        for entry in try root.directory(beneath: StoreLayout.Name.profiles).list() {
            guard let profile = try? ProfileName(entry.text), !known.contains(profile) else { continue }
            try generations.look(at: profile, [], names: [:], deleted: [])
        }
        return try found + generations.found + lookAtUnfinishedWork()
    }

    // MARK: - Directories and index

    private func lookAtDirectories(owner: uid_t) throws -> [Inconsistency] {
        var found: [Inconsistency] = []
        let rootStatus = try root.status()
        if rootStatus.st_mode & 0o022 != 0 {
            found.append(
                Inconsistency(
                    .error, "unsafe", ".", Self.unsafe(rootStatus, owner), .byHand("chmod the root")))
        }
        for (name, mode) in StoreLayout.directories {
            guard let status = try root.status(of: name), status.st_mode & S_IFMT == S_IFDIR else {
                found.append(
                    Inconsistency(.note, "directory", name, "the directory is missing", .wait))
                continue
            }
            guard status.st_mode & 0o022 & ~mode != 0 || status.st_uid != owner else { continue }
            found.append(
                Inconsistency(
                    .error, "unsafe", name, Self.unsafe(status, owner), .byHand("chown and chmod it")))
        }
        for name in [StoreLayout.Name.format, StoreLayout.Name.lock] + StoreLayout.indexFiles {
            guard let status = try root.status(of: name),
                status.st_mode & 0o022 != 0 || status.st_uid != owner
            else { continue }
            found.append(
                Inconsistency(
                    .error, "unsafe", name, Self.unsafe(status, owner), .byHand("chown and chmod it")))
        }
        return found
    }

    private func lookAtIndex() throws -> [Inconsistency] {
        let name = StoreLayout.Name.index
        if try database.userVersion() < Schema.version {
            // Most of what is compared has its place in it since.
            return [Inconsistency(.note, "index-version", name, "an older sxs wrote it", .wait)]
        }
        return try database.integrityProblems().map {
            Inconsistency(.error, "index", name, $0, .rebuildIndex)
        }
    }

    // MARK: - Packages

    /// Store paths that are compared at a time: so much of the index is in memory.
    private static let batch = 256

    private func look(
        at packages: [Package], owner: uid_t, _ contents: ReadContents?,
        _ report: @escaping @Sendable () -> Void
    ) throws -> [Inconsistency] {
        guard try database.userVersion() == Schema.version else { return [] }
        let found = Locked<[Inconsistency]>([])
        let root = root
        for start in stride(from: 0, to: packages.count, by: Self.batch) {
            // One that was collected meanwhile is no longer in the index.
            let batch = try packages[start..<min(start + Self.batch, packages.count)].compactMap(indexed)
            try WorkQueue(batch, threadLimit: .max).run { package in
                var examination = PackageExamination(package, in: root, owner: owner, contents: contents)
                do {
                    try examination.run()
                } catch {
                    let text = "\(error)".prefix { $0 != "\n" }
                    let place = StoreLayout.Name.manifests + "/" + package.package.baseName
                    found.withLock {
                        $0.append(
                            Inconsistency(
                                .error, "unreadable", place, String(text),
                                .repair(package.package.baseName)))
                    }
                }
                let all = examination.found
                if !all.isEmpty { found.withLock { $0 += all } }
                report()
            }
        }
        return found.withLock { $0 }
    }

    /// All that the index says of a store path; `nil` where it is not in it.
    private func indexed(_ package: Package) throws -> IndexedPackage? {
        guard let registration = try registration(of: package.baseName, readsFile: false) else { return nil }
        let row = DatabaseValue.integer(registration.number)
        let aliases = try database.query(
            "SELECT name, target FROM alias WHERE package = ? ORDER BY name", [row]
        ) { AliasRecord(name: $0.text(0), target: $0.text(1)) }
        let objects = try notedObjectUses(of: registration.number)
        let unfiled = try database.query("SELECT 1 FROM unfiled WHERE package = ?", [row]) { _ in true }
        return IndexedPackage(
            package: package, registration: registration,
            aliases: aliases.sorted { $0.name < $1.name }, objects: objects,
            isUnfiled: !unfiled.isEmpty)
    }

    // MARK: - What belongs to nobody

    private func lookAtStrays(_ registered: Set<String>) throws -> [Inconsistency] {
        var found: [Inconsistency] = []
        let hosts = Set(StoreLayout.profileLinks.map(\.name) + [StoreLayout.Name.shown])
        for place in [StoreLayout.Name.store, StoreLayout.Name.manifests] {
            try root.directory(beneath: place).forEachEntry { name, _, _ in
                let name = String(decoding: name, as: UTF8.self)
                guard !registered.contains(name) else { return }
                if StorePath.isBaseName(name) {
                    found.append(
                        Inconsistency(
                            .note, "leftover", place + "/" + name,
                            "it is not in the index: an interrupted command left it", .collect))
                } else if place != StoreLayout.Name.store || !hosts.contains(name) {
                    found.append(
                        Inconsistency(
                            .warning, "stray", place + "/" + name, "it is not sxs's",
                            .byHand("look at it, and remove it")))
                }
            }
        }
        return found
    }

    private func lookAtAliases() throws -> [Inconsistency] {
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        var found: [Inconsistency] = []
        try aliases.forEachEntry { name, _, _ in
            let name = String(decoding: name, as: UTF8.self)
            guard try aliasOwner(name) == nil, name != StoreLayout.Name.shown else { return }
            let target = (try? aliases.readSymlink(name)) ?? []
            let owner = StorePathMention.baseNames(in: target).first
            let isLeft = try owner.map { try root.status(of: StoreLayout.Name.manifests + "/" + $0) != nil }
            // With a manifest that is left, garbage collection takes it away.
            found.append(
                Inconsistency(
                    isLeft == true ? .note : .warning, "alias", StoreLayout.Name.aliases + "/" + name,
                    "it is the alias of no registered store path", isLeft == true ? .collect : .repair(nil)))
        }
        return found
    }

    private func lookAtShims(_ registered: Set<String>) throws -> [Inconsistency] {
        let shims = try root.directory(beneath: StoreLayout.Name.shims)
        let program = "../../\(StoreLayout.Name.programs)/\(StoreLayout.Name.program)"
        // Others are of a generation that an interrupted command did not come to make.
        let shown = try shownStorePaths()
        var found: [Inconsistency] = []
        for entry in try shims.list() {
            let place = StoreLayout.Name.shims + "/" + entry.text
            guard registered.contains(entry.text) else {
                found.append(
                    Inconsistency(
                        .note, "leftover", place, "launchers of what is not registered", .collect))
                continue
            }
            let directory = try shims.directory(beneath: entry.text)
            var hasDescription = false
            for shim in try directory.list() {
                if shim.text == StoreLayout.Name.launchDescription {
                    hasDescription = shim.type == UInt8(DT_REG)
                } else if (try? directory.readSymlink(shim.text)) != Array(program.utf8) {
                    found.append(
                        Inconsistency(
                            .error, "launcher", place + "/" + shim.text, "it does not lead to the launcher",
                            .repair(entry.text)))
                }
            }
            if !hasDescription {
                let isShown = shown.contains(entry.text)
                found.append(
                    Inconsistency(
                        isShown ? .error : .note, "launcher",
                        place + "/" + StoreLayout.Name.launchDescription, "it is missing",
                        isShown ? .repair(entry.text) : .wait))
            }
        }
        return found
    }

    /// Generations whose directories go with the next command that writes; none in an index from before there was a note
    /// of them.
    private func deletedGenerations(of profile: ProfileName) throws -> Set<Int> {
        guard try database.hasTable("deleted_generation") else { return [] }
        return Set(
            try database.query(
                "SELECT number FROM deleted_generation WHERE profile = ?", [.text(profile.text)]
            ) { $0.integer(0) })
    }

    /// Base names of all that generations show.
    public func shownStorePaths() throws -> Set<String> {
        Set(try database.query("SELECT DISTINCT base_name FROM generation_package") { $0.text(0) })
    }

    private func lookAtUnfinishedWork() throws -> [Inconsistency] {
        // Nobody but its owner may look.
        guard let temporary = try? temporary(), let entries = try? temporary.list() else { return [] }
        return entries.compactMap { entry in
            if entry.type == UInt8(DT_DIR) {
                guard let directory = try? temporary.directory(beneath: entry.text),
                    (try? directory.tryLock()) == true
                else { return nil }
            }
            return Inconsistency(
                .note, "leftover", StoreLayout.Name.temporary + "/" + entry.text,
                "an interrupted command left it", .wait)
        }
    }
}

extension Store {
    /// What is unsafe about a file or directory.
    static func unsafe(_ status: stat, _ owner: uid_t) -> String {
        status.st_uid != owner
            ? "it belongs to user \(status.st_uid), not \(owner), who owns the store"
            : "others may write to it: its permissions are 0\(String(status.st_mode & 0o7777, radix: 8))"
    }
}

extension Inconsistency {
    /// Whether it was found by reading contents.
    fileprivate var isOfContents: Bool {
        code == "tree" && what == Problem.Kind.content.rawValue
    }
}
