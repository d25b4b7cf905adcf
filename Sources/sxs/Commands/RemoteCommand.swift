internal import ArgumentParser
internal import Operations
internal import StoreLayout

/// Whether anything may be fetched.
struct FetchOptions: ParsableArguments {
    @Flag(help: "Fetch nothing: take what is in the cache.")
    var offline = false
}

extension SharedOptions {
    /// The session of a verb that asks remotes.
    func session(_ fetch: FetchOptions) throws -> Session {
        var session = try session()
        if fetch.offline { session.isOffline = true }
        return session
    }
}

struct RemoteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote", abstract: "Places that packages come from.",
        discussion: """
            Remotes are asked by priority, then by name; the first that has a package of a name counts. Each is a file: \
            ROOT/remotes/NAME.conf, or for all roots of a host /etc/sxs/remotes.d/NAME.conf.

            Examples:
              sxs remote add local /srv/images && sxs install emacs
              sxs remote add suse https://example.org/extensions --key ./suse.asc
            """,
        subcommands: [
            Add.self, List.self, Show.self, Remove.self, Refresh.self, ImportSysupdate.self,
        ])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add a place in which 'install NAME' looks.",
            discussion: """
                The place is a directory of images, the URL of a sysext store (images beside a SHA256SUMS), a catalog \
                file, docker://HOST/PREFIX for a registry of OCI images, or with --kind debian, rpm or arch the \
                repository of a distribution. The listing of a store has to be signed: SHA256SUMS.minisig with a key of \
                --key or 'sxs key trust', or SHA256SUMS.gpg, .asc or .sig with one of --key, of \
                /etc/sxs/trusted.gpg.d, or of systemd's import-pubring.gpg.

                Examples:
                  sxs remote add local /srv/images
                  sxs remote add tools https://example.org/extensions --key ./tools.asc
                  sxs remote add debian --from-host
                  sxs remote add trixie https://deb.debian.org/debian --kind debian --suite trixie
                  sxs remote add chainguard docker://cgr.dev/chainguard
                  sxs remote add old http://example.org/unsigned --insecure --mirror http://mirror.example.org/unsigned
                """)

        @Argument(help: "A name for it.")
        var name: String

        @Argument(help: ArgumentHelp("The directory, file or URL.", valueName: "place"))
        var place: String?

        @Flag(
            help: "Take the repositories that the host's own package manager (apt, dnf) is configured with.")
        var fromHost = false

        @Option(
            help:
                "What it is: directory, sysext, catalog, oci, debian, rpm or arch; by default found out, but for the last three."
        )
        var kind: String?

        @Option(
            name: .customLong("suite"), parsing: .singleValue,
            help: ArgumentHelp(
                "A suite of a Debian archive (a directory with '/' at its end if it is flat), or a database of Arch.",
                valueName: "suite"))
        var suites: [String] = []

        @Option(
            name: .customLong("component"), parsing: .singleValue,
            help: ArgumentHelp("A component of the suites (default: main).", valueName: "component"))
        var components: [String] = []

        @Option(
            help: ArgumentHelp(
                "The key that signs its listing: a file of OpenPGP or minisign, or the latter itself.",
                valueName: "key"))
        var key: String?

        @Flag(
            help:
                "Take its listing without a signature: whoever can alter data on the way can alter programs.")
        var insecure = false

        @Option(help: "Of several remotes with a package, the highest counts.")
        var priority = 0

        @Option(
            name: .customLong("mirror"), parsing: .singleValue,
            help: ArgumentHelp("A further place with the same files.", valueName: "url"))
        var mirrors: [String] = []

        @Option(
            help: ArgumentHelp("A netrc file with names and passwords for its server.", valueName: "file"))
        var credentials: String?

        @Option(
            help: ArgumentHelp("Seconds without an answer until a server is given up.", valueName: "seconds"))
        var timeout: Int?

        @OptionGroup var fetch: FetchOptions
        @OptionGroup var shared: SharedOptions

        func validate() throws {
            guard fromHost == (place == nil) else {
                throw ValidationError("name a place, or say --from-host")
            }
            guard suites.isEmpty || !fromHost else {
                throw ValidationError("--suite goes with a place, not with --from-host")
            }
            guard timeout.map({ (1...3600).contains($0) }) ?? true else {
                throw ValidationError("--timeout is from 1 to 3600 seconds")
            }
            guard kind.map({ RemoteKind(rawValue: $0) != nil }) ?? true else {
                throw ValidationError(
                    "--kind is one of \(RemoteKind.allCases.map(\.rawValue).joined(separator: ", "))")
            }
        }

        func run() throws {
            var options = RemoteOptions()
            options.kind = kind.flatMap { RemoteKind(rawValue: $0) }
            options.mirrors = mirrors
            options.isInsecure = insecure
            options.priority = priority
            options.key = key
            options.credentials = credentials
            options.timeout = timeout
            options.suites = suites
            options.components = components
            let session = try shared.session(fetch)
            let added =
                try place.map { try session.addRemote(name, place: $0, options: options) }
                ?? session.addHostRemote(name, options: options)
            if shared.json { return try Console.printJSON(added) }
            Console.print("\(added.remote.name): \(added.remote.location)\(added.summary)")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show the remotes, in the order in which they are asked.",
            discussion: """
                Example:
                  sxs remote list --json
                """)

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let remotes = try shared.session().remotes()
            if shared.json { return try Console.printJSON(remotes) }
            guard !remotes.isEmpty else { return }
            Console.print(
                Console.table(
                    remotes.map { [$0.name, $0.kind, $0.location, $0.isInsecure ? "insecure" : ""] }))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show a remote, and what its listing is.",
            discussion: """
                Example:
                  sxs remote show tools
                """)

        @Argument(help: "Its name.")
        var name: String

        @OptionGroup var fetch: FetchOptions
        @OptionGroup var shared: SharedOptions

        func run() throws {
            let state = try shared.session(fetch).remote(name)
            if shared.json {
                try Console.printJSON(state)
            } else {
                let remote = state.remote
                var rows = [
                    ["name", remote.name], ["kind", remote.kind], ["location", remote.location],
                    ["file", remote.file], ["priority", "\(remote.priority)"],
                ]
                if let suites = remote.suites { rows.append(["suites", suites.joined(separator: " ")]) }
                if let components = remote.components {
                    rows.append(["components", components.joined(separator: " ")])
                }
                rows += remote.mirrors.map { ["mirror", $0] }
                if remote.isInsecure { rows.append(["insecure", "its listing needs no signature"]) }
                if let keyring = remote.keyring { rows.append(["keyring", keyring]) }
                if let files = state.files { rows.append([state.unit.many, "\(files)"]) }
                if let signer = state.signer { rows.append(["signed by", signer]) }
                if let serial = state.serial { rows.append(["serial", "\(serial)"]) }
                Console.print(Console.table(rows))
            }
            if let problem = state.problem {
                if !shared.json { Console.note(problem) }
                throw ExitCode(1)
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Forget a remote; packages that came from it stay.",
            discussion: """
                Example:
                  sxs remote remove local
                """)

        @Argument(help: "Its name.")
        var name: String

        @OptionGroup var shared: SharedOptions

        func run() throws {
            try shared.session().removeRemote(name)
        }
    }

    struct Refresh: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "refresh", abstract: "Ask remotes for newer listings.",
            discussion: """
                'install', 'upgrade' and 'outdated' ask by themselves. What did not change is not fetched again.

                Example:
                  sxs remote refresh
                """)

        @Argument(help: "Names of remotes; all where none is named.")
        var names: [String] = []

        @OptionGroup var shared: SharedOptions

        func run() throws {
            let states = try shared.session().refreshRemotes(names)
            if shared.json {
                try Console.printJSON(states)
            } else {
                for state in states {
                    if let problem = state.problem {
                        Console.note(problem)
                    } else {
                        Console.print("\(state.remote.name)\(state.summary)")
                    }
                }
            }
            if states.contains(where: { $0.problem != nil }) { throw ExitCode(1) }
        }
    }
}

