internal import Activation
internal import Files
internal import Store
internal import StoreLayout

/// What is ready for the next version of a host.
public struct HostPreparation: Encodable, Sendable {
    /// A package of which there is another for that host.
    public struct Replacement: Encodable, Sendable {
        /// Its name.
        public let name: String
        /// The version that is installed, and would not work there.
        public let installed: String
        /// The version that takes its place there.
        public let prepared: String
        /// Where that comes from.
        public let source: String
    }

    /// The host.
    public let host: Explanation.Host
    /// Packages of which there is another.
    public let replacements: [Replacement]
    /// The generation that becomes the active one when that host starts; `nil` where what is active works there.
    public let generation: Int?
    /// What would not work there, a sentence each.
    public let problems: [String]
}

extension Session {
    /// Makes ready what fits the next version of this host, before it starts.
    ///
    /// Packages of the active generation that would not work there are replaced, in a generation of its own, by the newest
    /// that do. It becomes the active one when that host starts, and stops being that when this one starts again.
    ///
    /// - Parameter hostRoot: The root directory of the next version.
    public func prepare(host hostRoot: String) throws -> HostPreparation {
        let check = try check(host: hostRoot)
        var problems = check.extensions.flatMap { item in
            item.problems.map { "extension \(item.name): \($0)" }
        }
        var broken: [String: [String]] = [:]
        for item in check.packages where !item.problems.isEmpty {
            if item.profiles.contains(profile.text) {
                broken[item.name] = item.problems
            } else {
                problems += item.problems.map {
                    "package \(item.name) of \(item.profiles.joined(separator: ", ")): \($0)"
                }
            }
        }
        guard !broken.isEmpty else {
            return HostPreparation(host: check.host, replacements: [], generation: nil, problems: problems)
        }
        let explainer = try ExtensionExplainer(root: hostRoot, progress: progress)
        guard !Self.isSame(explainer.record, Self.hostRecord()) else {
            // Which of the two was started could not be told.
            problems += broken.sorted { $0.key < $1.key }.flatMap { name, reasons in
                reasons.map { "package \(name): \($0)" }
            }
            problems.append("that host has the version of this one: run 'sxs upgrade' once it was started")
            return HostPreparation(host: check.host, replacements: [], generation: nil, problems: problems)
        }
        let store = try openStoreForWriting()
        let lease = try store.makeLease()
        defer { withExtendedLifetime(lease) {} }
        let host = try HostTree(hostRoot)
        let finder = try OfferFinder(
            self, architecture: Architecture(parsing: check.host.architecture), host: hostRoot)
        var options = try usualImport()
        options.host = hostRoot
        guard let current = try store.currentGeneration(of: profile) else {
            throw OperationError.emptyProfile(profile.text)
        }
        let members = try members(of: current, in: store)
        var choices: [Member] = []
        var replacements: [HostPreparation.Replacement] = []
        for member in members {
            guard let reasons = broken["\(member.name) \(member.version)"] else { continue }
            var failure: String?
            do {
                guard let offer = try finder.offer(of: member.name) else {
                    problems += reasons.map {
                        "package \(member.name) \(member.version): \($0), and no remote has it"
                    }
                    continue
                }
                let wanted = try resolve(.offer(offer), options: options, finder, in: store)
                let package = try obtain(
                    wanted, fetch([wanted.offer].compactMap { $0 }), options: options, finder, from: store,
                    lease,
                    accept: { _ in })
                failure = try self.problems(of: package, in: store, on: host, explainer).first
                if failure == nil {
                    let expose = try exposed(of: member, in: store)
                    choices.append(
                        try choice(
                            package,
                            exposure: expose.isEmpty
                                ? package.exposure : exposure(of: package, wanted: expose)))
                    replacements.append(
                        HostPreparation.Replacement(
                            name: member.name, installed: member.version, prepared: package.version,
                            source: offer.location))
                }
            } catch let error as OperationError {
                failure = "\(error)".firstLine
            }
            if let failure {
                problems += reasons.map { "package \(member.name) \(member.version): \($0)" }
                problems.append(
                    "package \(member.name): what remotes have does not work there either: \(failure)")
            }
        }
        let generation =
            try choices.isEmpty
            ? nil
            : prepare(
                Self.adding(choices, to: members).sorted { $0.name < $1.name }, after: current,
                for: explainer.record,
                in: store)
        return HostPreparation(
            host: check.host, replacements: replacements, generation: generation, problems: problems)
    }

    /// The generation of these members for another host: the one that was made before, or a new one.
    private func prepare(
        _ members: [Member], after current: Generation, for record: [String: String], in store: Store
    ) throws -> Int {
        try asWriter(of: store) {
            let baseNames = members.map(\.shown.baseName)
            for known in try store.generations(of: profile)
            where try known.parent == current.number && store.packageNames(of: known) == baseNames {
                if try store.preparedOn(known) != nil, try store.hostRelease(of: known) == record {
                    return known.number
                }
            }
            return try makeGeneration(
                of: members, extensions: store.extensions(of: current), parent: current.number, host: record,
                preparedOn: Self.hostRecord(), in: store
            ).number
        }
    }

    /// Whether two hosts are the same to the rules of systemd.
    private static func isSame(_ left: [String: String], _ right: [String: String]) -> Bool {
        ["ID", "VERSION_ID", "SYSEXT_LEVEL"].allSatisfy { left[$0] == right[$0] }
    }

    /// Switches to what was prepared for the host that was started; and back, where it is the one before.
    ///
    /// Nothing is switched where the user has gone on from what it was prepared from.
    func followHost(in store: Store) throws {
        let now = Self.hostRecord()
        guard !now.isEmpty, let active = try store.currentGeneration(of: profile) else { return }
        let all = try store.generations(of: profile)
        // What was prepared last counts.
        for next in all.reversed() where next.parent == active.number {
            guard try store.preparedOn(next) != nil, Self.isSame(try store.hostRelease(of: next), now),
                !Self.isSame(try store.hostRelease(of: active), now)
            else { continue }
            note("generation \(next.number), which was prepared for \(Self.hostName()), is active")
            return try store.activate(next.number, in: profile)
        }
        var generation = active
        // Parents are older: the walk ends.
        while let parent = all.first(where: {
            $0.number == generation.parent && $0.number < generation.number
        }) {
            if let before = try store.preparedOn(generation) {
                guard Self.isSame(before, now), !Self.isSame(try store.hostRelease(of: generation), now)
                else { return }
                note("generation \(parent.number), from before another host was prepared, is active")
                return try store.activate(parent.number, in: profile)
            }
            generation = parent
        }
    }
}
