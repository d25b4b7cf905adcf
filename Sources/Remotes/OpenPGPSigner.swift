internal import Files

/// Signs with the host's gpg(1), which has the key and asks for its password.
struct OpenPGPSigner {
    private static let variables = [
        "HOME", "GNUPGHOME", "PATH", "GPG_TTY", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY",
    ]

    let key: String

    /// A detached signature of a file, in binary form.
    func sign(_ path: String) throws -> Bytes {
        guard let gpg = SpawnedProgram.find("gpg") else { throw RepositoryError.noGnuPG(key) }
        let result = try SpawnedProgram(
            gpg, ["--batch", "--local-user", key, "--detach-sign", "--output", "-", "--", path],
            environment: SpawnedProgram.environment(Self.variables) + ["LC_ALL=C"]
        ).finish()
        guard result.status == 0, !result.output.isEmpty else {
            let lines = String(decoding: result.messages, as: UTF8.self).split(separator: "\n")
            // The last line says no more than that signing failed.
            let reason = lines.first { $0.contains("skipped") } ?? lines.last
            throw RepositoryError.notSigned(key: key, reason: reason.map(String.init) ?? "gpg said nothing")
        }
        return result.output
    }
}
