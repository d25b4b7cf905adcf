public import Files

/// What the configuration of a host, and of a user, says; the written contract is `configuration.md`.
public struct Settings: Sendable {
    /// What holds for one key.
    public struct Value: Sendable, Equatable {
        /// The key.
        public let setting: Setting
        /// Its value; empty for none.
        public let text: String
        /// The file that says so; `nil` where none does.
        public let file: String?
        /// The line.
        public let line: Int?

        /// Where it comes from, for people.
        public var origin: String { file.map { "\($0):\(line ?? 0)" } ?? "default" }
        /// Whether it is a value that the key can have.
        public var isGood: Bool { text.isEmpty || setting.kind.takes(text) }
    }

    /// Bytes that a file may have.
    public static let longest = 1 << 20
    /// The main file.
    public static let fileName = "sxs.conf"
    /// Directories of the host, of which the first goes before the others.
    ///
    /// Source: UAPI.6 Configuration Files Specification.
    public static let directories = ["/etc/sxs", "/run/sxs", "/usr/local/lib/sxs", "/usr/lib/sxs"]
    /// Beside the main file: the directory of files that are read after it.
    public static let dropIns = fileName + ".d"
    /// Ends the names of files in ``dropIns``.
    public static let suffix = ".conf"
    /// A user's own directory in `$XDG_CONFIG_HOME` or `~/.config`.
    public static let userDirectoryName = "sxs"

    private var values: [String: Value] = [:]
    /// The files that were read, in order.
    public private(set) var files: [String] = []
    /// Lines that mean nothing, a sentence each.
    public private(set) var strays: [String] = []

    /// Nothing is said.
    public init() {}

    /// Reads the host's files, and a user's own.
    ///
    /// - Parameters:
    ///   - host: The host's root directory; `""` for this one.
    ///   - user: The user's own directory, which goes before the host's; `nil` for root.
    /// - Throws: ``SettingError/notText(_:)``, `SystemError`.
    public init(host: String = "", user: String?) throws {
        let places = [user].compactMap { $0 } + Self.directories.map { host + $0 }
        let main = try ConfigurationDirectories(places).file(Self.fileName, limit: Self.longest + 1)
        let more = try ConfigurationDirectories(places.map { $0 + "/" + Self.dropIns }).files(
            suffix: Self.suffix, limit: Self.longest + 1)
        for file in [main].compactMap({ $0 }) + more {
            guard let contents = file.contents else { continue }
            try read(
                contents, file: file.path, isUsers: user != nil && file.directory == 0, hasUser: user != nil)
        }
    }

    /// Takes a file's values in place of those before.
    ///
    /// - Parameters:
    ///   - contents: Its bytes.
    ///   - file: Its path.
    ///   - isUsers: Whether it is a user's own.
    ///   - hasUser: Whether it is read for a user other than root.
    public mutating func read(
        _ contents: Bytes, file: String, isUsers: Bool = false, hasUser: Bool = false
    ) throws(SettingError) {
        guard contents.count <= Self.longest, let text = String(validating: contents, as: UTF8.self),
            !text.utf8.contains(0)
        else { throw .notText(file) }
        files.append(file)
        let parsed = ConfigurationFile(parsing: text)
        for line in parsed.ignoredLines {
            strays.append("\(file):\(line) is neither NAME=VALUE nor a [section]; it is passed over")
        }
        for entry in parsed.entries {
            guard let setting = Setting.named(entry.key, in: entry.section) else {
                let name = (entry.section.isEmpty ? "" : "[\(entry.section)] ") + entry.key
                strays.append(
                    "\(file):\(entry.line) has '\(name.utf8.displayed)', which means nothing; it is passed over"
                )
                continue
            }
            // A host's root is not for users, who could not write to it.
            if setting == .root, hasUser, !isUsers { continue }
            values[setting.name] =
                entry.value.isEmpty
                ? nil : Value(setting: setting, text: entry.value, file: file, line: entry.line)
        }
    }

    /// What holds for a key, good or not.
    public func value(of setting: Setting) -> Value {
        values[setting.name] ?? Value(setting: setting, text: setting.usual, file: nil, line: nil)
    }

    /// The text of a value; `nil` for none.
    ///
    /// - Throws: ``SettingError/value(_:)`` for one that the key cannot have: not before it is needed, so that a mistake in
    ///   one line does not keep all else from working.
    public func text(_ setting: Setting) throws(SettingError) -> String? {
        let value = value(of: setting)
        guard value.isGood else { throw .value(value) }
        return value.text.isEmpty ? nil : value.text
    }

    /// A number, or an amount of bytes; `nil` for none.
    public func number(_ setting: Setting) throws(SettingError) -> Int? {
        guard let text = try text(setting) else { return nil }
        return setting.kind == .size ? Quantity.bytes(text) : Int(text)
    }

    /// Whether a key says yes.
    public func isOn(_ setting: Setting) throws(SettingError) -> Bool {
        try text(setting).flatMap { ConfigurationFile.boolean($0) } ?? false
    }
}

/// Why configuration cannot be used.
public enum SettingError: Error, Equatable, CustomStringConvertible {
    /// A file that is no text.
    case notText(String)
    /// A value that its key cannot have.
    case value(Settings.Value)
    /// A name that is no key.
    case unknown(String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .notText(let file):
            """
            \(file) is no configuration: it is no UTF-8 text of at most \(Settings.longest) bytes
            hint: write it anew; 'sxs config --keys' shows what it may have
            """
        case .value(let value):
            """
            \(value.origin) has \(value.setting.key)=\(value.text.utf8.displayed), which is not allowed
            hint: it may be \(value.setting.kind.allowed)
            """
        case .unknown(let name):
            """
            there is no key '\(name.utf8.displayed)'
            hint: 'sxs config --keys' shows all
            """
        }
    }
}
