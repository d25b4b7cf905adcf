internal import Files
internal import Operations
internal import StoreLayout
internal import Varlink

/// The interface `io.sxs.Store`: the verbs of the command line for programs that are not root.
struct StoreInterface {
    /// The state directory.
    let root: String
    /// The program's version.
    let version: String

    private let authority = Authority()

    init(root: String, version: String) {
        self.root = root
        self.version = version
    }

    /// What varlink is told of it.
    var interface: VarlinkInterface {
        VarlinkInterface(
            VarlinkLayout.interface, description: VarlinkLayout.interfaceDescription,
            methods: [
                "Status": status, "List": list, "Generations": generations, "Search": search,
                "Outdated": outdated, "Install": install, "Remove": remove, "Upgrade": upgrade,
                "Rollback": rollback, "Switch": activate, "Clean": clean,
            ], failure: Self.failure)
    }

    // MARK: - Parameters

    /// What any method may be told.
    struct Parameters: Decodable {
        var packages: [String]?
        var profile: String?
        var text: String?
        var generation: Int?
        var refresh: Bool?
        var allowInteractiveAuthentication: Bool?
    }

    /// Packages that a call may name.
    private static let mostPackages = 1000

    private static func packages(_ parameters: Parameters) throws -> [String] {
        guard let packages = parameters.packages, packages.count <= mostPackages else {
            throw VarlinkError.invalidParameter("packages")
        }
        return packages
    }

    /// Names as they stand in a profile, so none that could be a path.
    private static func names(_ parameters: Parameters) throws -> [String] {
        try packages(parameters).map { name in
            guard (try? PackageName(name)) != nil else { throw VarlinkError.invalidParameter("packages") }
            return name
        }
    }

    private func session(
        _ request: VarlinkRequest, _ parameters: Parameters, _ what: String = "",
        progress: any Progress = NoProgress(),
        note: @escaping (String) -> Void = { _ in }
    ) throws -> Session {
        let profile = try parameters.profile.map { text in
            guard let profile = try? ProfileName(text) else { throw VarlinkError.invalidParameter("profile") }
            return profile
        }
        return try Session(
            root: root, profile: profile, progress: progress,
            command: "sxsd: \(what), for user \(request.peer.user)", settings: Session.settings(), note: note)
    }

    // MARK: - For anyone

    private struct Status: Encodable {
        let version, root: String
        let isSetUp: Bool
        let free: Int
        let profiles: [StoreStatus.Profile]
    }

    private func status(_ request: VarlinkRequest) throws {
        let found = try session(request, Parameters()).status()
        try request.reply(
            Status(
                version: version, root: found.root, isSetUp: found.isSetUp, free: found.free,
                profiles: found.profiles))
    }

    private func list(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        try request.reply(["packages": try session(request, parameters).list()])
    }

    private func generations(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        try request.reply(["generations": try session(request, parameters).generations()])
    }

    /// A session that asks servers only for whom may have them asked: who may not is told of what was fetched last.
    private func asking(_ request: VarlinkRequest, _ parameters: Parameters) throws -> Session {
        var session = try session(request, parameters)
        if parameters.refresh == true {
            try authority.check(
                .refresh, of: request.peer, isInteractive: parameters.allowInteractiveAuthentication ?? false)
        } else {
            session.isOffline = true
        }
        return session
    }

    private func search(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        try request.reply(["offers": try asking(request, parameters).search(parameters.text ?? "")])
    }

    private func outdated(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        try request.reply(["upgrades": try asking(request, parameters).outdated()])
    }

    // MARK: - Changes

    private func install(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        let texts = try Self.packages(parameters)
        let packages = try texts.map { text in
            guard let package = NamedPackage(parsing: text) else {
                throw VarlinkError.invalidParameter("packages")
            }
            return package
        }
        guard !packages.isEmpty else { throw VarlinkError.invalidParameter("packages") }
        try change(request, parameters, .install, texts, "install") { try $0.install(packages) }
    }

    private func remove(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        let names = try Self.names(parameters)
        guard !names.isEmpty else { throw VarlinkError.invalidParameter("packages") }
        try change(request, parameters, .remove, names, "remove") { try $0.remove(names) }
    }

    private func upgrade(_ request: VarlinkRequest) throws {
        var parameters = try request.call.parameters(Parameters.self)
        parameters.packages = parameters.packages ?? []
        let names = try Self.names(parameters)
        try change(request, parameters, .upgrade, names, "upgrade") {
            try $0.upgrade(names, ignoresHost: false)
        }
    }

    private func rollback(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        try change(request, parameters, .switch, [], "rollback") { try $0.rollback() }
    }

    private func activate(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        guard let number = parameters.generation, number > 0 else {
            throw VarlinkError.invalidParameter("generation")
        }
        try change(request, parameters, .switch, [], "switch \(number)") { try $0.activate(number) }
    }

    /// What is told while a change is made, and of it.
    private struct Told: Encodable {
        var change: Outcome?
        var progress: ReportedProgress.Report?
        var message: String?
    }

    /// A change as it is told.
    struct Outcome: Encodable {
        let profile: String
        let generation: Int
        let previous: Int?
        let added, removed, commands: [String]
        let bin: String
        let warnings: [String]

        init(_ change: GenerationChange, notes: [String]) {
            profile = change.profile
            (generation, previous) = (change.generation, change.previous)
            (added, removed) = (change.added, change.removed)
            (commands, bin) = (change.commands, change.bin)
            warnings = notes + (change.activation?.warnings ?? [])
        }
    }

    /// Makes a change for whom may have it made.
    ///
    /// It goes on to its end if the client goes away: it is whole, or not there at all.
    private func change(
        _ request: VarlinkRequest, _ parameters: Parameters, _ action: Authority.Action, _ packages: [String],
        _ verb: String, _ body: (Session) throws -> GenerationChange
    ) throws {
        try authority.check(
            action, of: request.peer, packages: packages,
            isInteractive: parameters.allowInteractiveAuthentication ?? false)
        let notes = Notes()
        let session = try session(
            request, parameters, ([verb] + packages).joined(separator: " "),
            progress: ReportedProgress { try? request.tell(Told(progress: $0), isOptional: true) },
            note: { text in
                notes.texts.append(text)
                // Said again with the change.
                try? request.tell(Told(message: text), isOptional: true)
            })
        let change = try body(session)
        try request.reply(Told(change: Outcome(change, notes: notes.texts)))
    }

    /// What was said on the way.
    private final class Notes {
        var texts: [String] = []
    }

    private struct Cleaned: Encodable {
        let removed: [String]
        let freed: Int
    }

    private func clean(_ request: VarlinkRequest) throws {
        let parameters = try request.call.parameters(Parameters.self)
        try authority.check(
            .clean, of: request.peer, isInteractive: parameters.allowInteractiveAuthentication ?? false)
        let session = try session(request, parameters, "gc")
        let report = try session.collectGarbage(session.usualCollection())
        try request.reply(Cleaned(removed: report.removed.map(\.storePath), freed: report.freed))
    }

    // MARK: - Failures

    private struct Failure: Encodable {
        let message: String
        let hint: String?
    }

    /// An error as the command line says it, apart from what to do.
    static func failure(_ error: any Error) -> VarlinkError {
        let parts = "\(error)".split(separator: "\nhint: ", maxSplits: 1).map(String.init)
        return VarlinkError(
            VarlinkLayout.interface + ".Failed",
            Failure(message: parts.first ?? "", hint: parts.count > 1 ? parts[1] : nil))
    }
}
