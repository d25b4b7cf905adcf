internal import ArgumentParser
internal import Operations

struct RepairCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Put damaged packages right, from whole copies of their files.",
        discussion: """
            Compares packages with what was recorded at import, as 'verify' does. Contents come from whole files of this \
            store, from other stores on this machine, or from the image, which is imported anew: that of the import if it \
            is still where it was or a remote has it, or one that is named. A whole file takes the damaged one's place \
            wherever it is shared; programs that run go on with what they have. Without names, links of generations and \
            launchers are put right, too. What is lost is said file by file, and the exit status is 1.

            Examples:
              sxs repair --dry-run
              sxs repair emacs --from ./emacs.oci.tar
              sxs repair --from-store /mnt/backup/var/lib/sxs
            """)

    @Argument(
        help: ArgumentHelp(
            "Packages or store paths; everything where none is named.", valueName: "package"))
    var packages: [String] = []

    @Option(
        name: .customLong("from"), parsing: .singleValue,
        help: ArgumentHelp("An image to take contents from; may be repeated.", valueName: "image"))
    var images: [String] = []

    @Option(
        name: .customLong("from-store"), parsing: .singleValue,
        help: ArgumentHelp(
            "The root of another store to take contents from; may be repeated.", valueName: "root"))
    var stores: [String] = []

    @Flag(help: "Change nothing; show what would be done.")
    var dryRun = false

    @OptionGroup var shared: SharedOptions

    func run() throws {
        var options = RepairOptions()
        (options.images, options.stores, options.isDryRun) = (images, stores, dryRun)
        let report = try shared.session().repair(packages, options: options)
        if shared.json {
            try Console.printJSON(report)
        } else {
            for item in report.repaired { Console.print("\(item.path): \(item.what)") }
            for item in report.lost { Console.print("lost: \(item.path): \(item.what)") }
            if report.repaired.isEmpty, report.lost.isEmpty { Console.print("nothing to repair") }
        }
        guard !report.lost.isEmpty else { return }
        Console.note(
            "hint: name the image with '--from IMAGE', or another store that has it with '--from-store ROOT'")
        throw ExitCode(1)
    }
}
