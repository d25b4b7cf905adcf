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
    /// The digest of the listing, in hexadecimal: another signature over the same is none of an old state.
    let digest: String
    /// Its number, where its signature has one.
    let serial: Int?

    /// What was seen of a remote; `nil` for nothing.
    static func read(_ name: String, root: Descriptor) throws -> SeenListing? {
        let path = RemoteLayout.seen + "/" + name
        guard try root.status(of: path) != nil else { return nil }
        let text = String(decoding: try root.open(beneath: path).readAll(limit: 64 << 10), as: UTF8.self)
        let values = ConfigurationFile(parsing: text)
        guard let location = values.value("Location", in: section),
            let signed = values.value("Signed", in: section).flatMap({ Int($0) })
        else { return nil }
        return SeenListing(
            location: location, signed: signed, digest: values.value("Digest", in: section) ?? "",
            serial: values.value("Serial", in: section).flatMap { Int($0) })
    }

    /// Keeps it.
    func write(_ name: String, root: Descriptor) throws {
        try root.makeDirectory(RemoteLayout.seen, mode: 0o755)
        var text = "[\(Self.section)]\nLocation=\(location)\nSigned=\(signed)\nDigest=\(digest)\n"
        if let serial { text += "Serial=\(serial)\n" }
        try root.directory(beneath: RemoteLayout.seen).replaceFile(
            name, contents: text.utf8, through: root.directory(beneath: StoreLayout.Name.temporary),
            isDurable: true)
    }

    /// Throws for a listing that is older than one that was seen, and remembers this one otherwise.
    ///
    /// - Parameters:
    ///   - name: Whose it is.
    ///   - root: The root that remembers.
    ///   - now: The time, in seconds since the epoch.
    func check(of name: String, root: String, now: Int) throws {
        guard signed <= now + Self.clockSkew else {
            throw RemoteError.badSignature(
                remote: name, reason: "it was signed on \(CivilTime(signed).text), which is yet to come",
                hint: "check this machine's clock; else ask who keeps the server")
        }
        // Where there is no root yet, nothing was seen.
        guard let root = try? Descriptor.directory(root) else { return }
        let seen = try Self.read(name, root: root).flatMap { $0.location == location ? $0 : nil }
        // Two signatures over one listing are not of the same second.
        if let seen, seen.digest != digest {
            if let serial, let before = seen.serial, serial < before {
                throw RemoteError.earlierSerial(remote: name, seen: before, serial: serial)
            }
            if signed < seen.signed {
                throw RemoteError.rolledBack(
                    remote: name, seen: CivilTime(seen.signed).text, signed: CivilTime(signed).text)
            }
        }
        let newest = SeenListing(
            location: location, signed: max(signed, seen?.signed ?? signed), digest: digest,
            serial: serial ?? seen?.serial)
        guard seen != newest else { return }
        do {
            try newest.write(name, root: root)
        } catch let error as SystemError where ListingArea.isNotOurs(error) {
            // Whoever only reads the root remembers nothing in it.
        }
    }
}
