internal import Activation
internal import Files
private import Glibc
internal import Store
internal import StoreLayout

/// What `sxs doctor` looks at of the system's root.
struct RootExamination {
    let host: Host

    private var root: String { StoreLayout.systemRoot }

    func findings() throws -> [Finding] {
        guard let status = try host.status(root) else { return [] }
        guard try host.directory(root) != nil else {
            return [
                Finding(
                    .error, "root-foreign", "\(root) is no directory",
                    why: "the system's store is to be there",
                    hint: "move it away")
            ]
        }
        return try modeFindings(status) + indexFindings() + versionFindings()
    }

    /// Modes that keep users out, or let them in.
    private func modeFindings(_ status: stat) throws -> [Finding] {
        var findings: [Finding] = []
        let wanted = [(name: "", mode: UInt32(0o755))] + StoreLayout.directories
        for directory in wanted {
            let path = directory.name.isEmpty ? root : root + "/" + directory.name
            guard let status = try host.status(path) else {
                findings.append(
                    Finding(
                        .error, "directory-missing", "\(path) is missing",
                        why: "a store has it", hint: "any change of the store makes it: sxs setup"))
                continue
            }
            let mode = status.st_mode & 0o7777
            if status.st_uid != 0, host.isThisSystem {
                findings.append(
                    Finding(
                        .error, "root-owner", "\(path) belongs to user \(status.st_uid)",
                        why: "that user can change what everybody runs", hint: "chown root:root \(path)"))
            }
            if mode & 0o022 != 0 {
                findings.append(
                    Finding(
                        .error, "root-writable",
                        "\(path) can be written by others than root (mode \(octal(mode)))",
                        why: "they can change what everybody runs",
                        hint: "chmod \(octal(mode_t(directory.mode))) \(path)"))
            } else if mode & 0o555 != mode_t(directory.mode) & 0o555 {
                findings.append(
                    Finding(
                        directory.mode & 0o005 != 0 ? .error : .warning, "root-mode",
                        "\(path) has mode \(octal(mode)) instead of \(octal(mode_t(directory.mode)))",
                        why: directory.mode & 0o005 != 0
                            ? "users cannot run what is installed" : "users can read unfinished imports",
                        hint: "chmod \(octal(mode_t(directory.mode))) \(path)"))
            }
        }
        return try findings + userRootFindings()
    }

    /// Whether users can take each other's roots away.
    private func userRootFindings() throws -> [Finding] {
        let path = [root, StoreLayout.Name.collectionRoots, StoreLayout.Name.automaticRoots].joined(
            separator: "/")
        guard let status = try host.status(path), status.st_mode & 0o022 != 0, status.st_mode & S_ISVTX == 0
        else {
            return []
        }
        let wanted = octal(mode_t(StoreLayout.systemDirectories[0].mode))
        return [
            Finding(
                .error, "roots-mode",
                "\(path) has mode \(octal(status.st_mode & 0o7777)) instead of \(wanted)",
                why: "users can remove what says that others need a store path",
                hint: "chmod \(wanted) \(path)")
        ]
    }

    /// Whether users can read the index, with what SQLite keeps beside it.
    private func indexFindings() throws -> [Finding] {
        let index = root + "/" + StoreLayout.Name.index
        guard try host.status(index) != nil else {
            return [
                Finding(
                    .error, "index-missing", "\(index) is missing", why: "nothing can be listed or changed",
                    hint: "any change makes it again from the files: sxs setup")
            ]
        }
        return try StoreLayout.indexFiles.compactMap { name in
            let path = root + "/" + name
            guard let status = try host.status(path), status.st_mode & 0o444 != 0o444 else { return nil }
            return Finding(
                .error, "index-unreadable",
                "\(path) cannot be read by users (mode \(octal(status.st_mode & 0o7777)))",
                why: "'sxs list' and 'sxs run' fail for them", hint: "chmod 644 \(path)")
        }
    }

    /// Whether the store and its launchers are of this version.
    private func versionFindings() throws -> [Finding] {
        var findings: [Finding] = []
        if let text = try host.contents(root + "/" + StoreLayout.Name.format) {
            let version = Int(String(decoding: text.prefix { $0 != 0x0a }, as: UTF8.self))
            if version.map({ $0 > StoreLayout.formatVersion }) ?? true {
                findings.append(
                    Finding(
                        .error, "format",
                        "the store's layout is of version \(version.map(String.init) ?? "unknown")",
                        why: "this sxs knows version \(StoreLayout.formatVersion)", hint: "use a newer sxs"))
            }
        }
        let program = [root, StoreLayout.Name.programs, StoreLayout.Name.program].joined(separator: "/")
        if let there = try host.status(program) {
            let own = try Descriptor.file("/proc/self/exe").status()
            if there.st_size != own.st_size || there.st_mtim.tv_sec != own.st_mtim.tv_sec {
                findings.append(
                    Finding(
                        .note, "launcher-version", "launchers run another copy of sxs than this one",
                        why: "\(program) is of the last 'sxs install'",
                        hint: "the next one brings this copy there"))
            }
        }
        return findings
    }

    private func octal(_ mode: mode_t) -> String { "0" + String(mode, radix: 8) }
}
