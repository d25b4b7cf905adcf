internal import Files
internal import Glibc
internal import StoreLayout

/// Hosts that use this store at the same time, such as containers of one machine: each sees only its own processes.
extension Store {
    /// Another host.
    struct OtherHost {
        /// Its machine ID.
        let id: String
        /// What it said.
        let report: HostReport
        /// Whether its programs may still be running: those of an earlier start of this machine's kernel are not.
        let isRunning: Bool

        /// What people know it by.
        var displayed: String {
            report.name.isEmpty ? "host \(id)" : "host \(report.name) (\(id.prefix(8))…)"
        }
    }

    private static let hostsName = StoreLayout.Name.collectionRoots + "/" + StoreLayout.Name.hosts

    /// The directory of the hosts' reports; `nil` where there is none yet.
    private func hostsDirectory() throws -> Descriptor? {
        guard try root.status(of: Self.hostsName) != nil else { return nil }
        return try root.directory(beneath: Self.hostsName)
    }

    /// The hosts that have used this store, but this one.
    func otherHosts() throws -> [OtherHost] {
        guard let directory = try hostsDirectory() else { return [] }
        let own = MachineIdentity.current()
        let names = try directory.list().filter { MachineIdentity.isValid($0.name) && $0.text != own }
        guard !names.isEmpty else { return [] }
        let boot = MachineIdentity.currentBoot()
        let isElsewhere = try root.isOnSharedFileSystem()
        return try names.compactMap { entry in
            // One that an administrator takes away this moment.
            guard try directory.status(of: entry.name) != nil else { return nil }
            let report = HostReport(
                parsing: try directory.open(beneath: entry.name, flags: O_RDONLY | O_NONBLOCK).readAll(
                    limit: 16 << 20))
            // A file system of this machine alone has no other kernel beside this one.
            let isRunning = isElsewhere || report.boot == nil || boot == nil || report.boot == boot
            return OtherHost(id: entry.text, report: report, isRunning: isRunning)
        }
    }

    /// What other hosts said they use.
    func addHostRoots(to found: inout FoundRoots) throws {
        for host in try otherHosts() {
            for use in host.report.uses where host.isRunning || !use.isProcess {
                found.add(
                    CollectionRoot(kind: .host, chain: [host.displayed, use.what]), of: use.baseName)
            }
        }
    }

    /// Makes this host known to others, before anything of the store runs on it: from then on nothing goes that it may be
    /// using.
    ///
    /// A host without a machine ID stays unknown.
    func enterHost() throws {
        guard let id = MachineIdentity.current() else { return }
        let roots = try root.directory(beneath: StoreLayout.Name.collectionRoots)
        if try roots.status(of: StoreLayout.Name.hosts) == nil {
            try roots.makeDirectory(StoreLayout.Name.hosts)
            try roots.directory(beneath: StoreLayout.Name.hosts).setMode(0o755)
        }
        let directory = try roots.directory(beneath: StoreLayout.Name.hosts)
        let boot = MachineIdentity.currentBoot()
        let old = try ownReport(id)
        if let old, old.boot == boot { return }
        // What ran before the kernel was started anew runs no more.
        let report = HostReport(
            boot: boot, name: old?.name ?? "", uses: old?.uses.filter { !$0.isProcess } ?? [])
        try directory.replaceFile(id, contents: report.text, through: temporary(), isDurable: true)
    }

    /// Whether other hosts wait for this one to say what it runs.
    public func isReportDue() throws -> Bool {
        guard let id = MachineIdentity.current() else { return false }
        let last = try condemned().values.max() ?? 0
        guard last > 0 else { return false }
        return try ownReport(id).map { $0.number <= last } ?? true
    }

    private func ownReport(_ id: String) throws -> HostReport? {
        guard let directory = try hostsDirectory(), try directory.status(of: id) != nil else { return nil }
        return HostReport(parsing: try directory.open(beneath: id).readAll(limit: 16 << 20))
    }

    /// Tells other hosts what this one uses of the store; nothing where there are none.
    ///
    /// - Parameters:
    ///   - name: What people know this host by.
    ///   - outside: Looks for what it uses; asked when nobody else can write.
    public func reportHost(name: String, outside: () throws -> FoundRoots) throws {
        try withWriterLock(command: "report of this host") {
            guard let id = MachineIdentity.current(), try !otherHosts().isEmpty else { return }
            // Before the look: what is condemned after it counts as not looked for.
            let number = try nextHostNumber()
            try write(outside(), of: name, id: id, number: number)
        }
    }

