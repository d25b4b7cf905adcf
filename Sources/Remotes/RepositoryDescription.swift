internal import Files
internal import StoreLayout

/// What a repository's keeper decided: `.sxs/repository.conf` in it.
public struct RepositoryDescription: Sendable, Equatable {
    static let directory = ".sxs"
    static let file = directory + "/repository.conf"
    private static let section = "Repository"
    static let longest = 1 << 20

    /// What it is called.
    public var title: String?
    /// The file of the secret key that signs its listing; `nil` for none.
    public var key: String?
    /// GnuPG's name of the key that signs its listing; `nil` for none.
    public var openPGPKey: String?
    /// Days for which a listing is good; `nil` for ever.
    public var validDays: Int?

    /// Describes one without anything.
    public init() {}

    init(parsing bytes: Bytes, file: String) throws(RepositoryError) {
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self) else {
            throw .badDescription(file, reason: "it is no UTF-8 text of at most \(Self.longest) bytes")
        }
        let values = ConfigurationFile(parsing: text)
        if let line = values.ignoredLines.first {
            throw .badDescription(file, reason: "line \(line) is neither NAME=VALUE nor a [section]")
        }
        let known = ["Title", "Key", "OpenPGPKey", "ValidDays"]
        if let stray = values.entries.first(where: { $0.section != Self.section || !known.contains($0.key) })
        {
            throw .badDescription(file, reason: "'\(stray.key.utf8.displayed)' means nothing there")
        }
        let value = { (key: String) in values.value(key, in: Self.section) }
        title = value("Title")
        key = value("Key")
        openPGPKey = value("OpenPGPKey")
        if let text = value("ValidDays") {
            guard let days = Int(text), (1...36500).contains(days) else {
                throw .badDescription(file, reason: "ValidDays= is a number of days from 1 to 36500")
            }
            validDays = days
        }
    }

    var text: String {
        var lines = ["[\(Self.section)]"]
        if let title { lines.append("Title=\(title)") }
        if let key { lines.append("Key=\(key)") }
        if let openPGPKey { lines.append("OpenPGPKey=\(openPGPKey)") }
        if let validDays { lines.append("ValidDays=\(validDays)") }
        return lines.joined(separator: "\n") + "\n"
    }
}
