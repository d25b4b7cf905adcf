public import Activation
internal import Files
private import Glibc
internal import Store
internal import StoreLayout

extension Session {
    /// Takes over the extensions of a host: programs become packages, what has to be in `/usr` stays merged and is linked
    /// per generation, and what is bad is put away.
    ///
    /// Nothing is merged or unmerged: what is merged stays so until extensions are merged next. What is moved is recorded
    /// first, so that an interrupted run is completed by the next, or undone.
    ///
    /// - Parameters:
    ///   - host: The host.
    ///   - names: Extensions, by the name of systemd, of the package or of the file; empty for all.
    ///   - isDryRun: Whether only to look.
    /// - Throws: `AdoptionError`, `SystemError` and others; then the next run goes on.
    public func adopt(_ host: Host, names: [String] = [], isDryRun: Bool = false) throws -> AdoptionReport {
        try checkAdoption(host, isDryRun: isDryRun)
        let survey = try ExtensionSurvey(host, progress: progress, note: note)
        var found = try chosen(names, of: survey)
        var report = AdoptionReport(isDryRun: isDryRun)
        report.transfers = survey.transfers
        let merged = host.isThisSystem ? try host.mergedNames() ?? [] : []
        guard !isDryRun else {
            report.extensions = Self.items(found, [:], merged: merged)
            return report
        }
        let session = try onHost(host)
        let store = try session.openStoreForWriting()
        let taken = try session.take(&found, of: host, into: store)
        try asWriter(of: store) {
            try session.place(found, taken, on: HostAdoption(host), in: store, report: &report)
        }
        report.extensions = Self.items(found, taken.packages, merged: merged)
        report.mergedUntilNext = found.filter {
            [.taken, .quarantined].contains($0.fate) && $0.entry != nil && merged.contains($0.name)
        }.map(\.name).sorted()
        return report
    }

    /// Refuses what only the system's root, profile and administrator are for.
    func checkAdoption(_ host: Host, isDryRun: Bool) throws {
        guard profile.text == StoreLayout.defaultProfile else {
            throw AdoptionError.otherProfile(profile.text)
        }
        guard !isDryRun, host.isThisSystem else { return }
        guard geteuid() == 0 else { throw AdoptionError.needsRoot }
        guard root == StoreLayout.systemRoot else { throw AdoptionError.otherRoot(root) }
    }

    /// A session whose root is a host's, which is made if there is none.
    func onHost(_ host: Host) throws -> Session {
        umask(0o022)
        guard !host.isThisSystem else { return self }
        let setup = HostSetup(host)
        let parents = try setup.withDirectories([HostItem(path: AdoptionLayout.record, kind: .directory)])
        for item in parents.dropLast() { try setup.make(item) }
        return try Session(
            root: host.resolved(StoreLayout.systemRoot), profile: profile, progress: progress,
            command: command,
            note: note)
    }

    /// What was named, or all that systemd looks at.
    private func chosen(_ names: [String], of survey: ExtensionSurvey) throws -> [SurveyedExtension] {
        guard !names.isEmpty else { return survey.found }
        var result: [SurveyedExtension] = []
        for name in names {
            let fits = { (found: SurveyedExtension) in
                [
                    found.name, found.packageName, found.path,
                    found.path.split(separator: "/").last.map(String.init),
                ]
                .contains(name)
            }
            let entries = survey.found.filter { $0.entry != nil && fits($0) }
            guard entries.isEmpty else {
                // All of one name belong together.
                let together = Set(entries.map(\.name))
                result += survey.found.filter { $0.entry != nil && together.contains($0.name) }
                continue
            }
            // Several versions may be there: only the file's name tells which is meant.
            let available = survey.found.filter(fits)
            guard let only = available.first, available.count == 1 else {
                let known = available.isEmpty ? survey.found.map(\.name) : available.map(\.path)
                throw AdoptionError.unknown(name, known: Array(Set(known)).sorted())
            }
            result.append(try survey.chosen(only))
        }
        var seen: Set<String> = []
        return result.filter { seen.insert($0.path).inserted }
    }

    private static func items(
        _ found: [SurveyedExtension], _ packages: [String: Metadata], merged: [String]
    ) -> [AdoptionReport.Item] {
        let order: [ExtensionFate] = [.taken, .kept, .quarantined, .covered, .left, .available]
        return order.flatMap { fate in
            found.filter { $0.fate == fate }.map { one in
                var item = AdoptionReport.Item(one, merged: merged)
                item.storePath = packages[one.path].map { StoreLayout.storeDirectory + "/" + $0.storePath }
                return item
            }
        }
    }

