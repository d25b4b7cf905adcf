public import Files
private import FoundationEssentials
private import Glibc
public import StoreLayout

/// A registry of OCI images, and others with the same: a repository for each name, a tag for each version.
///
/// What the remote's own place says of tags counts, also that there is none; its mirrors are asked where it fails. What is known
/// by a digest may come from any of them.
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
    /// What places want in `Authorization`, by the URL of a repository.
    private let tokens = Locked<[String: String]>([:])
    /// The remote's own place, and its mirrors.
    private let places: [Place]

    /// A server, and what all its repositories begin with.
    private struct Place {
        /// `https://host`.
        let base: String
        let host: String
        let prefix: String

        init(_ location: RemoteLocation) {
            let parts = location.text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            let named = parts.count > 2 ? String(parts[2]) : ""
            host = named == "docker.io" ? "registry-1.docker.io" : named
            base = (parts.first ?? "https:") + "//" + host
            prefix = parts.count > 3 ? parts[3] + "/" : ""
        }

        /// The repository of a package.
        func repository(of name: String) -> String { prefix + name.lowercased() }

        /// Where all of a package's repository is.
        func url(of name: String) -> String { "\(base)/v2/\(repository(of: name))" }
    }

    /// Names a registry: its host, and what all repositories begin with.
    public init(_ remote: ConfiguredRemote, isOffline: Bool) {
        self.remote = remote
        places = ([remote.description.location] + remote.description.mirrors).map(Place.init)
        fetcher = Fetcher(remote.description, isOffline: isOffline)
    }

    /// Throws unless there is a registry, whoever may use it.
    public func check() throws {
        try checkSafety()
        var asking = fetcher
        // That it wants to know who asks says that it is there.
        asking.authorize = { _, _ in nil }
        let asked = asking
        _ = try asked.attempt(places[0].base) { place in
            do {
                _ = try asked.answer(
                    places[place.number].base + "/v2/", of: place.number, fields: [], limit: Self.longest)
            } catch let failure as Fetcher.PlaceFailure where failure.wantsCredentials {}
        }
    }

    private func checkSafety() throws {
        for place in places where !place.base.hasPrefix("https:") {
            guard remote.description.isInsecure, place.base.hasPrefix("http:") else {
                throw RemoteError.plainRegistry(place.base)
            }
        }
    }

    // MARK: - Documents

    private struct TagList: Decodable {
        let tags: [String]?
    }

    /// The tags of a package's repository; `nil` where there is none.
    public func tags(of name: String) throws -> [String]? {
        try checkSafety()
        return try asking(name) { fetcher, number in
            let place = places[number]
            var next: String? = "\(place.url(of: name))/tags/list?n=\(Self.pageSize)"
            var tags: [String] = []
            for _ in 0..<Self.mostPages {
                guard let url = next else { break }
                let (bytes, head) = try fetcher.answer(
                    url, of: number, fields: ["Accept: application/json"], limit: Self.longest)
                guard let list = try? JSONDecoder().decode(TagList.self, from: Data(bytes)) else {
                    throw RemoteError.badAnswer(url: url, reason: "it is no list of tags")
                }
                tags += (list.tags ?? []).filter(Self.isTag)
                next = try head.fields["link"].flatMap { try following($0, url, place.base) }
            }
            return tags
        }
    }

    /// Asks the places for something of a repository; `nil` where it is not there.
    ///
    /// - Parameters:
    ///   - isFixed: Whether it is known by its digest: a place without it is passed over.
    ///   - body: Given what fetches, and the place's number.
    private func asking<Result>(
        _ name: String, isFixed: Bool = false, _ body: (Fetcher, Int) throws -> Result
    ) throws -> Result? {
        let asked = authorized(fetcher, name)
        do {
            return try asked.attempt(places[0].url(of: name)) { place -> Result? in
                do {
                    return try body(asked, place.number)
                } catch RemoteError.notThere where place.number == 0 && !isFixed {
                    return nil
                }
            }
        } catch RemoteError.notThere {
            return nil
        }
    }

    private static func isTag(_ text: String) -> Bool {
        text.utf8.count <= 128
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                    || "._-".utf8.contains($0)
            }
    }

    /// The place that `Link` names, on the same server.
    private func following(_ link: String, _ url: String, _ base: String) throws -> String? {
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
        guard var found = try manifest(tag, of: name, digest: nil) else { return nil }
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
            guard let nested = try self.manifest("\(digest)", of: name, digest: digest) else {
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
            registry: self, name: name, tag: tag, manifest: found.bytes,
            digest: Digest(hashing: found.bytes), mediaType: type, parts: parts,
            location: "docker://\(places[0].host)/\(places[0].repository(of: name)):\(tag)")
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
        _ reference: String, of name: String, digest: Digest?
    ) throws -> (url: String, bytes: Bytes)? {
        try asking(name, isFixed: digest != nil) { fetcher, number in
            let url = "\(places[number].url(of: name))/manifests/\(reference)"
            let (bytes, head) = try fetcher.answer(
                url, of: number, fields: (Self.indexTypes + Self.manifestTypes).map { "Accept: \($0)" },
                limit: Self.longest)
            let actual = Digest(hashing: bytes)
            let named = head.fields["docker-content-digest"].flatMap { Digest(hex: $0.dropFirst(7)) }
            if let expected = digest ?? named, expected != actual {
                throw RemoteError.wrongDigest(url: url, expected: expected, actual: actual)
            }
            return (url, bytes)
        }
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
        let blobs = places.map { RemoteLocation.url($0.url(of: image.name) + "/blobs") }
        description.location = blobs[0]
        description.mirrors = Array(blobs.dropFirst())
        var fetcher = authorized(Fetcher(description, isOffline: fetcher.isOffline), image.name)
        fetcher.isCancelled = isCancelled
        fetcher.limit = part.size
        // Its name is its digest.
        fetcher.isFixed = true
        let file = try fetcher.fetch(part.file, into: cache, progress: progress, onWait: onWait)
        let size = try Int(file.status().st_size)
        guard size == part.size else {
            throw RemoteError.badAnswer(
                url: blobs[0].appending(part.file.name),
                reason: "it has \(size) bytes, and its manifest says \(part.size)")
        }
        return file
    }

    // MARK: - Authorization

    /// What fetches, and answers challenges for a repository.
    private func authorized(_ fetcher: Fetcher, _ name: String) -> Fetcher {
        var fetcher = fetcher
        fetcher.authorize = { [self] number, challenge in
            let url = places[number].url(of: name)
            guard let challenge else { return tokens.withLock { $0[url] } }
            guard let value = try authorization(for: challenge, places[number], name) else { return nil }
            tokens.withLock { $0[url] = value }
            return value
        }
        return fetcher
    }

    private struct Token: Decodable {
        let token: String?
        let access_token: String?
    }

    /// What a challenge is answered with; `nil` where nothing is known that would.
    private func authorization(for challenge: String, _ place: Place, _ name: String) throws -> String? {
        let repository = place.repository(of: name)
        let own = RegistryCredentials().authorization(registry: place.host, repository: repository)
        let scheme = challenge.prefix { $0 != " " }.lowercased()
        guard scheme == "bearer" else { return scheme == "basic" ? own : nil }
        let values = Self.parameters(challenge.dropFirst(scheme.count))
        guard let realm = values["realm"], let location = try? RemoteLocation(realm),
            location.text.hasPrefix("http"),
            !place.base.hasPrefix("https:") || location.text.hasPrefix("https:")
        else {
            throw RemoteError.badAnswer(
                url: place.base, reason: "it asks for a token from '\(values["realm"] ?? "")'")
        }
        let scope = values["scope"] ?? "repository:\(repository):pull"
        let query = ["service": values["service"], "scope": scope].compactMap { key, value in
            value.map { "\(key)=\(RemoteLocation.escaped($0))" }
        }.sorted().joined(separator: "&")
        let url = location.text + "?" + query
        var description = remote.description
        description.location = location
        description.mirrors = []
        var asking = Fetcher(description, isOffline: fetcher.isOffline)
        asking.authorize = { _, challenge in challenge == nil ? own : nil }
        let asked = asking
        return try asked.attempt(url) { _ in
            do {
                let (bytes, _) = try asked.answer(url, of: 0, fields: [], limit: Self.longest)
                let answer = try? JSONDecoder().decode(Token.self, from: Data(bytes))
                guard let token = answer?.token ?? answer?.access_token,
                    token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
                else { throw RemoteError.badAnswer(url: url, reason: "it has no token") }
                return "Bearer " + token
            } catch let failure as Fetcher.PlaceFailure where failure.wantsCredentials {
                return nil
            }
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
    /// What is looked for in it.
    let name: String
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
