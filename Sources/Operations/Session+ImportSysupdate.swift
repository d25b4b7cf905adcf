internal import Files
internal import Remotes
internal import StoreLayout

/// What became of a transfer file of systemd-sysupdate.
public struct ImportedTransfer: Encodable, Sendable {
    /// What was done.
    public enum Outcome: String, Encodable, Sendable {
        /// There is a new remote.
        case added
        /// The remote is another now.
        case changed
        /// The remote is as it was.
        case unchanged
        /// It is no remote.
        case passedOver
    }

    /// What the remote is called, or would be.
    public let name: String
    /// The file.
    public let file: String
    /// What was done.
    public let outcome: Outcome
    /// The package that the remote has; `nil` where there is none.
    public let package: String?
    /// Where the remote is; `nil` where there is none.
    public let location: String?
    /// Whether nothing of it is verified by a signature.
    public let isInsecure: Bool
    /// Why it is no remote.
    public let reason: String?
}

extension Session {
    /// Makes remotes of the transfers of systemd-sysupdate.
    ///
    /// Nothing is fetched. What was imported before is brought up to date.
    ///
    /// - Parameter directory: A directory of definitions; `nil` for those of this host.
    public func importSysupdate(_ directory: String?) throws -> [ImportedTransfer] {
        let directory = try directory.map { try Session.absolutePath($0) }
        let sources = try SysupdateDefinitions().transfers(in: directory)
        guard !sources.isEmpty else {
            throw SysupdateError.none(
                directory
                    ?? AdoptionLayout.transferParents.map {
                        "\($0)/\(AdoptionLayout.transferPrefix)*\(AdoptionLayout.transferDirectorySuffix)"
                    }.joined(separator: ", "))
        }
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            let configuration = RemoteConfiguration(root: root)
            let temporary = try Descriptor.directory(root + "/" + StoreLayout.Name.temporary)
            return try sources.map { source in
                guard let remote = source.remote else {
                    return Self.result(source, .passedOver, source.obstacle)
                }
                let known = try configuration.remotes().first { $0.name == remote.name }
                if let known, known.description.patterns.isEmpty || !known.isOfRoot {
                    return Self.result(
                        source, .passedOver, "there is another remote of this name: \(known.file)")
                }
                guard try !configuration.has(remote) else { return Self.result(source, .unchanged, nil) }
                try configuration.add(remote, through: temporary, isReplacing: known != nil)
                return Self.result(source, known == nil ? .added : .changed, nil)
            }
        }
    }

    private static func result(
        _ source: SysupdateSource, _ outcome: ImportedTransfer.Outcome, _ reason: String?
    ) -> ImportedTransfer {
        let remote = outcome == .passedOver ? nil : source.remote
        return ImportedTransfer(
            name: source.name, file: source.file, outcome: outcome, package: remote?.package,
            location: remote?.location.text, isInsecure: remote?.isInsecure ?? false, reason: reason)
    }
}
