internal import ArgumentParser
internal import Operations
internal import Service

struct ServiceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "Answer one client by varlink, on a socket that was handed over.",
        discussion: """
            systemd starts it for each connection to /run/sxs/io.sxs.Store, once 'systemctl enable --now sxsd.socket' was \
            run on a host that is set up. Anyone may ask what is there; changes are for root, and for whom polkit lets.

            Examples:
              varlinkctl introspect /run/sxs/io.sxs.Store io.sxs.Store
              varlinkctl call /run/sxs/io.sxs.Store io.sxs.Store.List '{}'
              varlinkctl call --more /run/sxs/io.sxs.Store io.sxs.Store.Install '{"packages":["emacs"]}'
            """)

    @Flag(help: "Answer to the interface of openSUSE's sysextmgr, too.")
    var sysextmgr = false

    @Option(help: ArgumentHelp("The state directory.", valueName: "dir"))
    var root: String?

    func run() throws {
        let root = try self.root ?? Session.defaultRoot(Session.settings())
        try StoreService(
            root: Session.absolutePath(root), version: SXS.version, hasSysextmgr: sysextmgr
        ).run()
    }
}
