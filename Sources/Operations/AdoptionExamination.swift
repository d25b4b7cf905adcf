internal import Activation
internal import Files
private import Glibc
internal import Store
internal import StoreLayout

/// What `sxs doctor` looks at of extensions that were taken over.
struct AdoptionExamination {
    let host: Host
    let facts: HostFacts

    private var adopt: String { host.isThisSystem ? "sxs adopt" : "sxs adopt --host \(host.path)" }

    func findings() throws -> [Finding] {
        var findings: [Finding] = []
        do {
            let adoption = HostAdoption(host)
            if let record = try adoption.record() {
                findings += try linkFindings(record, adoption)
                findings += try quarantineFindings()
                findings += try generationFindings()
                if host.isThisSystem { findings += try mergeFindings(record) }
            }
        } catch let error as AdoptionError {
            findings.append(
                Finding(
                    .error, "adopted-damaged", "the record of what 'sxs adopt' moved cannot be read",
                    why: "\(error)".firstLine,
                    hint:
                        "originals are in \(AdoptionLayout.originals) and \(AdoptionLayout.quarantine): move them back by hand, then remove the record"
                ))
        }
        return findings
    }

    /// Whether links in systemd's directories lead to the active generation.
    private func linkFindings(_ record: AdoptionRecord, _ adoption: HostAdoption) throws -> [Finding] {
        var seen: Set<String> = []
        return try record.entries.reversed().compactMap { entry in
            guard let link = entry.link else { return nil }
            let path = entry.path.dropLast(entry.path.split(separator: "/").last?.count ?? 0) + link
            guard seen.insert(String(path)).inserted, try !adoption.isOurs(entry, link: link) else {
                return nil
            }
            guard try host.status(String(path)) == nil else {
                return Finding(
                    .warning, "adopted-link-changed", "\(path) is no longer the link that 'sxs adopt' made",
                    why:
                        "it is merged whatever the active generation says; sysupdate may have brought a new version",
                    hint: "run '\(adopt)' to take it over")
            }
            return Finding(
                .error, "adopted-link-gone", "\(path) is gone",
                why:
                    "the extension is not merged when extensions are merged next, though a generation has it",
                hint: "run '\(adopt)' to make the link again, or '\(adopt) --undo' to give the extension back"
            )
        }
    }

    /// Whether what the active generation has is there.
    private func generationFindings() throws -> [Finding] {
        let directory = AdoptionLayout.current("")
        return try host.names(in: directory).compactMap { name in
            let path = directory + name
            guard try host.followed(path) == nil else { return nil }
            return Finding(
                .error, "kept-missing",
                "\(name) of the active generation is missing: \(try host.link(path) ?? path) leads to nothing",
                why: "it is not merged when extensions are merged next",
                hint:
                    "put the image back, or 'sxs remove \(name.hasSuffix(".raw") ? String(name.dropLast(4)) : name)'"
            )
        }
    }

    private func quarantineFindings() throws -> [Finding] {
        let suffix = AdoptionLayout.reasonSuffix
        let names = try host.names(in: AdoptionLayout.quarantine).filter {
            $0.hasSuffix(suffix) && !$0.hasPrefix(".")
        }
        guard !names.isEmpty else { return [] }
        return [
            Finding(
                .note, "quarantine",
                "in quarantine: \(names.map { String($0.dropLast(suffix.count)) }.joined(separator: ", "))",
                why: "they were refused, and would keep systemd from merging the others",
                hint: "read \(AdoptionLayout.quarantine)/*\(suffix); 'sxs adopt --undo' puts them back")
        ]
    }

    /// Whether what is merged is what would be.
    private func mergeFindings(_ record: AdoptionRecord) throws -> [Finding] {
        guard facts.merged != nil else { return [] }
        let known = Set(record.entries.map { Session.extensionName($0) })
        let pending = try InstalledExtension.pending(on: host)
        var words = pending.added.filter(known.contains).map { "\($0) comes in" }
        words += pending.gone.filter(known.contains).map { "\($0) goes" }
        guard !words.isEmpty else { return [] }
        return [
            Finding(
                .note, "merge-pending",
                "merged extensions are not yet those of the active generation: \(words.joined(separator: ", "))",
                why: "extensions are merged when the system starts, or when somebody asks for it",
                hint: "systemd-sysext refresh; for a moment, files of all merged extensions are gone")
        ]
    }
}
