public import Activation
internal import Files
private import Glibc
internal import Store
public import StoreLayout

/// What `sxs setup` is asked for.
public struct SetupOptions: Sendable {
    /// The way; `nil` for the one that fits the host, or that was taken before.
    public var method: SetupMethod?
    /// Whether to merge again although the outcome differs from what is merged now.
    public var isRefreshWanted: Bool
    /// Whether only to say what would be done.
    public var isDryRun: Bool

    /// Creates options.
    public init(method: SetupMethod? = nil, isRefreshWanted: Bool = false, isDryRun: Bool = false) {
        self.method = method
        self.isRefreshWanted = isRefreshWanted
        self.isDryRun = isDryRun
    }
}

/// What `sxs setup` did, or would do.
public struct SetupReport: Encodable, Sendable {
    /// Something that was left as it is.
    public struct Left: Encodable, Sendable {
        /// Its path on the host.
        public let path: String
        /// Why.
        public let reason: String
    }

    /// What becomes of merged extensions.
    public enum Merge: String, Encodable, Sendable {
        /// Nothing: it was merged, or need not be.
        case unchanged
        /// They were merged.
        case merged
        /// They will be when the system starts next.
        case atBoot
    }

    /// The host before.
    public let facts: HostFacts
    /// The way that is taken; `nil` where nothing was set up.
    public let method: SetupMethod?
    /// Paths that were made, or with an undo removed, in order.
    public internal(set) var changed: [String] = []
    /// What is left as it is, being somebody else's.
    public internal(set) var left: [Left] = []
    /// What became of merged extensions.
    public internal(set) var merge = Merge.unchanged
    /// Other extensions that were merged with it, or gone with it.
    public internal(set) var others: [String] = []
    /// Store paths that merged extensions brought, that the links hide and the store lacks.
    public internal(set) var hidden: [String] = []
    /// Whether nothing was done but looking.
    public let isDryRun: Bool

    /// Whether there was nothing to do.
    public var isUnchanged: Bool { changed.isEmpty && merge == .unchanged }
}

extension Session {
    /// Makes a host ready: `/usr/store` exists, and shells and sessions find what the default profile shows.
    ///
    /// What is made is recorded first, so that an interrupted run is completed by the next, or undone.
    ///
    /// - Throws: `SetupError`; then the host is as it was before.
    public func setUp(_ host: Host, options: SetupOptions = SetupOptions()) throws -> SetupReport {
        let facts = try host.facts()
        let setup = HostSetup(host)
        try checkSetup(host)
        let old = try setup.record()
        let method = try method(options, facts: facts, recorded: old?.method, host: host)
        var report = SetupReport(facts: facts, method: method, isDryRun: options.isDryRun)
        if case .extensions(let storePaths) = facts.store {
            let known = Set(try host.names(in: StoreLayout.systemRoot + "/" + StoreLayout.Name.store))
            report.hidden = storePaths.filter { !known.contains($0) }
        }
        let missing = try missingItems(of: method, setup, record: old, report: &report)
        if options.isDryRun {
            report.changed = missing.map(\.path)
            try planMerge(on: host, method, options, report: &report)
            return report
        }
        umask(0o022)
        try setup.removeRemains()
        try make(missing, method, setup, record: old, report: &report)
        guard host.isThisSystem else {
            if method == .anchor, !report.changed.isEmpty { report.merge = .atBoot }
            return report
        }
        do {
            if method == .anchor { try merge(host, options, report: &report) }
        } catch {
            try takeBack(report.changed, setup, old: old)
            throw error
        }
        let isVisible = try host.facts().isVisible
        if !report.changed.isEmpty, isVisible {
            // What was installed before now has a host that starts it.
            for warning in try activateServices().warnings { note(warning) }
        }
        return report
    }

    /// What a host still lacks, once it is clear that nothing else is in the way.
    private func missingItems(
        of method: SetupMethod, _ setup: HostSetup, record: SetupRecord?, report: inout SetupReport
    ) throws -> [HostItem] {
        let files = Set(StoreLayout.hostFiles.map(\.path))
        return try setup.items(method).filter { item in
            switch try setup.state(of: item, record) {
            case .same: return false
            case .missing, .outdated:
                guard item.isPolicyModule, !HostSetup.canChangePolicies else { return true }
                report.left.append(
                    SetupReport.Left(
                        path: item.path,
                        reason: "there is no semodule; install policycoreutils, and run this again"))
                return false
            case .foreign(let what):
                guard item.isPolicyModule || files.contains(item.path) else {
                    throw SetupError.foreign(path: setup.host.outside(item.path), what: what)
                }
                report.left.append(SetupReport.Left(path: item.path, reason: what))
                return false
            }
        }
    }

