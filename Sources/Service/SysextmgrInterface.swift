internal import Files
private import Glibc
internal import Operations
internal import StoreLayout
internal import Varlink

/// The interface `org.openSUSE.sysextmgr` over the store: what its clients see as images are packages of the default profile.
///
/// Source: sysextmgr 1.3, its description and what its daemon sends.
struct SysextmgrInterface {
    /// The state directory.
    let root: String

    private let authority = Authority()

    init(root: String) { self.root = root }

    /// What varlink is told of it.
    var interface: VarlinkInterface {
        VarlinkInterface(
            VarlinkLayout.sysextmgrInterface, description: VarlinkLayout.sysextmgrDescription,
            methods: [
                "ListImages": listImages, "Install": install, "Check": check, "Update": update,
                "Cleanup": cleanup,
                "Ping": { try $0.reply(["Alive": true]) },
                "Quit": { request in
                    try Self.requireRoot(request)
                    try request.reply(["Success": true])
                },
                // There is no level: what goes wrong is said to whoever asked.
                "SetLogLevel": { request in
                    try Self.requireRoot(request)
                    try request.reply([String: String]())
                },
                "GetEnvironment": { request in
                    try Self.requireRoot(request)
                    try request.reply(["Environment": [String]()])
                },
            ], failure: Self.failure)
    }

    private struct Parameters: Decodable {
        var URL: String?
        var Prefix: String?
        var All: Bool?
        var Filter: String?
        var Install: String?
    }

    private struct Reply: Encodable {
        var Success = true
        var Images: [Image]?
        var Installed: String?
    }

    private struct Image: Encodable {
        let NAME, IMAGE_NAME, SYSEXT_VERSION_ID: String
        var SYSEXT_SCOPE, ID, SYSEXT_LEVEL, VERSION_ID, ARCHITECTURE: String?
        let LOCAL, REMOTE, INSTALLED: Bool
        let COMPATIBLE: Bool?
        let REFCOUNT: Int
    }

    /// Both spellings of one thing.
    private struct UpdatedImage: Encodable {
        let OldImage, OldName: String
        let NewImage, NewName: String?

        init(_ upgrade: PackageUpgrade) {
            OldImage = SysextmgrInterface.imageName(upgrade.name, upgrade.installed)
            NewImage = SysextmgrInterface.imageName(upgrade.name, upgrade.available)
            (OldName, NewName) = (OldImage, NewImage)
        }
    }

    private struct ImageName: Encodable {
        let IMAGE_NAME: String
    }

    private struct Checked: Encodable {
        var Success = true
        let Images: [UpdatedImage]
        var BrokenImages: [ImageName] = []
    }

    private struct Updated: Encodable {
        var Success = true
        let Updated, Images: [UpdatedImage]
    }

    private struct Cleaned: Encodable {
        var Success = true
        let Images: [ImageName]
    }

    private static func imageName(_ name: String, _ version: String) -> String {
        "\(name)-\(version).\(Architecture.host)\(ExtensionLayout.imageSuffix)"
    }

    private static func requireRoot(_ request: VarlinkRequest) throws {
        guard request.peer.user == 0 || request.peer.user == geteuid() else {
            throw VarlinkError.permissionDenied
        }
    }

    /// What was asked; another place of images is nobody's to name.
    private func parameters(_ request: VarlinkRequest) throws -> Parameters {
        let parameters = try request.call.parameters(Parameters.self)
        guard parameters.URL == nil else {
            throw Self.error(
                "InternalError", "images come from the configured remotes alone: 'sxs remote add' adds one")
        }
        return parameters
    }

    private func session(_ request: VarlinkRequest, _ what: String, asksServers: Bool) throws -> Session {
        var session = try Session(
            root: root, profile: ProfileName(StoreLayout.defaultProfile), progress: NoProgress(),
            command: "sysextmgr: \(what), for user \(request.peer.user)", settings: Session.settings(),
            note: { _ in })
        if !asksServers { session.isOffline = true }
        return session
    }

    private func isRoot(_ request: VarlinkRequest) -> Bool { (try? Self.requireRoot(request)) != nil }

    // MARK: - Methods

    private func listImages(_ request: VarlinkRequest) throws {
        let parameters = try parameters(request)
        // An expression of anybody's could keep the processor busy for ever.
        if parameters.Filter != nil { try Self.requireRoot(request) }
        guard parameters.Filter.map(RemoteDescription.isFilter) ?? true else {
            throw VarlinkError.invalidParameter("Filter")
        }
        var description = RemoteDescription(name: "filter", kind: .sysext, location: .path("/"))
        description.filter = parameters.Filter
        let takes = description.makeFilter()
        let images = try images(session(request, "list", asksServers: isRoot(request))).filter {
            takes($0.IMAGE_NAME) && (parameters.All == true || $0.INSTALLED || $0.COMPATIBLE != false)
        }
        try request.reply(Reply(Images: images))
    }

