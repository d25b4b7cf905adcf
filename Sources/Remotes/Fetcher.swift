public import Files
private import Glibc
public import StoreLayout

/// Fetches the files of one remote, from its place and its mirrors.
///
/// Directories of the host are read as they are.
public struct Fetcher: Sendable {
    /// How often each place is asked, where nothing is said.
    private static let usualAttempts = 3
    /// Seconds until a server is given up, where nothing is said.
    private static let usualTimeout = 30
    /// Bytes that an image may have.
    static let longestImage = 1 << 40

    private(set) var remote: RemoteDescription
    /// Whether nothing may be fetched.
    let isOffline: Bool
    /// Asked now and then; what it says ends transfers.
    public var isCancelled: @Sendable () -> Bool = { false }

    /// What goes into `Authorization` for one of the places, counted from 0, given the challenge of its server where there is
    /// one; `nil` where nothing is known that would do.
    var authorize: (@Sendable (_ place: Int, _ challenge: String?) throws -> String?)?
    /// Bytes that an image may have.
    var limit = Fetcher.longestImage
    /// Whether what is at a URL never changes, so that any place can go on with what came from another.
    var isFixed = false

    /// Creates one.
    public init(_ remote: RemoteDescription, isOffline: Bool) {
        self.remote = remote
        self.isOffline = isOffline
    }

    /// Where a file is.
    public func location(of file: ListedFile) -> String { remote.location.appending(file.name) }

    private var places: [RemoteLocation] { [remote.location] + remote.mirrors }

    // MARK: - Documents

    /// A small file, or what came in its place.
    enum Document {
        case found(Bytes, validators: Validators)
        /// It is what it was.
        case unchanged
        case missing
    }

    /// What a server calls a version of a file.
    struct Validators: Equatable {
        var etag: String?
        var date: String?
    }

    /// Fetches a small file.
    ///
    /// - Parameters:
    ///   - name: Its name in the remote's place; empty for the place itself.
    ///   - limit: Bytes that it may have.
    ///   - known: What the server called the version that is there.
    func document(_ name: String, limit: Int, known: Validators? = nil) throws -> Document {
        do {
            return try attempt(name) { place in
                let place = name.isEmpty ? place.location.text : place.location.appending(name)
                guard place.hasPrefix("http") else { return try Self.file(place, limit: limit) }
                return try document(at: place, limit: limit, known: known)
            }
        } catch RemoteError.notThere {
            return .missing
        }
    }

    private static func file(_ path: String, limit: Int) throws -> Document {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        if number < 0, errno == ENOENT { return .missing }
        guard number >= 0 else { throw SystemError("open", path) }
        let file = Descriptor(taking: number, path: path)
        guard try file.status().st_size <= limit else { throw RemoteError.tooLarge(url: path, limit: limit) }
        return .found(try file.readAll(limit: limit), validators: Validators())
    }

    private func document(at url: String, limit: Int, known: Validators?) throws -> Document {
        var request = request(url)
        if let etag = known?.etag { request.fields.append("If-None-Match: \(etag)") }
        if let date = known?.date { request.fields.append("If-Modified-Since: \(date)") }
        var bytes: Bytes = []
        let outcome = try Transfer().run(request, isCancelled: isCancelled, onHead: { _ in }) { chunk in
            guard bytes.count + chunk.count <= limit else {
                throw RemoteError.tooLarge(url: url, limit: limit)
            }
            bytes.append(contentsOf: chunk)
        }
        try check(outcome, url)
        if outcome.head?.status == 304 { return .unchanged }
        return .found(
            bytes,
            validators: Validators(
                etag: outcome.head?.fields["etag"], date: outcome.head?.fields["last-modified"]))
    }

    // MARK: - Images

