internal import Activation
internal import ArgumentParser
internal import Files
private import Glibc
internal import Operations
internal import StoreLayout

/// The system that a verb is about.
struct HostOptions: ParsableArguments {
    @Option(
        name: .customLong("host"),
        help: ArgumentHelp(
            "Another system's root directory, such as that of an image being built.",
            discussion: "Its state directory is DIR/var/lib/sxs, and nothing is merged.", valueName: "dir"))
    var directory: String?

    func host() throws -> Host {
        var path = try directory.map { try Session.absolutePath($0) } ?? "/"
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return try Host(path)
    }
}

struct SetupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup", abstract: "Make this host ready: /usr/store, PATH and what follows from them.",
        discussion: """
            Where /usr is read-only, a system extension that never changes (the anchor) is merged once by \
            systemd-sysext; where it is writable, two links are made. Login shells, sessions and man(1) find what the \
            default profile shows, after all that is the host's own. Run again, it changes nothing.

            Examples:
              sxs setup --dry-run               what would be made
              sxs setup                         make it
              sxs setup --undo                  take it back
              sxs setup --host ./image-root     in an image that is being built
            """)

    @Flag(help: "Take back what was made and nobody changed since.")
    var undo = false

    @Option(
        help: ArgumentHelp(
            "How: anchor or links; by default what fits the host.", valueName: "method"),
        transform: { text in
            guard let method = SetupMethod(rawValue: text) else {
                throw ValidationError("'\(text)' is no method: anchor or links")
            }
            return method
        })
    var method: SetupMethod?

    @Flag(help: "Merge extensions again also if others then come in or go.")
    var refresh = false

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    @OptionGroup var hostOptions: HostOptions

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let host = try hostOptions.host()
        let session = try shared.session()
        let options = SetupOptions(method: method, isRefreshWanted: refresh, isDryRun: dryRun)
        let report =
            undo
            ? try session.undoSetup(host, options: options) : try session.setUp(host, options: options)
        if shared.json { return try Console.printJSON(report) }
        show(report, on: host)
    }

    private func show(_ report: SetupReport, on host: Host) {
        Console.print("host: " + report.facts.summary)
        for path in report.changed { Console.print((undo ? "- " : "+ ") + path) }
        for left in report.left { Console.print("= \(left.path) stays: \(left.reason)") }
        let others = report.others.isEmpty ? "" : ", and with it \(report.others.joined(separator: ", "))"
        switch report.merge {
        case .merged where undo:
            Console.print(
                (dryRun ? "then: " : "")
                    + (report.others.isEmpty
                        ? "no extension is merged any more"
                        : "merged anew, without the anchor: \(report.others.joined(separator: ", "))"))
        case .merged: Console.print((dryRun ? "would merge" : "merged") + " the anchor\(others)")
        case .atBoot:
            Console.print(
                "the anchor is merged when the system starts next"
                    + (others.isEmpty || !host.isThisSystem
                        ? "" : "; now, other extensions would come in or go\(others): --refresh does it"))
        case .unchanged: break
        }
        for storePath in report.hidden {
            Console.print(
                "! \(storePath) of a merged extension is hidden: its commands run once its package is imported"
            )
        }
        if report.isUnchanged {
            return Console.print(undo ? "nothing to undo" : "nothing to do: this host is set up")
        }
        guard !dryRun else { return Console.print("nothing was done: --dry-run") }
        guard !undo, report.merge != .atBoot else { return }
        let first = StoreLayout.hostLinks[0]
        Console.print("\(first.path) leads to \(first.target)")
        guard host.isThisSystem, let profile = StoreLayout.hostFiles.first else { return }
        Console.print("new logins have \(StoreLayout.hostCommands) on PATH; this shell: . \(profile.path)")
    }
}

extension HostFacts {
    /// One line for people.
    var summary: String {
        var parts = ["/usr is \(isUsrWritable ? "writable" : "read-only")"]
        if let usrFileSystem { parts[0] += " (\(usrFileSystem))" }
        parts.append(systemdVersion.map { "systemd \($0)" } ?? "no systemd")
        if !hasSystemExtensions { parts.append("no systemd-sysext") }
        parts.append(merged.map { "merged: \($0.joined(separator: ", "))" } ?? "no extension is merged")
        if overlayDepth > 0 { parts.append("overlays below: \(overlayDepth)") }
        return parts.joined(separator: "; ")
    }
}
