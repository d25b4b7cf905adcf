internal import Activation
internal import Files
internal import Glibc
internal import Images
internal import StoreLayout

/// What is to become of an extension.
public enum ExtensionFate: String, Encodable, Sendable {
    case taken
    case kept
    case quarantined
    case covered
    /// It stays where it is, and sxs has nothing to do with it.
    case left
    /// No link leads to it: it is an older version, or another one, that can be named.
    case available

    /// What is recorded; `nil` where nothing is moved.
    var recorded: AdoptionRecord.Fate? { AdoptionRecord.Fate(rawValue: rawValue) }
}

/// An extension that was looked at, and what is to become of it.
struct SurveyedExtension {
    /// Where it was found; `nil` for an image that systemd does not look at.
    let entry: ExtensionEntry?
    /// The name that systemd gives it.
    let name: String
    /// The name of the package that it would be.
    var packageName: String
    /// Its version; `nil` if nothing says it.
    var version: String?
    /// Its path on the host.
    let path: String
    /// The path of the image on the host, without links; `nil` for a link into nothing.
    let image: String?
    /// What is to become of it.
    var fate: ExtensionFate
    /// Why, a sentence each.
    var reasons: [String] = []
    /// The digest that tells it from others.
    var digest: Digest?
    /// Whether sxs exported it: its package has its own name and version.
    var isExported = false
}

/// Looks at all extensions of a host; changes nothing.
struct ExtensionSurvey {
    let host: Host
    let explainer: ExtensionExplainer
    /// What was found, in systemd's order of directories.
    private(set) var found: [SurveyedExtension] = []
    /// Transfers of sysupdate that bring extensions.
    let transfers: [SysupdateTransfer]

    private let usr: Descriptor?

    /// Looks at a host.
    init(_ host: Host, progress: any Progress, note: (String) -> Void) throws {
        self.host = host
        explainer = try ExtensionExplainer(root: host.path, progress: progress)
        guard explainer.description.id != nil else { throw AdoptionError.unknownHost(host.path) }
        transfers = try host.sysupdateTransfers()
        if host.isThisSystem, try host.mergedNames() != nil {
            do {
                usr = try Descriptor.directory(covered: StoreLayout.hostDirectory)
            } catch let error as SystemError {
                usr = nil
                note(
                    "the host's units are covered by merged extensions and were not compared: \("\(error)".firstLine)"
                )
            }
        } else {
            usr = try host.directory(StoreLayout.hostDirectory)
        }
        let entries = try ExtensionEntry.all(on: host, like: explainer)
        found = try entries.filter { !Self.isOurs($0) }.map(look)
        decide(ours: entries.filter(Self.isOurs))
        try addAvailable(beside: entries.compactMap(\.image))
    }

    /// Whether an entry is the link of an extension that is kept already.
    static func isOurs(_ entry: ExtensionEntry) -> Bool {
        entry.target == AdoptionLayout.current(entry.fileName)
    }

    /// Looks at one entry.
    private func look(_ entry: ExtensionEntry) throws -> SurveyedExtension {
        let naming = ImageNaming(
            fileName: entry.image?.split(separator: "/").last.map(String.init) ?? entry.fileName)
        var result = SurveyedExtension(
            entry: entry, name: entry.name,
            packageName: ImageNaming(fileName: entry.linkName).name ?? naming.name ?? entry.name,
            version: naming.version ?? ImageNaming(fileName: entry.fileName).version, path: entry.path,
            image: entry.image, fate: .left)
        guard !entry.isMask else {
            result.reasons = ["it hides others of its name, and holds nothing"]
            return result
        }
        guard let image = entry.image else {
            result.reasons = ["it leads to nothing: systemd passes over it"]
            return result
        }
        guard AdoptionLayout.directories.contains(entry.directory) else {
            result.reasons = [
                entry.directory.hasPrefix("/run/")
                    ? "it does not last until the next start" : "it belongs to the host's own files"
            ]
            return result
        }
        guard [entry.path, image, entry.target ?? image].allSatisfy(AdoptionRecord.canHold) else {
            result.reasons = ["its path has control characters"]
            return result
        }
        if let directory = try host.directory(entry.directory),
            faccessat(directory.number, ".", W_OK, 0) != 0, errno == EROFS
        {
            result.reasons = ["\(entry.directory) is read-only"]
            return result
        }
        try look(at: image, isDirectory: entry.isDirectory, namedLike: entry.imagePath, &result)
        return result
    }

