internal import Activation
internal import Files
private import Glibc
internal import StoreLayout

/// What `sxs doctor` looks at of a host.
struct HostExamination {
    let host: Host
    let facts: HostFacts
    let record: SetupRecord?

    private var setup: String { host.isThisSystem ? "sxs setup" : "sxs setup --host \(host.path)" }

    /// Whether `/usr/store` and `/usr/_` are there and lead to the system's root.
    func storeFindings() throws -> [Finding] {
        var findings: [Finding] = []
        for (link, state) in zip(StoreLayout.hostLinks, [facts.store, facts.aliases]) {
            switch state {
            case .ours:
                if try host.directory(link.target) == nil {
                    findings.append(
                        Finding(
                            .error, "store-dangling",
                            "\(link.path) leads to \(link.target), which is not there",
                            why: "nothing that is installed can be found",
                            hint: "mount what holds \(StoreLayout.systemRoot), or run '\(setup)' to make it"))
                }
            case .foreign(let what):
                findings.append(
                    Finding(
                        .error, "store-foreign", "\(link.path) is \(what)",
                        why:
                            "sxs neither replaces nor hides what it did not make, and no program of its store "
                            + "finds its files there",
                        hint: "move it away, then run '\(setup)'"))
            case .missing, .extensions:
                if let finding = try missing(link.path) { findings.append(finding) }
            }
        }
        return findings
    }

    private func missing(_ path: String) throws -> Finding? {
        guard record != nil else {
            // One sentence for both links.
            guard path == StoreLayout.storeDirectory else { return nil }
            return Finding(
                .warning, "not-set-up", "this host is not set up: there is no \(path)",
                why:
                    "each program makes a private namespace to see its files in, and shells do not find commands",
                hint: "as root: \(setup)")
        }
        guard record?.method == .anchor else {
            if facts.merged != nil {
                // One sentence for both links.
                guard path == StoreLayout.storeDirectory else { return nil }
                return Finding(
                    .error, "store-hidden",
                    "merged extensions hide the links in \(StoreLayout.hostDirectory)",
                    why: "they bring \(path) as a directory; what they lack is not found",
                    hint:
                        "systemd-sysext unmerge; sxs setup --undo; systemd-sysext merge; sxs setup: by the anchor then"
                )
            }
            return Finding(
                .error, "link-gone", "\(path) is gone",
                why: "it was made by 'sxs setup'; programs find nothing",
                hint: "run '\(setup)' again")
        }
        guard host.isThisSystem else { return nil }
        if try host.status(Anchor.path) == nil {
            return Finding(
                .error, "anchor-gone", "the anchor \(Anchor.path) is gone",
                why: "\(path) exists through it", hint: "run '\(setup)' again")
        }
        return Finding(
            .error, "anchor-not-merged",
            facts.merged?.contains(Anchor.name) == true
                ? "the anchor is merged, and \(path) is hidden"
                : "the anchor is not merged: there is no \(path)",
            why: facts.merged.map { "merged are only: " + $0.joined(separator: ", ") }
                ?? "no extension is merged",
            hint: "run '\(setup)'; if that fails, 'systemd-sysext merge' says why")
    }

    /// Whether the anchor is whole, on top, and merged at boot.
    func extensionFindings() throws -> [Finding] {
        guard record?.method == .anchor else { return [] }
        var findings: [Finding] = []
        let setupOfHost = HostSetup(host)
        let anchor = HostItem(path: Anchor.path, kind: .anchor)
        if case .foreign = try setupOfHost.state(of: anchor, record) {
            findings.append(
                Finding(
                    .error, "anchor-changed", "the anchor \(Anchor.path) is not as sxs makes it",
                    why: "it may hide files of \(StoreLayout.hostDirectory), or be refused by systemd",
                    hint: "remove that directory and run '\(setup)' again"))
        }
        let all = try host.systemExtensions()
        if let first = all.first(where: { $0.name.text == Anchor.name }), first.path != Anchor.path {
            findings.append(
                Finding(
                    .error, "anchor-masked", "\(first.path) takes the anchor's place",
                    why: "of two extensions with one name, systemd takes the first directory's",
                    hint: "remove \(first.path)"))
        }
        if !facts.isMergedAtBoot {
            findings.append(
                Finding(
                    .error, "not-at-boot", "\(Anchor.unit) is not enabled",
                    why: "after a restart nothing is merged, and \(StoreLayout.storeDirectory) is gone",
                    hint: "systemctl enable \(Anchor.unit)"))
        }
        return findings
    }

    /// A file that is as another version of sxs made it.
    func outdated(_ path: String) -> Finding {
        Finding(
            .warning, "file-outdated", "\(path) is of another version of sxs",
            why: "it was not changed since, and can be replaced", hint: "run '\(setup)' again")
    }

    /// A file that somebody else changed or made.
    func changed(_ path: String, _ what: String) -> Finding {
        Finding(
            .note, "file-changed", "\(path) is \(what)", why: "sxs leaves it as it is",
            hint: "move it away and run '\(setup)' to have sxs's own")
    }

