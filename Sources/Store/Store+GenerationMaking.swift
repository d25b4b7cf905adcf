internal import Files
internal import Glibc
public import StoreLayout

extension Store {
    /// Finds out whether a generation of these packages can be made; they need not be registered.
    ///
    /// - Throws: ``StoreError/collision(path:owners:)`` and ``StoreError/invalidExposure(package:what:)``.
    public func checkGeneration(of packages: [GenerationPackage]) throws {
        _ = try GenerationPlan(packages)
    }

    /// Makes the next generation of a profile, and does not switch to it: if nobody does, the next writer takes it back.
    ///
    /// Where an earlier one shows nearly the same, and nobody goes back to it, its links are taken over: then it is a stub.
    /// Else what `parent` shows in the same place is not made again: it gets a further hard link, without an inode.
    ///
    /// - Parameters:
    ///   - profile: The profile.
    ///   - packages: Its packages, all registered.
    ///   - parent: The generation it is made from.
    ///   - files: What it shows besides its packages' links, or in place of one.
    ///   - extensions: What is merged over `/usr` while it is the active one.
    ///   - cacheSources: What ``cacheSources(in:among:like:)`` found; `nil` where nobody asked.
    ///   - command: The command that makes it.
    ///   - host: What the os-release of the host it is made for says.
    ///   - preparedOn: Where that is another than it is made on: what that one's says. Such a generation stays though nobody
    ///     switches to it.
    /// - Throws: ``StoreError/collision(path:owners:)`` and others, before anything is changed.
    public func makeGeneration(
        profile: ProfileName, packages: [GenerationPackage], parent: Int?, files: [GenerationFile] = [],
        extensions: [GenerationExtension] = [], cacheSources: [String]? = nil, command: String,
        host: [String: String] = [:], preparedOn: [String: String]? = nil
    ) throws -> Generation {
        try withWriterLock(command: command) {
            if let wrong = extensions.first(where: { !$0.isValid }) {
                throw StoreError.invalidExposure(package: wrong.fileName, what: wrong.location)
            }
            let unshared = files.first { file in
                if case .link = file.content { GenerationPlan.isDerived(file.path) } else { false }
            }
            if let unshared {
                throw StoreError.invalidExposure(package: "the generation", what: "\(unshared.path)")
            }
            var seen: Set<String> = []
            let packages = packages.filter { seen.insert($0.baseName).inserted }
            let listing = GenerationListing.text(packages, extensions: extensions)
            let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
            // A parent that is gone or damaged only costs time: all is made anew.
            let (old, donor) = try earlierGenerations(
                like: listing, of: profile, in: profiles, parent: parent)
            try checkAreRegistered(packages, beside: old)
            let plan = try GenerationPlan(
                packages, gone: (old?.gone ?? []) + (donor?.gone ?? []), files: files.map(\.path))
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
            let isTaken = try donor.map { try takeLinks(of: $0, in: directory, into: new) } ?? false
            let contents = Dictionary(files.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
            try GenerationLinks(
                plan: plan, parent: old.map { old in (old.directory, packages.map(old.has)) },
                taken: isTaken ? donor.map { packages.map($0.has) } : nil
            ).make(in: new, isComplete: true) { path, place in
                if let file = contents[path] { try self.place(file, in: place) }
            }
            try makeLinks(to: extensions, in: new)
            try describe(generation, listing, on: host, preparedOn: preparedOn, in: new)
            try new.setMode(0o755)
            try root.synchronizeFileSystem()
            let newName = "\(StoreLayout.Name.generationPrefix)\(generation.number)"
            if preparedOn == nil { try markPending(newName, in: directory) }
            try temporary.rename(name, to: directory, as: newName)
            do {
                // The directory may get to the disk later: see `lostGeneration(of:)`. The switch waits for it.
                if preparedOn != nil { try directory.synchronize() }
                try database.transaction {
                    try insert(generation, packages.map(\.baseName), cacheSources: cacheSources)
                }
            } catch {
                // The reason for undoing is what is reported; what stays is adopted by the next writer.
                try? directory.rename(newName, to: temporary, as: name)
                throw error
            }
            return generation
        }
    }

    /// The generation that one is made from, and another that it can take links from.
    private func earlierGenerations(
        like listing: Bytes, of profile: ProfileName, in profiles: Descriptor, parent: Int?
    ) throws -> (parent: EarlierGeneration?, donor: EarlierGeneration?) {
        guard try profiles.status(of: profile.text) != nil,
            let contents = GenerationContents(listing, path: StoreLayout.Name.generationPackages)
        else { return (nil, nil) }
        let directory = try profiles.directory(beneath: profile.text)
        return (
            parent.flatMap { earlierGeneration($0, in: directory, comparedWith: contents) },
            try linkDonor(for: contents, of: profile, in: directory, sparing: [parent])
        )
    }

    /// Refuses packages that are not in the index; those of the parent are, since it keeps them.
    private func checkAreRegistered(
        _ packages: [GenerationPackage], beside parent: EarlierGeneration?
    ) throws {
        for package in packages where parent?.has(package) != true {
            guard try self.package(baseName: package.baseName) != nil else {
                throw StoreError.unknownPackage(package.baseName)
            }
        }
    }

    /// One more than every number that was given out; enters generations that a crash kept out of the index.
    private func nextNumber(of profile: ProfileName, in directory: Descriptor) throws -> Int {
        let sql = "SELECT number FROM generation WHERE profile = ? ORDER BY number"
        let known = try database.query(sql, [.text(profile.text)]) { $0.integer(0) }
        let there = try directory.list().compactMap { Self.generationNumber($0.text) }.sorted()
        // Side by side: there may be a thousand.
        var place = 0
        for number in there {
            while place < known.count, known[place] < number { place += 1 }
            guard place == known.count || known[place] != number else { continue }
            let (generation, packages) = try read(number, of: profile, in: directory)
            try database.transaction { try insert(generation, packages) }
        }
        return max(known.last ?? 0, there.last ?? 0) + 1
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
    /// All its packages are one row: a row for each, and an entry of an index by name, had a change of one write into a page
    /// for nearly each of the others.
    ///
    /// - Parameters:
    ///   - packages: Base names of its packages, in their order.
    ///   - cacheSources: Those of them that caches for desktops are made from; `nil` where that is not known.
    func insert(_ generation: Generation, _ packages: [String], cacheSources: [String]? = nil) throws {
        let key = [DatabaseValue.text(generation.profile.text), .integer(generation.number)]
        // One of this number may have been deleted a moment ago.
        try database.run("DELETE FROM deleted_generation WHERE profile = ? AND number = ?", key)
        try database.run(
            "INSERT INTO generation (profile, number, parent, created, command) VALUES (?, ?, ?, ?, ?)",
            key + [.optional(generation.parent), .integer(generation.created), .text(generation.command)])
        try database.run(
            "INSERT INTO generation_list (profile, number, base_names, cache_sources) VALUES (?, ?, ?, ?)",
            key + [.text(Self.jsonList(packages)), .optional(cacheSources.map(Self.jsonList))])
    }

    /// Whether a byte of a text is written otherwise in JSON.
    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// Texts as SQLite reads them again with `json_each`.
    static func jsonList(_ texts: [String]) -> String {
        var list: Bytes = [UInt8(ascii: "[")]
        list.reserveCapacity(texts.count * 64 + 2)
        for var text in texts {
            if list.count > 1 { list.append(UInt8(ascii: ",")) }
            list.append(UInt8(ascii: "\""))
            // At once: a generation may have thousands.
            let isPlain = text.withUTF8 { bytes in
                guard !bytes.contains(where: Self.isEscaped) else { return false }
                list.append(contentsOf: bytes)
                return true
            }
            if !isPlain {
                for byte in text.utf8 {
                    switch byte {
                    case UInt8(ascii: "\""), UInt8(ascii: "\\"): list += [UInt8(ascii: "\\"), byte]
                    // Only what a damaged file has instead of a name.
                    case 0..<0x20: list += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
                    default: list.append(byte)
                    }
                }
            }
            list.append(UInt8(ascii: "\""))
        }
        list.append(UInt8(ascii: "]"))
        return String(decoding: list, as: UTF8.self)
    }

    // MARK: - Files of a generation

    /// Makes the launchers that a plan needs, where they are not there yet.
    ///
    /// - Parameter parent: A generation whose launchers were made with it, and are not looked at again.
    private func makeLaunchers(_ plan: GenerationPlan, beside parent: EarlierGeneration?) throws {
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

    /// Makes the links that systemd's directories lead to.
    private func makeLinks(to extensions: [GenerationExtension], in directory: Descriptor) throws {
        guard !extensions.isEmpty else { return }
        try directory.makeDirectory(StoreLayout.Name.extensions)
        let place = try directory.directory(beneath: StoreLayout.Name.extensions)
        try place.setMode(0o755)
        for found in extensions { try place.makeSymlink(found.fileName, target: found.target.utf8) }
    }

    private func describe(
        _ generation: Generation, _ listing: Bytes, on host: [String: String], preparedOn: [String: String]?,
        in directory: Descriptor
    ) throws {
        let description = GenerationDescription(
            formatVersion: StoreLayout.formatVersion, profile: generation.profile.text,
            number: generation.number, parent: generation.parent, created: Timestamp.text(generation.created),
            command: generation.command, host: host["PRETTY_NAME"], hostRelease: host.isEmpty ? nil : host,
            preparedOn: preparedOn, machine: MachineIdentity.current())
        let files = [
            (StoreLayout.Name.generationDescription, description.json()),
            (StoreLayout.Name.generationPackages, listing),
        ]
        for (name, text) in files {
            let file = try directory.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
            try text.withUnsafeBytes { try file.write($0) }
            try file.setMode(0o444)
        }
    }
}
