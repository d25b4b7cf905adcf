internal import Activation
internal import Files
private import Glibc
internal import Store
internal import StoreLayout

/// What `sxs doctor --fsck` has to say.
public struct ConsistencyReport: Encodable, Sendable {
    /// The state directory.
    public let root: String
    /// What is wrong, the worst first.
    public let findings: [Finding]

    /// Whether something is lost, does not work, or is not safe.
    public var hasErrors: Bool { findings.contains { $0.severity != .note } }
}

extension Session {
    /// Looks for what files, index and profiles of the store say differently; changes nothing.
    ///
    /// - Parameter readsContents: Whether all contents are read, too.
    public func examineStore(readsContents: Bool) throws -> ConsistencyReport {
        let store = try openStore()
        var findings = try store.inconsistencies(readsContents: readsContents, progress: progress).map {
            finding($0)
        }
        findings += try launcherFindings(in: store)
        let order = Finding.Severity.allCases
        return ConsistencyReport(
            root: root,
            findings: order.flatMap { severity in findings.filter { $0.severity == severity } })
    }

    private func finding(_ found: Inconsistency) -> Finding {
        let severity: Finding.Severity =
            switch found.severity {
            case .error: .error
            case .warning: .warning
            case .note: .note
            }
        let (why, hint) =
            switch found.remedy {
            case .repair(let package?):
                (
                    "the files are the truth, and these are not those that were registered",
                    "sxs repair \(package)"
                )
            case .repair(nil): ("what leads there finds something else, or nothing", "sxs repair")
            case .rebuildIndex:
                ("commands believe the index, and the files are the truth", "sxs index rebuild")
            case .collect: ("it takes room and does no harm", "sxs gc")
            case .wait: ("it does no harm", "the next command that writes sees to it")
            case .byHand(let what): ("sxs does not change what it cannot know", what)
            }
        return Finding(severity, found.code, path: found.path, found.what, why: why, hint: hint)
    }

    /// Launchers that cannot do what they should.
    private func launcherFindings(in store: Store) throws -> [Finding] {
        let shims = try store.root.directory(beneath: StoreLayout.Name.shims)
        let directories = try shims.list()
        let program = StoreLayout.Name.programs + "/" + StoreLayout.Name.program
        var findings: [Finding] = []
        if !directories.isEmpty, try !isProgramWhole(in: store) {
            findings.append(
                Finding(
                    .error, "launcher", path: program, "the program that launchers lead to is missing",
                    why: "no launcher starts", hint: "sxs repair"))
        }
        let shown = try store.shownStorePaths()
        for entry in directories {
            let path = [StoreLayout.Name.shims, entry.text, StoreLayout.Name.launchDescription].joined(
                separator: "/")
            // One that is missing has been named.
            guard let text = try? store.root.open(beneath: path).readAll(limit: LaunchDescription.longest)
            else { continue }
            guard (try? LaunchDescription(parsing: text, file: path))?.baseName != entry.text else {
                continue
            }
            // What no generation shows, a crash may have left so; it is made anew when one does.
            findings.append(
                shown.contains(entry.text)
                    ? Finding(
                        .error, "launcher", path: path, "it cannot be read",
                        why: "no launcher of this store path starts", hint: "sxs repair \(entry.text)")
                    : Finding(
                        .note, "launcher", path: path, "it cannot be read",
                        why: "no generation shows this store path", hint: "sxs repair \(entry.text)"))
        }
        return findings
    }

    /// Whether the program that launchers lead to is there, and can be run.
    func isProgramWhole(in store: Store) throws -> Bool {
        let path = StoreLayout.Name.programs + "/" + StoreLayout.Name.program
        guard let status = try store.root.status(of: path) else { return false }
        return status.st_mode & (S_IFMT | 0o111) == S_IFREG | 0o111 && status.st_size > 0
    }
}