    /// Fetches a file of a digest, or finds it in the cache.
    ///
    /// The digest is taken while it comes, and compared before anybody sees it.
    ///
    /// - Parameters:
    ///   - file: What is wanted.
    ///   - cache: Where it is kept.
    ///   - progress: Told how much is there.
    ///   - onWait: Told if another process fetches the same.
    /// - Throws: ``RemoteError``, `SystemError`.
    public func fetch(
        _ file: ListedFile, into cache: BlobCache, progress: FetchProgress.Part, onWait: () -> Void
    ) throws -> Descriptor {
        if let found = try cache.find(file.digest) { return found }
        if isOffline, case .url = remote.location { throw RemoteError.offline(what: file.name) }
        let part = try cache.part(of: file.digest, onWait: onWait)
        if part.isWhole { return part.file }
        return try attempt(file.name) { place in
            let url = place.location.appending(file.name)
            if case .path = place.location {
                try copy(url, into: part, progress)
            } else {
                try authorized(place.number, url) { try transfer(url, $0, into: part, progress) }
            }
            do {
                return try part.finish(url: url)
            } catch RemoteError.wrongDigest where part.wasResumed {
                // What was there before was not the beginning of it: after a crash, or from another place.
                try authorized(place.number, url) { try transfer(url, $0, into: part, progress) }
                return try part.finish(url: url)
            }
        }
    }

    /// Fetches a file of which nobody said a digest.
    ///
    /// - Parameters:
    ///   - name: Its name in the remote's place.
    ///   - newName: What it is called in the directory.
    ///   - directory: Where it goes; what an error leaves there is the caller's to remove.
    ///   - progress: Told how much is there.
    /// - Returns: Its digest.
    /// - Throws: ``RemoteError``, `SystemError`.
    public func fetch(
        _ name: String, as newName: String, in directory: Descriptor, progress: FetchProgress.Part
    ) throws -> Digest {
        if isOffline, case .url = remote.location { throw RemoteError.offline(what: name) }
        return try attempt(name) { place in
            let url = place.location.appending(name)
            let file = try directory.open(beneath: newName, flags: O_WRONLY | O_CREAT | O_TRUNC)
            var hasher = Hasher256()
            var size = 0
            let outcome = try Transfer().run(
                request(url), isCancelled: isCancelled, onHead: { progress.expect($0.length) }
            ) { bytes in
                size += bytes.count
                guard size <= limit else { throw RemoteError.tooLarge(url: url, limit: limit) }
                try file.write(bytes)
                hasher.update(bytes)
                progress.advance(to: size)
            }
            try check(outcome, url)
            return hasher.finalize()
        }
    }

    private func copy(_ path: String, into part: BlobCache.Part, _ progress: FetchProgress.Part) throws {
        let file = try Descriptor.file(path)
        progress.expect(Int(try file.status().st_size))
        try part.restart(nil)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { buffer.deallocate() }
        while case let count = try file.read(into: buffer), count > 0 {
            try part.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            progress.advance(to: part.size)
        }
    }

    private func transfer(
        _ url: String, _ fields: [String], into part: BlobCache.Part, _ progress: FetchProgress.Part
    ) throws {
        var request = request(url)
        request.fields = fields
        let validator = try part.validator()
        if isFixed || validator != nil {
            try part.resume()
            if part.size > 0 {
                request.start = part.size
                if let validator, !isFixed { request.fields.append("If-Range: \(validator)") }
            }
        }
        let asked = request.start
        let outcome = try Transfer().run(
            request, isCancelled: isCancelled,
            onHead: { head in
                let isRest =
                    head.status == 206
                    && head.fields["content-range"]?.hasPrefix("bytes \(part.size)-") == true
                if asked == nil || !isRest { try part.restart(Self.validator(of: head)) }
                progress.expect(head.length.map { part.size + $0 })
            },
            onBody: { bytes in
                guard part.size + bytes.count <= limit else {
                    guard isFixed else { throw RemoteError.tooLarge(url: url, limit: limit) }
                    throw RemoteError.badAnswer(
                        url: url, reason: "it is longer than the \(limit) bytes that its manifest says")
                }
                try part.append(bytes)
                progress.advance(to: part.size)
            })
        if asked != nil, outcome.head?.status == 416 {
            // What is there is longer than the file: of another version, or whole but for its name.
            guard outcome.head?.fields["content-range"] != "bytes */\(part.size)" else { return }
            try part.restart(nil)
            return try transfer(url, fields, into: part, progress)
        }
        try checkAuthorized(outcome, url)
    }

    /// What can be said in `If-Range`: a strong tag, or a date.
    ///
    /// Source: RFC 9110, 13.1.5.
    private static func validator(of head: Transfer.Head) -> String? {
        if let tag = head.fields["etag"], !tag.hasPrefix("W/") { return tag }
        return head.fields["last-modified"]
    }

