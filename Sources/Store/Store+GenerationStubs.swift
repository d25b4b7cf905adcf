internal import Files
internal import Glibc
internal import StoreLayout

/// *Stubs*: generations whose links a later one took over, and that get links again when they are switched to.
///
/// A stub has everything but the links in `bin` and `share`, which follow from its `packages`.
extension Store {
    /// Generations that are looked at for one that can give its links: nearly always the first can.
    private static let mostCandidates = 8

    /// Directories of which a stub has files only.
    private static let derivedDirectories = [StoreLayout.Name.commands, StoreLayout.Name.data]

    /// Whether a generation is a stub.
    func isStub(_ directory: Descriptor) throws -> Bool {
        try directory.status(of: StoreLayout.Name.stubMark) != nil
    }

    /// An earlier generation; `nil` where there is none, or it cannot be read.
    func earlierGeneration(
        _ number: Int, in profile: Descriptor, comparedWith contents: GenerationContents
    ) -> EarlierGeneration? {
        guard
            let directory = try? profile.directory(beneath: "\(StoreLayout.Name.generationPrefix)\(number)"),
            let old = try? GenerationListing.contents(in: directory)
        else { return nil }
        return try? EarlierGeneration(number, in: directory, showing: old, comparedWith: contents)
    }

    /// A generation that can give its links to one that is being made; `nil` where none shows much of the same.
    ///
    /// Not the active one and the one that a rollback goes to, which are to be there whatever happens.
    ///
    /// - Parameters:
    ///   - contents: What the one being made shows.
    ///   - kept: Further generations that stay as they are.
    func linkDonor(
        for contents: GenerationContents, of profile: ProfileName, in directory: Descriptor,
        sparing kept: [Int?]
    ) throws -> EarlierGeneration? {
        let active = try currentGeneration(of: profile)
        let spared = Set((kept + [active?.number, active?.parent]).compactMap { $0 })
        let sql = "SELECT number FROM generation WHERE profile = ? ORDER BY number DESC LIMIT ?"
        let limit = Self.mostCandidates + spared.count
        let numbers = try database.query(sql, [.text(profile.text), .integer(limit)]) { $0.integer(0) }
        var best: (number: Int, directory: Descriptor, contents: GenerationContents, distance: Int)?
        for number in numbers.filter({ !spared.contains($0) }).prefix(Self.mostCandidates) {
            guard
                let place = try? directory.directory(
                    beneath: "\(StoreLayout.Name.generationPrefix)\(number)"),
                try isWholeAndUsual(place), let old = try? GenerationListing.contents(in: place)
            else { continue }
            let distance = contents.distance(from: old)
            if distance < best?.distance ?? .max { best = (number, place, old, distance) }
            // Another would hardly be nearer.
            if distance <= contents.size / 8 { break }
        }
        // To take out and put in costs as much as to make.
        guard let best, best.distance <= contents.size / 2 else { return nil }
        return try? EarlierGeneration(
            best.number, in: best.directory, showing: best.contents, comparedWith: contents)
    }

    /// Whether a generation has its links, and is not prepared for a host that may start at any time.
    private func isWholeAndUsual(_ generation: Descriptor) throws -> Bool {
        guard try !isStub(generation) else { return false }
        for name in Self.derivedDirectories {
            guard let status = try generation.status(of: name), status.st_mode & S_IFMT == S_IFDIR else {
                return false
            }
        }
        guard let text = try? generation.open(beneath: StoreLayout.Name.generationDescription).readAll()
        else {
            return false
        }
        // Not decoded: the word may also be in its command, and then this is not the one.
        return text.withUnsafeBytes { $0.firstOffset(of: Array("\"preparedOn\"".utf8)) } == nil
    }

    /// Nanoseconds that a reader has to walk into a generation that was the active one when he asked: microseconds are enough,
    /// but for a thread that waits for a processor.
    private static let grace = 30_000_000

    /// Lets those go on who are on the way into a generation: a switch touches the one that it leaves.
    private func waitForReaders(of generation: Descriptor) throws {
        let left = try generation.status().st_ctim
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let seconds = now.tv_sec &- left.tv_sec
        guard (-1...1).contains(seconds) else { return }
        let past = seconds * 1_000_000_000 + now.tv_nsec - left.tv_nsec
        guard past < Self.grace else { return }
        usleep(useconds_t(min(Self.grace, Self.grace - past) / 1000))
    }

