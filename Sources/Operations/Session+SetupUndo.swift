public import Activation
internal import Files
internal import Store
internal import StoreLayout

extension Session {
    /// Takes back what ``setUp(_:options:)`` made and nobody changed since; names what stays.
    ///
    /// The store stays where packages are in it: their programs then run in private namespaces.
    public func undoSetup(_ host: Host, options: SetupOptions = SetupOptions()) throws -> SetupReport {
        let setup = HostSetup(host)
        try checkSetup(host)
        let record = try setup.record()
        var report = SetupReport(
            facts: try host.facts(), method: record?.method, isDryRun: options.isDryRun)
        guard let record else {
            if !options.isDryRun { try setup.removeRemains() }
            return report
        }
        let isMerged = host.isThisSystem && report.facts.merged?.contains(Anchor.name) == true
        report.others = isMerged ? (report.facts.merged ?? []).filter { $0 != Anchor.name } : []
        if options.isDryRun {
            report.changed = record.entries.reversed().map(\.path)
            report.merge = isMerged ? .merged : .unchanged
            return report
        }
        var gone: [String] = []
        if isMerged {
            let pending = try InstalledExtension.pending(on: host)
            gone = pending.gone
            guard pending.added.isEmpty && pending.gone.isEmpty || options.isRefreshWanted else {
                throw SetupError.mergeDiffers(added: pending.added, gone: pending.gone)
            }
        } else if report.facts.merged != nil,
            record.entries.contains(where: { $0.path == StoreLayout.storeDirectory })
        {
            throw SetupError.covered(StoreLayout.storeDirectory)
        }
        if host.isThisSystem { try withdrawServices() }
        // What is merged goes first: links of /usr must not lead into what is gone.
        if let anchor = record.entries.first(where: { $0 == .anchor(Anchor.path) }) {
            report.add(anchor.path, left: try setup.remove(anchor))
            if isMerged, try host.status(Anchor.path) == nil {
                let output = try host.mergeExtensions()
                let wanted = Set(report.others).subtracting(gone)
                guard wanted.isSubset(of: try host.mergedNames() ?? []) else {
                    throw SetupError.unmergeFailed(output: output)
                }
                report.merge = .merged
            }
        }
        // A store that cannot be opened cannot be written by others either.
        let store = try? Store.open(root: host.resolved(StoreLayout.systemRoot), forWriting: true)
        let entries = record.entries.filter { $0.path != Anchor.path }
        let results =
            try store.map { store in try asWriter(of: store) { try removeAll(entries, setup) } }
            ?? removeAll(entries, setup)
        for result in results { report.add(result.path, left: result.left) }
        if host.isThisSystem { try releaseServices() }
        return report
    }

    /// Removes entries, last first, then the record, then the root if there is nothing in its store.
    func removeAll(
        _ entries: [SetupRecord.Entry], _ setup: HostSetup
    ) throws -> [(path: String, left: String?)] {
        var results: [(path: String, left: String?)] = []
        let isHolder = { (path: String) in (StoreLayout.systemRoot + "/").hasPrefix(path + "/") }
        do {
            for entry in entries.reversed() where !isHolder(entry.path) {
                let isThere = try setup.host.status(entry.path) != nil
                // Also of what is not there: a crash may have left it under its unfinished name.
                let left = try setup.remove(entry)
                if isThere { results.append((entry.path, left)) }
            }
            let holders = entries.filter { isHolder($0.path) }
            let hasPackages = try !isEmptyRoot(setup.host)
            if hasPackages || !holders.contains(.directory(StoreLayout.systemRoot)) {
                try setup.write(nil)
                if hasPackages, !holders.isEmpty {
                    results.append((StoreLayout.systemRoot, "packages are in it"))
                }
                return results
            }
            try setup.removeRoot()
            results.append((StoreLayout.systemRoot, nil))
            for entry in holders.reversed() where entry.path != StoreLayout.systemRoot {
                results.append((entry.path, try setup.remove(entry)))
            }
        } catch let error as SystemError {
            throw SetupError.cannotMake(error)
        }
        return results
    }

    /// Whether a root has neither packages nor generations nor anything else of a user's.
    private func isEmptyRoot(_ host: Host) throws -> Bool {
        try [
            StoreLayout.Name.manifests, StoreLayout.Name.profiles, StoreLayout.Name.hints,
            StoreLayout.Name.extensions, StoreLayout.Name.quarantine,
        ].allSatisfy { try host.names(in: StoreLayout.systemRoot + "/" + $0).isEmpty } && hasNoRoots(host)
    }

    /// Whether nobody else made a root, nor is another host known.
    private func hasNoRoots(_ host: Host) throws -> Bool {
        let place = [StoreLayout.systemRoot, StoreLayout.Name.collectionRoots].joined(separator: "/")
        let own = MachineIdentity.current()
        return try host.names(in: place).allSatisfy { name in
            let names = try host.names(in: place + "/" + name)
            switch name {
            case StoreLayout.Name.automaticRoots: return names.isEmpty
            case StoreLayout.Name.hosts: return names.allSatisfy { $0 == own }
            default: return false
            }
        }
    }
}

extension SetupReport {
    fileprivate mutating func add(_ path: String, left reason: String?) {
        if let reason {
            left.append(Left(path: path, reason: reason))
        } else {
            changed.append(path)
        }
    }
}
