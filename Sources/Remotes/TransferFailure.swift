/// What a failed transfer means: why, what to do, and whether trying again may help.
///
/// | What | Tried again |
/// |---|---|
/// | no address, no connection, cut off, timed out, empty answer (curl 5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92) | yes |
/// | 408, 425, 429, 500, 502, 503, 504 | yes |
/// | every other status, certificates (60, 77, 83, 90, 91), redirections (47), other protocols (1), a wrong digest | no |
///
/// *Again* is three times in all for each place, if nothing else is said, and each place comes first once; between rounds are
/// 0.5 s, 1 s, 2 s and so on, or what `Retry-After` says, up to 10 s.
struct TransferFailure {
    let reason: String
    let hint: String
    let isTransient: Bool
    /// Seconds that the server asks to wait.
    let delay: Int?

    /// Seconds that are waited at most.
    static let longestDelay = 10

    private static let transientCodes: Set<Int32> = [5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92]
    private static let transientStatuses: Set<Int> = [408, 425, 429, 500, 502, 503, 504]

    /// Judges how a transfer ended; `nil` for a good end.
    init?(_ outcome: Transfer.Outcome, timeout: Int) {
        let status = outcome.head?.status ?? 0
        guard outcome.code != 0 else { return nil }
        delay = outcome.head?.fields["retry-after"].flatMap { Int($0) }.map {
            min(max($0, 0), Self.longestDelay)
        }
        if outcome.code == 22 {
            isTransient = Self.transientStatuses.contains(status)
            (reason, hint) = Self.words(status)
            return
        }
        isTransient = Self.transientCodes.contains(outcome.code)
        let own = outcome.message.isEmpty ? "curl ended with \(outcome.code)" : outcome.message
        switch outcome.code {
        case 1:
            (reason, hint) = (
                "it leads to another protocol: \(own)", "name the place it leads to yourself, if you trust it"
            )
        case 5:
            (reason, hint) = (
                "the proxy has no address: \(own)", "check http_proxy, https_proxy and no_proxy"
            )
        case 6:
            (reason, hint) = (
                "its name has no address: \(own)",
                "check the name, and that this machine is online; --offline takes what is in the cache"
            )
        case 7:
            (reason, hint) = (
                "there is no connection: \(own)",
                "check that the server runs, and that this machine is online; --offline takes what is in the cache"
            )
        case 18:
            (reason, hint) = (
                "the answer ends early: \(own)", "try again; what came is kept, and goes on from there"
            )
        case 28:
            (reason, hint) = (
                "nothing, or next to nothing, came for \(timeout) s",
                "try again; what came is kept; Timeout= in the remote's file says how long to wait"
            )
        case 35, 53, 54, 58, 59, 60, 66, 77, 80, 82, 83, 90, 91, 98:
            (reason, hint) = (
                "no trusted connection: \(own)",
                "check the clock, and the server's certificate; SSL_CERT_FILE or CURL_CA_BUNDLE names other authorities"
            )
        case 47:
            (reason, hint) = ("it leads from place to place without end: \(own)", "ask who keeps the server")
        default: (reason, hint) = (own, "try the same with curl to see more")
        }
    }

    private static func words(_ status: Int) -> (String, String) {
        switch status {
        case 401, 407:
            (
                "the server wants a name and password (\(status))",
                "put them into a netrc file that only you can read, and name it with Credentials= in the remote's file, or with 'sxs remote add --credentials FILE'"
            )
        case 403: ("the server refuses it (403)", "ask who keeps the server")
        case 404, 410:
            (
                "the server does not have it (\(status))",
                "check the place with 'sxs remote show'; 'sxs remote refresh' reads its listing anew"
            )
        case 429: ("the server is asked too often (429)", "try again later")
        case 500...599:
            ("the server has a problem (\(status))", "try again later, or name mirrors in the remote's file")
        default: ("the server answers \(status)", "check the place with 'sxs remote show'")
        }
    }
}
