public import Files
private import StoreLayout

extension LaunchDescription {
    /// A script that starts a command as its launcher does, on hosts without sxs.
    ///
    /// It needs nothing but the host's shell, which sets no variable of its own for it. Seeds are not shown, and no
    /// namespace is made. Where the store path is not visible it says why.
    ///
    /// - Parameters:
    ///   - name: The command's name.
    ///   - extensionName: The name of the extension that holds it.
    /// - Returns: The script; `nil` if there is no such command.
    public func script(for name: Bytes, extensionName: String) -> Bytes? {
        guard let command = command(named: name) else { return nil }
        let program = Self.quoted(path(of: command.program))
        var text = Bytes("#!/bin/sh\n".utf8)
        func append(_ parts: any Collection<UInt8>...) {
            for part in parts { text += part }
            text.append(Self.newline)
        }
        append("# Starts a command of the extension '\(extensionName)'; written by sxs export.".utf8)
        append("[ -x ".utf8, program, " ] || {".utf8)
        let absent = ": \(storePath) is not visible here"
        append("    printf '%s\\n' ".utf8, Self.quoted(name + Bytes(absent.utf8)), " >&2".utf8)
        append("    if [ -h \(StoreLayout.storeDirectory) ]; then".utf8)
        append(
            "        echo 'hint: this host has sxs, whose store hides that of the extension \(extensionName)' >&2"
                .utf8)
        append("        echo 'hint: as root, run: sxs import --extensions' >&2".utf8)
        append("    else".utf8)
        append("        echo 'hint: see which extensions are merged: systemd-sysext status' >&2".utf8)
        append("    fi".utf8)
        append("    exit 127".utf8)
        append("}".utf8)
        let lists: [(name: String, unset: Bytes, operation: String, directories: [TreePath])] = [
            ("PATH", ProcessEnvironment.defaultSearchPath, "-", searchPath),
            // Empty, it stands for the same as if it were not set.
            ("XDG_DATA_DIRS", ProcessEnvironment.defaultDataPath, ":-", dataPath),
        ]
        for list in lists where !list.directories.isEmpty {
            append("\(list.name)=${\(list.name)\(list.operation)".utf8, list.unset, "}".utf8)
            for directory in list.directories {
                let directory = Self.quoted(path(of: directory))
                append("case :$\(list.name): in".utf8)
                append("*:".utf8, directory, ":*) ;;".utf8)
                append("*) \(list.name)=$\(list.name):".utf8, directory, " ;;".utf8)
                append("esac".utf8)
            }
            append("export \(list.name)".utf8)
        }
        for entry in command.defaults {
            append(
                "[ \"${".utf8, entry.name, "+x}\" ] || export ".utf8, entry.name, "=".utf8,
                Self.quoted(entry.value))
        }
        append("exec ".utf8, program, " \"$@\"".utf8)
        return text
    }

    /// The bytes as one word of a shell.
    private static func quoted(_ bytes: Bytes) -> Bytes {
        let quote = UInt8(ascii: "'")
        let inner = bytes.split(separator: quote, omittingEmptySubsequences: false)
            .joined(separator: Bytes("'\\''".utf8))
        return [quote] + inner + [quote]
    }
}
