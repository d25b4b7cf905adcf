internal import ArgumentParser
internal import Files
internal import Operations

struct InstallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Add packages to the profile and activate the new generation.",
        discussion: """
            A package is an image (a path with a '/', or KIND:PATH), or the name of one that is in the store or in a \
            remote. The newest version is taken; NAME@VERSION or NAME=VERSION names one, and REMOTE/NAME one of a remote. \
            Of a distribution's remote, a package comes with all that it needs: 'sxs plan' shows what that is.

            Examples:
              sxs install ./emacs.oci.tar
              sxs install oci-archive:images/emacs.tar --expose emacs,emacsclient
              sxs install emacs git@2.39.5
              sxs remote add debian --from-host && sxs install debian/emacs
            """)

    @Argument(help: ArgumentHelp("Images or package names.", valueName: "package"))
    var packages: [String]

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "The package whose command is taken where two have one of the same name.", valueName: "name"))
    var prefer: [String] = []

    @Flag(help: "Take extensions of remotes that are for other hosts, too.")
    var anyHost = false

    @OptionGroup var image: ImageOptions
    @OptionGroup var distribution: DistributionOptions
    @OptionGroup var fetch: FetchOptions
    @OptionGroup var activation: ActivationOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard packages.isEmpty || packages.count == 1 || (image.name == nil && image.packageVersion == nil)
        else {
            throw ValidationError("--name and --version go with one package only")
        }
        guard !packages.isEmpty else { throw ValidationError("name at least one package") }
    }

    func run() throws {
        var session = try shared.session(activation)
        if fetch.offline { session.isOffline = true }
        var options = try image.options(of: session)
        options.ignoresHost = anyHost
        options.hasRecommended = distribution.recommends
        let change = try session.install(packages, options: options, prefer: prefer)
        try change.show(json: shared.json)
    }
}

struct RemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Take packages out of the profile and activate the new generation.",
        discussion: """
            The packages stay in the store, and earlier generations with them: 'sxs rollback' undoes it.

            Example:
              sxs remove emacs
            """)

    @Argument(help: ArgumentHelp("Names of packages.", valueName: "name"))
    var names: [String]

    @OptionGroup var refresh: RefreshOptions
    @OptionGroup var activation: ActivationOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        let session = try shared.session(activation)
        try refresh.around(session) { try session.remove(names) }.show(json: shared.json)
    }
}

extension GenerationChange {
    /// Prints what changed.
    func show(json: Bool) throws {
        if json {
            try Console.printJSON(self)
            return try activation?.check() ?? ()
        }
        let name = { (package: String) in
            package[..<(package.utf8.firstIndex(of: UInt8(ascii: " ")) ?? package.endIndex)]
        }
        var lines: [String] = []
        // Where a thousand only come or only go, nothing is looked up.
        if added.isEmpty || removed.isEmpty {
            lines = removed.map { "- \($0)" } + added.map { "+ \($0)" }
        } else {
            let new = Set(added.map(name))
            let old = Dictionary(removed.map { (name($0), $0) }, uniquingKeysWith: { first, _ in first })
            lines = removed.filter { !new.contains(name($0)) }.map { "- \($0)" }
            lines += added.map { package in
                let before = old[name(package)]?.split(separator: " ").last
                return "+ \(package)" + (before.map { " (was \($0))" } ?? "")
            }
        }
        let state =
            previous == generation
            ? "is active, unchanged" : "is active" + (previous.map { " (before: \($0))" } ?? "")
        lines.append("\(profile): generation \(generation) \(state)")
        Console.print(lines.joined(separator: "\n"))
        activation?.show()
        if !added.isEmpty, hasCommands { Console.print("commands are in \(bin)") }
        try activation?.check()
    }
}
