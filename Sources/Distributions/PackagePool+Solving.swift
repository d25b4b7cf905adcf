internal import CSolv
internal import Files
private import Glibc
internal import StoreLayout

extension PackagePool {
    /// Names like one that nobody has, that are told.
    private static let mostSimilar = 5
    /// How often it is chosen anew because a package would rather have another alternative.
    private static let mostRounds = 8
    /// A version that no package has.
    private static let newest = "99999:0"
    /// Bytes that a package may say it has: those of all of them can be added.
    private static let largest = 1 << 48

    /// Chooses packages that go together: those that are wished, and all that they need.
    ///
    /// - Parameters:
    ///   - wishes: What is wished.
    ///   - hasRecommended: Whether what packages recommend is chosen, too, where that is possible.
    ///   - companions: Names of packages that go with all, where the repositories have them.
    ///   - leftOut: Names of packages that count as there and are not chosen, unless they are wished.
    /// - Throws: ``DistributionError``.
    public func resolve(
        _ wishes: [PackageWish], hasRecommended: Bool, companions: [String] = [],
        leavingOut leftOut: [String] = []
    ) throws -> Resolution {
        let host = addHost(leftOut.filter { name in !wishes.contains { $0.name == name } })
        defer { if let host { remove(host) } }
        prepare()
        var job = Queue()
        queue_init(&job)
        defer { queue_free(&job) }
        var wanted: [Id] = []
        var essential: [Id] = []
        let extra = companions.map { PackageWish(name: $0) }.filter { extra in
            !wishes.contains { $0.name == extra.name } && !ids(named: extra.name).isEmpty
        }
        for (index, wish) in (wishes + extra).enumerated() {
            let ids = try candidates(wish)
            if index < wishes.count { wanted += ids } else { essential += ids }
            var choice = Queue()
            queue_init(&choice)
            defer { queue_free(&choice) }
            for id in ids { queue_push(&choice, id) }
            queue_push2(
                &job, SOLVER_INSTALL | SOLVER_SOLVABLE_ONE_OF, pool_queuetowhatprovides(pool, &choice))
        }
        guard let solver = solver_create(pool) else {
            throw DistributionError.unreadable(file: "an index", reason: "there is no memory for it")
        }
        defer { solver_free(solver) }
        solver_set_flag(solver, SOLVER_FLAG_IGNORE_RECOMMENDED, hasRecommended ? 0 : 1)
        var order: [Id] = []
        var favored: Set<Id> = []
        for _ in 0..<Self.mostRounds {
            guard solver_solve(solver, &job) == 0 else {
                throw DistributionError.noSolution(
                    wanted: wishes.map(\.description), reasons: problems(of: solver))
            }
            order = self.order(of: solver).filter { pool.pointee.solvables[Int($0)].repo != host }
            // Debian's packages name alternatives in the order in which they are to be taken; libsolv has no such order.
            let better = kind == .debian ? firstAlternatives(of: order, host: host).subtracting(favored) : []
            guard !better.isEmpty else { break }
            for id in better.sorted() { queue_push2(&job, SOLVER_FAVOR | SOLVER_SOLVABLE, id) }
            favored.formUnion(better)
        }
        let reasons = reasons(of: order, wanted: Set(wanted), essential: Set(essential))
        let used = host.map { needed(from: $0, by: order) } ?? []
        return Resolution(
            packages: try order.map { try package($0, reason: reasons[$0] ?? .wanted) }, leftOut: used)
    }

    /// Packages that are the first of some alternatives, of which another was taken.
    private func firstAlternatives(of order: [Id], host: UnsafeMutablePointer<Repo>?) -> Set<Id> {
        let chosen = Set(order)
        var result: Set<Id> = []
        for id in order {
            for dependency in dependencies(SOLVABLE_REQUIRES, of: id) {
                var first = dependency
                // A dependency that is made of others has the highest bit, and the number of what it is made of.
                while first < 0, case let parts = pool.pointee.rels[Int(first & Id.max)],
                    parts.flags == REL_OR
                {
                    first = parts.name
                }
                guard first != dependency else { continue }
                let providers = providers(of: first)
                let isThere = providers.contains {
                    chosen.contains($0) || host != nil && pool.pointee.solvables[Int($0)].repo == host
                }
                if !isThere { result.formUnion(providers) }
            }
        }
        return result
    }

