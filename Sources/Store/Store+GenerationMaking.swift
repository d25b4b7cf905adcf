internal import Files
internal import Glibc
public import StoreLayout

/// The generation that the next one is made from, as far as it can be used again.
private struct ParentGeneration {
    let directory: Descriptor
    private let packages: [String: GenerationPackage]
    /// What the index has of it, in its order.
    let registered: [Registered]

    /// A package of the index's rows of a generation.
    struct Registered {
        let baseName: String
        /// Whether it has rows of its own.
        let isKnown: Bool
    }

    init(_ directory: Descriptor, registered: [Registered]) throws {
        self.directory = directory
        self.registered = registered
        packages = Dictionary(
            try GenerationListing.read(in: directory).map { ($0.baseName, $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Whether it has a package and shows the same of it.
    func has(_ package: GenerationPackage) -> Bool {
        guard let old = packages[package.baseName] else { return false }
        return old.exposure == package.exposure && old.isPreferred == package.isPreferred
    }

    /// Its packages that `others` lack, or of which they show something else.
    func packages(missingFrom others: [GenerationPackage]) -> [GenerationPackage] {
        var missing = packages
        for package in others where has(package) { missing[package.baseName] = nil }
        return Array(missing.values)
    }
}

extension Store {
    /// Finds out whether a generation of these packages can be made; they need not be registered.
    ///
    /// - Throws: ``StoreError/collision(path:owners:)`` and ``StoreError/invalidExposure(package:what:)``.
    public func checkGeneration(of packages: [GenerationPackage]) throws {
        _ = try GenerationPlan(packages)
    }

    /// Makes the next generation of a profile, and does not switch to it: if nobody does, the next writer takes it back.
    ///
    /// What `parent` shows in the same place is not made again: it gets a further hard link, without an inode.
    ///
    /// - Parameters:
    ///   - profile: The profile.
    ///   - packages: Its packages, all registered.
    ///   - parent: The generation it is made from.
    ///   - files: What it shows besides its packages' links, or in place of one.
    ///   - extensions: What is merged over `/usr` while it is the active one.
    ///   - command: The command that makes it.
    ///   - host: What the os-release of the host it is made for says.
    ///   - preparedOn: Where that is another than it is made on: what that one's says. Such a generation stays though nobody
    ///     switches to it.
    /// - Throws: ``StoreError/collision(path:owners:)`` and others, before anything is changed.
    public func makeGeneration(
        profile: ProfileName, packages: [GenerationPackage], parent: Int?, files: [GenerationFile] = [],
        extensions: [GenerationExtension] = [], command: String, host: [String: String] = [:],
        preparedOn: [String: String]? = nil
    ) throws -> Generation {
        try withWriterLock(command: command) {
            if let wrong = extensions.first(where: { !$0.isValid }) {
                throw StoreError.invalidExposure(package: wrong.fileName, what: wrong.location)
            }
            var seen: Set<String> = []
            let packages = packages.filter { seen.insert($0.baseName).inserted }
            // A parent that is gone or damaged only costs time: all is made anew.
            let old = parent.flatMap { try? parentGeneration($0, of: profile) }
            try checkAreRegistered(packages, beside: old)
            let kept = packages.map { old?.has($0) ?? false }
            let plan = try GenerationPlan(
                packages, gone: old?.packages(missingFrom: packages) ?? [], files: files)
            let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
            if try profiles.status(of: profile.text) == nil {
                try profiles.makeDirectory(profile.text)
                try profiles.directory(beneath: profile.text).setMode(0o755)
            }
            let directory = try profiles.directory(beneath: profile.text)
            let generation = Generation(
                profile: profile, number: try nextNumber(of: profile, in: directory), parent: parent,
                created: Timestamp.now, command: command)

            try makeLaunchers(plan, beside: old)
            let temporary = try temporary()
            let (name, new) = try temporary.makeHeldDirectory()
            // Swept by the next writer if it cannot be removed now; gone where all went well.
            defer { try? temporary.removeTree(name) }
            try makeLinks(plan, in: new, like: old?.directory, sharing: kept)
            try makeLinks(to: extensions, in: new)
            try describe(generation, packages, extensions, on: host, preparedOn: preparedOn, in: new)
            try new.setMode(0o755)
            try root.synchronizeFileSystem()
            let newName = "\(StoreLayout.Name.generationPrefix)\(generation.number)"
            if preparedOn == nil { try markPending(newName, in: directory) }
            try temporary.rename(name, to: directory, as: newName)
            do {
                // The directory may get to the disk later: see `lostGeneration(of:)`. The switch waits for it.
                if preparedOn != nil { try directory.synchronize() }
                try database.transaction {
                    try insert(generation, packages.map(\.baseName), like: old?.registered)
                }
            } catch {
                // The reason for undoing is what is reported; what stays is adopted by the next writer.
                try? directory.rename(newName, to: temporary, as: name)
                throw error
            }
            return generation
        }
    }

    private func parentGeneration(_ number: Int, of profile: ProfileName) throws -> ParentGeneration {
        let sql = """
            SELECT base_name, package.id FROM generation_package LEFT JOIN package USING (base_name)
            WHERE profile = ? AND number = ? ORDER BY position
            """
        let registered = try database.query(sql, [.text(profile.text), .integer(number)]) { row in
            ParentGeneration.Registered(baseName: row.text(0), isKnown: row.optionalInteger(1) != nil)
        }
        return try ParentGeneration(generationDirectory(number, of: profile), registered: registered)
    }

    /// Refuses packages that are not in the index; those of the parent were asked for in one query.
    private func checkAreRegistered(
        _ packages: [GenerationPackage], beside parent: ParentGeneration?
    ) throws {
        let known = Set(parent?.registered.filter(\.isKnown).map(\.baseName) ?? [])
        for package in packages where !known.contains(package.baseName) {
            guard try self.package(baseName: package.baseName) != nil else {
                throw StoreError.unknownPackage(package.baseName)
            }
        }
    }

    /// One more than every number that was given out; enters generations that a crash kept out of the index.
    private func nextNumber(of profile: ProfileName, in directory: Descriptor) throws -> Int {
        let sql = "SELECT number FROM generation WHERE profile = ?"
        var known = Set(try database.query(sql, [.text(profile.text)]) { $0.integer(0) })
        for entry in try directory.list() {
            guard let number = Self.generationNumber(entry.text), known.insert(number).inserted else {
                continue
            }
            let (generation, packages) = try read(number, of: profile, in: directory)
            try database.transaction { try insert(generation, packages) }
        }
        return (known.max() ?? 0) + 1
    }

    /// The generation of a directory, as its files describe it, and base names of its packages.
    func read(
        _ number: Int, of profile: ProfileName, in directory: Descriptor
    ) throws -> (Generation, packages: [String]) {
        let name = "\(StoreLayout.Name.generationPrefix)\(number)"
        let place = try directory.directory(beneath: name)
        let description = try JSON.decode(
            GenerationDescription.self, from: StoreLayout.Name.generationDescription, in: place)
        let packages = try GenerationListing.read(in: place)
        let generation = Generation(
            profile: profile, number: number, parent: description.parent,
            created: Timestamp.seconds(description.created) ?? 0, command: description.command)
        return (generation, packages.map(\.baseName))
    }

    /// Enters a generation into the index; part of a transaction.
    ///
    /// - Parameters:
    ///   - packages: Base names of its packages, in their order.
    ///   - parent: The rows of its parent: those that begin and end it alike are copied in the index.
    private func insert(
        _ generation: Generation, _ packages: [String], like parent: [ParentGeneration.Registered]?
    ) throws {
        let profile = DatabaseValue.text(generation.profile.text)
        // One of this number may have been deleted a moment ago.
        try database.run(
            "DELETE FROM deleted_generation WHERE profile = ? AND number = ?",
            [profile, .integer(generation.number)])
        try database.run(
            "INSERT INTO generation (profile, number, parent, created, command) VALUES (?, ?, ?, ?, ?)",
            [
                profile, .integer(generation.number), .optional(generation.parent),
                .integer(generation.created), .text(generation.command),
            ])
        let old = parent ?? []
        let least = min(old.count, packages.count)
        let first = (0..<least).first { old[$0].baseName != packages[$0] } ?? least
        let last =
            (0..<(least - first)).first {
                old[old.count - 1 - $0].baseName != packages[packages.count - 1 - $0]
            } ?? least - first
        let copy = { (from: Int, count: Int, place: Int) in
            guard count > 0 else { return }
            // A row costs a third of what it costs when its name goes through here.
            let sql = """
                INSERT INTO generation_package (profile, number, position, base_name)
                SELECT profile, ?, position + ?, base_name FROM generation_package
                WHERE profile = ? AND number = ? AND position >= ? AND position < ?
                """
            try self.database.run(
                sql,
                [
                    .integer(generation.number), .integer(place - from), profile,
                    .optional(generation.parent), .integer(from), .integer(from + count),
                ])
        }
        try copy(0, first, 0)
        for position in first..<(packages.count - last) {
            try database.run(
                "INSERT INTO generation_package (profile, number, position, base_name) VALUES (?, ?, ?, ?)",
                [profile, .integer(generation.number), .integer(position), .text(packages[position])])
        }
        try copy(old.count - last, last, packages.count - last)
    }

    /// Enters a generation that has no rows to copy.
    func insert(_ generation: Generation, _ packages: [String]) throws {
        try insert(generation, packages, like: nil)
    }

    // MARK: - Files of a generation

    /// Makes the launchers that a plan needs, where they are not there yet.
    ///
    /// - Parameter parent: A generation whose launchers were made with it, and are not looked at again.
    private func makeLaunchers(_ plan: GenerationPlan, beside parent: ParentGeneration?) throws {
        let missing = plan.launchers.filter {
            $0.package.launchDescription != nil || parent?.has($0.package) != true
        }
        guard !missing.isEmpty else { return }
        let shims = try root.directory(beneath: StoreLayout.Name.shims)
        let program = "../../\(StoreLayout.Name.programs)/\(StoreLayout.Name.program)"
        for (package, commands) in missing {
            if try shims.status(of: package.baseName) == nil {
                try shims.makeDirectory(package.baseName)
                try shims.directory(beneath: package.baseName).setMode(0o755)
            }
            let directory = try shims.directory(beneath: package.baseName)
            let there = Set(try directory.list().map(\.text))
            let name = StoreLayout.Name.launchDescription
            if let text = package.launchDescription {
                if try !there.contains(name) || directory.open(beneath: name).readAll() != text {
                    try directory.replaceFile(name, contents: text, through: temporary())
                }
            } else if !there.contains(name) {
                throw StoreError.damagedDescription(path: directory.path(of: name), reason: "it is missing")
            }
            for command in commands where !there.contains(command) {
                try directory.makeSymlink(command, target: program.utf8)
            }
        }
    }

    /// Makes the directories and links of a plan.
    ///
    /// - Parameters:
    ///   - directory: The new generation.
    ///   - parent: A generation to share links with.
    ///   - kept: By package, whether the parent has it and shows the same of it.
    private func makeLinks(
        _ plan: GenerationPlan, in directory: Descriptor, like parent: Descriptor?, sharing kept: [Bool]
    ) throws {
        for path in plan.directories {
            try directory.makeDirectory(path.bytes, mode: 0o755)
            let place = try directory.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            try place.setMode(0o755)
            // Absent where the parent shows nothing there, or a link.
            let old = parent.flatMap { try? $0.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY) }
            for link in plan.links[path] ?? [] {
                if let old, kept[link.package], !link.isContested,
                    // Refused where a link has all the names it can have (EMLINK), is somebody else's, lies where
                    // the parent has a directory, or the file system has no hard links of symbolic links.
                    (try? old.link(link.name, to: place, as: link.name)) != nil
                {
                    continue
                }
                try place.makeSymlink(link.name, target: plan.target(of: link))
            }
            for file in plan.files[path] ?? [] { try self.place(file, in: place) }
        }
        // A cache that is older than its directory counts as outdated (GTK's of icons).
        for path in plan.files.keys {
            try directory.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY).setTimes(
                StoreLayout.modificationTime)
        }
    }

    /// Makes the links that systemd's directories lead to.
    private func makeLinks(to extensions: [GenerationExtension], in directory: Descriptor) throws {
        guard !extensions.isEmpty else { return }
        try directory.makeDirectory(StoreLayout.Name.extensions)
        let place = try directory.directory(beneath: StoreLayout.Name.extensions)
        try place.setMode(0o755)
        for found in extensions { try place.makeSymlink(found.fileName, target: found.target.utf8) }
    }

    private func describe(
        _ generation: Generation, _ packages: [GenerationPackage], _ extensions: [GenerationExtension],
        on host: [String: String], preparedOn: [String: String]?, in directory: Descriptor
    ) throws {
        let description = GenerationDescription(
            formatVersion: StoreLayout.formatVersion, profile: generation.profile.text,
            number: generation.number, parent: generation.parent, created: Timestamp.text(generation.created),
            command: generation.command, host: host["PRETTY_NAME"], hostRelease: host.isEmpty ? nil : host,
            preparedOn: preparedOn, machine: MachineIdentity.current())
        let files = [
            (StoreLayout.Name.generationDescription, try JSON.encode(description)),
            (StoreLayout.Name.generationPackages, GenerationListing.text(packages, extensions: extensions)),
        ]
        for (name, text) in files {
            let file = try directory.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
            try text.withUnsafeBytes { try file.write($0) }
            try file.setMode(0o444)
        }
    }
}