struct ImportSysupdate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-sysupdate", abstract: "Make remotes of the transfer files of systemd-sysupdate.",
        discussion: """
            Of /etc, /run, /usr/local/lib and /usr/lib, sysupdate.d and the directories of components, with their features; \
            or of one directory. Nothing is fetched. Specifiers stay, so that the remotes follow upgrades of the host; after \
            changes of the files, say it again.

            Examples:
              sxs remote import-sysupdate && sxs install htop
              sxs remote import-sysupdate ./definitions
            """)

    @Argument(help: ArgumentHelp("A directory with transfer files.", valueName: "directory"))
    var directory: String?

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let results = try shared.session().importSysupdate(directory)
        if shared.json { return try Console.printJSON(results) }
        for result in results {
            switch result.outcome {
            case .passedOver: Console.note("\(result.file) is passed over: \(result.reason ?? "")")
            case .unchanged:
                Console.print("  \(result.name): \(result.package ?? "") from \(result.location ?? "")")
            case .added, .changed:
                Console.print("+ \(result.name): \(result.package ?? "") from \(result.location ?? "")")
            }
            if result.isInsecure {
                Console.note("remote '\(result.name)' is insecure, as \(result.file) says Verify=no")
            }
        }
    }
}

extension RemoteState {
    /// What it has.
    fileprivate var unit: (one: String, many: String) {
        RemoteKind(rawValue: remote.kind)?.isDistribution == true
            ? ("package", "packages") : ("file", "files")
    }

    /// What is known of the listing, to go after the remote's name.
    fileprivate var summary: String {
        let count = files.map { ": \($0) \($0 == 1 ? unit.one : unit.many)" } ?? ""
        return count + (signer.map { ", signed by \($0)" } ?? "")
    }
}