    private func make(
        _ items: [HostItem], _ method: SetupMethod, _ setup: HostSetup, record old: SetupRecord?,
        report: inout SetupReport
    ) throws {
        guard !items.isEmpty || old == nil else { return }
        let host = setup.host
        do {
            // The root itself comes first: it holds the record.
            let parents = try setup.withDirectories([
                HostItem(
                    path: StoreLayout.systemRoot + "/" + StoreLayout.Name.setup, kind: .directory)
            ]).dropLast()
            for item in parents { try setup.make(item) }
            var record = old ?? SetupRecord(method: method)
            let made = Set(parents.map(\.path))
            let wanted = Array(parents) + items.filter { !made.contains($0.path) }
            record.entries.removeAll { entry in wanted.contains { $0.path == entry.path } }
            record.entries += wanted.map(SetupRecord.Entry.init)
            try setup.write(record)
            report.changed = parents.map(\.path)
            let store = try Store.open(root: host.resolved(StoreLayout.systemRoot), forWriting: true)
            try asWriter(of: store) {
                // What units start, also before anything is installed.
                try installProgram(in: store)
                for item in items {
                    // Directories of the store are there by now.
                    guard try setup.state(of: item, old) != .same else { continue }
                    report.changed.append(item.path)
                    try setup.make(item)
                }
                try store.root.synchronizeFileSystem()
            }
        } catch {
            // The first error is the one to report; what cannot be taken back now is in the record.
            try? takeBack(report.changed, setup, old: old)
            if let error = error as? SystemError { throw SetupError.cannotMake(error) }
            throw error
        }
    }

    /// Removes what this run made, and restores the record.
    private func takeBack(_ paths: [String], _ setup: HostSetup, old: SetupRecord?) throws {
        guard let record = try setup.record() else { return }
        let entries = record.entries.filter { entry in
            paths.contains(entry.path) && old?.entries.contains { $0.path == entry.path } != true
        }
        if old == nil {
            _ = try removeAll(entries, setup)
        } else {
            try setup.write(old)
            for entry in entries.reversed() { _ = try setup.remove(entry) }
        }
    }

    func checkSetup(_ host: Host) throws {
        guard try host.status(StoreLayout.hostDirectory) != nil else {
            throw SetupError.noUsr(host: host.path)
        }
        guard !host.isThisSystem || geteuid() == 0 else { throw SetupError.needsRoot }
        guard !host.isThisSystem || root == StoreLayout.systemRoot else { throw SetupError.otherRoot(root) }
    }

    /// The way to take, once it is clear that it can be taken.
    private func method(
        _ options: SetupOptions, facts: HostFacts, recorded: SetupMethod?, host: Host
    ) throws -> SetupMethod {
        if let recorded, let wanted = options.method, wanted != recorded {
            throw SetupError.otherMethod(recorded)
        }
        for (link, state) in zip(StoreLayout.hostLinks, [facts.store, facts.aliases]) {
            if case .foreign(let what) = state {
                throw SetupError.foreign(path: host.outside(link.path), what: what)
            }
        }
        guard let method = options.method ?? recorded ?? facts.method else {
            throw SetupError.noWay(host: host.path, fileSystem: facts.usrFileSystem)
        }
        switch method {
        case .links where facts.merged != nil && !facts.isVisible:
            throw SetupError.hidden(StoreLayout.storeDirectory)
        case .links where !facts.isUsrWritable && !facts.isVisible: throw SetupError.readOnly(host: host.path)
        case .anchor where !facts.hasSystemExtensions:
            throw SetupError.noSystemExtensions(host: host.path)
        case .anchor where facts.overlayDepth >= HostFacts.deepestOverlay:
            throw SetupError.tooDeep(facts.overlayDepth)
        default: return method
        }
    }

    // MARK: - Merging

    private func planMerge(
        on host: Host, _ method: SetupMethod, _ options: SetupOptions, report: inout SetupReport
    ) throws {
        guard method == .anchor, !report.facts.isVisible else { return }
        let pending = try InstalledExtension.pending(on: host)
        let isSafe = report.facts.merged == nil || pending.added.isEmpty && pending.gone.isEmpty
        report.merge = host.isThisSystem && (isSafe || options.isRefreshWanted) ? .merged : .atBoot
        report.others =
            (report.merge == .merged ? report.facts.merged ?? [] : []) + pending.added + pending.gone
    }

    private func merge(_ host: Host, _ options: SetupOptions, report: inout SetupReport) throws {
        guard try !host.facts().isVisible else { return }
        try planMerge(on: host, .anchor, options, report: &report)
        guard report.merge == .merged else { return }
        let before = try host.mergedNames()
        let output = try host.mergeExtensions()
        guard try !host.facts().isVisible else {
            report.others = try (host.mergedNames() ?? []).filter { $0 != Anchor.name }
            return
        }
        // Without the anchor, what was merged before can be merged again.
        if let record = try HostSetup(host).record(),
            let anchor = record.entries.first(where: { $0.path == Anchor.path })
        {
            _ = try HostSetup(host).remove(anchor)
        }
        if before != nil { _ = try host.mergeExtensions() }
        throw SetupError.mergeFailed(output: output, isRestored: try host.mergedNames() == before)
    }
}
