internal import Files
internal import StoreLayout

/// Requests of which the server may want to know who asks.
extension Fetcher {
    /// A server that wants to know who asks, and how it wants to be told.
    struct Unauthorized: Error {
        let challenge: String
    }

    /// A small answer at a URL of one of the places, with the head of it.
    ///
    /// It is asked once: within ``attempt(_:_:)`` a failure is that of the place.
    ///
    /// - Parameters:
    ///   - url: What is asked.
    ///   - place: The number of the place.
    ///   - fields: Header fields beside `Authorization`.
    ///   - limit: Bytes that it may have.
    /// - Throws: ``Unauthorized`` where nothing answers challenges; ``PlaceFailure``, ``RemoteError``, `SystemError`.
    func answer(_ url: String, of place: Int, fields: [String], limit: Int) throws -> (Bytes, Transfer.Head) {
        try authorized(place, url) { own in
            var request = request(url)
            request.fields = fields + own
            var bytes: Bytes = []
            let outcome = try Transfer().run(request, isCancelled: isCancelled, onHead: { _ in }) { chunk in
                guard bytes.count + chunk.count <= limit else {
                    throw RemoteError.tooLarge(url: url, limit: limit)
                }
                bytes.append(contentsOf: chunk)
            }
            try checkAuthorized(outcome, url)
            guard let head = outcome.head else {
                throw RemoteError.badAnswer(url: url, reason: "it has no status")
            }
            return (bytes, head)
        }
    }

    /// Does a request with the header fields that say who asks, again where the server challenges that.
    func authorized<Result>(
        _ place: Int, _ url: String, _ body: (_ fields: [String]) throws -> Result
    ) throws -> Result {
        guard let authorize else { return try body([]) }
        let fields = { (value: String?) in value.map { ["Authorization: \($0)"] } ?? [] }
        do {
            return try body(fields(try authorize(place, nil)))
        } catch let refusal as Unauthorized {
            let host = Self.host(of: url)
            let refused = PlaceFailure(
                error: .failed(
                    url: url, reason: "the registry wants other credentials (401)",
                    hint: "log in with 'podman login \(host)' or 'docker login \(host)'", others: 0),
                wantsCredentials: true)
            do {
                guard let value = try authorize(place, refusal.challenge) else { throw refused }
                return try body(fields(value))
            } catch let error as RemoteError {
                // A server of tokens that fails is no reason not to ask other places.
                guard case .failed = error else { throw error }
                throw PlaceFailure(error: error)
            } catch is Unauthorized {
                throw refused
            }
        }
    }

    /// As ``check(_:_:)``, but for what can be asked again by who says who asks.
    func checkAuthorized(_ outcome: Transfer.Outcome, _ url: String) throws {
        if outcome.head?.status == 401, let challenge = outcome.head?.fields["www-authenticate"],
            authorize != nil
        {
            throw Unauthorized(challenge: challenge)
        }
        try check(outcome, url)
    }

    private static func host(of url: String) -> String {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return parts.count > 2 ? String(parts[2]) : url
    }
}
