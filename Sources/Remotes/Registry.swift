public import Files
private import FoundationEssentials
public import StoreLayout
private import Synchronization

/// A registry of OCI images: a repository for each name, a tag for each version.
///
/// Source: OCI distribution-spec 1.1; RFC 6750 and docker's "token authentication".
public final class Registry: Sendable {
    // A class: tokens are asked for once.

    /// Bytes that a document may have.
    private static let longest = 16 << 20
    /// Answers of tags that are asked for, and tags in each.
    private static let (mostPages, pageSize) = (50, 1000)
    private static let indexTypes = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    private static let manifestTypes = [
        "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
    ]

    private let remote: ConfiguredRemote
    private let fetcher: Fetcher
    private let tokens = Mutex<[String: String]>([:])
    /// `https://host`.
    private let base: String
    private let host: String
    private let prefix: String

    /// Names a registry: its host, and what all repositories begin with.
    public init(_ remote: ConfiguredRemote, isOffline: Bool) {
        self.remote = remote
        let parts = remote.description.location.text.split(
            separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        let named = parts.count > 2 ? String(parts[2]) : ""
        host = named == "docker.io" ? "registry-1.docker.io" : named
        base = (parts.first ?? "https:") + "//" + host
        prefix = parts.count > 3 ? parts[3] + "/" : ""
        fetcher = Fetcher(remote.description, isOffline: isOffline)
    }

    /// The repository of a package.
    private func repository(of name: String) -> String { prefix + name.lowercased() }

    /// Throws unless there is a registry, whoever may use it.
    public func check() throws {
        try checkSafety()
        do {
            _ = try fetcher.answer(base + "/v2/", fields: [], limit: Self.longest)
        } catch is Fetcher.Unauthorized {
            return
        }
    }

    private func checkSafety() throws {
        guard base.hasPrefix("https:") || remote.description.isInsecure else {
            throw RemoteError.plainRegistry(base)
        }
    }

    // MARK: - Documents

    private struct TagList: Decodable {
        let tags: [String]?
    }

    /// The tags of a package's repository; `nil` where there is none.
    public func tags(of name: String) throws -> [String]? {
        try checkSafety()
        let repository = repository(of: name)
        var next: String? = "\(base)/v2/\(repository)/tags/list?n=\(Self.pageSize)"
        var tags: [String] = []
        for _ in 0..<Self.mostPages {
            guard let url = next else { return tags }
            guard let (bytes, head) = try get(url, repository) else { return nil }
            guard let list = try? JSONDecoder().decode(TagList.self, from: Data(bytes)) else {
                throw RemoteError.badAnswer(url: url, reason: "it is no list of tags")
            }
            tags += (list.tags ?? []).filter(Self.isTag)
            next = try head.fields["link"].flatMap { try following($0, url) }
        }
        return tags
    }

    private static func isTag(_ text: String) -> Bool {
        text.utf8.count <= 128
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                    || "._-".utf8.contains($0)
            }
    }

    /// The place that `Link` names, on the same server.
    private func following(_ link: String, _ url: String) throws -> String? {
        guard link.contains("rel=\"next\""), let start = link.firstIndex(of: "<"),
            let end = link.firstIndex(of: ">"), start < end
        else { return nil }
        let target = String(link[link.index(after: start)..<end])
        guard target.hasPrefix("/") else {
            guard target.hasPrefix(base + "/") else {
                throw RemoteError.badAnswer(url: url, reason: "its next part is on another server")
            }
            return target
        }
        return base + target
    }

    private struct Reference: Decodable {
        struct Platform: Decodable {
            let architecture: String
            let os: String
        }

        let mediaType: String?
        let digest: String
        let size: Int
        let platform: Platform?
    }

    private struct Manifest: Decodable {
        let mediaType: String?
        let manifests: [Reference]?
        let config: Reference?
        let layers: [Reference]?
    }

