internal import Files
private import Glibc

/// A signature that holds.
struct VerifiedSignature {
    /// The key, by its fingerprint.
    let fingerprint: String
    /// The key that it belongs to, by its fingerprint; itself where that is not known.
    var primary: String? = nil
    /// When it was made, in seconds since the epoch; `nil` where it does not say.
    let date: Int?
    /// The how manieth it is; `nil` where it does not say.
    var serial: Int?
}

/// Verifies detached OpenPGP signatures with the host's gpgv, or sqv.
///
/// Source: gpgv(1), `doc/DETAILS` of GnuPG ("General status codes"); sqv(1).
struct SignatureCheck {
    /// The remote, for messages.
    let remote: String
    let keyring: Keyring

    /// Verifies a signature.
    ///
    /// - Parameters:
    ///   - signature: The path of the signature.
    ///   - data: The path of what is signed.
    ///   - directory: An empty directory that is the program's home.
    /// - Throws: ``RemoteError``, `SystemError`.
    func verify(_ signature: String, of data: String, home directory: String) throws -> VerifiedSignature {
        guard !keyring.files.isEmpty else { throw RemoteError.noKeys(remote: remote) }
        if let gpgv = SpawnedProgram.find("gpgv") {
            return try withGnuPG(gpgv, [signature, data], directory)
        }
        guard let sqv = SpawnedProgram.find("sqv") else { throw RemoteError.noVerifier }
        return try withSequoia(sqv, signature, data)
    }

    /// Whether texts with their signature in them can be verified.
    static var canVerifyInline: Bool { SpawnedProgram.find("gpgv") != nil }

    /// Verifies a text with its signature in it.
    ///
    /// - Parameters:
    ///   - file: The path of the text.
    ///   - directory: A directory that is the program's home.
    /// - Returns: The signature, and what of the text it is over.
    func verifyInline(_ file: String, home directory: Descriptor) throws -> (VerifiedSignature, Bytes) {
        guard !keyring.files.isEmpty else { throw RemoteError.noKeys(remote: remote) }
        guard let gpgv = SpawnedProgram.find("gpgv") else { throw RemoteError.noVerifier }
        let name = "verified"
        let signature = try withGnuPG(
            gpgv, [file], directory.path, options: ["--output", directory.path(of: name)])
        return (signature, try directory.open(beneath: name).readAll(limit: ChecksumList.longest))
    }

    private func withGnuPG(
        _ program: String, _ files: [String], _ directory: String, options: [String] = []
    ) throws -> VerifiedSignature {
        let arguments =
            ["--homedir", directory, "--status-fd", "1", "--weak-digest", "SHA1"] + options
            + keyring.files.flatMap { ["--keyring", $0] } + ["--"] + files
        let result = try SpawnedProgram(program, arguments, environment: ["LC_ALL=C", "PATH=/usr/bin:/bin"])
            .finish()
        var problem: String?
        var isGood = false
        for line in String(decoding: result.output, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 1, words[0] == "[GNUPG:]" else { continue }
            switch words[1] {
            // A line of its own comes before VALIDSIG, also where the key has expired.
            case "NEWSIG": isGood = false
            case "GOODSIG": isGood = true
            case "VALIDSIG" where isGood && words.count > 4:
                return VerifiedSignature(
                    fingerprint: words[2], primary: words.count > 11 ? words[11] : nil, date: Int(words[4]))
            case "BADSIG": problem = "the signature is not over this listing"
            case "EXPSIG": problem = "the signature has expired"
            case "EXPKEYSIG": problem = "the key \(words.dropFirst(2).first ?? "") that signed it has expired"
            case "REVKEYSIG": problem = "the key \(words.dropFirst(2).first ?? "") that signed it was revoked"
            case "NO_PUBKEY":
                problem =
                    problem
                    ?? "it is signed with the key \(words.dropFirst(2).first ?? ""), which is not trusted"
            case "NODATA", "UNEXPECTED": problem = problem ?? "the signature is none"
            default: break
            }
        }
        let last = String(decoding: result.messages, as: UTF8.self).split(separator: "\n").last.map(
            String.init)
        throw failure(problem ?? last ?? "gpgv ended with \(result.status)")
    }

    private func withSequoia(_ program: String, _ signature: String, _ data: String) throws
        -> VerifiedSignature
    {
        let arguments = keyring.files.flatMap { ["--keyring", $0] } + [signature, data]
        let result = try SpawnedProgram(program, arguments, environment: ["LC_ALL=C", "PATH=/usr/bin:/bin"])
            .finish()
        let fingerprint = String(decoding: result.output, as: UTF8.self).split(separator: "\n").last
        guard result.status == 0, let fingerprint else {
            let lines = String(decoding: result.messages, as: UTF8.self).split(separator: "\n")
            throw failure(lines.first.map(String.init) ?? "sqv ended with \(result.status)")
        }
        let bytes = try Descriptor.file(signature).readAll()
        return VerifiedSignature(
            fingerprint: String(fingerprint), date: SignatureDate.earliest(in: bytes))
    }

    private func failure(_ reason: String) -> RemoteError {
        .badSignature(
            remote: remote, reason: reason,
            hint: """
                if the key is new, and you know whose it is, give it with 'sxs remote add --key FILE' after 'sxs remote remove \
                \(remote)'
                """)
    }
}
