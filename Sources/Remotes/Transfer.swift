internal import Files
private import FoundationEssentials
private import Glibc

/// One transfer by the host's curl: the request on its standard input, the body on its standard output, the header fields
/// and its own account of it on descriptors of their own.
///
/// Nothing of the request is on the command line, where others could read it.
///
/// Source: curl(1), 7.75 and newer.
struct Transfer {
    /// What is asked for.
    struct Request {
        let url: String
        /// Header fields beside curl's own.
        var fields: [String] = []
        /// The first byte that is wanted; `nil` for all.
        var start: Int?
        /// Seconds without an answer until it is given up.
        var timeout: Int
        /// A netrc file.
        var credentials: String?
    }

    /// The answer's status and header fields, by name in lower case.
    struct Head {
        let status: Int
        let fields: [String: String]

        /// Bytes of the body; `nil` where nothing says so, or what no file can have.
        var length: Int? {
            fields["content-length"].flatMap { Int($0) }.flatMap {
                (0...Fetcher.longestImage).contains($0) ? $0 : nil
            }
        }
    }

    /// How it ended.
    struct Outcome {
        /// curl's exit code; 0 if the answer is whole.
        let code: Int32
        /// The last answer there was.
        let head: Head?
        /// curl's words on what went wrong; empty for nothing.
        let message: String
    }

    /// Bytes of header fields that are kept, of all answers on the way.
    private static let headLimit = 1 << 20
    /// Redirections that are followed.
    private static let redirectLimit = 5
    /// Bytes in a second below which a transfer counts as standing still.
    private static let slowest = 1000
    /// Variables that curl and its libraries take proxies and certificates from.
    private static let variables = [
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "RES_OPTIONS", "PATH",
    ]

    /// The program.
    let curl: String

    /// Finds the host's curl.
    init() throws(RemoteError) {
        guard let curl = SpawnedProgram.find("curl") else { throw .noCurl }
        self.curl = curl
    }

    /// Does it.
    ///
    /// - Parameters:
    ///   - request: What to ask for.
    ///   - isCancelled: Asked now and then.
    ///   - onHead: Given the head of an answer whose body follows, once.
    ///   - onBody: Given the body as it comes.
    /// - Throws: `SystemError`, and what the closures throw, which ends the transfer.
    func run(
        _ request: Request, isCancelled: () -> Bool = { false }, onHead: (Head) throws -> Void,
        onBody: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Outcome {
        let program = try SpawnedProgram(
            curl, ["-q", "-K", "-"], environment: SpawnedProgram.environment(Self.variables) + ["LC_ALL=C"],
            input: Bytes(Self.configuration(of: request).utf8))
        var heads: Bytes = []
        var account: Bytes = []
        var hasBody = false
        do {
            try SpawnedProgram.read(
                [program.extra, program.output, program.messages],
                onIdle: { if isCancelled() { throw RemoteError.cancelled } },
                take: { source, bytes in
                    switch source {
                    case 0: heads += bytes.prefix(max(0, Self.headLimit - heads.count))
                    case 1:
                        if !hasBody, let head = Self.lastHead(heads) { try onHead(head) }
                        hasBody = true
                        try onBody(bytes)
                    default: account += bytes.prefix(max(0, Self.headLimit - account.count))
                    }
                })
        } catch {
            program.stop()
            throw error
        }
        let code = program.wait()
        let head = Self.lastHead(heads)
        // An empty body is a body, too.
        if code == 0, !hasBody, let head, (200..<300).contains(head.status) { try onHead(head) }
        struct Account: Decodable {
            let errormsg: String?
        }
        let message = (try? JSONDecoder().decode(Account.self, from: Data(account)))?.errormsg
        return Outcome(code: code, head: head, message: message ?? "")
    }

    private static func configuration(of request: Request) -> String {
        // What began with TLS stays with it; no other protocol is ever spoken.
        let isSecure = request.url.hasPrefix("https:")
        var lines = [
            ("url", request.url), ("proto", "=http,https"),
            ("proto-redir", isSecure ? "=https" : "=http,https"),
            ("max-redirs", "\(redirectLimit)"), ("connect-timeout", "\(request.timeout)"),
            ("speed-limit", "\(slowest)"), ("speed-time", "\(request.timeout)"),
            ("dump-header", "/dev/fd/3"), ("write-out", "%{stderr}%{json}"), ("output", "-"),
            ("user-agent", "sxs"),
        ]
        lines += request.fields.map { ("header", $0) }
        if let start = request.start { lines.append(("range", "\(start)-")) }
        if let credentials = request.credentials { lines.append(("netrc-file", credentials)) }
        let flags = ["silent", "fail", "location", "globoff", "suppress-connect-headers"]
        return flags.joined(separator: "\n") + "\n"
            + lines.map { "\($0.0) = \"\(quoted($0.1))\"\n" }.joined()
    }

    /// A value as it stands between quotes in curl's configuration.
    private static func quoted(_ text: String) -> String {
        text.filter { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 } }.map {
            $0 == "\\" || $0 == "\"" ? "\\\($0)" : String($0)
        }.joined()
    }

    /// The last whole head of those that came.
    private static func lastHead(_ bytes: Bytes) -> Head? {
        let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
        // The text after the last blank line is not whole.
        let heads = text.split(separator: "\n\n", omittingEmptySubsequences: false).dropLast()
        guard let lines = heads.last(where: { $0.contains("HTTP/") })?.split(separator: "\n"),
            let first = lines.first
        else { return nil }
        let words = first.split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields[line[..<colon].lowercased()] = String(value)
        }
        return Head(status: status, fields: fields)
    }
}
