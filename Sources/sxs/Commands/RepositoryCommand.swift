internal import ArgumentParser
internal import Files
internal import Operations
internal import Remotes

struct RepositoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repo", abstract: "Keep a directory of images that others install from.",
        discussion: """
            Any web server can serve it; sxs, systemd-sysupdate and sysextmgr read it: images NAME-VERSION.ARCH.raw, \
            SHA256SUMS with its signatures, a .json beside each image, and index.json to search. All that a command changes is \
            there at once, or not at all.

            Examples:
              sxs key generate me
              sxs repo init /srv/images --key me --valid-days 30
              sxs repo add /srv/images emacs ./gdb-14.2.x86-64.raw
            """,
        subcommands: [
            Init.self, Add.self, Remove.self, Index.self, List.self, Set.self, Collection.self, Transfer.self,
            Serve.self,
        ])

    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Make a directory a repository.",
            discussion: """
                Images that are in it are listed.

                Example:
                  sxs repo init /srv/images --title 'Images of the house' --key me
                """)

        @Argument(help: ArgumentHelp("The directory; it is made if it is not there.", valueName: "directory"))
        var directory: String
        @OptionGroup var options: RepositoryOptions
        @OptionGroup var shared: SharedOptions

        func run() throws {
            var description = RepositoryDescription()
            options.apply(to: &description)
            try shared.session().makeRepository(directory, description).show(json: shared.json)
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add images, or packages of the store.",
            discussion: """
                An image is copied; a package is exported. The listing is written anew and signed.

                Examples:
                  sxs repo add /srv/images ./strace-6.1.x86-64.raw
                  sxs repo add /srv/images emacs git --keep 3
                """)

        @OptionGroup var repository: RepositoryPlace
        @Argument(help: ArgumentHelp("Image files and names of packages.", valueName: "image"))
        var images: [String]
        @Option(help: ArgumentHelp("Versions of each that stay, the newest ones.", valueName: "number"))
        var keep: Int?
        @OptionGroup var shared: SharedOptions

        func validate() throws {
            guard keep.map({ $0 > 0 }) ?? true else {
                throw ValidationError("--keep takes a number from 1 on")
            }
        }

        func run() throws {
            try shared.session().addToRepository(repository.directory, images, keep: keep).show(
                json: shared.json)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Take images out.",
            discussion: """
                Examples:
                  sxs repo remove /srv/images emacs@28.2
                  sxs repo remove /srv/images strace-6.1.x86-64.raw
                """)

        @OptionGroup var repository: RepositoryPlace
        @Argument(help: ArgumentHelp("Files, packages, PACKAGE@VERSION, or collections.", valueName: "name"))
        var names: [String]
        @OptionGroup var shared: SharedOptions

        func run() throws {
            try shared.session().removeFromRepository(repository.directory, names).show(json: shared.json)
        }
    }

    struct Index: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "index", abstract: "Write the listing anew and sign it.",
            discussion: """
                For images that were copied in or deleted by other means, and for signatures whose time runs out.

                Example:
                  sxs repo index /srv/images
                """,
            aliases: ["sign"])

        @OptionGroup var repository: RepositoryPlace
        @OptionGroup var shared: SharedOptions

        func run() throws {
            try shared.session().indexRepository(repository.directory).show(json: shared.json)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show what a repository has.",
            discussion: """
                Example:
                  sxs repo list /srv/images
                """)

        @OptionGroup var repository: RepositoryPlace
        @OptionGroup var shared: SharedOptions

        func run() throws {
            let index = try shared.session().repositoryIndex(repository.directory)
            guard !shared.json else { return try Console.printJSON(index) }
            var rows = index.packages.map { package in
                [
                    package.name, package.version, package.architecture ?? "any", Console.size(package.size),
                    package.summary ?? "",
                ]
            }
            rows += index.collections.sorted { $0.key < $1.key }.map { name, collection in
                [name, "collection", "", "", collection.packages.joined(separator: " ")]
            }
            if !rows.isEmpty { Console.print(Console.table(rows)) }
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change how a repository is called and signed.",
            discussion: """
                An empty text takes a name or key away.

                Examples:
                  sxs repo set /srv/images --key me --valid-days 30
                  sxs repo set /srv/images --openpgp-key images@example.org
                """)

        @OptionGroup var repository: RepositoryPlace
        @OptionGroup var options: RepositoryOptions
        @OptionGroup var shared: SharedOptions

        func run() throws {
            try shared.session().changeRepository(repository.directory) { options.apply(to: &$0) }.show(
                json: shared.json)
        }
    }

    struct Collection: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "collection", abstract: "Have a name stand for several packages.",
            discussion: """
                Without packages the name is forgotten.

                Example:
                  sxs repo collection /srv/images debug gdb strace
                """)

        @OptionGroup var repository: RepositoryPlace
        @Argument(help: ArgumentHelp("The name.", valueName: "name"))
        var name: String
        @Argument(help: ArgumentHelp("The packages.", valueName: "package"))
        var packages: [String] = []
        @Option(help: ArgumentHelp("What it is for.", valueName: "text"))
        var summary: String?
        @OptionGroup var shared: SharedOptions

        func validate() throws {
            guard !(summary ?? "").utf8.contains(where: { $0 < 0x20 }) else {
                throw ValidationError("--summary takes one line")
            }
        }

        func run() throws {
            try shared.session().setCollection(name, of: packages, summary: summary, in: repository.directory)
                .show(json: shared.json)
        }
    }

    struct Transfer: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "transfer",
            abstract: "Print a transfer file by which systemd-sysupdate installs a package.",
            discussion: """
                Example:
                  sxs repo transfer /srv/images emacs --url https://example.org/images \\
                    >/etc/sysupdate.emacs.d/emacs.transfer
                """)

        @OptionGroup var repository: RepositoryPlace
        @Argument(help: ArgumentHelp("The package.", valueName: "name"))
        var name: String
        @Option(help: "Where the repository is served.")
        var url: String
        @OptionGroup var shared: SharedOptions

        func run() throws {
            Console.print(try shared.session().transferFile(of: name, in: repository.directory, url: url))
        }
    }
}

extension RepositoryCommand {
    struct Serve: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "serve", abstract: "Serve a repository by HTTP, for trying out.",
            discussion: """
                To this machine alone, unless another address is named. For real use, any web server does it.

                Examples:
                  sxs repo serve /srv/images
                  sxs repo serve /srv/images --address 0.0.0.0 --port 8080
                """)

        @OptionGroup var repository: RepositoryPlace
        @Option(help: "The address to listen on.")
        var address = "127.0.0.1"
        @Option(help: "The port; 0 for any that is free.")
        var port: UInt16 = 8000
        @OptionGroup var shared: SharedOptions

        func run() throws {
            let server = try shared.session().repositoryServer(
                repository.directory, address: address, port: port, log: { Console.note($0) })
            Console.print(server.url)
            try server.run()
        }
    }
}

extension RepositoryReport {
    func show(json: Bool) throws {
        guard !json else { return try Console.printJSON(self) }
        for file in added { Console.print("+ \(file)") }
        for file in removed { Console.print("- \(file)") }
        var line = "\(path): \(packages.count) image\(packages.count == 1 ? "" : "s")"
        if !signers.isEmpty { line += ", signed by \(signers.joined(separator: " and "))" }
        if let bestBefore { line += ", good until \(bestBefore)" }
        Console.print(line)
    }
}