    /// Reads an image and decides by what is in it.
    private func look(
        at image: String, isDirectory: Bool, namedLike imagePath: String, _ result: inout SurveyedExtension
    ) throws {
        let path = host.outside(image)
        do {
            let opened = try Image.open(
                ImageReference(path: path, format: isDirectory ? .directory : .squashFS))
            let (outline, match) = try explainer.look(
                at: opened, named: result.name, path: imagePath, isDirectory: isDirectory, source: path,
                readsLinkage: true)
            result.digest = try digest(of: path, isDirectory ? outline : nil)
            result.isExported = outline.tree[ExtensionLayout.manifests]?.kind == .directory
            if let version = version(of: result.name, in: outline) { result.version = version }
            if let refusal = match.refusal {
                let values = [refusal.image.map { "image: \($0)" }, refusal.host.map { "host: \($0)" }]
                    .compactMap { $0 }
                result.reasons = [
                    "\(refusal.rule): \(refusal.reason)"
                        + (values.isEmpty ? "" : " (\(values.joined(separator: ", ")))")
                ]
                result.fate = match.outcome == .blocks ? .quarantined : .left
                return
            }
            let needs = try HostNeedFinder(image: outline, usr: usr).needs()
            result.fate = needs.isEmpty ? .taken : .kept
            result.reasons = needs.map(\.text)
        } catch let error as SystemError where [EACCES, EPERM].contains(error.code) {
            result.reasons = ["it cannot be read by this user"]
        } catch let error as SystemError where [EIO, EUCLEAN, ELOOP, ENAMETOOLONG].contains(error.code) {
            // The medium, or the file system of a directory, is damaged; others may be whole.
            result.digest = Digest(hashing: path.utf8)
            result.fate = .quarantined
            result.reasons = ["\(error)".firstLine]
        } catch let error as ImageError {
            result.digest = try digest(of: path, nil, isDirectory: isDirectory)
            // What systemd may well mount is none of the bad ones, though it is not looked into.
            if case .unsupported = error, try !isDirectory && Image.isMountable(path) {
                result.fate = .kept
                result.reasons = ["sxs cannot look into it: \("\(error)".firstLine)"]
            } else {
                result.fate = .quarantined
                result.reasons = ["\(error)".firstLine]
            }
        }
    }

    /// The version that the extension-release says.
    private func version(of name: String, in outline: ImageOutline) -> String? {
        guard let path = ExtensionReleaseFile.find(of: name, in: outline.tree, like: explainer.systemd).path,
            let bytes = try? outline.read(path), let release = try? ReleaseFile(parsing: bytes)
        else { return nil }
        return release["SYSEXT_VERSION_ID"].flatMap(ImageNaming.packageVersion)
    }

    /// The SHA-256 of a file, the tree digest of a directory; of a directory that cannot be read, that of its path.
    private func digest(of path: String, _ outline: ImageOutline?, isDirectory: Bool = false) throws -> Digest
    {
        if let outline {
            return Digest(
                hashing: TreeListing.render(outline.tree) {
                    (outline.contents[$0.number].size, outline.contents[$0.number].digest)
                })
        }
        guard !isDirectory else { return Digest(hashing: path.utf8) }
        return try Digest(hashing: Descriptor.file(path))
    }

    // MARK: - Several of one name

    /// The first of a name decides what becomes of the others, which appear should it go.
    private mutating func decide(ours: [ExtensionEntry]) {
        let first = Dictionary(ours.map { ($0.name, $0.path) }, uniquingKeysWith: { first, _ in first })
        var groups: [String: [Int]] = [:]
        for index in found.indices where found[index].image != nil || found[index].entry?.isMask == true {
            groups[found[index].name, default: []].append(index)
        }
        for (name, indices) in groups {
            guard let top = indices.first else { continue }
            let order = { (path: String) in Anchor.searchPath.firstIndex { path.hasPrefix($0 + "/") } ?? 0 }
            if let kept = first[name], order(kept) <= order(found[top].path) {
                for index in indices { leave(index, "\(kept) hides it") }
                continue
            }
            let others = indices.dropFirst()
            guard [.taken, .quarantined].contains(found[top].fate) else {
                for index in others { leave(index, "\(found[top].path) hides it") }
                continue
            }
            let stuck = others.first {
                !AdoptionLayout.directories.contains(found[$0].entry?.directory ?? "")
            }
            if let stuck {
                leave(top, "were it gone, \(found[stuck].path) would come in its place")
                for index in others { leave(index, "\(found[top].path) hides it") }
            } else {
                for index in others {
                    found[index].fate = .covered
                    found[index].reasons = ["\(found[top].path) hides it, which goes"]
                }
            }
        }
    }

    private mutating func leave(_ index: Int, _ reason: String) {
        found[index].fate = .left
        found[index].reasons = [reason]
    }

    // MARK: - Without a link

    /// Images of other programs' directories that no entry leads to.
    private mutating func addAvailable(beside images: [String]) throws {
        var directories = [AdoptionLayout.imageStore]
        for transfer in transfers
        where !directories.contains(transfer.path) && !Anchor.searchPath.contains(transfer.path) {
            directories.append(transfer.path)
        }
        for directory in directories {
            for file in try host.names(in: directory)
            where !file.hasPrefix(".") && file.hasSuffix(ExtensionLayout.imageSuffix) {
                let isStore = directory == AdoptionLayout.imageStore
                guard isStore || transfers.contains(where: { $0.path == directory && $0.matches(file) }),
                    let image = try host.followed(directory + "/" + file), !images.contains(image)
                else { continue }
                let naming = ImageNaming(fileName: file)
                guard let name = naming.name else { continue }
                found.append(
                    SurveyedExtension(
                        entry: nil, name: name, packageName: name, version: naming.version,
                        path: directory + "/" + file, image: image, fate: .available))
            }
        }
    }

    /// Looks at an image that was named although no link leads to it; it is taken, or refused.
    func chosen(_ available: SurveyedExtension) throws -> SurveyedExtension {
        var result = available
        guard let image = available.image else { return result }
        try look(at: image, isDirectory: false, namedLike: "/\(available.name).raw", &result)
        guard result.fate == .taken else {
            throw AdoptionError.notTaken(
                available.path, reason: result.reasons.first ?? "it does not fit this host")
        }
        return result
    }
}