    // MARK: - Places

    /// Records, makes the generation, then moves: at every moment the next run knows what is left to do.
    private func place(
        _ found: [SurveyedExtension], _ taken: AdoptedPackages, on adoption: HostAdoption, in store: Store,
        report: inout AdoptionReport
    ) throws {
        var record = try adoption.record() ?? AdoptionRecord()
        for entry in record.entries {
            if let path = try adoption.mend(entry) { report.mended.append(path) }
        }
        var moves:
            [(entry: AdoptionRecord.Entry, found: SurveyedExtension, extension: GenerationExtension?)] = []
        for one in found {
            guard let entry = try entry(for: one, taken, adoption) else { continue }
            moves.append((entry, one, Self.kept(one, entry)))
        }
        guard !moves.isEmpty || !taken.choices.isEmpty else { return }
        if !moves.isEmpty {
            record.entries.removeAll { old in moves.contains { $0.entry.path == old.path && $0.entry == old }
            }
            record.entries += moves.map(\.entry)
            try adoption.write(record)
        }
        for move in moves {
            try adoption.prepare(move.entry, image: move.found.image ?? move.entry.path)
            guard move.entry.fate == .quarantined else { continue }
            let reasons = move.found.reasons + (move.entry.target.map { ["it was a link to \($0)"] } ?? [])
            try adoption.write(
                reason: "\(move.entry.path)\n" + reasons.joined(separator: "\n"), for: move.entry)
        }
        let kept = moves.compactMap(\.extension)
        if !kept.isEmpty || !taken.choices.isEmpty {
            // One generation of all.
            report.change = try change(
                store,
                extensions: { current in
                    current.filter { old in !kept.contains { $0.fileName == old.fileName } } + kept
                }
            ) { Self.adding(taken.choices, to: $0, preferring: taken.preferred) }
        }
        var problem: SystemError?
        for move in moves {
            do {
                try adoption.move(move.entry)
            } catch let error as SystemError {
                // Such as a directory of an overlay's lower layer: it stays, and the others are moved.
                problem = problem ?? error
            }
        }
        try store.root.synchronizeFileSystem()
        if let problem { throw problem }
    }

    /// What is recorded of an extension that is moved.
    private func entry(
        for found: SurveyedExtension, _ taken: AdoptedPackages, _ adoption: HostAdoption
    ) throws -> AdoptionRecord.Entry? {
        guard let entry = found.entry, let fate = found.fate.recorded, let image = entry.image else {
            return nil
        }
        let digest = found.digest ?? Digest(hashing: entry.path.utf8)
        let isBad = fate == .quarantined
        var original: String?
        // Of a link only a further name for the image is wanted, lest its owner remove it.
        if entry.kind != .link || fate == .kept && !entry.isDirectory {
            original = try adoption.place(
                of: entry.path, image: entry.kind == .link ? image : entry.path,
                in: isBad ? AdoptionLayout.quarantine : AdoptionLayout.originals,
                name: isBad
                    ? entry.fileName : AdoptionLayout.originalName(entry.fileName, digest: digest.hex))
        }
        let name =
            switch fate {
            case .kept: Optional(entry.linkName)
            case .taken: taken.packages[found.path]?.name
            case .quarantined, .covered: String?.none
            }
        return AdoptionRecord.Entry(
            fate: fate, kind: entry.kind, path: entry.path, original: original, target: entry.target,
            digest: digest, name: name)
    }

    /// What a generation has of an extension that is kept.
    private static func kept(_ found: SurveyedExtension, _ entry: AdoptionRecord.Entry)
        -> GenerationExtension?
    {
        guard entry.fate == .kept, let source = found.entry, let image = found.image else { return nil }
        var location = entry.original ?? image
        // Of a directory of versions, the one that was chosen.
        if entry.kind == .directory, source.imagePath != source.path,
            let picked = image.split(separator: "/").last
        {
            location += "/" + picked
        }
        let below = AdoptionLayout.originals + "/"
        if location.hasPrefix(below) { location.removeFirst(below.count) }
        return GenerationExtension(
            fileName: source.linkName, version: found.version ?? "0", location: location)
    }
}
