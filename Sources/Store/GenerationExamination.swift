internal import Files
internal import Glibc
internal import StoreLayout

/// Compares generations with the index, and their links with what they lead to.
struct GenerationExamination {
    private(set) var found: [Inconsistency] = []

    private let root: Descriptor
    /// Base names of all registered store paths.
    private let registered: Set<String>
    /// Links that lead where they should: generations share them.
    private var sound: Set<UInt64> = []

    init(in root: Descriptor, registered: Set<String>) {
        (self.root, self.registered) = (root, registered)
    }

    private mutating func report(
        _ code: String, _ path: String, _ what: String, _ severity: Inconsistency.Severity = .error,
        _ remedy: Inconsistency.Remedy = .repair(nil)
    ) {
        found.append(Inconsistency(severity, code, path, what, remedy))
    }

    /// Compares a profile with its generations in the index.
    ///
    /// - Parameter deleted: Generations whose directories go with the next command that writes.
    /// - Parameter names: What the index has of their packages, by number.
    mutating func look(
        at profile: ProfileName, _ generations: [Generation], names: [Int: [String]], deleted: Set<Int>
    ) throws {
        let place = "\(StoreLayout.Name.profiles)/\(profile)"
        guard let status = try root.status(of: place), status.st_mode & S_IFMT == S_IFDIR else {
            return report(
                "profile", place, "the index has a profile that is not there", .error, .rebuildIndex)
        }
        let directory = try root.directory(beneath: place)
        let target = { (name: String) in
            (try? directory.readSymlink(name)).map { String(decoding: $0, as: UTF8.self) }
        }
        let pending = target(StoreLayout.Name.pending)
        let known = Set(generations.map(\.number))
        var there: Set<Int> = []
        for entry in try directory.list() {
            guard let number = Store.generationNumber(entry.text) else { continue }
            there.insert(number)
            guard !known.contains(number) else { continue }
            let isPending = entry.text == pending || deleted.contains(number)
            report(
                "generation", place + "/" + entry.text, "it is not in the index", isPending ? .note : .error,
                isPending ? .wait : .rebuildIndex)
        }
        let active = target(StoreLayout.Name.current).flatMap(Store.generationNumber)
        if active.map(there.contains) != true, pending == nil, !there.isEmpty {
            let what =
                try directory.status(of: StoreLayout.Name.current) == nil
                ? "the profile has no active generation" : "it leads to no generation"
            report("current", place + "/" + StoreLayout.Name.current, what)
        }
        for generation in generations {
            let path = "\(place)/\(StoreLayout.Name.generationPrefix)\(generation.number)"
            guard there.contains(generation.number) else {
                // As a loss of power leaves one that was never the active one.
                let isUnfinished = generation.number == known.max() && generation.number != active
                report(
                    "generation", path, "the index has it, and it is not there",
                    isUnfinished ? .note : .error, isUnfinished ? .wait : .rebuildIndex)
                continue
            }
            let isActive = generation.number == active
            do {
                try look(at: generation, with: names[generation.number] ?? [], isActive: isActive, path)
            } catch let error as SystemError where error.code == ENOENT {
                // As while another generation takes its links over, or it is deleted: then not on another look.
                report("generation", path, "something of it is gone: \("\(error)".prefix { $0 != "\n" })")
            }
        }
    }

