internal import Files
private import FoundationEssentials
private import Glibc

/// Names and passwords for registries, from the files of podman and docker.
///
/// Source: containers-auth.json(5), `config.json` of docker.
struct RegistryCredentials {
    /// Bytes that a file may have.
    private static let longest = 1 << 20

    /// The value of `Authorization` by registry, or by registry and the beginning of a repository.
    private let basic: [String: String]
    /// Names of helpers by registry.
    private let helpers: [String: String]
    /// The helper that is asked for registries of which nothing else is said.
    private let store: String?

    private struct File: Decodable {
        struct Entry: Decodable {
            let auth: String?
        }

        let auths: [String: Entry]?
        let credHelpers: [String: String]?
        let credsStore: String?
    }

    /// Reads what this user has.
    init() {
        let variable = { (name: String) in
            getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        let home = variable("HOME")
        let named = variable("REGISTRY_AUTH_FILE").map { [$0] }
        let files =
            named
            ?? [
                variable("XDG_RUNTIME_DIR").map { $0 + "/containers/auth.json" },
                home.map { $0 + "/.config/containers/auth.json" },
                (variable("DOCKER_CONFIG") ?? home.map { $0 + "/.docker" }).map { $0 + "/config.json" },
            ].compactMap { $0 }
        // One that is not there, or not this user's to read, says nothing.
        self.init(parsing: files.compactMap { try? Descriptor.file($0).readAll(limit: Self.longest) })
    }

    /// Reads files' contents, of which the first with a key counts; what is no such file says nothing.
    init(parsing files: [Bytes]) {
        var basic: [String: String] = [:]
        var helpers: [String: String] = [:]
        var store: String?
        for bytes in files {
            guard let read = try? JSONDecoder().decode(File.self, from: Data(bytes))
            else { continue }
            for (key, entry) in read.auths ?? [:] {
                // What stands in a header field is base64 and nothing else.
                guard let auth = entry.auth, !auth.isEmpty,
                    auth.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
                else { continue }
                let plain = Self.plain(key)
                if basic[plain] == nil { basic[plain] = "Basic " + auth }
            }
            for (key, helper) in read.credHelpers ?? [:] where helpers[Self.plain(key)] == nil {
                helpers[Self.plain(key)] = helper
            }
            store = store ?? read.credsStore
        }
        self.basic = basic
        self.helpers = helpers
        self.store = store
    }

    /// A key without what older versions of docker put around the registry.
    private static func plain(_ key: String) -> String {
        var key = Substring(key)
        for scheme in ["https://", "http://"] where key.hasPrefix(scheme) {
            key = key.dropFirst(scheme.count)
        }
        for suffix in ["/", "/v1", "/v2"] where key.hasSuffix(suffix) { key = key.dropLast(suffix.count) }
        return key == "index.docker.io" ? "docker.io" : String(key)
    }

    /// What goes into `Authorization` for a repository: what the registry's own helper has, else that of the longest key
    /// that the repository begins with, else what the helper for all has.
    ///
    /// - Parameter ask: Asks a helper of a name for what it has of a registry.
    func authorization(
        registry: String, repository: String, ask: (String, String) -> String? = Self.ask
    ) -> String? {
        let host = registry == "registry-1.docker.io" ? "docker.io" : registry
        // What docker itself calls its registry.
        let server = host == "docker.io" ? "https://index.docker.io/v1/" : host
        if let helper = helpers[host], let found = ask(helper, server) { return found }
        var parts = repository.split(separator: "/").map(String.init)
        while true {
            if let found = basic[([host] + parts).joined(separator: "/")] { return found }
            guard parts.popLast() != nil else { break }
        }
        return store.flatMap { ask($0, server) }
    }

    private static func ask(_ helper: String, _ server: String) -> String? {
        CredentialHelper.find(helper).flatMap { CredentialHelper.authorization(of: server, from: $0) }
    }
}
