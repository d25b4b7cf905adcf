internal import Activation
internal import Files
internal import StoreLayout

/// What `sxs doctor` looks at of services and of `/etc`.
extension HostExamination {
    /// Whether systemd is told of the generation's units, has read them, and may obey them.
    func serviceFindings() throws -> [Finding] {
        guard let record else { return [] }
        let setupOfHost = HostSetup(host)
        let setup = host.isThisSystem ? "sxs setup" : "sxs setup --host \(host.path)"
        let known = Set(try setupOfHost.items(record.method).map(\.path))
        var findings: [Finding] = try StoreLayout.serviceItems.filter { known.contains($0.path) }.compactMap {
            item in
            switch try setupOfHost.state(of: item, record) {
            case .same: return nil
            case .missing:
                return Finding(
                    .error, "services-missing", "\(item.path) is missing",
                    why: "services of installed packages are not started, or not when the system starts",
                    hint: "run '\(setup)' again")
            case .outdated: return outdated(item.path)
            case .foreign(let what): return changed(item.path, what)
            }
        }
        findings += try configurationFindings()
        guard host.isThisSystem, findings.allSatisfy({ $0.code != "services-missing" }) else {
            return findings
        }
        guard let units = try UnitGenerator.current(.system) else { return findings }
        findings += units.hidden.map { name in
            Finding(
                .note, "unit-hidden", "\(name) is the host's own, and hides that of the store",
                why: "units of the host go before those of packages, also where they are disabled or masked",
                hint: "'systemctl cat \(name)' shows it; remove it to have the package's")
        }
        if SystemManager.isRunning, try UnitChange(from: SystemManager(), to: units).isReloadNeeded {
            findings.append(
                Finding(
                    .warning, "units-stale", "systemd has not read the units of the active generation",
                    why: "services run as they were before the last switch, or not at all",
                    hint: "sxs activate"))
        }
        return findings
    }

    private func configurationFindings() throws -> [Finding] {
        do {
            return try HostConfigurationFiles(host).changed().map { path in
                Finding(
                    .note, "configuration-changed", "\(path) is not as its package has it",
                    why: "somebody changed it, so it stays when the package is upgraded or removed",
                    hint: "remove it, then the package, and install that again, to have the package's")
            }
        } catch let error as SetupError {
            return [
                Finding(
                    .error, "record-damaged", "the record of what packages put into /etc cannot be read",
                    why: "\(error)".firstLine,
                    hint: "remove it and run 'sxs activate': what is in /etc then counts as the host's")
            ]
        }
    }
}