    /// Whether files for shells and sessions are there and as sxs writes them.
    func fileFindings() throws -> [Finding] {
        guard let record else { return [] }
        let setupOfHost = HostSetup(host)
        let searchPaths = StoreLayout.searchPathFiles
        var findings: [Finding] = try StoreLayout.hostFiles.compactMap { item in
            let isSearchPath = searchPaths.contains(item.path)
            switch try setupOfHost.state(of: item, record) {
            case .same: return nil
            case .missing:
                return Finding(
                    isSearchPath ? .error : .warning, "file-missing", "\(item.path) is missing",
                    why: isSearchPath
                        ? "some shells or sessions do not find installed commands"
                        : "directories of the store are not made at boot should they be lost",
                    hint: "run '\(setup)' again")
            case .outdated: return outdated(item.path)
            case .foreign(let what): return changed(item.path, what)
            }
        }
        for (link, item) in try setupOfHost.items(record.method).filter({
            $0.path.hasPrefix(StoreLayout.systemRoot + "/")
        }).map({ ($0.path, $0) }) where try setupOfHost.state(of: item, record) != .same {
            findings.append(
                Finding(
                    .error, "profile-link", "\(link) does not lead to the default profile",
                    why: "\(StoreLayout.hostCommands) is empty for everybody", hint: "run '\(setup)' again"))
        }
        if let finding = try policyFinding() { findings.append(finding) }
        if let path = try unreadProfile() {
            findings.append(
                Finding(
                    .note, "zsh-profile", "zsh does not read /etc/profile here: \(path) does not name it",
                    why: "in zsh, commands of sxs are found only in sessions that systemd starts",
                    hint: "add to \(path): emulate sh -c '. \(StoreLayout.hostFiles[0].path)'"))
        }
        return findings
    }

    /// Whether the host's SELinux policy knows the store.
    private func policyFinding() throws -> Finding? {
        let setupOfHost = HostSetup(host)
        guard let module = try setupOfHost.items(record?.method ?? .links).first(where: \.isPolicyModule)
        else { return nil }
        switch try setupOfHost.state(of: module, record) {
        case .same, .foreign: return nil
        case .missing, .outdated:
            return Finding(
                .warning, "policy-module",
                "this host's SELinux policy has no rules for \(StoreLayout.systemRoot)",
                why: "restorecon takes away the labels by which programs of the store may run",
                hint: "install semodule (policycoreutils), and run '\(setup)' again")
        }
    }

    /// The configuration of a zsh that does not read the host's profile.
    private func unreadProfile() throws -> String? {
        let there = try StoreLayout.zshProfiles.filter { try host.status($0) != nil }
        let isRead = try there.contains { path in
            let text = String(decoding: try host.contents(path) ?? [], as: UTF8.self)
            return text.split(separator: "\n").contains {
                !$0.drop { $0 == " " || $0 == "\t" }.hasPrefix("#") && $0.contains("profile")
            }
        }
        return isRead ? nil : there.first
    }

    /// Whether the kernel offers what programs need.
    func kernelFindings() -> [Finding] {
        var findings: [Finding] = []
        if let version = facts.kernel, version.lexicographicallyPrecedes([5, 11]) {
            findings.append(
                Finding(
                    .error, "kernel-old",
                    "the kernel is Linux \(version.map(String.init).joined(separator: "."))",
                    why: "sxs needs calls that came with 5.11", hint: "start a newer kernel"))
        }
        if let cause = NamespaceError.knownCause {
            findings.append(
                Finding(
                    facts.isVisible ? .warning : .error, "no-user-namespaces",
                    "ordinary users get no user namespaces",
                    why: facts.isVisible
                        ? "stores other than the system's, and programs that need files in /etc, do not work for them"
                        : "without \(StoreLayout.storeDirectory), no program of a store starts for them",
                    hint: cause.advice))
        }
        if record?.method == .anchor, facts.isMergingOff {
            findings.append(
                Finding(
                    .error, "merging-off", "the kernel was started with systemd.sysext=0",
                    why: "no extension is merged at boot", hint: "take that out of the kernel's command line")
            )
        }
        if record?.method == .anchor, facts.overlayDepth >= HostFacts.deepestOverlay {
            findings.append(
                Finding(
                    .error, "overlay-depth",
                    "\(facts.overlayDepth) overlays lie over each other at \(StoreLayout.hostDirectory)",
                    why: "the kernel allows \(HostFacts.deepestOverlay), so that nothing can be merged",
                    hint: "run on the system below, or without composefs"))
        }
        return findings
    }

    /// Whether this process's environment finds the profile's commands.
    func environmentFindings() throws -> [Finding] {
        guard record != nil, facts.isVisible else { return [] }
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        let directories = path.split(separator: ":").map(String.init)
        guard let index = directories.firstIndex(of: StoreLayout.hostCommands) else {
            return [
                Finding(
                    .note, "not-on-path", "PATH of this process lacks \(StoreLayout.hostCommands)",
                    why: "it was started before 'sxs setup', or something set PATH anew since (sudo does)",
                    hint: "log in again, or: . \(StoreLayout.hostFiles[0].path)")
            ]
        }
        // A command never hides the host's; which of them are hidden by it is worth knowing.
        let shadowed = try host.names(in: StoreLayout.hostCommands).filter { command in
            directories[..<index].contains { access($0 + "/" + command, X_OK) == 0 }
        }
        guard let first = shadowed.first else { return [] }
        let others = shadowed.count == 1 ? "" : " and \(shadowed.count - 1) more"
        return [
            Finding(
                .note, "shadowed", "the host's own '\(first)'\(others) is found before that of sxs",
                why: "the host's directories come first on PATH",
                hint: "start it as \(StoreLayout.hostCommands)/\(first)")
        ]
    }
}