    /// The image of a tag, without its layers.
    ///
    /// - Throws: ``RemoteError/noPlatform(url:wanted:available:)``, …
    public func image(of name: String, tag: String, architecture: Architecture) throws -> RegistryImage? {
        let repository = repository(of: name)
        guard var found = try manifest(tag, repository, digest: nil) else { return nil }
        var (type, manifest) = try read(found)
        if let list = manifest.manifests {
            let fitting = list.first { reference in
                guard let platform = reference.platform, platform.os == "linux" else { return false }
                return (try? Architecture(parsing: platform.architecture)) == architecture
            }
            let alone = list.count == 1 && list[0].platform == nil ? list[0] : nil
            guard let chosen = fitting ?? alone else {
                let available = list.compactMap {
                    $0.platform.map { "\($0.os)/\($0.architecture)".utf8.displayed }
                }
                throw RemoteError.noPlatform(
                    url: found.url, wanted: architecture.rawValue, available: Array(Set(available)).sorted())
            }
            let digest = try self.digest(chosen, found.url)
            guard let nested = try self.manifest("\(digest)", repository, digest: digest) else {
                throw RemoteError.notThere(url: found.url)
            }
            found = nested
            (type, manifest) = try read(found)
        }
        guard let config = manifest.config, let layers = manifest.layers, layers.count <= 1000 else {
            throw RemoteError.badAnswer(url: found.url, reason: "it is no manifest of an image")
        }
        var parts: [RegistryImage.Part] = []
        for reference in [config] + layers {
            guard reference.size >= 0, reference.size <= Fetcher.longestImage else {
                throw RemoteError.badAnswer(
                    url: found.url, reason: "it names a part of \(reference.size) bytes")
            }
            let digest = try digest(reference, found.url)
            guard !parts.contains(where: { $0.file.digest == digest }) else { continue }
            parts.append(
                RegistryImage.Part(file: ListedFile(name: "\(digest)", digest: digest), size: reference.size))
        }
        return RegistryImage(
            registry: self, repository: repository, tag: tag, manifest: found.bytes,
            digest: Digest(hashing: found.bytes), mediaType: type, parts: parts,
            location: "docker://\(host)/\(repository):\(tag)")
    }

    private func digest(_ reference: Reference, _ url: String) throws -> Digest {
        guard reference.digest.hasPrefix("sha256:"), let digest = Digest(hex: reference.digest.dropFirst(7))
        else {
            throw RemoteError.badAnswer(
                url: url,
                reason: "it has '\(reference.digest.utf8.displayed)' where a SHA-256 digest should be")
        }
        return digest
    }

    private func manifest(
        _ reference: String, _ repository: String, digest: Digest?
    ) throws -> (url: String, bytes: Bytes)? {
        let url = "\(base)/v2/\(repository)/manifests/\(reference)"
        guard let (bytes, head) = try get(url, repository, accept: Self.indexTypes + Self.manifestTypes)
        else {
            return nil
        }
        let actual = Digest(hashing: bytes)
        let named = head.fields["docker-content-digest"].flatMap { Digest(hex: $0.dropFirst(7)) }
        if let expected = digest ?? named, expected != actual {
            throw RemoteError.wrongDigest(url: url, expected: expected, actual: actual)
        }
        return (url, bytes)
    }

