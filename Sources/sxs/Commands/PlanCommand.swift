internal import ArgumentParser
internal import Files
internal import Operations
internal import StoreLayout

/// What is said of packages of distributions.
struct DistributionOptions: ParsableArguments {
    @Flag(
        inversion: .prefixedNo,
        help: "Install what packages of distributions recommend, too, beside what they need.")
    var recommends = false
}

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what would be fetched to install packages of distributions, and why.",
        discussion: """
            Each package is resolved with all that it needs, its C library included, into an empty root; what only a running \
            system needs (dpkg, init, login, …) is left to the host, unless it is named. Nothing is fetched but the indexes \
            of the repositories.

            Examples:
              sxs plan emacs
              sxs plan debian/git=1:2.39* --recommends --json
            """)

    @Argument(help: ArgumentHelp("Package names.", valueName: "package"))
    var packages: [String]

    @Option(
        help: ArgumentHelp(
            "The architecture wanted, such as arm64; by default the host's.", valueName: "architecture"))
    var platform: String?

    @OptionGroup var distribution: DistributionOptions
    @OptionGroup var fetch: FetchOptions
    @OptionGroup var shared: SharedOptions

    func run() throws {
        var options = ImportOptions(platform: try platform.map { try Architecture(parsing: $0) })
        options.hasRecommended = distribution.recommends
        let plans = try shared.session(fetch).plan(packages, options: options)
        if shared.json { return try Console.printJSON(plans) }
        for plan in plans { plan.show() }
    }
}

extension PackagePlan {
    /// Prints it.
    fileprivate func show() {
        Console.print("\(name) \(version) from \(remote)")
        Console.print(
            Console.table(
                packages.map {
                    [
                        "  " + $0.name, $0.version, Console.size($0.size), $0.isCached ? "cached" : "",
                        $0.reason.text,
                    ]
                }))
        if !leftOut.isEmpty { Console.print("left to the host: \(leftOut.joined(separator: ", "))") }
        let count = packages.count
        Console.print(
            """
            \(count) \(count == 1 ? "package" : "packages"): \(Console.size(sizeToFetch)) to fetch of \
            \(Console.size(size)), \(Console.size(installedSize)) when unpacked
            """)
    }
}
