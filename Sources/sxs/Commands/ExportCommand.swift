public import ArgumentParser
internal import Files
private import Glibc
public import Images
public import Operations
internal import StoreLayout

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a package as a system extension for hosts without sxs.",
        discussion: """
            The extension holds the package's store path and commands, and is merged by systemd-sysext on any host, \
            whatever its distribution. NAME_VERSION_ARCHITECTURE.raw is written, and the link NAME.raw to it, which \
            goes into /var/lib/extensions. Hosts that have sxs take it over with 'sxs import'.

            Examples:
              sxs export emacs
              sxs export git --output /var/lib/extensions/git.raw && systemd-sysext refresh
              sxs export git --format dir --id debian --version-id 13
              sxs export git --policy /etc/selinux/targeted
            """)

    @Argument(help: ArgumentHelp("A package, NAME@VERSION, or a store path.", valueName: "package"))
    var package: String

    @Option(help: ArgumentHelp("sysext (SquashFS), erofs or dir.", valueName: "format"))
    var format: ExportFormat = .sysext

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A directory, or the file to write; by default here.", valueName: "path"))
    var output: String = "."

    @Option(help: ArgumentHelp("The extension's name; by default the package's.", valueName: "name"))
    var name: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Commands to show, separated by commas, or 'all'; by default those of the package.",
            valueName: "names"))
    var expose: [String] = []

    @Option(help: ArgumentHelp("Where commands go, below usr.", valueName: "directory"))
    var commandsDir: String = "usr/bin"

    @Option(
        name: .customLong("id"), help: ArgumentHelp("For hosts of this distribution only.", valueName: "id"))
    var distribution: String?

    @Option(help: ArgumentHelp("For this release of the distribution only.", valueName: "version"))
    var versionID: String?

    @Option(help: ArgumentHelp("For this SYSEXT_LEVEL of the distribution only.", valueName: "level"))
    var sysextLevel: String?

    @Option(help: ArgumentHelp("Of SquashFS: zstd, xz or gzip.", valueName: "name"))
    var compression: SquashFSWriter.Compression = .zstd

    @Option(help: ArgumentHelp("Of the compression: 1 to 22 for zstd, 1 to 9 for gzip.", valueName: "number"))
    var level: Int?

    @Option(help: ArgumentHelp("Threads; the bytes are the same for any number.", valueName: "number"))
    var workers: Int?

    @Flag(
        help: "Write into the directory NAME.raw.v, in which systemd 256 or newer takes the newest version.")
    var vDirectory = false

    @Option(
        help: ArgumentHelp(
            "Sign with this private key: a disk image with dm-verity is written, by systemd-repart.",
            valueName: "pem"))
    var sign: String?

    @Option(help: ArgumentHelp("The key's certificate.", valueName: "pem"))
    var certificate: String?

    @Option(
        help: ArgumentHelp(
            "Give everything the SELinux labels of this policy: its file_contexts, its directory, or a root directory.",
            valueName: "path"))
    var policy: String?

    @Flag(help: "Replace what is there.")
    var force = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (sign == nil) == (certificate == nil) else {
            throw ValidationError("--sign and --certificate go together")
        }
        if let workers, !(1...1024).contains(workers) { throw ValidationError("--workers is 1 to 1024") }
    }

    func run() throws {
        var options = ExportOptions()
        options.format = format
        options.output = output
        options.name = name
        options.expose = expose.flatMap { $0.split(separator: ",").map(String.init) }
        do {
            options.commandDirectory = try TreePath(parsing: commandsDir.drop { $0 == "/" }.utf8)
        } catch {
            throw ExportError.commandDirectory(commandsDir, reason: "it is no path below usr")
        }
        options.release = try ExtensionRelease(id: distribution, versionID: versionID, level: sysextLevel)
        options.compression = compression
        options.level = level
        options.workers = workers
        options.isVersioned = vDirectory
        options.isForced = force
        options.policy = policy
        if let sign, let certificate {
            options.signing = ExportOptions.Signing(key: sign, certificate: certificate)
        }
        let result = try shared.session().export(package, options: options)
        if !result.seeds.isEmpty {
            Console.note(
                """
                its commands may look for \(result.seeds.map { "/" + $0 }.joined(separator: ", "))
                hint: that is the host's to have, as most do: an extension shows nothing there
                """)
        }
        if !result.unmet.isEmpty {
            Console.note(
                """
                \(result.unmet.joined(separator: ", ")): a hint wants a namespace, which only sxs makes
                hint: try them where the extension is merged, or leave them out with --expose
                """)
        }
        if format == .dir, geteuid() != 0 {
            Console.note(
                """
                the files are yours, not root's, and would be so where they are merged
                hint: as root, run: chown -R 0:0 \(result.path)
                """)
        }
        if shared.json { return try Console.printJSON(result) }
        Console.print("\(result.path) (\(Console.size(result.size)))")
        if let link = result.link { Console.print("\(link) leads to it") }
    }
}

extension ExportFormat: ExpressibleByArgument {}

extension SquashFSWriter.Compression: ExpressibleByArgument {}
