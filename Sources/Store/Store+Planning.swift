internal import Files
internal import Glibc
internal import StoreLayout

extension Store {
    /// A store path that is in the index or on disk.
    private struct Candidate {
        let baseName: String
        var row: Int?
        var name: String?
        var version: String?
        var size = 0
    }

    /// Finds out what a garbage collection would do.
    ///
    /// What a crash left in `objects/` is found only when it is done. Linear in store paths and objects.
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
        let generations = try keptByGenerations(without: plan.generations)

        let hostsToWaitFor = try hostsToWaitFor()
        var doomed: [Candidate] = []
        var liveRows: Set<Int> = []
        for candidate in try candidates() {
            let others = roots.roots[candidate.baseName] ?? []
            if let generation = generations[candidate.baseName] {
                let root = generationRoot(
                    generation.number, of: generation.profile, isActive: generation.isActive)
                plan.kept.append(
                    CollectionPlan.Kept(
                        baseName: candidate.baseName, root: root, others: generation.count - 1 + others.count)
                )
            } else if let first = others.first {
                plan.kept.append(
                    CollectionPlan.Kept(baseName: candidate.baseName, root: first, others: others.count - 1))
            } else if candidate.row != nil, let hosts = hostsToWaitFor?(candidate.baseName),
                let host = hosts.first
            {
                let chain = [host.displayed, "which has not said since that it does not run it"]
                plan.kept.append(
                    CollectionPlan.Kept(
                        baseName: candidate.baseName, root: CollectionRoot(kind: .host, chain: chain),
                        others: hosts.count - 1))
                plan.waiting.append(candidate.baseName)
                for host in hosts where !plan.silent.contains(host.displayed) {
                    plan.silent.append(host.displayed)
                }
            } else {
                doomed.append(candidate)
                continue
            }
            if let row = candidate.row { liveRows.insert(row) }
        }
        plan.kept.sort { $0.baseName < $1.baseName }
        try choose(doomed, live: liveRows, limit: limit, &plan)
        plan.derived = try unusedDerived()
        return plan
    }

    /// Everything that might go: rows of the index, in the order they were made, after what only is on disk.
    private func candidates() throws -> [Candidate] {
        let registered = try database.query(
            "SELECT base_name, id, name, version, size FROM package ORDER BY id"
        ) {
            Candidate(
                baseName: $0.text(0), row: $0.integer(1), name: $0.text(2), version: $0.text(3),
                size: $0.integer(4))
        }
        var known = Set(registered.lazy.map(\.baseName))
        var strays: [Candidate] = []
        for place in [StoreLayout.Name.store, StoreLayout.Name.manifests, StoreLayout.Name.shims] {
            try root.directory(beneath: place).forEachEntry { name, _, _ in
                let name = String(decoding: name, as: UTF8.self)
                guard StorePath.isBaseName(name), known.insert(name).inserted else { return }
                strays.append(Candidate(baseName: name))
            }
        }
        return strays.sorted { $0.baseName < $1.baseName } + registered
    }

    /// By base name: the newest generation of a profile that has it, and how many have it.
    private func keptByGenerations(
        without gone: [Generation]
    ) throws -> [String: (profile: String, number: Int, isActive: Bool, count: Int)] {
        var kept: [String: (profile: String, number: Int, isActive: Bool, count: Int)] = [:]
        let active = Dictionary(
            uniqueKeysWithValues: try profiles().map { ($0.text, try currentNumber(of: $0)) })
        let isGone = Set(gone.map { "\($0.number) \($0.profile)" })
        let enter = { (name: String, profile: String, number: Int, count: Int) in
            let isActive = active[profile] == number
            if let other = kept[name] {
                // The active one says most.
                let isBetter = isActive && !other.isActive
                kept[name] =
                    isBetter
                    ? (profile, number, true, other.count + count)
                    : (other.profile, other.number, other.isActive, other.count + count)
            } else {
                kept[name] = (profile, number, isActive, count)
            }
        }
        if gone.isEmpty {
            let sql = """
                SELECT base_name, profile, max(number), count(DISTINCT number) FROM generation_package
                GROUP BY base_name, profile
                """
            _ = try database.query(sql) { enter($0.text(0), $0.text(1), $0.integer(2), $0.integer(3)) }
        } else {
            let sql =
                "SELECT DISTINCT base_name, profile, number FROM generation_package ORDER BY number DESC"
            _ = try database.query(sql) { row in
                guard !isGone.contains("\(row.integer(2)) \(row.text(1))") else { return }
                enter(row.text(0), row.text(1), row.integer(2), 1)
            }
        }
        return kept
    }

    /// Decides which store paths go, and what that frees.
    private func choose(
        _ candidates: [Candidate], live: Set<Int>, limit: Int?, _ plan: inout CollectionPlan
    ) throws {
        let rows = Set(candidates.compactMap(\.row))
        var counts = ObjectCounts()
        var uses: [Int: Bytes] = [:]
        try forEachObjectUses { row, bytes in
            if rows.contains(row) {
                uses[row] = Array(bytes)
                ObjectUses.forEach(in: bytes) { counts.add($0.fingerprint) }
            } else if live.contains(row) {
                ObjectUses.forEach(in: bytes) { counts.keep($0.fingerprint) }
            }
        }
        var freed = 0
        for candidate in candidates {
            if let limit, freed >= limit {
                plan.spared.append(candidate.baseName)
                continue
            }
            var doomed = CollectionPlan.Doomed(
                baseName: candidate.baseName, name: candidate.name, version: candidate.version,
                size: candidate.size, freed: 0, row: candidate.row)
            if let bytes = candidate.row.flatMap({ uses[$0] }) {
                bytes.withUnsafeBytes { bytes in
                    ObjectUses.forEach(in: bytes) { use in
                        if counts.remove(use.fingerprint) { doomed.freed += use.size }
                    }
                }
            }
            freed += doomed.freed
            plan.doomed.append(doomed)
        }
        plan.counts = counts
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
