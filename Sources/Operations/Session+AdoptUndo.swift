public import Activation
internal import Files
internal import Store
internal import StoreLayout

extension Session {
    /// Gives back what ``adopt(_:names:isDryRun:)`` moved, exactly where it was; names what cannot be, which stays recorded.
    ///
    /// The active generation then has no extensions that were given back. Nothing is merged or unmerged.
    ///
    /// - Parameters:
    ///   - host: The host.
    ///   - removesPackages: Whether packages that were made of extensions leave the profile, too.
    ///   - isDryRun: Whether only to look.
    public func undoAdoption(
        _ host: Host, removesPackages: Bool = false, isDryRun: Bool = false
    ) throws -> AdoptionUndoReport {
        try checkAdoption(host, isDryRun: isDryRun)
        let adoption = HostAdoption(host)
        var report = AdoptionUndoReport(isDryRun: isDryRun)
        guard let record = try adoption.record() else { return report }
        guard !isDryRun else {
            report.restored = record.entries.reversed().map(\.path)
            report.packages = record.packages
            return report
        }
        let session = try onHost(host)
        let store = try session.openStoreForWriting()
        try asWriter(of: store) {
            let left = try session.restore(record, adoption, report: &report)
            try store.root.synchronizeFileSystem()
            let stays = Set(left.compactMap(\.link))
            let gone = Set(record.entries.compactMap(\.link)).subtracting(stays)
            let packages = Set(removesPackages ? record.packages : [])
            let current = try store.currentGeneration(of: profile)
            let there = try current.map { try session.members(of: $0, in: store).map(\.name) } ?? []
            report.packages = record.packages.filter { there.contains($0) && !packages.contains($0) }
            if current != nil {
                let change = try session.change(
                    store, extensions: { $0.filter { !gone.contains($0.fileName) } }
                ) {
                    $0.filter { !packages.contains($0.name) }
                }
                if change.generation != change.previous { report.change = change }
            }
            try adoption.write(left.isEmpty ? nil : AdoptionRecord(entries: left))
        }
        return report
    }

    /// Gives entries back, the last first.
    ///
    /// - Returns: Those that could not be.
    private func restore(
        _ record: AdoptionRecord, _ adoption: HostAdoption, report: inout AdoptionUndoReport
    ) throws -> [AdoptionRecord.Entry] {
        var left: [AdoptionRecord.Entry] = []
        var done: Set<String> = []
        for entry in record.entries.reversed() {
            if done.contains(entry.path), entry.kind == .link {
                // The link to an older version, which sysupdate had replaced before sxs did.
                try adoption.forget(entry)
            } else if let reason = try adoption.restore(entry) {
                left.insert(entry, at: 0)
                report.left.append(SetupReport.Left(path: entry.path, reason: reason))
            } else if done.insert(entry.path).inserted {
                report.restored.append(entry.path)
                if entry.fate == .quarantined { report.refused.append(entry.path) }
            }
        }
        return left
    }
}

extension AdoptionRecord {
    /// Names of packages that were made of extensions.
    var packages: [String] {
        Array(Set(entries.filter { $0.fate == .taken }.compactMap(\.name))).sorted()
    }
}
