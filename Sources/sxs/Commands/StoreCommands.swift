internal import ArgumentParser
internal import Files
internal import Operations
internal import StoreLayout

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Bring an image into the store; no profile changes.",
        discussion: """
            An image: an OCI archive or layout directory, a 'docker save' archive, a tar of a root file system, a \
            SquashFS .raw, or a directory; or packages of a distribution (.deb, .rpm, Arch's .pkg.tar, Alpine's .apk), of \
            which several become one store path. The format is found by looking; KIND: before the path names it \
            (oci-archive, oci, docker-archive, tar, raw, dir, deb, rpm, pacman, apk).

            An extension that 'sxs export' made is taken over: its package gets the store path that it has there.

            Examples:
              sxs import ./emacs.oci.tar
              sxs import dir:./tree --name tools --version 1
              sxs import ./jq.deb ./libjq1.deb ./libonig5.deb ./libc6.deb --name jq --slim doc,locales
              sxs import --extensions
            """)

    @Argument(help: "The image, or packages of a distribution that become one.")
    var sources: [String] = []

    @Flag(help: "Take over every exported extension that is in one of systemd's directories.")
    var extensions = false

    @OptionGroup var image: ImageOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard extensions == sources.isEmpty else {
            throw ValidationError("name an image, or say --extensions")
        }
    }

    func run() throws {
        guard !sources.isEmpty else { return try adopt() }
        let session = try shared.session()
        let result = try session.importImages(sources, options: image.options(of: session))
        if shared.json { return try Console.printJSON(result) }
        let metadata = result.metadata
        Console.print(StoreLayout.storeDirectory + "/" + metadata.storePath)
        guard !result.wasKnown else {
            return Console.note("\(metadata.name) \(metadata.version) was in the store already")
        }
    }

    private func adopt() throws {
        let adoptions = try shared.session().adoptExtensions()
        if shared.json {
            try Console.printJSON(adoptions)
        } else {
            for adoption in adoptions where !adoption.wasKnown {
                if let storePath = adoption.storePath { Console.print(storePath) }
                if let problem = adoption.problem { Console.note("\(adoption.path): \(problem)") }
            }
        }
        if adoptions.contains(where: { $0.problem != nil }) { throw ExitCode(1) }
    }
}

struct PathInfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "path-info", abstract: "Show what the store knows of packages.",
        discussion: """
            Examples:
              sxs path-info
              sxs path-info emacs --json
            """)

    @Argument(help: ArgumentHelp("Packages; all of the store where none is named.", valueName: "package"))
    var packages: [String] = []

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let found = try shared.session().pathInfo(packages)
        if shared.json { return try Console.printJSON(found) }
        guard !packages.isEmpty else {
            guard !found.isEmpty else { return }
            return Console.print(
                Console.table(
                    found.map {
                        [
                            $0.name, $0.version, Console.size($0.size),
                            StoreLayout.storeDirectory + "/" + $0.storePath,
                        ]
                    }))
        }
        for metadata in found {
            var rows = [
                ["store path", StoreLayout.storeDirectory + "/" + metadata.storePath],
                ["name", metadata.name], ["version", metadata.version],
                ["architecture", metadata.architecture.rawValue], ["source", metadata.source],
                ["tree", "sha256:" + metadata.tree], ["recipe", "\(metadata.recipe)"],
                ["files", "\(metadata.fileCount), \(Console.size(metadata.size))"],
                ["aliases", "\(metadata.aliases.count)"],
                ["commands", metadata.exposure.commands.map(\.name).joined(separator: " ")],
            ]
            if metadata.aliasSalt != 0 {
                rows.append(["alias salt", "\(metadata.aliasSalt) (another store path had an alias)"])
            }
            if let hints = metadata.hints {
                rows.append([
                    "hints", hints.map { "\($0.name) (sha256:\($0.digest))" }.joined(separator: ", "),
                ])
            }
            if let summary = metadata.summary { rows.append(["summary", summary]) }
            rows += PackageRows.rows(of: metadata)
            if !metadata.omissions.isEmpty {
                rows.append([
                    "left out",
                    metadata.omissions.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
                        separator: ", "),
                ])
            }
            Console.print(Console.table(rows))
        }
    }
}

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read all files of packages and compare them with what was imported.",
        discussion: """
            Examples:
              sxs verify
              sxs verify emacs
            """)

    @Argument(help: ArgumentHelp("Packages; all of the store where none is named.", valueName: "package"))
    var packages: [String] = []

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let results = try shared.session().verify(packages)
        if shared.json {
            try Console.printJSON(results)
        } else {
            for result in results {
                Console.print(
                    "\(result.name) \(result.version): \(result.problems.isEmpty ? "whole" : "damaged")")
                for problem in result.problems { Console.print("  \(problem)") }
            }
        }
        if results.contains(where: { !$0.problems.isEmpty }) {
            Console.note("hint: 'sxs repair' mends packages from whole copies of their files")
            throw ExitCode(1)
        }
    }
}
