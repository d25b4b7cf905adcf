public import Files

/// What a host said it uses of a store, in `gcroots/hosts/<machine ID>`: see `sharing.md`.
///
/// Reports and condemnations are numbered together, so that no clock has to be trusted: a report that has a higher number
/// than the condemnation of a store path was made when nothing led to that store path any more.
public struct HostReport: Equatable, Sendable {
    /// Something that the host said uses a store path.
    public struct Use: Equatable, Sendable {
        /// Whether it is a program that ran; else a file of the host's configuration names the store path.
        public let isProcess: Bool
        /// What it is, in words.
        public let what: String
        /// The base name.
        public let baseName: String

        /// Describes a use.
        public init(isProcess: Bool, what: String, baseName: String) {
            (self.isProcess, self.what, self.baseName) = (isProcess, what, baseName)
        }
    }

    /// The start of its kernel; `nil` where it could not say.
    public var boot: String?
    /// Its place in the order of reports and condemnations; 0 for one that has said nothing yet.
    public var number: Int
    /// What it calls itself; empty where it has not said.
    public var name: String
    /// What it uses.
    public var uses: [Use]

    private static let heading = "sxs-host 1"
    private static let newline = UInt8(ascii: "\n")

    /// Describes what a host uses.
    public init(boot: String?, number: Int = 0, name: String = "", uses: [Use] = []) {
        (self.boot, self.number, self.name, self.uses) = (boot, number, name, uses)
    }

    /// The report as a file has it.
    public var text: Bytes {
        var text = Self.beginning(boot: boot)
        func append(_ line: String) { text += Array(line.utf8) + [Self.newline] }
        append("number \(number)")
        append("name \(Self.plain(name))")
        for use in uses {
            let word = use.isProcess ? "process" : "file"
            append("\(word) \(Self.plain(use.what))\t\(StoreLayout.storeDirectory)/\(use.baseName)")
        }
        return text
    }

    /// What every report of a host begins with until its kernel is started anew.
    public static func beginning(boot: String?) -> Bytes {
        Array("\(heading)\nboot \(plain(boot ?? ""))\n".utf8)
    }

    /// Reads a report.
    ///
    /// Of one that is cut off or of another version no more than the store paths are known, which are taken for those of
    /// running programs of this moment.
    public init(parsing text: Bytes) {
        self.init(boot: nil)
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        guard lines.first.map({ $0 == Self.heading }) == true, text.last == Self.newline else {
            uses = StorePathMention.baseNames(in: text).map {
                Use(isProcess: true, what: "something", baseName: $0)
            }
            return
        }
        for line in lines.dropFirst() {
            let rest = line.drop { $0 != " " }.dropFirst()
            switch line.prefix(while: { $0 != " " }) {
            case "boot": boot = rest.isEmpty ? nil : String(rest)
            case "number": number = Int(rest) ?? 0
            case "name": name = String(rest)
            case let word:
                let what = rest.split(separator: "\t").first.map(String.init) ?? ""
                for baseName in StorePathMention.baseNames(in: Array(rest.utf8)) {
                    uses.append(Use(isProcess: word != "file", what: what, baseName: baseName))
                }
            }
        }
    }

    private static func plain(_ text: String) -> String {
        // A launcher writes what is plain already, and generic code that is used once takes it a twentieth of its time.
        guard text.utf8.contains(where: { $0 < 0x20 }) else { return text }
        return String(decoding: text.utf8.map { $0 < 0x20 ? 0x20 : $0 }, as: UTF8.self)
    }
}
