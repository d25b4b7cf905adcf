internal import Files
private import FoundationEssentials
private import Glibc

/// A program that keeps names and passwords, such as a desktop's keyring: `docker-credential-NAME`.
///
/// Source: docker-credential-helpers, "Development"; containers-auth.json(5).
enum CredentialHelper {
    /// Begins the names of these programs.
    private static let prefix = "docker-credential-"
    /// Variables that they find their keyrings by.
    private static let variables = [
        "HOME", "PATH", "USER", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY",
        "WAYLAND_DISPLAY", "GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR",
    ]

    private struct Answer: Decodable {
        let Username: String
        let Secret: String
    }

    /// The program of a name; `nil` for one that could be a path, or is not there.
    static func find(_ name: String) -> String? {
        guard !name.isEmpty, !name.contains("/"), name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            return nil
        }
        return SpawnedProgram.find(prefix + name)
    }

    /// The value of `Authorization` that a program has for a registry; `nil` where it has none.
    static func authorization(of registry: String, from program: String) -> String? {
        // What cannot be run, or fails, has nothing: anonymous access is tried, and what that comes to is said.
        guard
            let started = try? SpawnedProgram(
                program, ["get"], environment: SpawnedProgram.environment(variables) + ["LC_ALL=C"],
                input: Bytes(registry.utf8)),
            let (status, output, _) = try? started.finish(limit: 1 << 16), status == 0,
            let answer = try? JSONDecoder().decode(Answer.self, from: Data(output)),
            // A token to get others with is no password.
            answer.Username != "<token>", !answer.Username.isEmpty, !answer.Username.contains(":")
        else { return nil }
        return "Basic " + Data("\(answer.Username):\(answer.Secret)".utf8).base64EncodedString()
    }
}