    private mutating func look(
        at generation: Generation, with names: [String], isActive: Bool, _ path: String
    ) throws {
        let directory = try root.directory(beneath: path)
        let status = try directory.status()
        if status.st_mode & 0o022 != 0 {
            report("unsafe", path, Store.unsafe(status, status.st_uid), .error, .byHand("chmod it"))
        }
        let file = path + "/" + StoreLayout.Name.generationDescription
        do {
            let description = try JSON.decode(
                GenerationDescription.self, from: StoreLayout.Name.generationDescription, in: directory)
            if description.profile != generation.profile.text || description.number != generation.number
                || description.command != generation.command
                || Timestamp.seconds(description.created) != generation.created
            {
                report("index", file, "the index says something else", .error, .rebuildIndex)
            } else if description.parent != generation.parent {
                // Written before the index is.
                report(
                    "index", file, "an interrupted deletion gave it another parent than the index has", .note,
                    .rebuildIndex)
            }
        } catch {
            report("generation", file, "it is missing, or cannot be read")
        }
        let list = path + "/" + StoreLayout.Name.generationPackages
        guard let packages = try? GenerationListing.read(in: directory) else {
            return report("generation", list, "it is missing, or cannot be read")
        }
        guard packages.map(\.baseName) == names else {
            return report("index", list, "the index has other packages", .error, .rebuildIndex)
        }
        for package in packages where !registered.contains(package.baseName) {
            report(
                "generation", list, "it shows \(package.baseName), which is not registered", .error,
                .byHand("import that package again"))
        }
        var plan: GenerationPlan?
        do {
            plan = try GenerationPlan(packages)
        } catch {
            report("generation", list, "no generation can be made of it: \("\(error)".prefix { $0 != "\n" })")
        }
        let mark = StoreLayout.Name.stubMark
        let isStub = try directory.status(of: mark) != nil
        if isStub, isActive { report("link", path + "/" + mark, "it is the active generation, and a stub") }
        try lookAtLinks(of: plan, isStub: isStub && !isActive, in: directory, path)
    }

    /// Looks at every directory of a generation: at what is there, and what should be.
    private mutating func lookAtLinks(
        of plan: GenerationPlan?, isStub: Bool, in top: Descriptor, _ path: String
    ) throws {
        let isWanted = { (place: TreePath) in !isStub || !GenerationPlan.isDerived(place) }
        var missing = Set((plan?.directories ?? []).filter(isWanted))
        var pending: [TreePath] = [.root]
        while let place = pending.popLast() {
            missing.remove(place)
            let directory =
                place.bytes.isEmpty
                ? top : try top.open(beneath: place.bytes, flags: O_RDONLY | O_DIRECTORY)
            var names: Set<String> = []
            for entry in try directory.list() {
                names.insert(entry.text)
                let child = place.appending(entry.name)
                if entry.type == UInt8(DT_DIR) {
                    pending.append(child)
                } else if entry.type == UInt8(DT_LNK), !sound.contains(entry.inode) {
                    let target = try directory.readSymlink(entry.text) ?? []
                    if let what = try wrong(target, depth: place.components.count) {
                        report("link", "\(path)/\(child)", what)
                    } else {
                        sound.insert(entry.inode)
                    }
                }
            }
            for link in plan?.links[place] ?? [] where isWanted(place) && !names.contains(link.name) {
                report("link", "\(path)/\(place.appending(link.name.utf8))", "it is missing")
            }
        }
        for place in missing.sorted() { report("link", "\(path)/\(place)", "the directory is missing") }
    }

    /// What is wrong with the target of a link; `nil` for one that leads to something, or out of the store.
    ///
    /// - Parameter depth: Directories that the link is in, below the generation.
    private func wrong(_ target: Bytes, depth: Int) throws -> String? {
        let text = String(decoding: target, as: UTF8.self)
        let climb = String(repeating: "../", count: depth + 3)
        let inside: String
        if text.hasPrefix(climb) {
            inside = String(text.dropFirst(climb.count))
        } else if text.hasPrefix(StoreLayout.storeDirectory + "/") {
            inside = StoreLayout.Name.store + text.dropFirst(StoreLayout.storeDirectory.count)
        } else {
            return nil
        }
        let parts = inside.split(separator: "/")
        guard parts.count > 1 else { return "it leads to '\(target.displayed)'" }
        let base = String(parts[1])
        if StorePath.isBaseName(base), !registered.contains(base) {
            return "it leads into \(base), which is not registered"
        }
        guard (try? root.status(of: inside)) == nil else { return nil }
        // A path through a link of the store path, which the program follows in its namespace.
        guard parts[0] == StoreLayout.Name.store, try throughLink(parts) else {
            return "it leads to \(inside), which is missing"
        }
        return nil
    }

    /// Whether a directory on the way to a path is a link, so that this is no place to say what is there.
    private func throughLink(_ parts: [Substring]) throws -> Bool {
        var path = ""
        for part in parts.dropLast() {
            path += path.isEmpty ? part : "/" + part
            guard let status = try root.status(of: path) else { return false }
            if status.st_mode & S_IFMT == S_IFLNK { return true }
        }
        return false
    }
}