    /// Makes a stub of a generation, and moves its `bin` and `share` into a new one's directory.
    ///
    /// From one step to the next it is a stub: what a crash leaves of the rest is in `tmp`.
    ///
    /// - Returns: Whether that was done. Where it cannot be, nothing has changed.
    func takeLinks(of donor: EarlierGeneration, in profile: Descriptor, into new: Descriptor) throws -> Bool {
        let generation = "\(StoreLayout.Name.generationPrefix)\(donor.number)"
        let temporary = try temporary()
        let (name, stub) = try temporary.makeHeldDirectory()
        // First what was made for the stub, then what is left of the generation. Swept by the next writer if it cannot
        // be removed now.
        defer { try? temporary.removeTree(name) }
        do {
            try makeStub(of: donor.directory, in: stub)
            try waitForReaders(of: donor.directory)
            // It comes to `tmp`, where what nobody holds is removed.
            guard try donor.directory.tryLock() else { return false }
            // Refused by file systems that cannot exchange names, or have the generation in a lower layer.
            try temporary.exchange(name, with: generation, in: profile)
        } catch {
            // It costs no more than time.
            return false
        }
        do {
            for name in Self.derivedDirectories { try donor.directory.rename(name, to: new, as: name) }
            return true
        } catch {
            for name in Self.derivedDirectories where try donor.directory.status(of: name) == nil {
                try new.rename(name, to: donor.directory, as: name)
            }
            try temporary.exchange(name, with: generation, in: profile)
            return false
        }
    }

    private func makeStub(of generation: Descriptor, in stub: Descriptor) throws {
        let mark = try stub.makeFile(Bytes(StoreLayout.Name.stubMark.utf8))
        try mark.setMode(0o444)
        try linkRest(of: generation, to: stub)
        for file in try filesAmongLinks(of: generation) {
            let source = try generation.open(beneath: Self.place(file), flags: O_RDONLY | O_DIRECTORY)
            let parent = try makeDirectories(file.parent ?? .root, in: stub)
            try linkOrCopy(file.name, of: source, to: parent)
            try parent.setTimes(StoreLayout.modificationTime)
        }
        try stub.setMode(0o755)
    }

    /// Gives a generation that is a stub its links again.
    ///
    /// From one step to the next it is whole.
    func restoreLinks(of number: Int, in profile: ProfileName) throws {
        let directory = try root.directory(beneath: "\(StoreLayout.Name.profiles)/\(profile)")
        let stub = try generationDirectory(number, of: profile)
        let contents = try GenerationListing.contents(in: stub)
        let packages = try contents.packages()
        let active = try currentNumber(of: profile)
        let parent = active.flatMap { earlierGeneration($0, in: directory, comparedWith: contents) }
        let donor = try linkDonor(
            for: contents, of: profile, in: directory,
            sparing: [number, generation(number, of: profile)?.parent])
        let files = try filesAmongLinks(of: stub)
        let plan = try GenerationPlan(
            packages, gone: (parent?.gone ?? []) + (donor?.gone ?? []), files: files)

        let temporary = try temporary()
        let (name, new) = try temporary.makeHeldDirectory()
        // Then it has the stub. Swept by the next writer if it cannot be removed now.
        defer { try? temporary.removeTree(name) }
        let isTaken = try donor.map { try takeLinks(of: $0, in: directory, into: new) } ?? false
        try GenerationLinks(
            plan: plan, parent: parent.map { parent in (parent.directory, packages.map(parent.has)) },
            taken: isTaken ? donor.map { packages.map($0.has) } : nil
        ).make(in: new, isComplete: false) { file, place in
            let source = try stub.open(beneath: Self.place(file), flags: O_RDONLY | O_DIRECTORY)
            try linkOrCopy(file.name, of: source, to: place)
        }
        try linkRest(of: stub, to: new)
        try new.setMode(0o755)
        try root.synchronizeFileSystem()
        do {
            try temporary.exchange(
                name, with: "\(StoreLayout.Name.generationPrefix)\(number)", in: directory)
        } catch let error as SystemError where Self.isRefused(error) {
            try complete(stub, with: new, files)
        }
    }

    /// Whether a file system cannot exchange directories: the store was copied there from another one, or is a lower layer.
    private static func isRefused(_ error: SystemError) -> Bool {
        [EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EXDEV].contains(error.code)
    }