    /// What remotes offer, and what is installed.
    private func images(_ session: Session) throws -> [Image] {
        let generations = try session.generations()
        let installed = generations.first(where: \.isActive)?.packages ?? []
        func count(_ package: InstalledPackage) -> Int {
            generations.count { $0.packages.contains { $0.storePath == package.storePath } }
        }
        var local = Dictionary(installed.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var images: [Image] = []
        for offer in try session.offeredImages() {
            let version = offer.version ?? ""
            let same = local[offer.name].flatMap { $0.version == version ? $0 : nil }
            if same != nil { local[offer.name] = nil }
            images.append(
                Image(
                    NAME: offer.name, IMAGE_NAME: offer.fileName, SYSEXT_VERSION_ID: version,
                    SYSEXT_SCOPE: offer.release["SYSEXT_SCOPE"], ID: offer.release["ID"],
                    SYSEXT_LEVEL: offer.release["SYSEXT_LEVEL"], VERSION_ID: offer.release["VERSION_ID"],
                    ARCHITECTURE: offer.release["ARCHITECTURE"], LOCAL: same != nil, REMOTE: true,
                    INSTALLED: same != nil, COMPATIBLE: offer.isForThisHost, REFCOUNT: same.map(count) ?? 0))
        }
        for package in local.values.sorted(by: { $0.name < $1.name }) {
            images.append(
                Image(
                    NAME: package.name, IMAGE_NAME: Self.imageName(package.name, package.version),
                    SYSEXT_VERSION_ID: package.version, LOCAL: true, REMOTE: false, INSTALLED: true,
                    COMPATIBLE: true, REFCOUNT: count(package)))
        }
        return images
    }

    private func install(_ request: VarlinkRequest) throws {
        let parameters = try parameters(request)
        guard let text = parameters.Install else { throw VarlinkError.invalidParameter("Install") }
        try authority.check(.install, of: request.peer, packages: [text], isInteractive: false)
        let session = try session(request, "install \(text)", asksServers: true)
        // Its clients may give the whole name of an image.
        let offered =
            text.hasSuffix(ExtensionLayout.imageSuffix)
            ? try session.offeredImages().first { $0.fileName == text } : nil
        let wanted = offered.map { $0.name + ($0.version.map { "@" + $0 } ?? "") } ?? text
        guard let package = NamedPackage(parsing: wanted) else {
            throw VarlinkError.invalidParameter("Install")
        }
        _ = try session.install([package])
        let image = try images(session).first { $0.NAME == package.name && $0.INSTALLED }
        try request.reply(Reply(Images: image.map { [$0] } ?? [], Installed: image?.IMAGE_NAME))
    }

    private func check(_ request: VarlinkRequest) throws {
        let parameters = try parameters(request)
        if parameters.Prefix != nil { try refusePrefix() }
        let upgrades = try session(request, "check", asksServers: isRoot(request)).outdated()
        try request.reply(Checked(Images: upgrades.map(UpdatedImage.init)))
    }

    private func update(_ request: VarlinkRequest) throws {
        let parameters = try parameters(request)
        if parameters.Prefix != nil { try refusePrefix() }
        try authority.check(.upgrade, of: request.peer, isInteractive: false)
        let session = try session(request, "update", asksServers: true)
        let upgrades = try session.outdated().filter { !$0.isPassedOver }
        if !upgrades.isEmpty { _ = try session.upgrade(upgrades.map(\.name), ignoresHost: false) }
        let images = upgrades.map(UpdatedImage.init)
        try request.reply(Updated(Updated: images, Images: images))
    }

    private func cleanup(_ request: VarlinkRequest) throws {
        try authority.check(.clean, of: request.peer, isInteractive: false)
        let session = try session(request, "cleanup", asksServers: false)
        let report = try session.collectGarbage(session.usualCollection())
        try request.reply(
            Cleaned(
                Images: report.removed.map { path in
                    ImageName(
                        IMAGE_NAME: path.name.map { Self.imageName($0, path.version ?? "") } ?? path.storePath
                    )
                }))
    }

    /// Another root directory is not for a service that works for others.
    private func refusePrefix() throws {
        throw Self.error("InternalError", "another root directory is looked at by 'sxs check --host DIR'")
    }

    // MARK: - Failures

    private struct Failure: Encodable {
        var Success = false
        let ErrorMsg: String
    }

    private static func error(_ name: String, _ message: String) -> VarlinkError {
        VarlinkError(VarlinkLayout.sysextmgrInterface + "." + name, Failure(ErrorMsg: message))
    }

    private static func failure(_ error: any Error) -> VarlinkError {
        if case OperationError.unknownPackage = error { return self.error("NoEntryFound", "\(error)") }
        return self.error("InternalError", "\(error)")
    }
}
