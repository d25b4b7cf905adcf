internal import Files
internal import Glibc
internal import StoreLayout

extension Store {
    /// Finds out what a garbage collection would do.
    ///
    /// Linear in store paths and objects.
    ///
    /// - Parameters:
    ///   - retention: Which generations stay; the active one and that it was made from always do.
    ///   - outside: Roots that are not the store's own, such as running programs.
    ///   - limit: Bytes after which no more store paths go; `nil` for all.
    public func planCollection(
        retention: Retention = Retention(), outside: FoundRoots, limit: Int? = nil
    ) throws -> CollectionPlan {
        var plan = CollectionPlan()
        plan.generations = try generations(goneBy: retention)
        var roots = try fileRoots()
        roots.merge(outside)
        plan.dangling = roots.dangling
        plan.unseen = roots.unseen
        let all = try Candidates(in: self)
        let others = Dictionary(
            roots.roots.compactMap { name, roots in all.names.number(of: name).map { ($0, roots) } },
            uniquingKeysWith: { first, _ in first })
        let generations = try keptByGenerations(all.names, without: plan.generations)

        let hostsToWaitFor = try hostsToWaitFor()
        var awaited: [Int: [OtherHost]] = [:]
        var isKept = [Bool](repeating: false, count: all.names.count)
        for number in 0..<all.names.count {
            isKept[number] = generations.keepers[number].count > 0 || others[number] != nil
            guard !isKept[number], number < all.registered.count, let hostsToWaitFor else { continue }
            let hosts = hostsToWaitFor(all.names[number])
            guard !hosts.isEmpty else { continue }
            isKept[number] = true
            awaited[number] = hosts
            plan.waiting.append(all.names[number])
            for host in hosts where !plan.silent.contains(host.displayed) {
                plan.silent.append(host.displayed)
            }
        }
        plan.kept = all.names.sorted(isKept.indices.filter { isKept[$0] }).compactMap { number in
            if let hosts = awaited[number], let host = hosts.first {
                let chain = [host.displayed, "which has not said since that it does not run it"]
                return CollectionPlan.Kept(
                    baseName: all.names[number], root: CollectionRoot(kind: .host, chain: chain),
                    others: hosts.count - 1)
            }
            let others = others[number] ?? []
            let keeper = generations.keepers[number]
            let root =
                keeper.count > 0
                ? generationRoot(
                    keeper.number, of: generations.profiles[keeper.profile],
                    isActive: keeper.isActive)
                : others.first
            return root.map {
                CollectionPlan.Kept(
                    baseName: all.names[number], root: $0, others: keeper.count + others.count - 1)
            }
        }
        try choose(all, keeping: isKept, limit: limit, &plan)
        plan.derived = try unusedDerived()
        return plan
    }

    /// What generations keep a store path.
    private struct Keeper {
        /// Which of the profiles that the newest is of, or the active one.
        var profile = 0
        /// That generation's number.
        var number = 0
        var isActive = false
        /// How many generations there are.
        var count = 0
    }

    /// By number of a base name: the newest generation of a profile that has it, and how many have it.
    private func keptByGenerations(
        _ names: NameTable, without gone: [Generation]
    ) throws -> (keepers: [Keeper], profiles: [String]) {
        var keepers = [Keeper](repeating: Keeper(), count: names.count)
        var profiles: [String] = []
        var active: [Int?] = []
        for profile in try self.profiles() {
            profiles.append(profile.text)
            active.append(try currentNumber(of: profile))
        }
        let enter = { (name: UnsafeRawBufferPointer, profile: Int, number: Int) in
            // A generation may list what a crash or a hand removed.
            guard let index = names.number(of: name) else { return }
            let isActive = active[profile] == number
            keepers[index].count += 1
            // The active one says most.
            if keepers[index].count == 1 || isActive && !keepers[index].isActive {
                keepers[index].profile = profile
                keepers[index].number = number
                keepers[index].isActive = isActive
            }
        }
        let sql = "SELECT base_name, number FROM generation_package WHERE profile = ? ORDER BY number DESC"
        for (index, profile) in profiles.enumerated() {
            let isGone = Set(gone.lazy.filter { $0.profile.text == profile }.map(\.number))
            try database.forEach(sql, [.text(profile)]) { row in
                guard isGone.isEmpty || !isGone.contains(row.integer(1)) else { return }
                enter(row.textBytes(0), index, row.integer(1))
            }
        }
        return (keepers, profiles)
    }

