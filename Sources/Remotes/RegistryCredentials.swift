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

    private struct File: Decodable {
        struct Entry: Decodable {
            let auth: String?
        }

        let auths: [String: Entry]?
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
        }
        self.basic = basic
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

    /// What goes into `Authorization` for a repository: of the longest key that it begins with.
    func authorization(registry: String, repository: String) -> String? {
        var parts = repository.split(separator: "/").map(String.init)
        let host = registry == "registry-1.docker.io" ? "docker.io" : registry
        while true {
            if let found = basic[([host] + parts).joined(separator: "/")] { return found }
            guard parts.popLast() != nil else { return nil }
        }
    }
}
