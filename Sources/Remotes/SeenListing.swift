internal import Files
private import FoundationEssentials
internal import Glibc
internal import StoreLayout

/// The newest signed listing that was seen of a remote: `<root>/seen/<name>`.
///
/// A signature says when it was made, and that is signed with the rest: a listing whose signature is older than one that was
/// seen is an old state, whoever shows it. A listing without a signature says nothing that could be trusted.
struct SeenListing: Equatable {
    private static let section = "Seen"
    /// Seconds that a signature may be ahead of this machine's clock.
    private static let clockSkew = 86400

    /// The remote's place; another place begins anew.
    let location: String
    /// When the signature was made, in seconds since the epoch.
    let signed: Int

    /// What was seen of a remote; `nil` for nothing.
    static func read(_ name: String, root: Descriptor) throws -> SeenListing? {
        let path = RemoteLayout.seen + "/" + name
        guard try root.status(of: path) != nil else { return nil }
        let text = String(decoding: try root.open(beneath: path).readAll(limit: 64 << 10), as: UTF8.self)
        let values = ConfigurationFile(parsing: text)
        guard let location = values.value("Location", in: section),
            let signed = values.value("Signed", in: section).flatMap({ Int($0) })
        else { return nil }
        return SeenListing(location: location, signed: signed)
    }

    /// Keeps it.
    func write(_ name: String, root: Descriptor) throws {
        try root.makeDirectory(RemoteLayout.seen, mode: 0o755)
        let text = "[\(Self.section)]\nLocation=\(location)\nSigned=\(signed)\n"
        try root.directory(beneath: RemoteLayout.seen).replaceFile(
            name, contents: text.utf8, through: root.directory(beneath: StoreLayout.Name.temporary),
            isDurable: true)
    }

    /// Throws for a listing that was signed before one that was seen, and remembers it otherwise.
    ///
    /// - Parameters:
    ///   - signed: When it was signed, in seconds since the epoch.
    ///   - name: Whose it is.
    ///   - location: Its place.
    ///   - root: The root that remembers.
    ///   - now: The time, in seconds since the epoch.
    static func check(_ signed: Int, of name: String, at location: String, root: String, now: Int) throws {
        guard signed <= now + clockSkew else {
            throw RemoteError.badSignature(
                remote: name, reason: "it was signed on \(text(signed)), which is yet to come",
                hint: "check this machine's clock; else ask who keeps the server")
        }
        // Where there is no root yet, nothing was seen.
        guard let root = try? Descriptor.directory(root) else { return }
        let seen = try read(name, root: root).flatMap { $0.location == location ? $0 : nil }
        if let seen, signed < seen.signed {
            throw RemoteError.rolledBack(remote: name, seen: text(seen.signed), signed: text(signed))
        }
        guard seen?.signed != signed else { return }
        do {
            try SeenListing(location: location, signed: signed).write(name, root: root)
        } catch let error as SystemError where ListingArea.isNotOurs(error) {
            // Whoever only reads the root remembers nothing in it.
        }
    }

    /// A time for people, in UTC.
    static func text(_ seconds: Int) -> String {
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        let padded = { (value: Int32) in (value < 10 ? "0" : "") + "\(value)" }
        return
            "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday)) \(padded(parts.tm_hour)):\(padded(parts.tm_min)) UTC"
    }
}