    /// Decides which store paths go, and what that frees: each object with the last store path that has it.
    private func choose(
        _ all: Candidates, keeping isKept: [Bool], limit: Int?, _ plan: inout CollectionPlan
    ) throws {
        var objects = ObjectSet()
        // Of those that go: the uses of each, one after the other.
        var uses: Bytes = []
        var ranges = [Range<Int>](repeating: 0..<0, count: all.registered.count)
        try forEachObjectUses { row, bytes in
            guard let number = all.number(of: row) else { return }
            if isKept[number] {
                ObjectUses.forEach(in: bytes) { objects.keep($0.fingerprint) }
            } else {
                let start = uses.count
                uses.append(contentsOf: bytes)
                ranges[number] = start..<uses.count
            }
        }
        var sizes = [(bytes: Int, objects: Int)](repeating: (0, 0), count: all.registered.count)
        for number in all.registered.indices.reversed() where !ranges[number].isEmpty {
            uses.withUnsafeBytes { uses in
                ObjectUses.forEach(in: UnsafeRawBufferPointer(rebasing: uses[ranges[number]])) { use in
                    guard objects.claim(use.fingerprint) else { return }
                    sizes[number].bytes += use.size
                    sizes[number].objects += 1
                }
            }
        }
        var freed = 0
        // What a crash left comes first: nothing is known of what it has.
        for number in Array(all.registered.count..<all.names.count) + Array(all.registered.indices)
        where !isKept[number] {
            let name = all.names[number]
            if let limit, freed >= limit {
                plan.spared.append(name)
                continue
            }
            guard number < all.registered.count else {
                plan.doomed.append(
                    CollectionPlan.Doomed(
                        baseName: name, name: nil, version: nil, size: 0, freed: 0, row: nil))
                continue
            }
            let package = all.registered[number]
            plan.doomed.append(
                CollectionPlan.Doomed(
                    baseName: name, name: package.name, version: package.version, size: package.size,
                    freed: sizes[number].bytes, objectCount: sizes[number].objects, row: package.row))
            freed += sizes[number].bytes
        }
    }

    /// The generations that a rule lets go: never the active one, nor that a rollback goes to.
    func generations(goneBy retention: Retention) throws -> [Generation] {
        guard retention.count != nil || retention.age != nil else { return [] }
        let now = Timestamp.now
        return try profiles().flatMap { profile -> [Generation] in
            let all = try generations(of: profile)
            // A profile that shows nothing yet goes on with its newest.
            let active = try currentNumber(of: profile) ?? all.last?.number
            let parent = all.first { $0.number == active }?.parent
            let newest = Set(all.suffix(max(0, retention.count ?? 0)).map(\.number))
            return all.filter { generation in
                guard generation.number != active, generation.number != parent,
                    !newest.contains(generation.number)
                else { return false }
                return retention.age.map { generation.created < now - $0 } ?? true
            }
        }
    }

    /// Caches of which no file has a link in a generation.
    private func unusedDerived() throws -> [String] {
        let name = StoreLayout.Name.cache + "/" + StoreLayout.Name.derived
        guard try root.status(of: name) != nil else { return [] }
        let directory = try root.directory(beneath: name)
        return try directory.list().filter { $0.type == UInt8(DT_DIR) }.map(\.text).filter { key in
            try !hasLinks(directory.directory(beneath: key))
        }
    }

    /// Whether a file in a directory, or below, has another name.
    private func hasLinks(_ directory: Descriptor) throws -> Bool {
        for entry in try directory.list() {
            guard let status = try directory.status(of: entry.name) else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                // Not deeper than what was derived may be.
                if try hasLinks(directory.open(beneath: entry.name, flags: O_RDONLY | O_DIRECTORY)) {
                    return true
                }
            } else if status.st_nlink > 1 {
                return true
            }
        }
        return false
    }
}

/// Everything that might go: what is in the index, in the order it was registered, and then what only is on disk.
private struct Candidates {
    struct Registered {
        let row: Int
        let name: String
        let version: String
        let size: Int
    }

    /// Base names; those of ``registered`` are the first.
    private(set) var names = NameTable()
    private(set) var registered: [Registered] = []

    /// The number of the registered one with a row.
    func number(of row: Int) -> Int? {
        var (low, high) = (0, registered.count)
        while low < high {
            let middle = (low + high) / 2
            if registered[middle].row < row { low = middle + 1 } else { high = middle }
        }
        return low < registered.count && registered[low].row == row ? low : nil
    }

    init(in store: Store) throws {
        try store.database.forEach("SELECT base_name, id, name, version, size FROM package ORDER BY id") {
            names.insert($0.textBytes(0))
            registered.append(
                Registered(row: $0.integer(1), name: $0.text(2), version: $0.text(3), size: $0.integer(4)))
        }
        var strays: Set<String> = []
        for place in [StoreLayout.Name.store, StoreLayout.Name.manifests, StoreLayout.Name.shims] {
            try store.root.directory(beneath: place).forEachEntry { name, _, _ in
                guard names.number(of: name) == nil else { return }
                let name = String(decoding: name, as: UTF8.self)
                if StorePath.isBaseName(name) { strays.insert(name) }
            }
        }
        for var name in strays.sorted() { name.withUTF8 { _ = names.insert(UnsafeRawBufferPointer($0)) } }
    }
}
