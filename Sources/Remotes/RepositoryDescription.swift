public import Files
public import StoreLayout

/// What a repository's keeper decided: `.sxs/repository.conf` in it.
public struct RepositoryDescription: Sendable, Equatable {
    static let directory = ".sxs"
    static let file = directory + "/repository.conf"
    private static let section = "Repository"
    private static let collections = "Collections"
    private static let longest = 1 << 20

    /// What it is called.
    public var title: String?
    /// The file of the secret key that signs its listing; `nil` for none.
    public var key: String?
    /// GnuPG's name of the key that signs its listing; `nil` for none.
    public var openPGPKey: String?
    /// Days for which a listing is good; `nil` for ever.
    public var validDays: Int?
    /// Names that stand for several packages.
    public var collections: [String: [String]] = [:]

    /// Describes one without anything.
    public init() {}

    init(parsing bytes: Bytes, file: String) throws(RemoteDescriptionError) {
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self) else {
            throw .notText(file)
        }
        let values = ConfigurationFile(parsing: text)
        if let line = values.ignoredLines.first { throw .line(file, line) }
        let known = ["Title", "Key", "OpenPGPKey", "ValidDays"]
        for entry in values.entries where entry.section != Self.collections {
            guard entry.section == Self.section, known.contains(entry.key) else {
                throw .unknownKey(file, entry.key, known)
            }
        }
        let value = { (key: String) in values.value(key, in: Self.section) }
        title = value("Title")
        key = value("Key")
        openPGPKey = value("OpenPGPKey")
        if let text = value("ValidDays") {
            guard let days = Int(text), (1...36500).contains(days) else {
                throw .value(file, "ValidDays", text, "a number of days from 1 to 36500")
            }
            validDays = days
        }
        for entry in values.entries where entry.section == Self.collections {
            let names = entry.value.split(separator: " ").map(String.init)
            guard (try? PackageName(entry.key)) != nil, names.allSatisfy({ (try? PackageName($0)) != nil }) else {
                throw .value(file, entry.key, entry.value, "names of packages")
            }
            collections[entry.key] = names
        }
    }

    var text: String {
        var lines = ["[\(Self.section)]"]
        if let title { lines.append("Title=\(title)") }
        if let key { lines.append("Key=\(key)") }
        if let openPGPKey { lines.append("OpenPGPKey=\(openPGPKey)") }
        if let validDays { lines.append("ValidDays=\(validDays)") }
        if !collections.isEmpty {
            lines.append("[\(Self.collections)]")
            lines += collections.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.joined(separator: " "))" }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