    private func write(_ found: FoundRoots, of name: String, id: String, number: Int) throws {
        let known = Set(
            try database.query("SELECT base_name FROM package") { $0.text(0) })
        let uses = found.roots.filter { known.contains($0.key) }.sorted { $0.key < $1.key }.flatMap {
            baseName, roots in
            roots.map { root in
                HostReport.Use(isProcess: root.kind == .process, what: root.text, baseName: baseName)
            }
        }
        let report = HostReport(
            boot: MachineIdentity.currentBoot(), number: number, name: name, uses: uses)
        // One that a loss of power empties would keep others waiting for a host that is perhaps no more.
        try root.directory(beneath: Self.hostsName).replaceFile(
            id, contents: report.text, through: temporary(), isDurable: true)
    }

    /// A number higher than those of all reports and condemnations.
    private func nextHostNumber() throws -> Int {
        var last = try condemned().values.max() ?? 0
        if let directory = try hostsDirectory() {
            for entry in try directory.list() where MachineIdentity.isValid(entry.name) {
                let report = HostReport(
                    parsing: try directory.open(beneath: entry.name).readAll(limit: 16 << 20))
                last = max(last, report.number)
            }
        }
        return last + 1
    }

    // MARK: - What waits for other hosts

    /// Store paths that nothing needed at a garbage collection, with the number of that.
    private func condemned() throws -> [String: Int] {
        guard try root.status(of: StoreLayout.Name.condemned) != nil else { return [:] }
        let text = try root.open(beneath: StoreLayout.Name.condemned).readAll(limit: 64 << 20)
        let pairs = String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap {
            line -> (String, Int)? in
            let words = line.split(separator: " ")
            guard words.count == 2, let number = Int(words[0]) else { return nil }
            return (String(words[1]), number)
        }
        return Dictionary(pairs, uniquingKeysWith: max)
    }

    private func write(condemned: [String: Int]) throws {
        guard !condemned.isEmpty else { return try root.unlink(StoreLayout.Name.condemned) }
        let lines = condemned.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)\n" }
        try root.replaceFile(
            StoreLayout.Name.condemned, contents: lines.joined().utf8, through: temporary())
    }

    /// Whether a store path waits for other hosts' word to go.
    public func isCondemned(_ baseName: String) throws -> Bool { try condemned()[baseName] != nil }

    /// Has the wait for other hosts' word begin anew, since a store path is used again.
    public func reprieve(_ baseName: String) throws {
        try withWriterLock(command: "use of \(baseName)") {
            var all = try condemned()
            guard all.removeValue(forKey: baseName) != nil else { return }
            try write(condemned: all)
        }
    }

    /// The running hosts that have not said, since nothing else needed it, that they do not run a store path.
    ///
    /// - Returns: Asks for a base name; `nil` where there is no other running host.
    func hostsToWaitFor() throws -> ((String) -> [OtherHost])? {
        let hosts = try otherHosts().filter(\.isRunning)
        guard !hosts.isEmpty else { return nil }
        let condemned = try condemned()
        return { baseName in
            guard let number = condemned[baseName] else { return hosts }
            return hosts.filter { $0.report.number <= number }
        }
    }

    /// Notes what a garbage collection would have removed if all hosts had said that they do not run it; then says so of
    /// this host.
    ///
    /// - Parameters:
    ///   - waiting: Base names.
    ///   - found: What this host uses, looked for by this collection.
    func condemn(_ waiting: [String], name: String, found: FoundRoots) throws {
        let old = try condemned()
        guard try !otherHosts().isEmpty else {
            if !old.isEmpty { try write(condemned: [:]) }
            return
        }
        let number = try nextHostNumber()
        let new = Dictionary(uniqueKeysWithValues: waiting.map { ($0, old[$0] ?? number) })
        if new != old { try write(condemned: new) }
        // This collection looked when nothing led to them.
        if let id = MachineIdentity.current() { try write(found, of: name, id: id, number: number + 1) }
    }
}