    private func read(_ found: (url: String, bytes: Bytes)) throws -> (type: String, manifest: Manifest) {
        guard let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(found.bytes)) else {
            throw RemoteError.badAnswer(url: found.url, reason: "it is no manifest")
        }
        return (manifest.mediaType ?? Self.manifestTypes[0], manifest)
    }

    // MARK: - Blobs

    /// Fetches a part of an image, or finds it in the cache.
    public func fetch(
        _ part: RegistryImage.Part, of image: RegistryImage, into cache: BlobCache,
        progress: FetchProgress.Part, isCancelled: @escaping @Sendable () -> Bool, onWait: () -> Void
    ) throws -> Descriptor {
        var description = remote.description
        description.location = .url("\(base)/v2/\(image.repository)/blobs")
        description.mirrors = []
        var fetcher = Fetcher(description, isOffline: fetcher.isOffline)
        fetcher.isCancelled = isCancelled
        fetcher.limit = part.size
        if let token = authorization(image.repository) { fetcher.fields = ["Authorization: \(token)"] }
        return try fetcher.fetch(part.file, into: cache, progress: progress, onWait: onWait)
    }

    // MARK: - Authorization

    private func authorization(_ repository: String) -> String? { tokens.withLock { $0[repository] } }

    /// Asks for a document, with the authorization that the registry asks for; `nil` where there is none.
    private func get(
        _ url: String, _ repository: String, accept: [String] = ["application/json"]
    ) throws -> (Bytes, Transfer.Head)? {
        let fields = accept.map { "Accept: \($0)" }
        for attempt in 0..<2 {
            let known = authorization(repository).map { ["Authorization: \($0)"] } ?? []
            do {
                return try fetcher.answer(url, fields: fields + known, limit: Self.longest)
            } catch let refusal as Fetcher.Unauthorized {
                guard attempt == 0, let value = try authorization(for: refusal.challenge, repository) else {
                    throw RemoteError.failed(
                        url: url, reason: "the registry wants other credentials (401)",
                        hint: "log in with 'podman login \(host)' or 'docker login \(host)'", others: 0)
                }
                tokens.withLock { $0[repository] = value }
            } catch RemoteError.notThere {
                return nil
            }
        }
        return nil
    }

    private struct Token: Decodable {
        let token: String?
        let access_token: String?
    }

    /// What a challenge is answered with; `nil` where nothing is known that would.
    private func authorization(for challenge: String, _ repository: String) throws -> String? {
        let own = RegistryCredentials().authorization(registry: host, repository: repository)
        let scheme = challenge.prefix { $0 != " " }.lowercased()
        guard scheme == "bearer" else { return scheme == "basic" ? own : nil }
        let values = Self.parameters(challenge.dropFirst(scheme.count))
        guard let realm = values["realm"], let location = try? RemoteLocation(realm),
            location.text.hasPrefix("http"),
            !base.hasPrefix("https:") || location.text.hasPrefix("https:")
        else {
            throw RemoteError.badAnswer(
                url: base, reason: "it asks for a token from '\(values["realm"] ?? "")'")
        }
        let scope = values["scope"] ?? "repository:\(repository):pull"
        let query = ["service": values["service"], "scope": scope].compactMap { key, value in
            value.map { "\(key)=\(RemoteLocation.escaped($0))" }
        }.sorted().joined(separator: "&")
        let url = location.text + "?" + query
        let fields = own.map { ["Authorization: \($0)"] } ?? []
        do {
            let (bytes, _) = try fetcher.answer(url, fields: fields, limit: Self.longest)
            let answer = try? JSONDecoder().decode(Token.self, from: Data(bytes))
            guard let token = answer?.token ?? answer?.access_token,
                token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
            else { throw RemoteError.badAnswer(url: url, reason: "it has no token") }
            return "Bearer " + token
        } catch is Fetcher.Unauthorized {
            return nil
        }
    }

    /// The parameters of a challenge.
    ///
    /// Source: RFC 9110, 11.2.
    static func parameters(_ text: Substring) -> [String: String] {
        var result: [String: String] = [:]
        var rest = text
        while let equals = rest.firstIndex(of: "=") {
            let key = rest[..<equals].filter { $0 != " " && $0 != "," }.lowercased()
            rest = rest[rest.index(after: equals)...]
            if rest.first == "\"" {
                rest = rest.dropFirst()
                let value = rest.prefix { $0 != "\"" }
                result[key] = String(value)
                rest = rest.dropFirst(value.count + 1)
            } else {
                let value = rest.prefix { $0 != "," && $0 != " " }
                result[key] = String(value)
                rest = rest.dropFirst(value.count)
            }
        }
        return result
    }
}

/// An image of a registry, whose manifest is known.
public struct RegistryImage: Sendable {
    /// A configuration or layer.
    public struct Part: Sendable {
        /// What it is, by its digest.
        public let file: ListedFile
        /// Its size in bytes, past which nothing is taken.
        let size: Int
    }

    /// The registry.
    public let registry: Registry
    let repository: String
    /// The tag that it had.
    public let tag: String
    /// Its manifest, as it came.
    public let manifest: Bytes
    /// The digest of its manifest.
    public let digest: Digest
    /// The media type of its manifest.
    public let mediaType: String
    /// Its configuration and layers, each once.
    public let parts: [Part]
    /// Where it is, for people.
    public let location: String

    /// Puts the image together as an OCI layout, with links to what is in the cache.
    ///
    /// - Parameter directory: An empty directory on the file system of the cache.
    public func makeLayout(in directory: Descriptor, from cache: BlobCache) throws {
        try directory.makeDirectory("blobs")
        try directory.makeDirectory("blobs/sha256")
        let blobs = try directory.directory(beneath: "blobs/sha256")
        for part in parts { try cache.link(part.file.digest, into: blobs) }
        try blobs.replaceFile(digest.hex, contents: manifest)
        try directory.replaceFile("oci-layout", contents: #"{"imageLayoutVersion":"1.0.0"}"#.utf8)
        // The media type is text of the manifest, which was read as JSON: nothing else is put into text here.
        let type = mediaType.filter { $0.isLetter || $0.isNumber || "./+-".contains($0) }
        let index = """
            {"schemaVersion":2,"manifests":[{"mediaType":"\(type)","digest":"\(digest)","size":\(manifest.count)}]}
            """
        try directory.replaceFile("index.json", contents: index.utf8)
    }
}