    /// Puts the links into a stub where it is, which takes as long as to make them; at last it is none any more.
    private func complete(_ stub: Descriptor, with new: Descriptor, _ files: [TreePath]) throws {
        for start in [GenerationPlan.commands, GenerationPlan.data] {
            _ = try makeDirectories(start, in: stub)
            try Self.walk(new, from: start) { place, path, entry, isDirectory in
                let directory = try makeDirectories(path, in: stub)
                if isDirectory {
                    _ = try makeDirectories(path.appending(entry.name), in: stub)
                } else if try directory.status(of: entry.name) == nil {
                    try linkOrCopy(entry.name, of: place, to: directory)
                }
            }
        }
        for file in files {
            try stub.open(beneath: Self.place(file), flags: O_RDONLY | O_DIRECTORY).setTimes(
                StoreLayout.modificationTime)
        }
        try root.synchronizeFileSystem()
        try stub.unlink(StoreLayout.Name.stubMark)
    }

    // MARK: - What a stub has

    /// Links everything of a generation into another directory but the mark of a stub, `bin` and `share`.
    private func linkRest(of generation: Descriptor, to directory: Descriptor) throws {
        let left = Self.derivedDirectories + [StoreLayout.Name.stubMark]
        for entry in try generation.list() where !left.contains(entry.text) {
            guard try Self.isDirectory(entry, of: generation) else {
                try linkOrCopy(entry.name, of: generation, to: directory)
                continue
            }
            let top = TreePath.root.appending(entry.name)
            _ = try makeDirectories(top, in: directory)
            try Self.walk(generation, from: top) { place, path, entry, isDirectory in
                if isDirectory { return }
                try linkOrCopy(entry.name, of: place, to: makeDirectories(path, in: directory))
            }
        }
    }

    /// Paths of what is no link in `share`: each is for all packages of the generation, or takes a link's place.
    private func filesAmongLinks(of generation: Descriptor) throws -> [TreePath] {
        guard try generation.status(of: StoreLayout.Name.data) != nil else { return [] }
        var files: [TreePath] = []
        try Self.walk(generation, from: GenerationPlan.data) { _, path, entry, isDirectory in
            if !isDirectory, entry.type != UInt8(DT_LNK) { files.append(path.appending(entry.name)) }
        }
        return files.sorted()
    }

    /// Visits everything below a directory, with the directory that it is in and that one's path.
    private static func walk(
        _ generation: Descriptor, from start: TreePath,
        _ visit: (Descriptor, TreePath, Descriptor.Listed, Bool) throws -> Void
    ) throws {
        var pending = [start]
        while let path = pending.popLast() {
            let place = try generation.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            for entry in try place.listOnce() {
                let isDirectory = try isDirectory(entry, of: place)
                if isDirectory { pending.append(path.appending(entry.name)) }
                try visit(place, path, entry, isDirectory)
            }
        }
    }

    /// Whether an entry is a directory.
    ///
    /// - Throws: `SystemError` where the file system does not tell: then nothing is taken over.
    private static func isDirectory(_ entry: Descriptor.Listed, of place: Descriptor) throws -> Bool {
        guard entry.type != UInt8(DT_UNKNOWN) else {
            throw SystemError("find out what is in", place.path, code: EOPNOTSUPP)
        }
        return entry.type == UInt8(DT_DIR)
    }

    /// The path of the directory that a file is in, as openat(2) takes it.
    private static func place(_ file: TreePath) -> Bytes {
        file.parent.map { $0.bytes.isEmpty ? [0x2e] : $0.bytes } ?? [0x2e]
    }

    /// Makes a directory of a generation, and those above it; opens it.
    private func makeDirectories(_ path: TreePath, in top: Descriptor) throws -> Descriptor {
        var missing: [TreePath] = []
        var above = Optional(path)
        while let directory = above, !directory.bytes.isEmpty, try top.status(of: directory.bytes) == nil {
            missing.append(directory)
            above = directory.parent
        }
        for directory in missing.reversed() {
            try top.makeDirectory(directory.bytes, mode: 0o755)
            try top.open(beneath: directory.bytes, flags: O_RDONLY | O_DIRECTORY).setMode(0o755)
        }
        return try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
    }

    /// Gives a file or link another name, or makes one that is the same where it can have no more.
    private func linkOrCopy(_ name: Bytes, of source: Descriptor, to directory: Descriptor) throws {
        if (try? source.link(name, to: directory, as: name)) != nil { return }
        guard let status = try source.status(of: name) else {
            throw SystemError("open", source.path(of: name.displayed), code: ENOENT)
        }
        if status.st_mode & S_IFMT == S_IFLNK {
            return try directory.makeSymlink(name, target: source.readSymlink(name))
        }
        let file = try directory.makeFile(name)
        try file.append(contentsOf: source.open(beneath: name))
        try file.setMode(UInt32(status.st_mode & 0o777))
        // Before what it was copied from goes.
        try file.synchronize()
    }
}
