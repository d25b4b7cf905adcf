internal import Activation
internal import ArgumentParser
internal import Files
private import Glibc
internal import Images
internal import Operations
internal import StoreLayout

/// Options of every verb.
struct SharedOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The state directory.",
            discussion: """
                By default $SXS_ROOT, what the configuration says, or /var/lib/sxs for root, ~/.local/share/sxs for others.
                """,
            valueName: "dir"))
    var root: String?

    @Option(
        help: ArgumentHelp(
            "The profile; by default what the configuration says, or '\(StoreLayout.defaultProfile)'.",
            valueName: "name"))
    var profile: String?

    @Flag(help: "Print JSON.")
    var json = false

    /// What they say.
    var values: SharedValues { SharedValues(root: root, profile: profile, json: json) }

    /// The session of a verb.
    func session() throws -> Session { try values.session() }
}

/// What ``SharedOptions`` say.
struct SharedValues: Equatable {
    var root: String?
    var profile: String?
    var json = false

    /// The session of a verb.
    func session() throws -> Session {
        let settings = try Session.settings()
        for stray in settings.strays { Console.note(stray) }
        return try Session(
            root: root, profile: profile.map { try ProfileName($0) }, progress: ProgressBar(),
            command: "sxs " + Launcher.arguments.dropFirst().map(\.displayed).joined(separator: " "),
            settings: settings, note: Console.note)
    }
}

extension SharedOptions {
    /// The session of a verb that switches generations.
    func session(_ activation: ActivationOptions) throws -> Session {
        var session = try session()
        session.isActivationWanted = !activation.noActivate
        return session
    }
}

/// What may be said of an image.
struct ImageOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The package's name; by default what the image says.", valueName: "name"))
    var name: String?

    @Option(
        name: .customLong("version"),
        help: ArgumentHelp("The package's version; by default what the image says.", valueName: "version"))
    var packageVersion: String?

    @Option(
        help: ArgumentHelp(
            "The architecture wanted, such as arm64; by default the host's.", valueName: "architecture"))
    var platform: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Commands to show, separated by commas, or 'all'; by default those of the package.",
            valueName: "names"))
    var expose: [String] = []

    @Flag(
        help: """
            Refuse a package with damaged ELF files, or whose programs need libraries or interpreters that it lacks.
            """)
    var strict = false

    @Option(
        help: ArgumentHelp(
            "Stop where less than this would stay free on the store's file system (500M, 2GiB).",
            valueName: "size"))
    var minFree: ByteCount?

    @Option(
        help: ArgumentHelp(
            "Bytes that the files of an image may have (default: 128GiB).", valueName: "size"))
    var maxSize: ByteCount?

    @Option(
        help: ArgumentHelp(
            "Files that an image may have, directories included (default: 1000000).", valueName: "number"))
    var maxFiles: Int?

    @Option(
        help: ArgumentHelp(
            "How many times its own size an image of more than 256 MiB may unpack to (default: 200).",
            valueName: "number"))
    var maxRatio: Int?

    @Option(
        help: ArgumentHelp(
            "Leave out of packages: doc, devel, locales, separated by commas.", valueName: "kinds"))
    var slim: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A locale to make of packages, such as de_DE.UTF-8.", valueName: "locale"))
    var locale: [String] = []

    @Flag(
        help: """
            Run the scripts of packages, as the package manager would, in a namespace of their own without network: the \
            result is not reproducible.
            """)
    var runScripts = false

    private func packageOptions() throws -> PackageOptions {
        var options = PackageOptions()
        options.runsScripts = runScripts
        options.slim = try Set(
            (slim ?? "").split(separator: ",").map { word in
                guard let kind = Slimming(rawValue: String(word)) else {
                    throw ValidationError(
                        "--slim knows \(Slimming.allCases.map(\.rawValue).joined(separator: ", ")), not '\(word)'"
                    )
                }
                return kind
            })
        for name in locale {
            guard name.utf8.allSatisfy({ isLocaleByte($0) }), !name.hasPrefix("-") else {
                throw ValidationError("--locale takes a name such as de_DE.UTF-8, not '\(name)'")
            }
        }
        options.locales = locale
        return options
    }

    private func isLocaleByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "_.@-".utf8.contains(byte)
    }

    func validate() throws {
        guard (maxFiles ?? 1) > 0 else { throw ValidationError("--max-files has to be at least 1") }
        guard (maxRatio ?? 1) > 0 else { throw ValidationError("--max-ratio has to be at least 1") }
    }

    /// What is said on the command line, and else what the configuration says.
    func options(of session: Session) throws -> ImportOptions {
        var options = try session.usualImport()
        options.name = try name.map { try PackageName($0) }
        options.version = try packageVersion.map { try PackageVersion($0) }
        options.platform = try platform.map { try Architecture(parsing: $0) }
        options.expose = expose.flatMap { $0.split(separator: ",").map(String.init) }
        if strict { options.isStrict = true }
        if let minFree { options.minimumFree = minFree.bytes }
        let limits = options.limits
        options.limits = ImageLimits(
            size: maxSize?.bytes ?? limits.size, files: maxFiles ?? limits.files,
            ratio: maxRatio ?? limits.ratio)
        options.packages = try packageOptions()
        return options
    }
}
