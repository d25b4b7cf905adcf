public import Files
private import Glibc
internal import Store
public import StoreLayout

/// What the verbs of one command share: which root and profile, and whom to tell.
///
/// Each verb is a method in a file of its own: `Session+Install.swift` is the one to read first.
public struct Session {
    /// The state directory, as an absolute path.
    public let root: String

    /// The profile that is read or changed.
    public let profile: ProfileName

    /// Told of long work.
    public let progress: any Progress

    /// The command as the user typed it, kept in the generations it makes.
    public let command: String

    /// Whether a switch of the system's profile also does what follows on the host: services, users, `/etc`.
    public var isActivationWanted = true

    /// Whether nothing is fetched: what is in the cache has to do.
    public var isOffline: Bool

    /// What the configuration says.
    public let settings: Settings

    /// Told, in whole sentences, of what the user should know although it is no error.
    public let note: (String) -> Void

    /// Creates a session.
    ///
    /// - Parameters:
    ///   - root: The state directory; `nil` for the system's (for root) or the user's own.
    ///   - profile: The profile; `nil` for the one that the configuration names.
    ///   - settings: What the configuration says.
    /// - Throws: ``OperationError/noHome``, `SettingError`, or `SystemError` if the working directory is gone.
    public init(
        root: String?, profile: ProfileName?, progress: any Progress, command: String,
        settings: Settings = Settings(), note: @escaping (String) -> Void
    ) throws {
        self.root = try Self.absolutePath(root ?? Self.defaultRoot(settings))
        self.profile = try profile ?? ProfileName(settings.text(.profile) ?? StoreLayout.defaultProfile)
        self.settings = settings
        isOffline = try settings.isOn(.isOffline)
        self.progress = progress
        self.command = command
        self.note = note
    }

    /// A variable of the environment; `nil` for one that is empty.
    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What the configuration of this host says, and of whoever runs the program.
    ///
    /// - Parameter host: Another host's root directory; `""` for this one.
    /// - Throws: `SettingError`, `SystemError`.
    public static func settings(host: String = "") throws -> Settings {
        guard geteuid() != 0 else { return try Settings(host: host, user: nil) }
        let home = variable("HOME").map { $0 + "/.config" }
        let directory = variable("XDG_CONFIG_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home
        let own = directory.map { $0 + "/" + Settings.userDirectoryName } ?? ""
        // Without a home, or in that of somebody else (su), there is nothing of the user's own: nothing is below a device.
        return try Settings(host: host, user: access(own, R_OK | X_OK) == 0 ? own : "/dev/null")
    }

    /// The state directory of whoever runs the program.
    ///
    /// `$SXS_ROOT` if set; what the configuration says; the system's for root; else `$XDG_DATA_HOME/sxs` or
    /// `~/.local/share/sxs`.
    ///
    /// Source: XDG Base Directory Specification.
    public static func defaultRoot(_ settings: Settings = Settings()) throws -> String {
        if let root = variable("SXS_ROOT") { return root }
        if let root = try settings.text(.root) { return root }
        if geteuid() == 0 { return StoreLayout.systemRoot }
        if let data = variable("XDG_DATA_HOME"), data.hasPrefix("/") {
            return data + "/" + StoreLayout.userRootName
        }
        guard let home = variable("HOME") else { throw OperationError.noHome }
        return home + "/.local/share/" + StoreLayout.userRootName
    }

    /// A path from the working directory, as an absolute one.
    public static func absolutePath(_ path: String) throws -> String {
        guard !path.hasPrefix("/") else { return path }
        guard let directory = getcwd(nil, 0) else { throw SystemError("find", "the working directory") }
        defer { free(directory) }
        return String(cString: directory) + "/" + path
    }

    /// Opens the store for reading.
    func openStore() throws -> Store {
        try Store.open(root: root, forWriting: false)
    }

    /// Opens the store for writing, making it if there is none.
    func openStoreForWriting() throws -> Store {
        // The system's store is for every user, however strict the administrator's umask is.
        if geteuid() == 0 { umask(0o022) }
        let store = try Store.open(root: root, forWriting: true)
        if try store.isReportDue() {
            try asWriter(of: store) {
                try store.reportHost(name: Self.hostName(), outside: outsideRoots)
            }
        }
        return store
    }

    /// Runs `body` as the one writer.
    func asWriter<T>(of store: Store, _ body: () throws -> T) throws -> T {
        try store.withWriterLock(
            command: command, onWait: { note("waiting for \($0) to finish with the store") }, body)
    }
}