    // MARK: - Wishes

    private func candidates(_ wish: PackageWish) throws -> [Id] {
        let named = ids(named: wish.name)
        guard named.isEmpty else {
            let fitting = named.filter { wish.isFulfilled(by: name(pool.pointee.solvables[Int($0)].evr)) }
            guard fitting.isEmpty else {
                // What is not automatic is taken only where a version asks for it, or nothing else is there.
                let rank = { (id: Id) in self.pool.pointee.solvables[Int(id)].repo.pointee.priority }
                let best = fitting.map(rank).max() ?? 0
                return fitting.filter { rank($0) == best }
            }
            var versions: [String] = []
            for id in named {
                let version = name(pool.pointee.solvables[Int(id)].evr)
                if !versions.contains(version) { versions.append(version) }
            }
            throw DistributionError.noVersion(wish.name, wanted: wish.version ?? "", available: versions)
        }
        if wish.version == nil {
            let id = pool_str2id(pool, wish.name, 0)
            let provided = id == 0 ? [] : providers(of: id)
            if !provided.isEmpty { return provided }
        }
        throw DistributionError.noPackage(wish.name, similar: similar(to: wish.name))
    }

    func providers(of dependency: Id) -> [Id] {
        var offset = Int(pool_whatprovides(pool, dependency))
        var result: [Id] = []
        while case let id = pool.pointee.whatprovidesdata[offset], id != 0 {
            result.append(id)
            offset += 1
        }
        return result
    }

