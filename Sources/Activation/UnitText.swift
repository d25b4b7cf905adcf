public import Files
private import StoreLayout

/// What a unit file says, as far as it decides on how the unit is started from a store.
///
/// Source: systemd.syntax(7), systemd.unit(5), systemd.exec(5).
public struct UnitText: Sendable {
    /// One assignment.
    private struct Setting {
        let section: String
        let key: String
        let value: String
    }

    private let settings: [Setting]

    /// Bytes that a unit may have; a longer one is none (systemd's own limit of a file's lines is 1 MiB).
    public static let longest = 1 << 20

    private static let suffixes = [
        ".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap", ".slice",
        ".scope",
    ]

    /// Whether a name is one that a unit can have.
    public static func isUnit(_ name: String) -> Bool {
        name.utf8.count < 256 && suffixes.contains { name.hasSuffix($0) && name.utf8.count > $0.utf8.count }
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: ":-_.\\@".utf8.contains(byte)
                }
            }
    }

    /// Whether a unit is a template, of which only instances are started.
    public static func isTemplate(_ name: String) -> Bool { name.contains("@.") }

    /// Reads a unit's text.
    public init(_ text: Bytes) {
        var settings: [Setting] = []
        var section = ""
        var pending = ""
        for line in String(decoding: text, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            let trimmed = Self.trimmed(line)
            // Comments may stand between the lines of one value.
            if trimmed.hasPrefix("#") || trimmed.hasPrefix(";") { continue }
            if trimmed.hasSuffix("\\") {
                pending += trimmed.dropLast() + " "
                continue
            }
            let whole = pending + trimmed
            pending = ""
            if whole.hasPrefix("["), whole.hasSuffix("]") {
                section = String(whole.dropFirst().dropLast())
            } else if let equals = whole.firstIndex(of: "=") {
                settings.append(
                    Setting(
                        section: section, key: String(Self.trimmed(whole[..<equals])),
                        value: String(Self.trimmed(whole[whole.index(after: equals)...]))))
            }
        }
        self.settings = settings
    }

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        var rest = Substring(text)
        while let first = rest.first, first == " " || first == "\t" || first == "\r" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" || last == "\r" { rest.removeLast() }
        return rest
    }

    /// Values of a setting, in order; an empty one takes back those before.
    public func values(_ key: String, in section: String) -> [String] {
        var values: [String] = []
        for setting in settings where setting.section == section && setting.key == key {
            if setting.value.isEmpty { values = [] } else { values.append(setting.value) }
        }
        return values
    }

    /// Words of a setting whose values are lists of names.
    public func words(_ key: String, in section: String) -> [String] {
        values(key, in: section).flatMap { $0.split { $0 == " " || $0 == "\t" }.map(String.init) }
    }

    /// The last value of a setting that is true or false; `nil` where it is not set, or makes no sense.
    public func flag(_ key: String, in section: String) -> Bool? {
        switch values(key, in: section).last?.lowercased() {
        case "1", "yes", "y", "true", "t", "on": true
        case "0", "no", "n", "false", "f", "off": false
        default: nil
        }
    }

    /// Targets that start the unit where it is enabled.
    public var wantingTargets: [String] {
        let install = "Install"
        var seen: Set<String> = []
        return (words("WantedBy", in: install) + words("RequiredBy", in: install)).filter {
            $0.hasSuffix(".target") && Self.isUnit($0) && seen.insert($0).inserted
        }
    }

    /// How those targets name it: `Upholds`, which starts it again when it ends; `Wants` for what ends by itself.
    public var dependency: String {
        let isOneshot = values("Type", in: "Service").last == "oneshot"
        return isOneshot && flag("RemainAfterExit", in: "Service") != true ? "Wants" : "Upholds"
    }

    /// What a target's drop-in says that starts a unit.
    public func startText(of unit: String) -> Bytes { Array("[Unit]\n\(dependency)=\(unit)\n".utf8) }

    /// Users and groups that it runs as and that are not the host's anyway: names, not numbers.
    public var runsAs: (users: [String], groups: [String]) {
        guard flag("DynamicUser", in: "Service") != true else { return ([], []) }
        let isName = { (name: String) in
            !name.isEmpty && name != "root" && name.utf8.first.map { !(0x30...0x39).contains($0) } == true
                && name.utf8.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                    default: "_-.".utf8.contains(byte)
                    }
                }
        }
        let of = { (section: String, key: String) in words(key, in: section).filter(isName) }
        let users = of("Service", "User").suffix(1) + of("Socket", "SocketUser").suffix(1)
        let groups =
            of("Service", "Group").suffix(1) + of("Service", "SupplementaryGroups")
            + of("Socket", "SocketGroup").suffix(1)
        return (Array(users), Array(groups))
    }

    /// Directories of state that it is let write to, and expects to be there.
    public var state: [TreePath] {
        let service = "Service"
        let named = ["ReadWritePaths", "ReadWriteDirectories", "WorkingDirectory"].flatMap {
            words($0, in: service)
        }
        return named.compactMap { word in
            let path = word.drop { "-+".contains($0) }
            guard path.first == "/", !path.contains("%"),
                let place = try? TreePath(parsing: Array(path.dropFirst().utf8))
            else { return nil }
            let isState = ServiceLayout.stateDirectories.contains { place != $0 && place.isWithin($0) }
            return isState && !ServiceLayout.systemState.contains(where: place.isWithin) ? place : nil
        }
    }

    /// Names of variables that it sets.
    public var variables: Set<String> {
        Set(
            values("Environment", in: "Service").flatMap { value in
                value.split { " \t\"'".contains($0) }.compactMap { word in
                    word.firstIndex(of: "=").map { String(word[..<$0]) }
                }
            })
    }

    /// The program that it starts first, as it is written; `nil` for none.
    public var program: String? {
        values("ExecStart", in: "Service").first.flatMap { Self.program(of: $0) }
    }

    /// Marks before a program's path.
    private static let marks = "@-:+!|"

    private static func program(of command: String) -> String? {
        command.drop { marks.contains($0) }.split { $0 == " " || $0 == "\t" }.first.map(String.init)
    }

    /// The text with other programs, where a line that starts one names it without a directory.
    ///
    /// systemd looks for such a name in directories of the host only.
    ///
    /// - Parameter find: The absolute path of a program of a name; `nil` where the package has none.
    public static func rewritten(_ text: Bytes, find: (String) -> String?) -> Bytes {
        let newline = UInt8(ascii: "\n")
        let lines = text.split(separator: newline, omittingEmptySubsequences: false)
        return Array(
            lines.map { line -> Bytes in
                guard let equals = line.firstIndex(of: UInt8(ascii: "=")), line.starts(with: "Exec".utf8)
                else {
                    return Array(line)
                }
                let rest = line[(equals + 1)...]
                let start = rest.firstIndex { !(marks + " \t").utf8.contains($0) } ?? rest.endIndex
                let end = rest[start...].firstIndex { " \t".utf8.contains($0) } ?? rest.endIndex
                let word = String(decoding: rest[start..<end], as: UTF8.self)
                guard !word.isEmpty, !word.contains("/"), let path = find(word) else { return Array(line) }
                return line[..<start] + Array(path.utf8) + line[end...]
            }.joined(separator: [newline]))
    }
}