    // MARK: - Places

    private var timeout: Int { remote.timeout ?? Self.usualTimeout }

    func request(_ url: String) -> Transfer.Request {
        Transfer.Request(url: url, timeout: timeout, credentials: remote.credentials)
    }

    /// A failure of one place, after which others are asked.
    struct PlaceFailure: Error {
        let error: RemoteError
        var isTransient = false
        var delay: Int?
        /// Whether its server wants to know who asks.
        var wantsCredentials = false
    }

    func check(_ outcome: Transfer.Outcome, _ url: String) throws {
        guard let failure = TransferFailure(outcome, timeout: timeout) else { return }
        if outcome.code == 22, outcome.head?.status == 404 { throw RemoteError.notThere(url: url) }
        throw PlaceFailure(
            error: .failed(url: url, reason: failure.reason, hint: failure.hint, others: 0),
            isTransient: failure.isTransient, delay: failure.delay)
    }

    /// Servers that did not answer, or not in time, since this program began: of several places theirs are asked last, so that each
    /// request does not wait for them again.
    private static let failing = Locked<Set<String>>([])

    private static func server(of place: RemoteLocation) -> String {
        place.text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).prefix(3).joined(
            separator: "/")
    }

    private var orderedPlaces: [(offset: Int, element: RemoteLocation)] {
        let all = Array(places.enumerated())
        guard all.count > 1 else { return all }
        let failing = Self.failing.withLock { $0 }
        let isFailing = { (place: (offset: Int, element: RemoteLocation)) in
            failing.contains(Self.server(of: place.element))
        }
        return all.filter { !isFailing($0) } + all.filter(isFailing)
    }

    /// Asks the places in their order, and those again whose failure may pass.
    ///
    /// - Throws: The failure of the first place, ``RemoteError/notThere(url:)`` only if no place failed otherwise; a
    ///   system's error at once.
    func attempt<Result>(
        _ name: String, _ body: ((location: RemoteLocation, number: Int)) throws -> Result
    ) throws -> Result {
        var waiting = orderedPlaces
        var failures: [Int: RemoteError] = [:]
        let rounds = remote.attempts ?? Self.usualAttempts
        for round in 0..<rounds {
            var transient: [(offset: Int, element: RemoteLocation)] = []
            var delay: Int?
            for place in waiting {
                if case .url = place.element, isOffline { throw RemoteError.offline(what: name) }
                do {
                    return try body((place.element, place.offset))
                } catch let failure as PlaceFailure {
                    failures[place.offset] = failure.error
                    if failure.isTransient {
                        transient.append(place)
                        _ = Self.failing.withLock { $0.insert(Self.server(of: place.element)) }
                    }
                    delay = max(delay ?? 0, failure.delay ?? 0)
                } catch let error as RemoteError {
                    switch error {
                    case .notThere, .wrongDigest, .tooLarge, .badAnswer: failures[place.offset] = error
                    default: throw error
                    }
                }
            }
            waiting = transient
            guard !waiting.isEmpty, round + 1 < rounds else { break }
            usleep(Self.pause(after: round, delay: delay))
        }
        throw Self.summary(failures.sorted { $0.key < $1.key }.map(\.value))
    }

    /// Microseconds until failed places are asked again: twice as long each time, and no longer than a server may ask for.
    ///
    /// - Parameters:
    ///   - round: The number of the round that is over, counted from 0.
    ///   - delay: Seconds that a server asked for.
    static func pause(after round: Int, delay: Int?) -> UInt32 {
        let usual = 500_000 << min(round, 8)
        return UInt32(min(max(usual, (delay ?? 0) * 1_000_000), TransferFailure.longestDelay * 1_000_000))
    }

    private static func summary(_ failures: [RemoteError]) -> RemoteError {
        let others = failures.count - 1
        let serious = failures.first {
            if case .notThere = $0 { return false }
            return true
        }
        if case .failed(let url, let reason, let hint, _) = serious {
            return .failed(url: url, reason: reason, hint: hint, others: others)
        }
        return serious ?? failures.first ?? .cancelled
    }
}