    private func similar(to name: String) -> [String] {
        let found = search(name).map(\.name)
        return Array(
            found.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }.prefix(Self.mostSimilar))
    }

    // MARK: - What is left to the host

    /// Adds a package that stands for those that are left out: it provides what they provide.
    private func addHost(_ names: [String]) -> UnsafeMutablePointer<Repo>? {
        guard !names.isEmpty else { return nil }
        let ids = names.flatMap { self.ids(named: $0).prefix(1) }
        let known = Set(ids.map { name(pool.pointee.solvables[Int($0)].name) })
        let host: UnsafeMutablePointer<Repo> = repo_create(pool, "host")
        // What no repository has: newer than anybody may ask for.
        for name in names where !known.contains(name) {
            let new = repo_add_solvable(host)
            let solvable = pool.pointee.solvables + Int(new)
            solvable.pointee.name = pool_str2id(pool, name, 1)
            solvable.pointee.evr = pool_str2id(pool, Self.newest, 1)
            solvable.pointee.arch = pool_str2id(pool, kind == .debian ? "all" : "noarch", 1)
            solvable.pointee.provides = repo_addid_dep(host, 0, solvable_selfprovidedep(solvable), 0)
        }
        for id in ids {
            let new = repo_add_solvable(host)
            // Memory moves when packages are added.
            let (from, to) = (pool.pointee.solvables + Int(id), pool.pointee.solvables + Int(new))
            to.pointee.name = from.pointee.name
            to.pointee.evr = from.pointee.evr
            to.pointee.arch = from.pointee.arch
            var offset = Int(from.pointee.provides)
            guard offset != 0 else { continue }
            while case let provided = from.pointee.repo.pointee.idarraydata[offset], provided != 0 {
                to.pointee.provides = repo_addid_dep(host, to.pointee.provides, provided, 0)
                offset += 1
            }
        }
        pool_set_installed(pool, host)
        invalidate()
        return host
    }

    private func remove(_ host: UnsafeMutablePointer<Repo>) {
        pool_set_installed(pool, nil)
        repo_free(host, 1)
        invalidate()
    }

    /// Names of the host's stand-ins that packages need.
    private func needed(from host: UnsafeMutablePointer<Repo>, by ids: [Id]) -> [String] {
        var names: Set<String> = []
        for id in ids {
            for dependency in dependencies(SOLVABLE_REQUIRES, of: id) {
                for provider in providers(of: dependency)
                where pool.pointee.solvables[Int(provider)].repo == host {
                    names.insert(name(pool.pointee.solvables[Int(provider)].name))
                }
            }
        }
        return names.sorted()
    }

    // MARK: - The solution

    /// The packages of a solution, in the order in which they are unpacked.
    private func order(of solver: UnsafeMutablePointer<Solver>) -> [Id] {
        guard let transaction = solver_create_transaction(solver) else { return [] }
        defer { transaction_free(transaction) }
        transaction_order(transaction, 0)
        return (0..<Int(transaction.pointee.steps.count)).map { transaction.pointee.steps.elements[$0] }
    }

    private func dependencies(_ key: solv_knownid, of id: Id) -> [Id] {
        var queue = Queue()
        queue_init(&queue)
        defer { queue_free(&queue) }
        solvable_lookup_deparray(pool.pointee.solvables + Int(id), Id(key.rawValue), &queue, 0)
        return (0..<Int(queue.count)).map { queue.elements[$0] }.filter {
            $0 != Id(SOLVABLE_PREREQMARKER.rawValue)
        }
    }

    /// Why each package is there: the way from what was wished, the shortest first.
    private func reasons(
        of order: [Id], wanted: Set<Id>, essential: Set<Id>
    ) -> [Id: ResolvedPackage.Reason] {
        let chosen = Set(order)
        var reasons: [Id: ResolvedPackage.Reason] = [:]
        // Packages that those need which have a reason, and what these need.
        func follow(_ start: [Id], _ key: solv_knownid, isRequired: Bool) {
            var waiting = start
            while !waiting.isEmpty {
                var next: [Id] = []
                for id in waiting {
                    let owner = name(pool.pointee.solvables[Int(id)].name)
                    for dependency in dependencies(key, of: id) {
                        for provider in providers(of: dependency)
                        where chosen.contains(provider) && reasons[provider] == nil {
                            let text = String(cString: pool_dep2str(pool, dependency))
                            reasons[provider] =
                                isRequired
                                ? .requirement(of: owner, dependency: text)
                                : .recommendation(of: owner, dependency: text)
                            next.append(provider)
                        }
                    }
                }
                if !isRequired { follow(next, SOLVABLE_REQUIRES, isRequired: true) }
                waiting = next
            }
        }
        for (roots, reason) in [(wanted, ResolvedPackage.Reason.wanted), (essential, .essential)] {
            let new = order.filter { roots.contains($0) && reasons[$0] == nil }
            for id in new { reasons[id] = reason }
            follow(new, SOLVABLE_REQUIRES, isRequired: true)
        }
        // All that is required before anything that is recommended.
        follow(order.filter { reasons[$0] != nil }, SOLVABLE_RECOMMENDS, isRequired: false)
        // What says itself that it goes with a package.
        for id in order where reasons[id] == nil {
            let dependency = dependencies(SOLVABLE_SUPPLEMENTS, of: id).first
            reasons[id] = .recommendation(
                of: name(pool.pointee.solvables[Int(id)].name),
                dependency: dependency.map { String(cString: pool_dep2str(pool, $0)) } ?? "")
        }
        return reasons
    }

    private func package(_ id: Id, reason: ResolvedPackage.Reason) throws -> ResolvedPackage {
        let solvable = pool.pointee.solvables + Int(id)
        let title = name(solvable.pointee.name)
        let number = { (key: solv_knownid) in
            min(Int(clamping: solvable_lookup_num(solvable, Id(key.rawValue), 0)), Self.largest)
        }
        var type: Id = 0
        let checksum = solvable_lookup_checksum(solvable, Id(SOLVABLE_CHECKSUM.rawValue), &type)
        guard let checksum, type == Id(REPOKEY_TYPE_SHA256.rawValue),
            let digest = Digest(hex: String(cString: checksum))
        else { throw DistributionError.noDigest(package: title) }
        guard let place = solvable_lookup_location(solvable, nil).map({ String(cString: $0) }) else {
            throw DistributionError.badPlace(package: title, place: "")
        }
        let parts = place.split(separator: "/", omittingEmptySubsequences: false).filter { $0 != "." }
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != ".." }),
            place.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else { throw DistributionError.badPlace(package: title, place: place) }
        return ResolvedPackage(
            name: title, version: name(solvable.pointee.evr), architecture: name(solvable.pointee.arch),
            digest: digest, path: parts.joined(separator: "/"), size: number(SOLVABLE_DOWNLOADSIZE),
            installedSize: number(SOLVABLE_INSTALLSIZE), repository: self.number(of: solvable),
            reason: reason,
            summary: solvable_lookup_str(solvable, Id(SOLVABLE_SUMMARY.rawValue)).map { String(cString: $0) })
    }
}
